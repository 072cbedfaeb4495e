//! `/api/rooms/history`: meetings that were held, with members, chat, recordings and transcripts; and
//! `/api/rooms/{id}/recording`: recording one that runs.

mod recording;
mod wire;

use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page};
use axum::Json;
use serde::Deserialize;
use strowger_model::CallId;
use strowger_model::role::Permission;
use strowger_store::MinutesFilter;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{MeetingDetailJson, MeetingJson};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(recording::start, recording::stop))
}

/// Which meetings are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// Those of the room with this name.
    room: Option<String>,
    /// Those that somebody with this identity was in.
    identity: Option<String>,
    /// Those whose room, title, members' names or chat hold this text.
    search: Option<String>,
    /// Those that began at or after this (RFC 3339).
    from: Option<String>,
    /// Those that began before this (RFC 3339).
    until: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists meetings that were held or run, newest first.
#[utoipa::path(
    get, path = "/api/rooms/history", tag = "rooms", params(HistoryQuery),
    responses((status = 200, description = "The meetings", body = Listing<MeetingJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<HistoryQuery>,
) -> Result<Json<Listing<MeetingJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let filter = MinutesFilter {
        room: query.room,
        identity: query.identity,
        search: query.search,
        from: instant("from", query.from)?,
        until: instant("until", query.until)?,
    };
    let paged = scope
        .minutes()
        .list(&filter, &page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, MeetingJson::from)))
}

/// One meeting with its members, its chat, its recordings and what was said.
#[utoipa::path(
    get, path = "/api/rooms/history/{id}", tag = "rooms",
    params(("id" = Uuid, Path, description = "The meeting's id, which is its call's")),
    responses((status = 200, description = "The meeting", body = MeetingDetailJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<CallId>) -> Result<Json<MeetingDetailJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let detail = scope.minutes().detail(id).await?;
    let detail = detail.ok_or_else(|| Problem::not_found("meeting"))?;
    Ok(Json(MeetingDetailJson::from(detail)))
}

fn instant(field: &'static str, text: Option<String>) -> Result<Option<OffsetDateTime>, Problem> {
    let wrong = |_| Problem::field(field, "a time as in 2026-01-31T12:00:00Z");
    text.map(|text| OffsetDateTime::parse(&text, &Rfc3339).map_err(wrong))
        .transpose()
}
