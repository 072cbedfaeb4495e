//! People, lines, flows, and the rest.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::draw::pulse;
use crate::entry::view as entry;
use crate::flows::view::{self as flows, Editor, Finding, Run};
use crate::govern::room_view;
use crate::govern::view::{self as govern, Due};
use crate::lines::view::{self as lines, Line, Targets};
use crate::people::view::{self as people, Credentials, Phone};
use crate::show::{Fact, Figure, Page, Problems, Shell, State, Values};
use crate::system::view::{self as system, Check};
use crate::tenants;
use serde_json::json;
use strowger_model::job::{JobState, NoticeKind};
use strowger_model::record::{
    ApiToken, AuditEntry, Binding, Device, Flow, FlowVersion, JobRow, Notice, Number, RoomKey, RoomWebhook, Tenant,
    Trunk, User, WebhookPost,
};
use strowger_model::settings::{Entry, Layer, Lock, Settings, Tier};
use strowger_model::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use strowger_model::{
    DeviceId, FlowId, FlowVersionId, JobId, NoticeId, NumberId, Role, TenantId, TokenId, TrunkId, UserId, WebhookId,
};
use strowger_rooms::AgentWorker;
use strowger_store::PooledNumber;
use time::Duration;

fn user(name: &str, role: Role, extension: &str) -> User {
    User {
        id: UserId::generate(&world()),
        tenant: Some(TenantId::generate(&world())),
        email: format!(
            "{}@harbour.example",
            name.split(' ').next().unwrap_or_default().to_lowercase()
        ),
        name: name.into(),
        role,
        extension: Some(extension.into()),
        active: extension != "299",
        created_at: NOW,
    }
}

fn everybody() -> Vec<User> {
    vec![
        user("Ines Duarte", Role::TenantAdmin, "201"),
        user("Jonas Weber", Role::User, "204"),
        user("Aisha Khan", Role::Manager, "211"),
        user("Old Account", Role::User, "299"),
    ]
}

fn phones() -> Vec<Phone> {
    let device = |name: &str, username: &str| Device {
        id: DeviceId::generate(&world()),
        tenant: TenantId::generate(&world()),
        user: UserId::generate(&world()),
        name: name.into(),
        username: username.into(),
        algorithm: DigestAlgorithm::Md5,
        active: true,
        created_at: NOW,
    };
    let desk = device("Desk", "jonas-7f3k");
    let binding = Binding {
        device: desk.id,
        tenant: desk.tenant,
        contact: "sip:jonas-7f3k@10.0.8.41:5060".into(),
        source: "10.0.8.41:5060".into(),
        transport: Transport::Udp,
        sip_call_id: "x".into(),
        cseq: 3,
        instance: None,
        user_agent: Some("Yealink T54W 96.86".into()),
        expires_at: NOW + Duration::minutes(48),
    };
    vec![
        Phone {
            device: desk,
            owner: "Jonas Weber".into(),
            bindings: vec![binding],
        },
        Phone {
            device: device("Mobile", "jonas-m2xa"),
            owner: "Jonas Weber".into(),
            bindings: vec![],
        },
    ]
}

fn credentials() -> Credentials {
    Credentials {
        username: "jonas-7f3k".into(),
        password: "pelvic-Saddle-42-orbit".into(),
        realm: "harbour.pbx.example".into(),
        server: "10.0.8.5:5060".into(),
    }
}

fn none() -> (Values, Problems) {
    (Values::default(), Problems::default())
}

fn people_pages() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = none();
    let wrong = Values::default()
        .with("name", "Tom")
        .with("email", "tom")
        .with("extension", "204");
    let mut problems_of = Problems::one("email", "Write an e-mail address, for example tom@acme.example.");
    problems_of.add("extension", "Somebody has this extension. Choose another.");
    let users = everybody();
    let open = std::collections::HashMap::from([(users[0].id, 2)]);
    let seen = people::People {
        users: &users,
        pages: &open,
        may_call: true,
    };
    let choices = vec![("u".to_owned(), "Jonas Weber".to_owned())];
    let values_of = Values::default()
        .with("name", "Jonas Weber")
        .with("email", "jonas@harbour.example")
        .with("active", "true");
    let signed = |from: &str, agent: &str, minutes: i64| strowger_store::Session {
        id: strowger_model::SessionId::generate(&world()),
        user: users[0].clone(),
        csrf: String::new(),
        created_at: NOW - Duration::hours(26),
        seen_at: NOW - Duration::minutes(minutes),
        expires_at: NOW + Duration::days(6),
        user_agent: agent.into(),
        source: from.into(),
    };
    let sessions = [
        signed(
            "10.0.8.12",
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36",
            0,
        ),
        signed("203.0.113.9", "Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1", 312),
    ];
    let mut out = vec![
        sample(
            "account",
            &crate::account::view::account(&shell, &users[0], &sessions, Some(sessions[0].id), &problems),
        ),
        sample("users", &people::users(&shell, BASE, &seen, (&values, &problems), true)),
        sample(
            "users_refused",
            &people::users(&shell, BASE, &seen, (&wrong, &problems_of), true),
        ),
        sample(
            "devices",
            &people::phones(&shell, BASE, &phones(), &choices, Some(&credentials())),
        ),
    ];
    if let (Some(user), Some(phone)) = (users.get(1), phones().first()) {
        out.push(sample(
            "user",
            &people::user(&shell, BASE, user, &phones(), (&values_of, &problems)),
        ));
        out.push(sample(
            "device",
            &people::phone(&shell, BASE, phone, "harbour.pbx.example", None),
        ));
    }
    out
}

fn line_pages() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = none();
    let flow = FlowId::generate(&world());
    let targets = Targets(vec![
        (format!("flow:{flow}"), "Flow Main line".into()),
        ("trunk:".into(), "Out again through the trunks".into()),
    ]);
    let number = |digits: &str, name: &str, target| Number {
        id: NumberId::generate(&world()),
        tenant: TenantId::generate(&world()),
        number: digits.into(),
        friendly_name: name.into(),
        target,
        record: None,
        active: true,
        created_at: NOW,
    };
    let main = number("+442079460018", "Main line", Some(NumberTarget::Flow(flow)));
    let numbers = [main.clone(), number("+442079460019", "Fax, old", None)];
    let trunk = |name: &str, kind| Trunk {
        id: TrunkId::generate(&world()),
        tenant: TenantId::generate(&world()),
        name: name.into(),
        kind,
        host: "sip.gamma.example".into(),
        port: 5060,
        transport: Transport::Udp,
        addresses: vec!["192.0.2.0/24".into()],
        username: Some("harbour".into()),
        prefix: "+".into(),
        max_calls: 30,
        active: true,
        created_at: NOW,
    };
    let line = |name: &str, kind, state| Line {
        trunk: trunk(name, kind),
        state,
    };
    let trunks = [
        line("Gamma-1", TrunkKind::Registration, State::ok("Registered")),
        line("Voxbone-2", TrunkKind::Address, State::bad("No answer")),
    ];
    let turns = [Notice {
        id: NoticeId::generate(&world()),
        tenant: TenantId::generate(&world()),
        call: None,
        kind: NoticeKind::TrunkDown,
        detail: "Voxbone-2: it does not answer".into(),
        created_at: NOW,
    }];
    let history: Vec<pulse::Minute> = (0..600)
        .map(|ago| pulse::Minute {
            ago,
            answered: if (90..120).contains(&ago) { 0 } else { 6 },
            missed: if (90..120).contains(&ago) { 6 } else { 0 },
            latency: std::time::Duration::from_millis(12 + u64::from(ago.unsigned_abs() % 70 == 0) * 9),
        })
        .collect();
    let typed = Values::default()
        .with("friendly_name", "Main line")
        .with("target", format!("flow:{flow}"))
        .with("active", "true");
    let free = ["+442079460106".to_owned(), "+442079460112".to_owned()];
    let mut out = vec![
        sample(
            "numbers",
            &lines::numbers(&shell, BASE, (&numbers, &free), &targets, (&values, &problems), true),
        ),
        sample(
            "number",
            &lines::number(&shell, BASE, &main, &targets, (&typed, &problems)),
        ),
        sample(
            "trunks",
            &lines::trunks(&shell, BASE, (&trunks, &turns), (&values, &problems), true),
        ),
    ];
    if let Some(line) = trunks.first() {
        out.push(sample(
            "trunk",
            &lines::trunk(&shell, BASE, line, (&typed, &problems), &history),
        ));
    }
    out
}

fn editor() -> Editor {
    let graph = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {"label": "Call in"}},
            {"id": "hours", "type": "hours", "data": {"label": "Open now?"}},
            {"id": "greet", "type": "say", "data": {"label": "Greeting", "text": "Welcome to Harbour Dental."}},
            {"id": "menu", "type": "menu", "data": {"label": "Main menu"}},
            {"id": "support", "type": "dial", "data": {"label": "Support"}},
            {"id": "box", "type": "voicemail", "data": {"label": "Message box"}},
            {"id": "easter", "type": "play", "data": {"label": "Easter notice"}},
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "hours"},
            {"id": "2", "source": "hours", "target": "greet", "label": "open"},
            {"id": "3", "source": "hours", "target": "box", "label": "closed"},
            {"id": "4", "source": "greet", "target": "menu"},
            {"id": "5", "source": "menu", "target": "support", "label": "2"},
            {"id": "6", "source": "menu", "target": "menu", "label": "9"},
            {"id": "7", "source": "support", "target": "box", "label": "no_answer"},
        ],
    });
    let version = FlowVersion {
        id: FlowVersionId::generate(&world()),
        flow: FlowId::generate(&world()),
        number: 14,
        definition: graph.clone(),
        state: "ready".into(),
        problem: None,
        published_by: "ines@harbour.example".into(),
        created_at: NOW - Duration::days(9),
    };
    let past = FlowVersion {
        number: 13,
        id: FlowVersionId::from_uuid(uuid::Uuid::from_u128(13)),
        ..version.clone()
    };
    Editor {
        flow: Flow {
            id: version.flow,
            tenant: TenantId::generate(&world()),
            name: "Main line".into(),
            description: "Greets, asks, rings support, takes messages.".into(),
            draft: graph.clone(),
            published: Some(version.id),
            published_number: Some(14),
            total_calls: 2_418,
            last_used_at: Some(NOW - Duration::minutes(1)),
            updated_at: NOW,
        },
        text: serde_json::to_string_pretty(&graph).unwrap_or_default(),
        graph,
        findings: vec![
            Finding {
                node: Some("easter".into()),
                blocks: true,
                message: "No exit leads to this node. Connect it or delete it before you publish.".into(),
            },
            Finding {
                node: Some("support".into()),
                blocks: false,
                message: "It has no exit for `busy`; such callers are hung up on.".into(),
            },
        ],
        versions: vec![version, past],
        run: Some(Run {
            keys: "2".into(),
            lines: vec![
                "Says “Welcome to Harbour Dental.”".into(),
                "Key 2 takes exit 2.".into(),
                "Rings 204 for 30 s.".into(),
            ],
            nodes: ["start", "hours", "greet", "menu", "support"]
                .map(str::to_owned)
                .to_vec(),
            problem: String::new(),
        }),
        problem: String::new(),
        may_change: true,
    }
}

fn flow_pages() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = none();
    let editor = editor();
    let flow = editor.flow.clone();
    let mut out = vec![
        sample(
            "flows",
            &flows::list(&shell, BASE, std::slice::from_ref(&flow), (&values, &problems), true),
        ),
        sample("flow", &flows::editor(&shell, BASE, &editor)),
    ];
    if let Some(version) = editor.versions.first() {
        let changed = vec!["Adds node easter.".to_owned()];
        out.push(sample(
            "flow_version",
            &flows::version(&shell, BASE, &flow, version, &changed),
        ));
    }
    out
}

fn govern_pages() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = none();
    let due = |kind: &str, days, remove, held, setting| Due {
        kind: kind.into(),
        days,
        remove,
        held,
        setting,
    };
    let due = [
        due("Calls", 90, 41, 0, "call_retention_days"),
        due("Recordings", 90, 38, 2, "recording_retention_days"),
        due("Voicemail", 30, 4, 0, "voicemail_retention_days"),
    ];
    let entry = |value: &str, lock| Entry {
        value: Some(value.into()),
        lock,
    };
    let platform = Layer::from([
        ("enable_ivr".to_owned(), entry("true", Lock::Hard)),
        ("recording_retention_days".to_owned(), entry("60", Lock::Soft)),
    ]);
    let tenant = Layer::from([("recording_retention_days".to_owned(), entry("90", Lock::Unlocked))]);
    let resolved = Settings::resolve(platform, tenant.clone(), Layer::new());
    let refused = Values::default()
        .with("key", "ring_timeout_seconds")
        .with("value", "soon");
    let wrong = Problems::one("value", "It takes a whole number from 1 to 600.");
    let token = ApiToken {
        id: TokenId::generate(&world()),
        tenant: TenantId::generate(&world()),
        name: "CRM".into(),
        role: Role::Manager,
        expires_at: None,
        last_used_at: Some(NOW - Duration::minutes(12)),
        created_at: NOW - Duration::days(40),
    };
    let line = |actor: &str, action: &str, target: &str, detail: &str| AuditEntry {
        at: NOW - Duration::minutes(14),
        tenant: None,
        actor: actor.into(),
        action: action.into(),
        target: target.into(),
        detail: detail.into(),
    };
    let log = [
        line("ines@harbour.example", "recording.play", "0199-7f3c", "from 10.0.8.20"),
        line("token CRM", "call.update", "0199-7f3c", "tags"),
        line("system", "retention.run", "", "41 calls, 38 recordings, 4 messages"),
    ];
    let made = (
        "CRM".to_owned(),
        "swt_0199aa_4f1bd2c0e5a94b0e9f6f2f8c77d3a1b2".to_owned(),
    );
    let tenant_row = Tenant {
        id: TenantId::generate(&world()),
        name: "Harbour Dental Group".into(),
        realm: "harbour.pbx.example".into(),
        active: true,
        created_at: NOW,
    };
    let whose = (Tier::Tenant, "Harbour Dental Group");
    let going = [govern::Going {
        kind: "Recording",
        page: "/recordings/0199aa00-0000-7000-8000-000000000001".into(),
        since: NOW - Duration::days(91),
        bytes: 1_234_567,
    }];
    vec![
        sample("retention", &govern::retention(&shell, BASE, (&due, &going), &[], true)),
        sample(
            "settings",
            &govern::settings(
                &shell,
                &format!("{BASE}/settings"),
                whose,
                (&resolved, &tenant),
                (&refused, &wrong),
                true,
            ),
        ),
        sample(
            "tokens",
            &govern::tokens(&shell, BASE, &[token], Some(&made), (&values, &problems)),
        ),
        sample("room_keys", &room_keys_page(&shell)),
        sample(
            "audit",
            &govern::audit(&shell, &format!("{BASE}/audit"), &log, &values, Some("41")),
        ),
        sample("number_pool", &pool_page(&shell)),
        sample(
            "tenants",
            &tenants::view::page(&shell, &[tenant_row], (&values, &problems)),
        ),
    ]
}

fn pool_page(shell: &Shell) -> Page {
    let pooled = [("+442079460106", -2), ("+442079460107", 12)].map(|(number, days)| PooledNumber {
        number: number.into(),
        free_from: NOW + Duration::days(days),
    });
    let (values, problems) = none();
    lines::pool(shell, &pooled, (&values, &problems), Some("+442079460107"))
}

fn room_keys_page(shell: &Shell) -> Page {
    let tenant = TenantId::generate(&world());
    let key = |id: &str, name: &str, own, used: Option<i64>| RoomKey {
        id: id.into(),
        tenant,
        name: name.into(),
        own,
        last_used_at: used.map(|minutes| NOW - Duration::minutes(minutes)),
        created_at: NOW - Duration::days(3),
    };
    let keys = [
        key("APIk7m2x9qfw3th", "Strowger", true, Some(2)),
        key("APIr4d8ypzn6vcb", "Booking site", false, None),
    ];
    let webhook = RoomWebhook {
        id: WebhookId::generate(&world()),
        tenant,
        url: "https://booking.example/rooms".into(),
        key: "APIr4d8ypzn6vcb".into(),
        told_at: Some(NOW - Duration::minutes(5)),
        problem: Some("answered 502".into()),
        created_at: NOW - Duration::days(2),
    };
    let post = |event: &str, state: &str, tries, problem: Option<&str>| WebhookPost {
        number: tries,
        event: event.into(),
        state: state.into(),
        tries,
        problem: problem.map(str::to_owned),
        due_at: NOW + Duration::seconds(8),
        told_at: None,
        created_at: NOW - Duration::minutes(5),
    };
    let posts = [
        (webhook.id, post("participant_joined", "waiting", 0, None)),
        (webhook.id, post("room_started", "waiting", 3, Some("answered 502"))),
        (
            webhook.id,
            post("room_finished", "given_up", 10, Some("nobody answers")),
        ),
        (webhook.id, post("room_started", "taken", 1, None)),
    ];
    let made = room_view::Made {
        name: "Booking site".into(),
        key: "APIr4d8ypzn6vcb".into(),
        secret: "5f0c9a".repeat(10),
    };
    let (values, problems) = none();
    let agent = AgentWorker {
        tenant,
        id: "AW_3f2a9c00001".into(),
        agent_name: "receptionist".into(),
        version: "1.8.9".into(),
        kind: "room",
        is_available: true,
        load: 0.2,
        jobs: 2,
        since: NOW - Duration::hours(5),
    };
    room_view::keys(
        shell,
        BASE,
        (&keys, &[webhook], &posts),
        &[agent],
        Some(&made),
        (&values, &problems),
    )
}

fn system_pages() -> Vec<Sample> {
    let shell = shell();
    let job = |kind: &str, state, attempts, problem: Option<&str>| JobRow {
        id: JobId::generate(&world()),
        tenant: TenantId::generate(&world()),
        kind: kind.into(),
        payload: json!({}),
        state,
        attempts,
        problem: problem.map(str::to_owned),
        worker: Some("pbx-1".into()),
        percent: if state == JobState::Running { 43 } else { 0 },
        stopped_by: None,
        created_at: NOW - Duration::minutes(20),
        started_at: Some(NOW - Duration::minutes(19)),
        finished_at: Some(NOW - Duration::minutes(18)),
    };
    let jobs = [
        job("transcribe", JobState::Running, 1, None),
        job("process_recording", JobState::Done, 1, None),
        job(
            "transcribe",
            JobState::Dead,
            3,
            Some("the model base.en is not installed: strowger models pull base.en"),
        ),
    ];
    let check = |name: &str, state, detail: &str| Check {
        name: name.into(),
        state,
        detail: detail.into(),
    };
    let checks = [
        check("Database", State::ok("Works"), "SQLite, answered in 2 ms"),
        check(
            "Worker",
            State::bad("None seen"),
            "No worker has taken a job for 14 min. Start strowger-worker.",
        ),
        check("Disk", State::warn("Fills up"), "88 % used; 14 GB free"),
        check(
            "Language service azure",
            State::warn("Resting"),
            "Last failure 14:31: answered 429. The circuit is open: it is left alone until 14:33.",
        ),
    ];
    let strip = vec![Figure {
        name: "Calls now".into(),
        value: "7".into(),
        state: State::on("Talking or ringing"),
    }];
    let facts = vec![
        Fact::new("Version", "0.1.0"),
        Fact::new("Running for", "9 days"),
        Fact::new("SIP", "udp 0.0.0.0:5060"),
    ];
    vec![
        sample("jobs", &system::jobs(&shell, BASE, &jobs, None, Some("0199"), true)),
        sample(
            "health",
            &system::health(&shell, &checks, strip, facts, &super::providers::spend()),
        ),
    ]
}

fn gates() -> Vec<Sample> {
    let (values, problems) = none();
    let wrong = Problems::one("", "The e-mail address or the password is wrong.");
    let typed = Values::default().with("email", "ines@harbour.example");
    vec![
        sample("login", &entry::sign_in("/", (&values, &problems))),
        sample("login_refused", &entry::sign_in("/", (&typed, &wrong))),
        sample("setup", &entry::first_run((&values, &problems))),
        sample(
            "setup_connect",
            &entry::connect(&credentials(), "*43", &format!("{BASE}/")),
        ),
        sample(
            "trouble",
            &entry::trouble(
                "There is no such page",
                "It may have been removed, or it belongs to another tenant.",
            ),
        ),
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    [
        people_pages(),
        line_pages(),
        super::kept::samples(),
        flow_pages(),
        govern_pages(),
        super::providers::samples(),
        system_pages(),
        gates(),
    ]
    .concat()
}
