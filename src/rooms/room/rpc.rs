//! Calls of a member's methods by the server itself.

use super::{Room, RoomOutput};
use crate::error::RoomError;
use crate::peer::Channel;
use crate::protocol as wire;
use std::time::{Duration, Instant};
use wire::data_packet::Value;

/// How long a call may take when nothing was said.
const USUAL: Duration = Duration::from_secs(15);

/// Calls at once.
const CALLS: usize = 1_000;

/// A call that was not answered yet.
#[derive(Debug)]
pub(super) struct Call {
    request_id: String,
    identity: String,
    until: Instant,
}

impl Room {
    /// Calls a method of a member. The answer comes as [`RoomOutput::Answer`] under the number returned.
    pub(crate) fn call(&mut self, request: wire::PerformRpcRequest, now: Instant) -> Result<u64, RoomError> {
        let identity = request.destination_identity;
        if self.member_of(&identity).is_none() {
            return Err(RoomError::NoParticipant);
        }
        if self.calls.len() >= CALLS {
            return Err(RoomError::Full);
        }
        let wait = match request.response_timeout_ms {
            0 => USUAL,
            asked => Duration::from_millis(u64::from(asked)),
        };
        let number = self.fresh_key();
        let request_id = super::fresh_id(self.world.as_ref(), "RPC");
        let packet = wire::DataPacket {
            value: Some(Value::RpcRequest(wire::RpcRequest {
                id: request_id.clone(),
                method: request.method,
                payload: request.payload,
                response_timeout_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
                version: 1,
                ..Default::default()
            })),
            ..Default::default()
        };
        let meant = [identity.clone()];
        self.deliver(None, Channel::Reliable, &packet, &meant, now);
        self.settle(now);
        self.calls.insert(
            number,
            Call {
                request_id,
                identity,
                until: now + wait,
            },
        );
        Ok(number)
    }

    /// Whether a message answers a call of the server's; takes it if so.
    pub(super) fn is_answer_to_server(&mut self, packet: &wire::DataPacket) -> bool {
        let (request_id, answer) = match &packet.value {
            Some(Value::RpcAck(ack)) => (&ack.request_id, None),
            Some(Value::RpcResponse(response)) => (&response.request_id, Some(response)),
            _ => return false,
        };
        let found = self
            .calls
            .iter()
            .find(|(_, call)| call.request_id == *request_id && call.identity == packet.participant_identity);
        let Some((number, _)) = found else { return false };
        let number = *number;
        if let Some(answer) = answer {
            self.calls.remove(&number);
            self.outputs.push_back(RoomOutput::Answer(number, understood(answer)));
        }
        true
    }

    /// Calls that took too long.
    pub(super) fn calls_time_out(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .calls
            .iter()
            .filter(|(_, call)| call.until <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            self.calls.remove(&number);
            self.outputs
                .push_back(RoomOutput::Answer(number, Err(RoomError::TimedOut)));
        }
    }

    /// Whoever was called is gone.
    pub(super) fn calls_end_with(&mut self, identity: &str) {
        let lost: Vec<u64> = self
            .calls
            .iter()
            .filter(|(_, call)| call.identity == identity)
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            self.calls.remove(&number);
            self.outputs
                .push_back(RoomOutput::Answer(number, Err(RoomError::NoParticipant)));
        }
    }
}

fn understood(answer: &wire::RpcResponse) -> Result<String, RoomError> {
    use wire::rpc_response::Value as Answer;
    match &answer.value {
        Some(Answer::Payload(payload)) => Ok(payload.clone()),
        Some(Answer::Error(error)) => Err(RoomError::Answered {
            code: error.code,
            message: error.message.clone(),
        }),
        Some(Answer::CompressedPayload(_)) => Err(RoomError::Invalid("the answer is packed")),
        None => Ok(String::new()),
    }
}
