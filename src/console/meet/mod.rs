//! Meetings: the page people meet on, with an account or with a guest's link.
//!
//! `/meet/{room}` is for those signed in, `/join/{secret}` for those with a link. Both show the same
//! stage; its script asks `enter` for a token, then speaks with the rooms itself. What a host does to
//! others goes through `act`, which asks the role again.

mod acts;
mod entry;
mod events;
mod guest;
pub mod trouble;
pub mod view;

use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use entry::Caller;
use strowger_access::{Posted, Signed};
use strowger_model::RoomId;
use strowger_model::meeting::{Meeting, RoomRole, Visitor};
use strowger_model::role::Permission;
use strowger_store::Scope;
use view::Stage;

pub(crate) use entry::running;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/meet/{room}", get(page))
        .route("/meet/{room}/enter", post(enter))
        .route("/meet/{room}/act", post(acts::act))
        .route("/meet/{room}/events", get(events::events))
        .merge(guest::routes())
}

/// Somebody of the tenant at one of its rooms.
struct Seat {
    scope: Scope,
    meeting: Meeting,
    caller: Caller,
}

impl Seat {
    async fn take(state: &ConsoleState, who: &Signed, room: RoomId) -> Page<Self> {
        let principal = who.principal();
        who.require(Permission::UsePhone)?;
        let (scope, meeting) = find(state, who, room).await?;
        let user = principal.user().ok_or(Fault::NotFound)?;
        let given = scope.meetings().role_of(room, user).await?;
        Ok(Self {
            scope,
            meeting,
            caller: Caller {
                visitor: Visitor::Member(RoomRole::by_office(principal.role(), given)),
                identity: user.to_string(),
                name: principal.name().to_owned(),
            },
        })
    }
}

async fn find(state: &ConsoleState, who: &Signed, room: RoomId) -> Page<(Scope, Meeting)> {
    let mut tenants: Vec<_> = who.principal().tenant().into_iter().collect();
    if tenants.is_empty() {
        let all = state.store().tenants().list(&strowger_store::Page::first(1000)).await?;
        tenants.extend(all.items.into_iter().map(|tenant| tenant.id));
    }
    for tenant in tenants {
        let scope = state.store().tenant(tenant);
        if let Some(meeting) = scope.meetings().get(room).await? {
            return Ok((scope, meeting));
        }
    }
    Err(Fault::NotFound)
}

async fn page(State(state): State<ConsoleState>, Path(room): Path<RoomId>, who: Signed, headers: HeaderMap) -> Page {
    let seat = Seat::take(&state, &who, room).await?;
    let home = format!("/t/{}/rooms", seat.meeting.room.tenant);
    let stage = Stage::member(&seat.meeting, &state.clock(), &seat.caller.name, &who.csrf(), &home);
    Ok(on_stage(stage, &headers))
}

async fn enter(
    State(state): State<ConsoleState>,
    Path(room): Path<RoomId>,
    posted: Posted<Vec<(String, String)>>,
) -> Page {
    let seat = Seat::take(&state, &posted.who, room).await?;
    let answer = entry::ask(&state, &seat.meeting, &seat.caller).await?;
    Ok(Json(entry::write(&answer, &seat.caller)).into_response())
}

/// The page with a policy of its own.
fn on_stage(stage: Stage, headers: &HeaderMap) -> Response {
    with_devices(stage.into_response(), headers)
}

/// Lets a page open the microphone and the camera, and a WebSocket to this very host, which older browsers
/// do not count as `'self'`.
pub(crate) fn with_devices(mut response: Response, headers: &HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let plain = |character: char| character.is_ascii_alphanumeric() || ".-:[]".contains(character);
    let sockets = if !host.is_empty() && host.chars().all(plain) {
        format!(" ws://{host} wss://{host}")
    } else {
        String::new()
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         media-src 'self' blob: mediastream:; connect-src 'self'{sockets}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(self), microphone=(self), display-capture=(self), geolocation=()"),
    );
    response
}
