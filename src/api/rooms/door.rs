//! The door of a room as a program finds it, and this machine's own address.

use super::running;
use crate::livekit::grants;
use crate::problem::Problem;
use crate::state::ApiState;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use std::convert::Infallible;
use strowger_access::meeting::member_claims;
use strowger_access::{Access, Source};
use strowger_model::meeting::{Door, Meeting, RoomRole, Visitor};
use strowger_rooms::{JoinRefused, RoomOptions, RoomsHandle};

/// This machine as the request names it.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    host: String,
    https: bool,
}

impl Here {
    /// `https://pbx.example`.
    pub(super) fn http(&self) -> String {
        format!("http{}://{}", if self.https { "s" } else { "" }, self.host)
    }

    /// `wss://pbx.example`: where clients of rooms connect.
    pub(crate) fn ws(&self) -> String {
        format!("ws{}://{}", if self.https { "s" } else { "" }, self.host)
    }
}

impl<S> FromRequestParts<S> for Here
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Source { https, .. } = Source::from_request_parts(parts, state).await?;
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        Ok(Self {
            host: host.unwrap_or("localhost").to_owned(),
            https,
        })
    }
}

/// The running rooms.
pub(super) fn rooms(state: &ApiState) -> Result<&RoomsHandle, Problem> {
    state.rooms.as_ref().ok_or_else(off)
}

fn off() -> Problem {
    Problem::conflict("rooms_off", "meetings are not configured on this machine")
        .hint("set [rooms] enabled = true in the configuration and restart the daemon")
}

/// Who is to join.
#[derive(Debug, Clone)]
pub(super) struct Joiner {
    /// Who they are in the room.
    pub(super) identity: String,
    /// What others see.
    pub(super) name: String,
    /// Their part.
    pub(super) role: RoomRole,
}

/// The token with which somebody of the tenant comes in, when the door is open to them.
pub(super) async fn token(state: &ApiState, meeting: &Meeting, joiner: &Joiner) -> Result<String, Problem> {
    let rooms = rooms(state)?;
    let name = running(meeting);
    let people = rooms.participants(&name).await.unwrap_or_default();
    let others = people
        .iter()
        .filter(|person| person.identity != joiner.identity)
        .count();
    let inside = i64::try_from(others).unwrap_or(i64::MAX);
    match meeting.door(Visitor::Member(joiner.role), inside, state.access.world().now()) {
        Door::Shut(shut) => return Err(Problem::conflict(shut.code(), shut.sentence())),
        Door::Open | Door::Waits => {}
    }
    let options = RoomOptions {
        max_participants: u32::try_from(meeting.max_participants).unwrap_or(0),
        locked: meeting.locked,
        waiting_room: meeting.waiting_room,
        ..RoomOptions::default()
    };
    if rooms.create(&name, options).await.is_err() {
        return Err(off());
    }
    let claims = member_claims(&meeting.room.name, &joiner.identity, &joiner.name, joiner.role);
    if rooms.knock(&name, &grants::of_claims(&claims)).await == Err(JoinRefused::Waiting) {
        // Only guests wait; whoever is of the tenant is let in by the program that vouches for them.
        let _ = rooms.admit(&name, &joiner.identity).await;
    }
    let (token, _) = state
        .access
        .sign_room_token(meeting.room.tenant, &claims, None)
        .await
        .map_err(|problem| Problem::internal(&problem))?;
    Ok(token)
}
