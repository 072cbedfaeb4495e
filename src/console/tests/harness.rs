//! A console with a store of its own, and browsers that are signed in.

use crate::{ConsoleConfig, ConsoleState, NoExchange, router};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::IntoResponse as _;
use std::sync::Arc;
use strowger_access::{Access, AccessConfig};
use strowger_model::record::{Recording, Tenant, User};
use strowger_model::world::SeededWorld;
use strowger_model::{CaptureId, Role, World};
use strowger_store::{
    Actor, Afterwards, FinishedCall, NewRecording, NewTenant, NewUser, RecordingResult, Scope, Store, StoreConfig,
    TranscriptResult,
};
use tower::ServiceExt;

pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) access: Access,
    router: Router,
    _folder: tempfile::TempDir,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A browser: its cookie and what its pages carry as CSRF token.
#[derive(Clone, Default)]
pub(super) struct Browser {
    pub(super) cookie: String,
    pub(super) csrf: String,
}

pub(super) fn actor() -> Actor {
    Actor::named("test@example.org")
}

impl Bench {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            url: format!("sqlite://{}/strowger.db", folder.path().display()),
            data_dir: folder.path().to_owned(),
            master_key: [7; 32],
        };
        let world: Arc<dyn World> = Arc::new(SeededWorld::new(3, 1_795_271_527_000));
        let store = Store::open(&config, Arc::clone(&world)).await.unwrap();
        let access = Access::new(store.clone(), Arc::clone(&world), AccessConfig::default());
        let state = ConsoleState::new(ConsoleConfig {
            store: store.clone(),
            access: access.clone(),
            exchange: Arc::new(NoExchange::default()),
            agents: None,
            rooms: None,
            phones: None,
            room_desk: Arc::new(crate::NoRoomDesk),
            relay: None,
            convert: Some(Arc::new(|file: Vec<u8>, format: String, name: String| {
                Box::pin(async move { format!("{name}.{format}: {} bytes", file.len()).into_response() })
            })),
            world,
            zone: "Europe/London".into(),
            sip_server: "pbx.example:5060".into(),
            machine: None,
            certificates: None,
            facts: vec![("SIP".into(), "udp 0.0.0.0:5060".into())],
            shutdown: tokio_util::sync::CancellationToken::new(),
        });
        Self {
            store,
            access,
            router: router(state),
            _folder: folder,
        }
    }

    pub(super) async fn tenant(&self, name: &str) -> Tenant {
        let new = NewTenant {
            name: name.into(),
            realm: format!("{}.example", name.to_lowercase()),
        };
        self.store.tenants().create(&actor(), new).await.unwrap()
    }

    /// A person of a tenant, or a platform administrator without one.
    pub(super) async fn person(&self, tenant: Option<&Tenant>, role: Role) -> User {
        let place = tenant.map_or("platform", |tenant| tenant.name.as_str());
        let new = NewUser {
            email: format!("{role}@{place}.example").to_lowercase(),
            name: format!("{role} of {place}"),
            role,
            extension: None,
            password_hash: Some(self.access.hash_password(PASSWORD).await.unwrap()),
        };
        match tenant {
            Some(tenant) => self
                .store
                .tenant(tenant.id)
                .users()
                .create(&actor(), new)
                .await
                .unwrap(),
            None => self.store.accounts().create_admin(&actor(), new).await.unwrap(),
        }
    }

    /// Who signs in with this address.
    pub(super) async fn user_id(&self, email: &str) -> strowger_model::UserId {
        self.store.accounts().by_email(email).await.unwrap().unwrap().user.id
    }

    /// Somebody of that role, signed in through the sign-in page.
    pub(super) async fn signed_in(&self, tenant: Option<&Tenant>, role: Role) -> Browser {
        let user = self.person(tenant, role).await;
        let form = format!("email={}&password={}", user.email, PASSWORD.replace(' ', "+"));
        let answer = self.send("POST", "/login", &Browser::default(), &form, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let mut browser = Browser {
            cookie,
            csrf: String::new(),
        };
        let home = tenant.map_or_else(|| "/tenants".to_owned(), |tenant| format!("/t/{}/", tenant.id));
        let page = self.get(&home, &browser).await.text();
        browser.csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        browser
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        browser: &Browser,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !browser.cookie.is_empty() {
            request = request.header(header::COOKIE, &browser.cookie);
        }
        if method == "POST" && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    /// The headers and the first frame of an endless answer.
    pub(super) async fn first_frame(&self, path: &str, browser: &Browser) -> (axum::http::HeaderMap, String) {
        let request = Request::builder().uri(path).header(header::COOKIE, &browser.cookie);
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let headers = response.headers().clone();
        let mut frames = response.into_body().into_data_stream();
        let frame = futures_util::StreamExt::next(&mut frames).await.unwrap().unwrap();
        (headers, String::from_utf8_lossy(&frame).into_owned())
    }

    pub(super) async fn get(&self, path: &str, browser: &Browser) -> Answer {
        self.send("GET", path, browser, "", &[]).await
    }

    /// Posts a form with the browser's token.
    pub(super) async fn post(&self, path: &str, browser: &Browser, form: &str) -> Answer {
        let form = format!("csrf={}&{form}", browser.csrf);
        self.send("POST", path, browser, &form, &[]).await
    }

    /// A finished call of a tenant with recording and transcript; its audio counts up.
    pub(super) async fn call(&self, tenant: &Tenant, user: Option<&User>) -> Recording {
        let scope: Scope = self.store.tenant(tenant.id);
        let mut known = crate::samples::call::known();
        known.call.id = strowger_model::CallId::generate(self.access.world());
        known.call.tenant = tenant.id;
        known.call.user = user.map(|user| user.id);
        for leg in &mut known.legs {
            leg.id = strowger_model::LegId::generate(self.access.world());
            leg.call = known.call.id;
        }
        for event in &mut known.events {
            event.leg = None;
        }
        let mut recording = known.recording.unwrap();
        recording.id = strowger_model::RecordingId::generate(self.access.world());
        recording.call = known.call.id;
        let begun = strowger_model::record::Call {
            state: strowger_model::CallState::Ringing,
            ended_at: None,
            ..known.call.clone()
        };
        scope.calls().begin(&begun, &known.legs).await.unwrap();
        scope.calls().events(known.call.id, 0, &known.events).await.unwrap();
        let finished = FinishedCall {
            call: known.call,
            legs: known.legs,
            recordings: vec![NewRecording {
                id: recording.id,
                capture: CaptureId::generate(self.access.world()),
                name: recording.name.clone(),
                recorded_by: "settings".into(),
                problem: None,
                created_at: recording.created_at,
            }],
            voicemail: None,
        };
        scope.calls().finish(&finished).await.unwrap();
        let audio: Vec<u8> = (0..200_000u32)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let blob = scope.blobs().put(&audio).await.unwrap();
        let result = RecordingResult {
            format: "ogg/opus".into(),
            sample_rate_hz: 16_000,
            duration_ms: 251_700,
            size_bytes: 200_000,
            sha256: "0".repeat(64),
            blob,
            peaks: recording.peaks.clone(),
        };
        scope
            .recordings()
            .ready(recording.id, &result, Afterwards::Transcribe)
            .await
            .unwrap();
        let transcript = scope.transcripts().of_recording(recording.id).await.unwrap().unwrap();
        let sample = known.transcript.unwrap();
        let text = TranscriptResult {
            text: "Harbour Dental".into(),
            language: Some("en".into()),
            confidence: 0.97,
            provider: "local-whisper".into(),
            model: "base.en".into(),
            cpu_seconds: 1.0,
            cost_micros: 0,
            audio_ms: 251_700,
            segments: sample.segments.clone(),
        };
        scope.transcripts().ready(transcript.id, &text).await.unwrap();
        let analysis = sample.analysis.unwrap();
        scope
            .transcripts()
            .analysed(transcript.id, &analysis, &sample.segments)
            .await
            .unwrap();
        scope.recordings().get(recording.id).await.unwrap().unwrap()
    }
}

pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text.find(before).map_or(text.len(), |at| at + before.len());
    let rest = &text[start..];
    &rest[..rest.find(after).unwrap_or(0)]
}
