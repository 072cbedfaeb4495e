//! The search: words in what was said, understood and noted, each hit with its second in the audio.

pub mod view;

use crate::desk::Desk;
use crate::fault::Page;
use crate::state::ConsoleState;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use std::time::Duration;
use strowger_model::search::Question;
use strowger_store::{ByMeaning, Narrowed, Page as Keyset, Paged, Where};

/// How long a worker may take to have a question understood that was not put before.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most calls that are shown for what they mean.
const NEAREST: usize = 20;

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
    let means = query.get("by") == "meaning";
    let mut note = "";
    let mut nearest = None;
    if means && !query.get("q").trim().is_empty() {
        match desk
            .scope
            .meanings()
            .search(query.get("q"), narrowed, NEAREST, PATIENCE)
            .await?
        {
            ByMeaning::Found(hits) => nearest = Some(hits.into_iter().map(|(hit, _)| hit).collect()),
            ByMeaning::Nobody => note = view::NOBODY,
            ByMeaning::Failed(_) => note = view::FAILED,
        }
    }
    let found = match nearest {
        Some(items) => Paged { items, next: None },
        None => {
            let question = Question::read(query.get("q"));
            desk.scope.documents().find(&question, narrowed, &page).await?
        }
    };
    let found = view::Found {
        hits: found.items,
        next: found.next,
        means,
        note,
        after: query.get("after").to_owned(),
        asked: query.get("q").to_owned(),
        place: narrowed.to,
    };
    Ok(view::page(&desk.shell(), &desk.base(), &found).into_response())
}
