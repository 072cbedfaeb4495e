//! Recording a call that runs: start, stop, pause, resume.

use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strowger_model::CallId;
use strowger_model::role::Permission;
use strowger_store::Actor;
use strowger_switch::live::{LiveCall, Steer};
use utoipa::ToSchema;

/// What is to be done to a call's recording.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CallRecordingBody {
    /// `start`, `stop`, `pause` (nothing that is said is kept until `resume`) or `resume`.
    #[schema(example = "pause")]
    action: String,
}

impl CallRecordingBody {
    fn steer(&self) -> Option<Steer> {
        Some(match self.action.as_str() {
            "start" => Steer::StartRecording,
            "stop" => Steer::StopRecording,
            "pause" => Steer::PauseRecording,
            "resume" => Steer::ResumeRecording,
            _ => return None,
        })
    }
}

impl Checked for CallRecordingBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(self.steer().is_some(), "action", "start, stop, pause or resume");
    }
}

/// Whether a call is recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallRecordingJson {
    /// Whether what is said now is kept.
    recording: bool,
    /// Whether it is left out until resumed.
    paused: bool,
}

impl From<LiveCall> for CallRecordingJson {
    fn from(call: LiveCall) -> Self {
        Self {
            recording: call.recording && !call.recording_paused,
            paused: call.recording && call.recording_paused,
        }
    }
}

/// Starts, stops, pauses or resumes the recording of a running call. What was asked for already changes nothing. A
/// call that nobody has answered yet is recorded from the answer on.
#[utoipa::path(
    post, path = "/api/calls/{id}/recording", tag = "calls",
    params(("id" = Uuid, Path, description = "The call's id")),
    request_body = CallRecordingBody,
    responses((status = 200, description = "How it stands now", body = CallRecordingJson), Refusals, Named, Sent)
)]
pub(crate) async fn steer(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<CallId>,
    Body(body): Body<CallRecordingBody>,
) -> Result<Json<CallRecordingJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let call = scope.calls().get(id).await?.ok_or_else(|| Problem::not_found("call"))?;
    let over = || Problem::conflict("call_over", "the call is over");
    let steer = body.steer().filter(|_| !call.state.is_final()).ok_or_else(over)?;
    let before = state.calls.live(caller.tenant(), id).ok_or_else(over)?;
    if matches!(steer, Steer::PauseRecording | Steer::ResumeRecording) && !before.recording {
        return Err(Problem::conflict("not_recording", "the call is not being recorded"));
    }
    if let (Steer::StartRecording, Some(why)) = (&steer, before.unrecordable) {
        return Err(Problem::conflict("cannot_record", why));
    }
    if !state.calls.steer(caller.tenant(), id, steer).await {
        return Err(over());
    }
    let actor = Actor::named(caller.actor());
    scope
        .audit()
        .write(&actor, "call.recording", &id.to_string(), &body.action)
        .await?;
    let now = state.calls.live(caller.tenant(), id).unwrap_or(before);
    Ok(Json(now.into()))
}
