//! What is kept, what counts, who may, who did: retention, settings, tokens, keys to rooms, audit.

mod audit;
pub mod compliance;
mod privacy;
pub mod privacy_view;
pub mod provider_view;
mod providers;
mod retention;
mod room_keys;
pub mod room_view;
mod settings;
mod tokens;
pub mod view;

use crate::state::ConsoleState;
use axum::Router;
use axum::routing::{get, post};

pub(crate) use audit::platform as platform_audit;
pub(crate) use settings::{platform as platform_settings, set_platform};

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/retention", get(retention::index))
        .route("/t/{tenant}/retention/run", post(retention::run))
        .route("/t/{tenant}/compliance", get(compliance::index))
        .route("/t/{tenant}/privacy", get(privacy::index))
        .route("/t/{tenant}/privacy/find", post(privacy::find))
        .route("/t/{tenant}/privacy/export", post(privacy::export))
        .route("/t/{tenant}/privacy/erase", post(privacy::erase))
        .route("/t/{tenant}/settings", get(settings::index).post(settings::set))
        .route("/t/{tenant}/providers", get(providers::index).post(providers::set))
        .route("/t/{tenant}/tokens", get(tokens::index).post(tokens::create))
        .route("/t/{tenant}/tokens/{token}/remove", post(tokens::remove))
        .route("/t/{tenant}/room-keys", get(room_keys::index).post(room_keys::create))
        .route("/t/{tenant}/room-keys/{key}/remove", post(room_keys::remove))
        .route("/t/{tenant}/room-webhooks", post(room_keys::add_webhook))
        .route(
            "/t/{tenant}/room-webhooks/{webhook}/remove",
            post(room_keys::remove_webhook),
        )
        .route("/t/{tenant}/audit", get(audit::index))
}
