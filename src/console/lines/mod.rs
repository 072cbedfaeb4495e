//! Numbers, the pool they come from, and trunks.

mod form;
mod numbers;
pub(crate) mod pool;
mod trunks;
pub mod view;

use crate::state::ConsoleState;
use axum::Router;
use axum::routing::{get, post};

pub(crate) use trunks::lines;
pub(crate) use view::lately;

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/numbers", get(numbers::index).post(numbers::create))
        .route("/t/{tenant}/numbers/{number}", get(numbers::show).post(numbers::update))
        .route("/t/{tenant}/numbers/{number}/remove", post(numbers::remove))
        .route("/t/{tenant}/trunks", get(trunks::index).post(trunks::create))
        .route("/t/{tenant}/trunks/{trunk}", get(trunks::show).post(trunks::update))
        .route("/t/{tenant}/trunks/{trunk}/remove", post(trunks::remove))
}
