//! The routes and what lies around them all.

use crate::body::BODY_LIMIT_BYTES;
use crate::problem::{Problem, finish};
use crate::state::{ApiState, Described};
use crate::{
    agents, calls, dev, devices, events, flows, govern, health, jobs, livekit, meetings, metrics, notices, numbers,
    prompts, providers, recordings, room_keys, rooms, search, settings, subjects, transcription, trunks, voicemail,
    voip,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The face of the description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Strowger",
        description = "Calls, recordings, transcripts, numbers, flows and settings of one tenant. \
                       Send an API token as `Authorization: Bearer swt_…`. \
                       Refusals are RFC 9457 problem details with a stable `code`."
    ),
    security(("token" = [])),
    modifiers(&TokenScheme),
    components(schemas(crate::problem::ProblemBody, crate::problem::FieldError)),
    tags(
        (name = "calls", description = "Placing, finding and ending calls"),
        (name = "recordings", description = "What was recorded, and its audio"),
        (name = "privacy", description = "Everything about a person or number: found, given out, erased"),
        (name = "transcription", description = "What was said, and what was understood"),
        (name = "jobs", description = "The work behind calls: how far it is, what was given up, stopping and trying again"),
        (name = "voicemail", description = "Messages and greetings"),
        (name = "numbers", description = "Numbers callers dial"),
        (name = "trunks", description = "Providers, how they stand and how they stood"),
        (name = "devices", description = "Phones of users"),
        (name = "flows", description = "IVR graphs"),
        (name = "settings", description = "The cascade of platform, tenant and user"),
        (name = "rooms", description = "Meetings: rooms, guests' links, tokens to join, keys, and who is told what happens in them"),
        (name = "voip", description = "Calls of users in browsers: tokens for the sound, and what happens to them"),
        (name = "events", description = "What happens now"),
        (name = "system", description = "Health, counters and this description"),
    )
)]
struct Face;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", scheme);
        env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    }
}

fn described_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Face::openapi())
        .merge(calls::routes())
        .merge(recordings::routes())
        .merge(transcription::routes())
        .merge(jobs::routes())
        .merge(search::routes())
        .merge(voicemail::routes())
        .merge(numbers::routes())
        .merge(devices::routes())
        .merge(trunks::routes())
        .merge(notices::routes())
        .merge(flows::routes())
        .merge(prompts::routes())
        .merge(rooms::routes())
        .merge(settings::routes())
        .merge(subjects::routes())
        .merge(govern::routes())
        .merge(providers::routes())
        .merge(room_keys::routes())
        .merge(agents::routes())
        .merge(meetings::routes())
        .merge(voip::routes())
        .routes(routes!(events::events))
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi))
        .routes(routes!(dev_page))
}

/// The interface: every path under `/api`, and `/health`, `/metrics`, `/openapi.json`, `/dev`. It has
/// no fallback, so that it can be merged with the console.
pub fn router(state: ApiState) -> Router {
    let (router, document) = described_routes().split_for_parts();
    let document = serde_json::to_vec(&document).unwrap_or_default().into();
    // The first router made from this state describes it; a second one is the same.
    let _ = state.described.set(Described {
        document,
        ..Described::default()
    });
    let world = Arc::new(state.access.clone());
    let calls = Arc::clone(&state.calls);
    router
        // What goes with the page, and the answer to paths nobody knows: nothing a program calls.
        .route("/dev/style.css", axum::routing::get(dev::style))
        .route("/dev/try.js", axum::routing::get(dev::script))
        .route("/api/{*unknown}", axum::routing::any(unknown))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(CatchPanicLayer::new())
        // What a program changed holds for the next call, not for calls half a second later.
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let calls = Arc::clone(&calls);
            async move {
                let changes = !request.method().is_safe();
                let response = next.run(request).await;
                if changes && response.status().is_success() {
                    calls.reload();
                }
                response
            }
        }))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let access = Arc::clone(&world);
            async move { finish(access.world(), request, next).await }
        }))
        // The dialect's refusals have a shape of their own, which its SDKs read.
        .merge(
            livekit::routes()
                .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
                .layer(CatchPanicLayer::new()),
        )
        .with_state(state)
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "system", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn openapi(State(state): State<ApiState>) -> Response {
    match state.described.get() {
        Some(described) => ([(CONTENT_TYPE, "application/json")], described.document.clone()).into_response(),
        None => Problem::not_found("description").into_response(),
    }
}

/// This description for people.
#[utoipa::path(
    get, path = "/dev", tag = "system", security(()),
    responses((status = 200, description = "A page that works without network and without script", content_type = "text/html", body = String))
)]
async fn dev_page(State(state): State<ApiState>) -> Response {
    match state.described.get() {
        Some(described) => {
            let page = described.page.get_or_init(|| {
                let document = serde_json::from_slice(&described.document).unwrap_or_default();
                dev::page(&document)
            });
            dev::respond(page.clone())
        }
        None => Problem::not_found("description").into_response(),
    }
}

async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path")
        .hint("openapi.json lists every path and what it takes")
}
