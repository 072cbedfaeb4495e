//! What a program does to a running room: who is in, who waits, locking, muting, showing out, ending.

use super::door::rooms;
use super::{found, running};
use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::stamp;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strowger_model::RoomId;
use strowger_model::role::Permission;
use strowger_rooms::protocol::{ParticipantInfo, TrackSource};
use strowger_rooms::{RoomError, UNRECORDED};
use strowger_store::Actor;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(participants)).routes(routes!(act))
}

/// Somebody in a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParticipantJson {
    /// Who, as their token names them.
    identity: String,
    /// What others see.
    name: String,
    /// `host`, `moderator` or `participant`.
    role: String,
    /// When they came.
    joined_at: String,
    /// Whether their microphone is off or muted.
    is_muted: bool,
    /// Whether their camera is on.
    is_video_on: bool,
    /// Whether they show a screen.
    is_screen_sharing: bool,
    /// Why a phone is not recorded though its room is: `refused`, `unanswered` or `unheard`.
    unrecorded: Option<String>,
}

impl ParticipantJson {
    fn of(person: &ParticipantInfo) -> Self {
        let on = |source: TrackSource| {
            let mut tracks = person.tracks.iter();
            tracks.any(|track| track.source() == source && !track.muted)
        };
        let joined = OffsetDateTime::from_unix_timestamp(person.joined_at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let role = person.attributes.get("role").cloned();
        Self {
            identity: person.identity.clone(),
            name: person.name.clone(),
            role: role.unwrap_or_else(|| "participant".to_owned()),
            joined_at: stamp(joined),
            is_muted: !on(TrackSource::Microphone),
            is_video_on: on(TrackSource::Camera),
            is_screen_sharing: on(TrackSource::ScreenShare),
            unrecorded: person.attributes.get(UNRECORDED).cloned(),
        }
    }
}

/// Somebody who waits to be let in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitingJson {
    /// Who.
    identity: String,
    /// What they call themselves.
    name: String,
}

/// Who is in a room and who waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PeopleJson {
    /// Who is in.
    participants: Vec<ParticipantJson>,
    /// Who waits to be let in.
    waiting: Vec<WaitingJson>,
}

/// Who is in a room now, and who waits.
#[utoipa::path(
    get, path = "/api/rooms/{id}/participants", tag = "rooms",
    params(("id" = Uuid, Path, description = "The room's id")),
    responses((status = 200, description = "The people", body = PeopleJson), Refusals, Named)
)]
pub(crate) async fn participants(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
) -> Result<Json<PeopleJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let name = running(&found(&scope, id).await?);
    let (inside, waiting) = match &state.rooms {
        Some(rooms) => (
            rooms.participants(&name).await.unwrap_or_default(),
            rooms.waiting(&name).await.unwrap_or_default(),
        ),
        None => (Vec::new(), Vec::new()),
    };
    let waiting = waiting
        .into_iter()
        .map(|(identity, name)| WaitingJson { identity, name });
    Ok(Json(PeopleJson {
        participants: inside.iter().map(ParticipantJson::of).collect(),
        waiting: waiting.collect(),
    }))
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Only hosts and moderators come in.
    Lock,
    /// Others come in again.
    Unlock,
    /// Lets somebody in who waits.
    Admit,
    /// Turns somebody away who waits.
    Deny,
    /// Mutes a microphone.
    Mute,
    /// Mutes every microphone of those who do not steer the room.
    MuteAll,
    /// Shows somebody out.
    Remove,
    /// Ends the meeting for everybody.
    End,
}

/// An order to a room.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ActBody {
    /// What is to be done.
    act: Act,
    /// To whom, for those acts that are done to somebody.
    identity: Option<String>,
}

impl Checked for ActBody {
    fn check(&self, faults: &mut Faults) {
        let named = match self.act {
            Act::Admit | Act::Deny | Act::Mute | Act::Remove => self.identity.is_some(),
            Act::Lock | Act::Unlock | Act::MuteAll | Act::End => true,
        };
        faults.unless(named, "identity", "say to whom");
        faults.at_most(300, "identity", self.identity.as_deref());
    }
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DoneJson {
    /// Always `true`; what fails is a problem.
    done: bool,
}

/// Locks, admits, mutes, shows out or ends.
#[utoipa::path(
    post, path = "/api/rooms/{id}/act", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    request_body = ActBody,
    responses((status = 200, description = "It was done", body = DoneJson), Refusals, Named, Sent)
)]
pub(crate) async fn act(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<ActBody>,
) -> Result<Json<DoneJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let name = running(&found(&scope, id).await?);
    let actor = Actor::named(caller.actor());
    let who = body.identity.as_deref().unwrap_or_default();
    if let Act::Lock | Act::Unlock = body.act {
        let locked = matches!(body.act, Act::Lock);
        scope.meetings().set_locked(&actor, id, locked).await?;
        if let Some(rooms) = &state.rooms {
            // A room that does not run takes it from its row when it does.
            let _ = rooms.set_lock(&name, locked).await;
        }
        return Ok(Json(DoneJson { done: true }));
    }
    let rooms = rooms(&state)?;
    let done = match body.act {
        Act::Lock | Act::Unlock => Ok(()),
        Act::Admit => rooms.admit(&name, who).await,
        Act::Deny => rooms.turn_away(&name, who).await,
        Act::Remove => rooms.remove(&name, who).await,
        Act::MuteAll => rooms.mute_all(&name, "").await.map(drop),
        Act::Mute => match rooms.participant(&name, who).await {
            Ok(person) => {
                let microphone = person
                    .tracks
                    .iter()
                    .find(|track| track.source() == TrackSource::Microphone);
                match microphone {
                    Some(track) => rooms.mute_track(&name, who, &track.sid, true).await.map(drop),
                    None => Err(RoomError::NoTrack),
                }
            }
            Err(error) => Err(error),
        },
        Act::End => rooms.delete(&name).await,
    };
    done.map_err(|error| refused(&error))?;
    if matches!(body.act, Act::End) {
        scope.audit().write(&actor, "room.end", &id.to_string(), "").await?;
    }
    Ok(Json(DoneJson { done: true }))
}

fn refused(error: &RoomError) -> Problem {
    match error {
        RoomError::NoRoom => Problem::conflict("room_idle", "nobody is in that room"),
        RoomError::NoParticipant => Problem::conflict("not_there", "nobody of that identity is there"),
        RoomError::NoTrack => Problem::conflict("no_microphone", "they have no microphone on"),
        RoomError::NotRunning => Problem::conflict("rooms_off", "meetings are not running on this machine"),
        RoomError::Invalid(_)
        | RoomError::NotAllowed
        | RoomError::Full
        | RoomError::TimedOut
        | RoomError::Answered { .. } => Problem::conflict("room_refused", error.to_string()),
    }
}
