//! Rooms as the tenant knows them: which run now, which are to come, who runs them and who may join.

mod form;
mod handlers;
mod live;
pub mod view;

use crate::state::ConsoleState;
use axum::Router;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/rooms", get(handlers::index).post(handlers::create))
        .route("/t/{tenant}/rooms/events", get(live::events))
        .route("/t/{tenant}/rooms/meet", post(handlers::meet))
        .route("/t/{tenant}/rooms/{room}", get(handlers::show).post(handlers::update))
        .route("/t/{tenant}/rooms/{room}/remove", post(handlers::remove))
        .route("/t/{tenant}/rooms/{room}/end", post(handlers::end))
        .route("/t/{tenant}/rooms/{room}/lock", post(handlers::lock))
        .route("/t/{tenant}/rooms/{room}/roles", post(handlers::roles))
        .route("/t/{tenant}/rooms/{room}/invited", post(handlers::invited))
        .route("/t/{tenant}/rooms/{room}/links", post(handlers::link))
        .route("/t/{tenant}/rooms/{room}/links/{link}/revoke", post(handlers::revoke))
        .route("/t/{tenant}/rooms/{room}/calendar.ics", get(handlers::calendar))
}
