//! The demo tenant: three people with phones, five numbers, a flow, a room, perhaps a provider.

use super::card::{Account, Phone};
use super::{Options, RENDERING};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_access::{Access, AccessConfig, NewToken, device_password};
use strowger_model::record::User;
use strowger_model::settings::{Entry, Lock};
use strowger_model::trunk::{DigestAlgorithm, NumberTarget, Transport, TrunkKind};
use strowger_model::{FlowId, Role, TenantId, World};
use strowger_store::{Actor, NewDevice, NewFlow, NewNumber, NewTenant, NewTrunk, NewUser, Scope, Store, SystemWorld};

/// What was made.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub(crate) tenant: TenantId,
    pub(crate) admin: Account,
    pub(crate) api_token: String,
    /// A key to rooms and its secret.
    pub(crate) room_key: (String, String),
    pub(crate) phones: Vec<Phone>,
    pub(crate) numbers: BTreeMap<&'static str, String>,
    flow: FlowId,
}

const PEOPLE: [(&str, &str, &str); 3] = [
    ("Ada Lovelace", "ada", "101"),
    ("Grace Hopper", "grace", "102"),
    ("Alan Turing", "alan", "103"),
];

/// Fills an empty store.
pub(crate) async fn fill(store: &Store, options: &Options) -> Result<Staged> {
    let world = std::sync::Arc::new(SystemWorld);
    let access = Access::new(store.clone(), world.clone(), AccessConfig::default());
    let actor = Actor::named("sandbox");

    let admin = Account {
        email: "admin@sandbox.invalid".to_owned(),
        password: device_password(world.as_ref()),
    };
    let hash = access.hash_password(&admin.password).await?;
    store
        .accounts()
        .create_admin(
            &actor,
            person(
                "Administrator",
                &admin.email,
                Role::PlatformAdmin,
                None,
                Some(hash.clone()),
            ),
        )
        .await?;

    let new = NewTenant {
        name: "Demo".to_owned(),
        realm: "demo.invalid".to_owned(),
    };
    let tenant = store.tenants().create(&actor, new).await?.id;
    let scope = store.tenant(tenant);
    let token = NewToken {
        name: "sandbox".to_owned(),
        role: Role::TenantAdmin,
        expires_at: None,
    };
    let (_, api_token) = access.create_token(&actor, tenant, token).await?;
    let (key, secret) = access.create_room_key(&actor, tenant, "sandbox").await?;
    let room_key = (key.id, secret);
    let transcribe = Entry {
        value: Some("true".to_owned()),
        lock: Lock::Unlocked,
    };
    scope
        .settings()
        .set(&actor, "auto_transcribe_calls", &transcribe)
        .await?;

    let (users, mut phones) = people(&scope, &actor, world.as_ref(), &hash).await?;
    if let Some(provider) = provider(options) {
        trunk(&scope, &actor, provider, options.bench).await?;
    }
    if options.bench {
        bench_devices(&scope, &actor, options.bench_devices, &mut phones).await?;
    }
    let flow = flow(&scope, &actor, options.bench).await?;
    let numbers = numbers(&scope, &actor, &users, flow, options.bench).await?;
    Ok(Staged {
        tenant,
        admin,
        api_token,
        room_key,
        phones,
        numbers,
        flow,
    })
}

fn person(name: &str, email: &str, role: Role, extension: Option<&str>, password_hash: Option<String>) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: name.to_owned(),
        role,
        extension: extension.map(str::to_owned),
        password_hash,
    }
}

/// They sign in as `USER@sandbox.invalid` with the administrator's password.
async fn people(
    scope: &Scope,
    actor: &Actor,
    world: &dyn World,
    password_hash: &str,
) -> Result<(Vec<User>, Vec<Phone>)> {
    let (mut users, mut phones) = (Vec::new(), Vec::new());
    for (name, username, extension) in PEOPLE {
        let email = format!("{username}@sandbox.invalid");
        let user = scope
            .users()
            .create(
                actor,
                person(
                    name,
                    &email,
                    Role::User,
                    Some(extension),
                    Some(password_hash.to_owned()),
                ),
            )
            .await?;
        let password = device_password(world);
        device(scope, actor, &user, username, &password).await?;
        phones.push(Phone {
            user: username.to_owned(),
            password,
            extension: extension.to_owned(),
        });
        users.push(user);
    }
    Ok((users, phones))
}

async fn device(scope: &Scope, actor: &Actor, user: &User, username: &str, password: &str) -> Result<()> {
    let new = NewDevice {
        user: user.id,
        name: format!("{username}'s phone"),
        username: username.to_owned(),
        algorithm: DigestAlgorithm::Md5,
    };
    scope.devices().create(actor, new, password).await?;
    Ok(())
}

/// Where a provider's calls come from and go to.
struct Provider {
    calls_from: SocketAddr,
    calls_to: SocketAddr,
}

fn provider(options: &Options) -> Option<Provider> {
    if options.bench {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        return Some(Provider {
            calls_from: at(7060),
            calls_to: at(7070),
        });
    }
    options.trunk.map(|address| Provider {
        calls_from: address,
        calls_to: address,
    })
}

async fn trunk(scope: &Scope, actor: &Actor, provider: Provider, any_number: bool) -> Result<()> {
    let new = NewTrunk {
        name: "Provider".to_owned(),
        kind: TrunkKind::Address,
        host: provider.calls_to.ip().to_string(),
        port: provider.calls_to.port(),
        transport: Transport::Udp,
        addresses: vec![provider.calls_from.to_string()],
        username: None,
        password: None,
        prefix: if any_number { String::new() } else { "+".to_owned() },
        max_calls: 5000,
    };
    scope.trunks().create(actor, new).await?;
    Ok(())
}

async fn bench_devices(scope: &Scope, actor: &Actor, count: u32, phones: &mut Vec<Phone>) -> Result<()> {
    let user = scope
        .users()
        .create(
            actor,
            person("Load", "load@sandbox.invalid", Role::User, Some("199"), None),
        )
        .await?;
    for n in 0..count {
        let (username, password) = (format!("u{n:05}"), format!("p{n:05}"));
        device(scope, actor, &user, &username, &password).await?;
        if n == 0 {
            phones.push(Phone {
                user: username,
                password,
                extension: "199".to_owned(),
            });
        }
    }
    Ok(())
}

/// A short welcome, then a menu: 1 rings Grace (or, measured, the far end), 2 reaches Ada's mailbox.
fn definition(bench: bool) -> Value {
    let dial = if bench {
        json!({"number": "7000", "timeout": 30})
    } else {
        json!({"number": "102", "timeout": 20})
    };
    json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "welcome", "type": "say", "data": {"text": "Welcome to Strowger. This call may be recorded."}},
            {"id": "menu", "type": "menu", "data": {"message": "Press one to talk to a colleague, or two to leave a message.", "timeout": 5, "retries": 2}},
            {"id": "colleague", "type": "dial", "data": dial},
            {"id": "message", "type": "voicemail", "data": {"mailbox": "101"}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "welcome"},
            {"id": "e2", "source": "welcome", "target": "menu"},
            {"id": "e3", "source": "menu", "target": "colleague", "label": "1"},
            {"id": "e4", "source": "menu", "target": "message", "label": "2"},
            {"id": "e5", "source": "menu", "target": "bye", "label": "timeout"},
            {"id": "e6", "source": "menu", "target": "bye", "label": "invalid"},
            {"id": "e7", "source": "colleague", "target": "message", "label": "no-answer"},
            {"id": "e8", "source": "colleague", "target": "message", "label": "busy"},
            {"id": "e9", "source": "colleague", "target": "message", "label": "failed"}
        ]
    })
}

async fn flow(scope: &Scope, actor: &Actor, bench: bool) -> Result<FlowId> {
    let new = NewFlow {
        name: "Welcome".to_owned(),
        description: "A welcome, then a colleague or a message".to_owned(),
        draft: definition(bench),
    };
    let flow = scope.flows().create(actor, new).await?.id;
    scope.flows().publish(actor, flow).await?.context("the flow vanished")?;
    Ok(flow)
}

async fn numbers(
    scope: &Scope,
    actor: &Actor,
    users: &[User],
    flow: FlowId,
    bench: bool,
) -> Result<BTreeMap<&'static str, String>> {
    let [ada, grace, ..] = users else {
        bail!("too few people")
    };
    let room = scope.rooms().create(actor, "Standup").await?.id;
    let colleague = if bench {
        NumberTarget::Trunk
    } else {
        NumberTarget::User(grace.id)
    };
    let plan: [(&'static str, &str, &str, NumberTarget, Option<bool>); 5] = [
        ("bridge", "1000", "+15550001000", colleague, Some(false)),
        ("record", "1001", "+15550001001", colleague, Some(true)),
        ("ivr", "1003", "+15550001003", NumberTarget::Flow(flow), None),
        (
            "voicemail",
            "1004",
            "+15550001004",
            NumberTarget::Voicemail(ada.id),
            None,
        ),
        ("room", "1005", "+15550001005", NumberTarget::Room(room), None),
    ];
    let mut out = BTreeMap::new();
    for (name, short, long, target, record) in plan {
        let number = if bench { short } else { long };
        let new = NewNumber {
            number: number.to_owned(),
            friendly_name: name.to_owned(),
            target: Some(target),
            record,
        };
        scope.numbers().create(actor, new).await?;
        out.insert(name, number.to_owned());
    }
    Ok(out)
}

/// Waits until the flow's texts have audio.
pub(crate) async fn until_rendered(store: &Store, staged: &Staged) -> Result<()> {
    let deadline = tokio::time::Instant::now() + RENDERING;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let flows = store.tenant(staged.tenant).flows();
    loop {
        tick.tick().await;
        let flow = flows.get(staged.flow).await?.context("the flow vanished")?;
        if flow.published.is_some() {
            return Ok(());
        }
        let version = flows.history(staged.flow).await?.into_iter().next();
        if let Some(problem) = version.and_then(|version| version.problem) {
            bail!("the flow's texts could not be spoken: {problem}");
        }
        if tokio::time::Instant::now() >= deadline {
            bail!("the flow's texts were not spoken within {RENDERING:?}");
        }
    }
}
