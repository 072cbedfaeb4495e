//! Recording a meeting that runs.

use crate::caller::Caller;
use crate::problem::{Problem, ProblemBody};
use crate::refusals::{Named, Refusals};
use crate::state::ApiState;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use strowger_model::RoomId;
use strowger_model::role::Permission;
use strowger_rooms::{RoomName, TapFilter};
use strowger_store::{Actor, Scope};
use strowger_switch::io::{Asked, RecordError, RoomRecorder};
use utoipa::ToSchema;
use uuid::Uuid;

/// A room by its id or by its name, with what records it. Where rooms are switched off none runs, so only a room
/// that is kept is told of the switch; any other does not exist.
async fn named<'a>(state: &'a ApiState, scope: &Scope, room: String) -> Result<(RoomName, &'a RoomRecorder), Problem> {
    let known = match room.parse::<RoomId>() {
        Ok(id) => scope.meetings().get(id).await?,
        Err(_) => None,
    };
    let Some(recorder) = state.recorder.as_ref() else {
        return Err(match known {
            Some(_) => Problem::conflict("rooms_off", "meetings are not configured on this machine"),
            None => Problem::not_found("room"),
        });
    };
    let name = known.map_or(room, |known| known.room.name);
    Ok((RoomName::new(scope.tenant(), name), recorder))
}

/// A recording that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BegunJson {
    /// The recording.
    recording_id: Uuid,
    /// The meeting, as in `/api/rooms/history/{id}`.
    meeting_id: Uuid,
}

/// Begins to record a room: everybody together and each speaker alone. All members see that it is recorded.
#[utoipa::path(
    post, path = "/api/rooms/{id}/recording", tag = "rooms",
    params(("id" = String, Path, description = "The room's id, or the name of one that runs")),
    responses(
        (status = 201, description = "It is being recorded", body = BegunJson),
        (status = 409, description = "It is recorded already, or recording is not allowed", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Named
    )
)]
pub(crate) async fn start(
    State(state): State<ApiState>,
    caller: Caller,
    Path(room): Path<String>,
) -> Result<(StatusCode, Json<BegunJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let (name, recorder) = named(&state, &scope, room).await?;
    if !recorder.running(&name).await.is_empty() {
        return Err(Problem::conflict("recording", "this room is being recorded"));
    }
    let asked = Asked {
        room: name.clone(),
        what: TapFilter::AllAudio,
        name: String::new(),
        asked_by: "host",
        egress: None,
    };
    let started = recorder.start(asked).await.map_err(refused)?;
    let actor = Actor::named(caller.actor());
    scope
        .audit()
        .write(&actor, "room.record", &started.recording.to_string(), &name.name)
        .await?;
    let begun = BegunJson {
        recording_id: started.recording.uuid(),
        meeting_id: started.call.uuid(),
    };
    Ok((StatusCode::CREATED, Json(begun)))
}

/// Ends every recording of a room; the meeting goes on.
#[utoipa::path(
    delete, path = "/api/rooms/{id}/recording", tag = "rooms",
    params(("id" = String, Path, description = "The room's id, or the name of one that runs")),
    responses((status = 204, description = "It is no longer recorded"), Refusals, Named)
)]
pub(crate) async fn stop(
    State(state): State<ApiState>,
    caller: Caller,
    Path(room): Path<String>,
) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let (name, recorder) = named(&state, &scope, room).await?;
    let mut stopped = false;
    for recording in recorder.running(&name).await {
        stopped |= recorder.stop(name.tenant, recording).await;
    }
    if !stopped {
        return Err(Problem::not_found("recording that runs in this room"));
    }
    let actor = Actor::named(caller.actor());
    scope.audit().write(&actor, "room.record_end", &name.name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: RecordError) -> Problem {
    match error {
        RecordError::NoRoom => Problem::not_found("room that runs"),
        RecordError::NoTrack => Problem::not_found("participant or track"),
        RecordError::Forbidden => {
            Problem::conflict("not_allowed", "the settings or the room's own rule forbid recording")
        }
        RecordError::Busy => Problem::conflict("busy", "the recorder is busy: try again"),
        RecordError::Store(problem) => Problem::from(problem),
    }
}
