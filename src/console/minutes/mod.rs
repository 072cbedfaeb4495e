//! The history of meetings: the list, and one meeting with who was there, what was written, its
//! recordings and what was said.

pub mod view;

use crate::desk::Desk;
use crate::fault::{Fault, Page};
use crate::recordings::{audible, sealed};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;
use strowger_model::{CallId, RecordingId};
use strowger_store::{MinutesFilter, Page as Keyset};

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/rooms/history", get(index))
        .route("/t/{tenant}/rooms/history/{meeting}", get(show))
        .route("/t/{tenant}/recordings/{recording}/tracks/{position}", get(track))
}

async fn index(desk: Desk) -> Page {
    let query = desk.query();
    let page = Keyset {
        after: query.optional("after"),
        limit: 50,
    };
    let filter = MinutesFilter {
        room: query.optional("room"),
        // Who does not see the tenant's calls sees the meetings they were in.
        identity: desk.sees_only().map(|user| user.to_string()),
        search: query.optional("q"),
        ..MinutesFilter::default()
    };
    let found = desk.scope.minutes().list(&filter, &page).await?;
    let found = view::Found {
        meetings: found.items,
        next: found.next,
        after: query.get("after").to_owned(),
        search: query.get("q").to_owned(),
    };
    Ok(view::list(&desk.shell(), &desk.base(), &found).into_response())
}

async fn show(Path((_, meeting)): Path<(String, CallId)>, desk: Desk) -> Page {
    let detail = desk.scope.minutes().detail(meeting).await?.ok_or(Fault::NotFound)?;
    if let Some(own) = desk.sees_only() {
        let own = own.to_string();
        if !detail.members.iter().any(|member| member.identity == own) {
            return Err(Fault::NotFound);
        }
    }
    Ok(view::one(&desk.shell(), &desk.base(), &detail).into_response())
}

/// The audio of one speaker.
async fn track(
    Path((_, recording, position)): Path<(String, RecordingId, i64)>,
    desk: Desk,
    headers: HeaderMap,
) -> Page {
    let found = audible(&desk, recording).await?;
    let tracks = desk.scope.minutes().tracks(found.id).await?;
    let track = tracks.into_iter().find(|track| track.position == position);
    let track = track.ok_or(Fault::NotFound)?;
    desk.scope
        .audit()
        .write(&desk.actor(), "recording.play", &recording.to_string(), &track.name)
        .await?;
    sealed(&desk.scope, &track.blob, "audio/ogg", &headers).await
}
