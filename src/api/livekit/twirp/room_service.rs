//! `livekit.RoomService`: rooms and who is in them.

use super::{Call, Context, TwirpError};
use axum::response::Response;
use strowger_rooms::RoomOptions;
use strowger_rooms::protocol as wire;

/// The most bytes of metadata.
const METADATA_BYTES: usize = 64 * 1024;

/// The most bytes of a request to a participant's method.
const RPC_BYTES: usize = 15 * 1024;

/// Answers a method of the service.
pub(super) async fn call(call: Call, method: &str) -> Result<Response, TwirpError> {
    match method {
        "CreateRoom" => call.answer(create_room).await,
        "ListRooms" => call.answer(list_rooms).await,
        "DeleteRoom" => call.answer(delete_room).await,
        "ListParticipants" => call.answer(list_participants).await,
        "GetParticipant" => call.answer(get_participant).await,
        "RemoveParticipant" => call.answer(remove_participant).await,
        "MutePublishedTrack" => call.answer(mute_published_track).await,
        "UpdateParticipant" => call.answer(update_participant).await,
        "UpdateSubscriptions" => call.answer(update_subscriptions).await,
        "SendData" => call.answer(send_data).await,
        "UpdateRoomMetadata" => call.answer(update_room_metadata).await,
        "MoveParticipant" => call.answer(move_participant).await,
        "ForwardParticipant" => call.answer(forward_participant).await,
        "PerformRpc" => call.answer(perform_rpc).await,
        _ => Err(TwirpError::bad_route("livekit.RoomService", method)),
    }
}

fn fits(metadata: &str) -> Result<(), TwirpError> {
    if metadata.len() > METADATA_BYTES {
        return Err(TwirpError::invalid("metadata size exceeds limits"));
    }
    Ok(())
}

async fn create_room(on: Context, request: wire::CreateRoomRequest) -> Result<wire::Room, TwirpError> {
    on.need(|grants| grants.room_create)?;
    let room = on.room(&request.name)?;
    fits(&request.metadata)?;
    if request.egress.is_some() {
        on.need(|grants| grants.room_record)?;
        return Err(TwirpError::unimplemented(
            "a room does not start egress by itself: call the Egress service once it runs",
        ));
    }
    let options = RoomOptions {
        empty_timeout_s: request.empty_timeout,
        departure_timeout_s: request.departure_timeout,
        max_participants: request.max_participants,
        metadata: request.metadata,
        tags: request.tags.into_iter().collect(),
        ..RoomOptions::default()
    };
    let rooms = on.rooms()?;
    if let Some(agents) = &on.state().agents {
        agents.wish(room.clone(), request.agents).await;
    }
    Ok(rooms.create(&room, options).await?)
}

async fn list_rooms(on: Context, request: wire::ListRoomsRequest) -> Result<wire::ListRoomsResponse, TwirpError> {
    on.need(|grants| grants.room_list)?;
    let rooms = on.rooms()?.list(on.tenant(), &request.names).await;
    Ok(wire::ListRoomsResponse { rooms })
}

async fn delete_room(on: Context, request: wire::DeleteRoomRequest) -> Result<wire::DeleteRoomResponse, TwirpError> {
    on.need(|grants| grants.room_create)?;
    on.rooms()?.delete(&on.room(&request.room)?).await?;
    Ok(wire::DeleteRoomResponse {})
}

async fn list_participants(
    on: Context,
    request: wire::ListParticipantsRequest,
) -> Result<wire::ListParticipantsResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    let participants = on.rooms()?.participants(&room).await?;
    Ok(wire::ListParticipantsResponse { participants })
}

async fn get_participant(
    on: Context,
    request: wire::RoomParticipantIdentity,
) -> Result<wire::ParticipantInfo, TwirpError> {
    let room = on.steer(&request.room)?;
    Ok(on.rooms()?.participant(&room, &request.identity).await?)
}

async fn remove_participant(
    on: Context,
    request: wire::RoomParticipantIdentity,
) -> Result<wire::RemoveParticipantResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    on.rooms()?.remove(&room, &request.identity).await?;
    Ok(wire::RemoveParticipantResponse {})
}

async fn mute_published_track(
    on: Context,
    request: wire::MuteRoomTrackRequest,
) -> Result<wire::MuteRoomTrackResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    let rooms = on.rooms()?;
    let track = rooms
        .mute_track(&room, &request.identity, &request.track_sid, request.muted)
        .await?;
    Ok(wire::MuteRoomTrackResponse { track: Some(track) })
}

async fn update_participant(
    on: Context,
    request: wire::UpdateParticipantRequest,
) -> Result<wire::ParticipantInfo, TwirpError> {
    let room = on.steer(&request.room)?;
    fits(&request.metadata)?;
    Ok(on.rooms()?.update_participant(&room, request).await?)
}

async fn update_subscriptions(
    on: Context,
    request: wire::UpdateSubscriptionsRequest,
) -> Result<wire::UpdateSubscriptionsResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    on.rooms()?.update_subscriptions(&room, request).await?;
    Ok(wire::UpdateSubscriptionsResponse {})
}

async fn send_data(on: Context, request: wire::SendDataRequest) -> Result<wire::SendDataResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    // A nonce lets clients drop what was sent twice; one of another length is a caller's mistake.
    if !matches!(request.nonce.len(), 0 | 16) {
        return Err(TwirpError::invalid("nonce should be 16-bytes or not present"));
    }
    on.rooms()?.send_data(&room, request).await?;
    Ok(wire::SendDataResponse {})
}

async fn update_room_metadata(on: Context, request: wire::UpdateRoomMetadataRequest) -> Result<wire::Room, TwirpError> {
    let room = on.steer(&request.room)?;
    fits(&request.metadata)?;
    Ok(on.rooms()?.update_metadata(&room, request.metadata).await?)
}

async fn move_participant(
    on: Context,
    request: wire::MoveParticipantRequest,
) -> Result<wire::MoveParticipantResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    on.need(|grants| grants.destination_room == request.destination_room)?;
    if request.room == request.destination_room {
        return Err(TwirpError::invalid("destination room is the participant's own"));
    }
    let destination = on.room(&request.destination_room)?;
    let rooms = on.rooms()?;
    let token = on.token_for(&room, &request.identity, &destination.name).await?;
    rooms
        .move_participant(&room, &request.identity, &destination.name, token)
        .await?;
    Ok(wire::MoveParticipantResponse {})
}

async fn forward_participant(
    on: Context,
    request: wire::ForwardParticipantRequest,
) -> Result<wire::ForwardParticipantResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    on.need(|grants| grants.destination_room == request.destination_room)?;
    if request.room == request.destination_room {
        return Err(TwirpError::invalid("destination room is the participant's own"));
    }
    let destination = on.room(&request.destination_room)?;
    let rooms = on.rooms()?;
    rooms
        .forward_participant(&room, &request.identity, &destination.name)
        .await?;
    Ok(wire::ForwardParticipantResponse {})
}

async fn perform_rpc(on: Context, request: wire::PerformRpcRequest) -> Result<wire::PerformRpcResponse, TwirpError> {
    let room = on.steer(&request.room)?;
    if request.payload.len() > RPC_BYTES {
        return Err(TwirpError::invalid("payload size exceeds limits"));
    }
    let payload = on.rooms()?.perform_rpc(&room, request).await?;
    Ok(wire::PerformRpcResponse { payload })
}
