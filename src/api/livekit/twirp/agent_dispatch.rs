//! `livekit.AgentDispatchService`: sending for agents by name.

use super::{Call, Code, Context, TwirpError};
use crate::livekit::agents::Agents;
use axum::response::Response;
use strowger_rooms::RoomOptions;
use strowger_rooms::protocol as wire;

/// Answers a method of the service.
pub(super) async fn call(call: Call, method: &str) -> Result<Response, TwirpError> {
    match method {
        "CreateDispatch" => call.answer(create).await,
        "DeleteDispatch" => call.answer(delete).await,
        "ListDispatch" => call.answer(list).await,
        _ => Err(TwirpError::bad_route("livekit.AgentDispatchService", method)),
    }
}

fn agents(on: &Context) -> Result<&Agents, TwirpError> {
    let off = || TwirpError::new(Code::Unavailable, "rooms are switched off on this machine");
    on.state().agents.as_ref().ok_or_else(off)
}

fn ending() -> TwirpError {
    TwirpError::new(Code::Unavailable, "the daemon is ending")
}

/// Sends for an agent. A room that does not run yet begins, as with `LiveKit`.
async fn create(on: Context, request: wire::CreateAgentDispatchRequest) -> Result<wire::AgentDispatch, TwirpError> {
    let room = on.steer(&request.room)?;
    let agents = agents(&on)?;
    let rooms = on.rooms()?;
    if rooms.room(&room).await.is_none() {
        rooms.create(&room, RoomOptions::default()).await?;
    }
    let agent = wire::RoomAgentDispatch {
        agent_name: request.agent_name,
        metadata: request.metadata,
        restart_policy: request.restart_policy,
        attributes: request.attributes,
        ..wire::RoomAgentDispatch::default()
    };
    agents.dispatch(room, agent).await.ok_or_else(ending)
}

async fn delete(on: Context, request: wire::DeleteAgentDispatchRequest) -> Result<wire::AgentDispatch, TwirpError> {
    let room = on.steer(&request.room)?;
    let gone = agents(&on)?.call_off(room, request.dispatch_id).await;
    gone.ok_or_else(|| TwirpError::not_found("agent dispatch does not exist"))
}

async fn list(
    on: Context,
    request: wire::ListAgentDispatchRequest,
) -> Result<wire::ListAgentDispatchResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    let found = agents(&on)?.dispatches(room, request.dispatch_id).await;
    let agent_dispatches = found.ok_or_else(ending)?;
    Ok(wire::ListAgentDispatchResponse { agent_dispatches })
}
