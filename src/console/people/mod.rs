//! Users and their phones.

mod devices;
pub(crate) mod form;
mod users;
pub mod view;

use crate::state::ConsoleState;
use axum::Router;
use axum::routing::{get, post};

pub(crate) use devices::bindings;

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/users", get(users::index).post(users::create))
        .route("/t/{tenant}/users/{user}", get(users::show).post(users::update))
        .route("/t/{tenant}/users/{user}/remove", post(users::remove))
        .route("/t/{tenant}/devices", get(devices::index).post(devices::create))
        .route("/t/{tenant}/devices/{device}", get(devices::show).post(devices::update))
        .route("/t/{tenant}/devices/{device}/password", post(devices::renew))
        .route("/t/{tenant}/devices/{device}/remove", post(devices::remove))
}
