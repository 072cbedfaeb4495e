//! The search: words in what was said, understood and noted, each hit with its second in the audio.

pub mod view;

use crate::desk::Desk;
use crate::fault::Page;
use crate::state::ConsoleState;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use strowger_model::search::Question;
use strowger_store::{Narrowed, Page as Keyset, Where};

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new().route("/t/{tenant}/search", get(index))
}

async fn index(desk: Desk) -> Page {
    let query = desk.query();
    let narrowed = Narrowed {
        to: Where::from_code(query.get("in")),
        user: desk.sees_only(),
    };
    let page = Keyset {
        after: query.optional("after"),
        limit: 20,
    };
    let found = desk
        .scope
        .documents()
        .find(&Question::read(query.get("q")), narrowed, &page)
        .await?;
    let found = view::Found {
        hits: found.items,
        next: found.next,
        after: query.get("after").to_owned(),
        asked: query.get("q").to_owned(),
        place: narrowed.to,
    };
    Ok(view::page(&desk.shell(), &desk.base(), &found).into_response())
}
