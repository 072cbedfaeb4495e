//! `/api/rooms` and what joins a program's users to them: rooms, their guests' links, who waits and who
//! is in, and the token with which a client of `LiveKit`'s comes in.
//!
//! A room's id is what the outside knows it by. Its name is the tenant's own: the running room of a
//! tenant is found by the key that signed a token, so two tenants' rooms of one name never meet.

mod dial;
pub(crate) mod door;
mod guests;
mod join;
mod steer;
mod wire;

use crate::body::{Asked, Body, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use strowger_model::meeting::Meeting;
use strowger_model::role::Permission;
use strowger_model::{RoomId, UserId, calendar};
use strowger_rooms::RoomName;
use strowger_store::{Actor, Scope};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use wire::{RoomBody, RoomJson, RoomList};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, remove))
        .routes(routes!(ics))
        .merge(guests::routes())
        .merge(steer::routes())
        .merge(dial::routes())
        .merge(join::routes())
}

/// The room of an id.
async fn found(scope: &Scope, room: RoomId) -> Result<Meeting, Problem> {
    let meeting = scope.meetings().get(room).await?;
    meeting.ok_or_else(|| Problem::not_found("room"))
}

/// The running room's name.
fn running(meeting: &Meeting) -> RoomName {
    RoomName::new(meeting.room.tenant, meeting.room.name.clone())
}

/// How many are in a room now.
async fn present(state: &ApiState, meeting: &Meeting) -> usize {
    match &state.rooms {
        Some(rooms) => rooms
            .participants(&running(meeting))
            .await
            .map_or(0, |people| people.len()),
        None => 0,
    }
}

/// Which rooms are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RoomsQuery {
    /// `true`: those in which somebody is.
    active: Option<bool>,
}

/// Lists the tenant's rooms by name.
#[utoipa::path(
    get, path = "/api/rooms", tag = "rooms", params(RoomsQuery),
    responses((status = 200, description = "The rooms", body = RoomList), Refusals)
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Asked(query): Asked<RoomsQuery>,
) -> Result<Json<RoomList>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let running = match &state.rooms {
        Some(rooms) => rooms.list(caller.tenant(), &[]).await,
        None => Vec::new(),
    };
    let meetings = scope.meetings().list().await?;
    let items = meetings.into_iter().filter_map(|meeting| {
        let now = running.iter().find(|room| room.name == meeting.room.name);
        let people = now.map_or(0, |room| room.num_participants);
        let wanted = query.active.is_none_or(|active| active == now.is_some());
        wanted.then(|| RoomJson::of(&meeting, people))
    });
    Ok(Json(RoomList { items: items.collect() }))
}

/// Makes a room.
#[utoipa::path(
    post, path = "/api/rooms", tag = "rooms", request_body = RoomBody,
    responses((status = 201, description = "The room", body = RoomJson), Refusals, Sent)
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<RoomBody>,
) -> Result<(StatusCode, Json<RoomJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let host = match body.host_id {
        Some(host) => Some(known_user(&scope, "host_id", host).await?),
        None => None,
    };
    let actor = Actor::named(caller.actor());
    let meeting = scope.meetings().create(&actor, host, body.change(None)?).await?;
    state.calls.reload();
    Ok((StatusCode::CREATED, Json(RoomJson::of(&meeting, 0))))
}

/// A user of the tenant, named in `field`.
pub(crate) async fn known_user(scope: &Scope, field: &str, user: Uuid) -> Result<UserId, Problem> {
    let user = UserId::from_uuid(user);
    match scope.users().get(user).await? {
        Some(user) => Ok(user.id),
        None => Err(Problem::field(field, "there is no such user")),
    }
}

/// One room.
#[utoipa::path(
    get, path = "/api/rooms/{id}", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    responses((status = 200, description = "The room", body = RoomJson), Refusals, Named)
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
) -> Result<Json<RoomJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let meeting = found(&scope, id).await?;
    let people = u32::try_from(present(&state, &meeting).await).unwrap_or(u32::MAX);
    Ok(Json(RoomJson::of(&meeting, people)))
}

/// Changes what a body names; the rest stays. `schedule: null` lets the room stand open always.
#[utoipa::path(
    patch, path = "/api/rooms/{id}", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    request_body = RoomBody,
    responses((status = 200, description = "The room", body = RoomJson), Refusals, Named, Sent)
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<RoomBody>,
) -> Result<Json<RoomJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let meeting = found(&scope, id).await?;
    let change = body.change(Some(&meeting))?;
    let actor = Actor::named(caller.actor());
    let changed = scope.meetings().update(&actor, id, &change).await?;
    let changed = changed.ok_or_else(|| Problem::not_found("room"))?;
    if let Some(rooms) = &state.rooms {
        // A room that does not run takes it from its row when it does.
        let _ = rooms.set_waiting_room(&running(&meeting), changed.waiting_room).await;
    }
    state.calls.reload();
    let people = u32::try_from(present(&state, &changed).await).unwrap_or(u32::MAX);
    Ok(Json(RoomJson::of(&changed, people)))
}

/// Removes a room; whoever is in is shown out, its links end.
#[utoipa::path(
    delete, path = "/api/rooms/{id}", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let meeting = found(&scope, id).await?;
    if let Some(rooms) = &state.rooms {
        // Not running is as good.
        let _ = rooms.delete(&running(&meeting)).await;
    }
    scope.rooms().remove(&Actor::named(caller.actor()), id).await?;
    state.calls.reload();
    Ok(StatusCode::NO_CONTENT)
}

/// A scheduled room as a calendar file (RFC 5545).
#[utoipa::path(
    get, path = "/api/rooms/{id}/calendar", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    responses((status = 200, description = "The file", content_type = "text/calendar", body = String), Refusals, Named)
)]
pub(crate) async fn ics(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    here: door::Here,
) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let meeting = found(&scope, id).await?;
    let Some(schedule) = &meeting.schedule else {
        return Err(Problem::not_found("schedule"));
    };
    let invited = scope.meetings().invited(id).await?;
    let entry = calendar::Entry {
        meeting: &meeting,
        schedule,
        url: &format!("{}/meet/{id}", here.http()),
        organizer: if meeting.created_by.contains('@') {
            &meeting.created_by
        } else {
            ""
        },
        invited: &invited,
        now: state.access.world().now(),
    };
    let kind = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8")];
    Ok((kind, calendar::write(&entry)).into_response())
}
