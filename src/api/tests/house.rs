//! A store in a temporary folder with two tenants that each have one of everything.

use super::stand_in::StandIn;
use crate::ApiState;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use strowger_access::{Access, AccessConfig, NewToken};
use strowger_host::metrics::Metrics;
use strowger_model::record::{Call, Leg, User};
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::world::SeededWorld;
use strowger_model::{
    CallId, CallState, CallType, CaptureId, Direction, HangupCause, LegId, RecordingId, Role, TenantId, VoicemailId,
    World,
};
use strowger_store::queue::JobFilter;
use strowger_store::{
    Actor, Afterwards, FinishedCall, MeetingChange, NewDevice, NewFlow, NewGreeting, NewGuestLink, NewNumber,
    NewRecording, NewTenant, NewUser, NewVoicemail, Page, RecordingResult, Scope, Store, StoreConfig,
};
use tempfile::TempDir;
use tower::ServiceExt;

/// What a test stands on.
pub(super) struct House {
    pub(super) store: Store,
    pub(super) access: Access,
    pub(super) switch: Arc<StandIn>,
    pub(super) world: Arc<SeededWorld>,
    pub(super) router: Router,
    pub(super) acme: Tenancy,
    pub(super) zenith: Tenancy,
    pub(super) folder: TempDir,
}

/// A tenant with one of everything.
pub(super) struct Tenancy {
    pub(super) id: TenantId,
    pub(super) number: String,
    pub(super) call: CallId,
    pub(super) recording: RecordingId,
    /// Every id it has, by what it names.
    pub(super) ids: BTreeMap<&'static str, String>,
    /// A token of each role.
    pub(super) tokens: BTreeMap<&'static str, String>,
}

impl Tenancy {
    pub(super) fn token(&self, role: Role) -> &str {
        &self.tokens[role.code()]
    }
}

/// The audio of every recording here.
pub(super) fn audio() -> Vec<u8> {
    (0..1000u32).map(|n| (n % 251) as u8).collect()
}

impl House {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(SeededWorld::new(7, 1_760_000_000_000));
        let config = StoreConfig {
            url: format!("sqlite://{}", folder.path().join("strowger.db").display()),
            data_dir: folder.path().to_owned(),
            master_key: [7; 32],
        };
        let store = Store::open(&config, world.clone()).await.unwrap();
        let access = Access::new(
            store.clone(),
            world.clone(),
            AccessConfig {
                request_burst: 100_000,
                ..AccessConfig::default()
            },
        );
        let switch = Arc::new(StandIn::new(store.clone(), world.clone()));
        let state = ApiState::new(access.clone(), switch.clone(), Metrics::detached());
        let acme = tenancy(&store, &access, "acme", "+49421100").await;
        let zenith = tenancy(&store, &access, "zenith", "+49421200").await;
        Self {
            router: crate::router(state),
            store,
            access,
            switch,
            world,
            acme,
            zenith,
            folder,
        }
    }

    /// Asks as the tenant administrator of acme.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(self.acme.token(Role::TenantAdmin), method, path, body)
            .await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub(super) async fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let streams = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let body = if streams {
            Bytes::new()
        } else {
            axum::body::to_bytes(body, 1 << 24).await.unwrap()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The description of the interface.
    pub(super) async fn description(&self) -> Value {
        self.get("/openapi.json").await.json()
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, once the status is the expected one.
    #[track_caller]
    pub(super) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

/// A flow that calls can take.
pub(super) fn flow() -> Value {
    json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [{"id": "e1", "source": "start", "target": "bye"}]
    })
}

/// A completed call.
pub(super) fn call(world: &dyn World, tenant: TenantId) -> Call {
    let now = world.now();
    Call {
        id: CallId::generate(world),
        tenant,
        user: None,
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state: CallState::Completed,
        from_number: "+49421777".into(),
        from_name: Some("Caller of a tenant".into()),
        to_number: "+49421100".into(),
        started_at: now,
        answered_at: Some(now + time::Duration::seconds(4)),
        ended_at: Some(now + time::Duration::seconds(34)),
        duration_ms: 30_000,
        cause: Some(HangupCause::Normal),
        flow_version: None,
        notes: String::new(),
        metadata: json!({}).into(),
        transcribe: false,
        cost_micros: 12_500,
        currency: "EUR".into(),
        tags: Vec::new(),
    }
}

fn leg(world: &dyn World, of: &Call) -> Leg {
    Leg {
        id: LegId::generate(world),
        call: of.id,
        side: "caller".into(),
        party: of.from_number.clone(),
        device: None,
        trunk: None,
        user: None,
        browser: false,
        sip_call_id: format!("{}@test", of.id),
        codec: Some("PCMA".into()),
        started_at: of.started_at,
        answered_at: of.answered_at,
        ended_at: of.ended_at,
        cause: of.cause,
        quality: None,
    }
}

/// A call that left a message, recorded and asked to be transcribed.
async fn message(scope: &Scope, world: &dyn World, user: &User, name: &str) -> (CallId, RecordingId, VoicemailId) {
    let mut call = call(world, scope.tenant());
    call.user = Some(user.id);
    call.from_name = Some(format!("Caller of {name}"));
    let recording = RecordingId::generate(world);
    let voicemail = VoicemailId::generate(world);
    let finished = FinishedCall {
        legs: vec![leg(world, &call)],
        recordings: vec![NewRecording {
            id: recording,
            capture: CaptureId::generate(world),
            name: format!("Recording of {name}"),
            recorded_by: "voicemail".into(),
            problem: None,
            created_at: call.started_at,
        }],
        voicemail: Some(NewVoicemail {
            id: voicemail,
            user: user.id,
            recording,
            duration_ms: 30_000,
        }),
        call: call.clone(),
    };
    scope.calls().finish(&finished).await.unwrap();
    let blob = scope.blobs().put(&audio()).await.unwrap();
    let result = RecordingResult {
        format: "ogg/opus".into(),
        sample_rate_hz: 16_000,
        duration_ms: 30_000,
        size_bytes: 1000,
        sha256: "ab".repeat(32),
        blob,
        peaks: vec![vec![1, 2, 3], vec![4, 5, 6]],
    };
    scope
        .recordings()
        .ready(recording, &result, Afterwards::Transcribe)
        .await
        .unwrap();
    (call.id, recording, voicemail)
}

/// The id of the job that transcribes the message.
async fn transcribing(scope: &Scope) -> String {
    let kind = Some("transcribe".to_owned());
    let filter = JobFilter { state: None, kind };
    let found = scope.jobs().list(&filter, &Page::default()).await.unwrap();
    found.items[0].id.to_string()
}

async fn tenancy(store: &Store, access: &Access, name: &str, number: &str) -> Tenancy {
    let actor = Actor::system();
    let world = access.world();
    let new = NewTenant {
        name: name.into(),
        realm: format!("{name}.example"),
    };
    let tenant = store.tenants().create(&actor, new).await.unwrap().id;
    let scope = store.tenant(tenant);
    let new = NewUser {
        email: format!("ada@{name}.example"),
        name: format!("Ada of {name}"),
        role: Role::User,
        extension: Some("101".into()),
        password_hash: None,
    };
    let user = scope.users().create(&actor, new).await.unwrap();
    let new = NewDevice {
        user: user.id,
        name: format!("Desk of {name}"),
        username: format!("{name}-desk"),
        algorithm: DigestAlgorithm::Md5,
    };
    let device = scope.devices().create(&actor, new, "secret").await.unwrap();
    let new = NewNumber {
        number: number.into(),
        friendly_name: format!("Main of {name}"),
        target: None,
        record: None,
    };
    let number_row = scope.numbers().create(&actor, new).await.unwrap();
    let new = NewFlow {
        name: format!("Flow of {name}"),
        description: String::new(),
        draft: flow(),
    };
    let flow = scope.flows().create(&actor, new).await.unwrap();
    let new = NewGreeting {
        user: user.id,
        name: format!("Greeting of {name}"),
        kind: "personal".into(),
        text: Some(format!("This is {name}.")),
        file: None,
    };
    let greeting = scope.greetings().create(&actor, new).await.unwrap();

    let (call, recording, voicemail) = message(&scope, world, &user, name).await;
    let transcript = scope.transcripts().of_recording(recording).await.unwrap().unwrap();
    let job = transcribing(&scope).await;

    let mut tokens = BTreeMap::new();
    for role in [Role::TenantAdmin, Role::Manager, Role::User, Role::Auditor] {
        let new = NewToken {
            name: role.code().into(),
            role,
            expires_at: None,
        };
        tokens.insert(role.code(), access.create_token(&actor, tenant, new).await.unwrap().1);
    }
    let (room_key, _) = access.create_room_key(&actor, tenant, "programs").await.unwrap();
    let room = MeetingChange::named(&format!("{name} daily"));
    let room = scope.meetings().create(&actor, Some(user.id), room).await.unwrap();
    let link = NewGuestLink {
        room: room.id(),
        label: format!("{name} guest"),
        once: false,
        expires_at: None,
        secret_hash: format!("hash {name}"),
    };
    let link = scope.guest_links().create(&actor, link).await.unwrap();
    let url = format!("https://{name}.example/rooms");
    let webhook = scope.room_webhooks().create(&actor, &url, &room_key.id).await.unwrap();
    let ids = BTreeMap::from([
        ("room key", room_key.id),
        ("room webhook", webhook.id.to_string()),
        ("tenant", tenant.to_string()),
        ("user", user.id.to_string()),
        ("device", device.id.to_string()),
        ("room", room.id().to_string()),
        ("guest link", link.id.to_string()),
        ("number", number_row.id.to_string()),
        ("number as dialled", number.to_owned()),
        ("flow", flow.id.to_string()),
        ("greeting", greeting.id.to_string()),
        ("call", call.to_string()),
        ("recording", recording.to_string()),
        ("voicemail", voicemail.to_string()),
        ("transcript", transcript.id.to_string()),
        ("job", job),
    ]);
    Tenancy {
        id: tenant,
        number: number.to_owned(),
        call,
        recording,
        ids,
        tokens,
    }
}
