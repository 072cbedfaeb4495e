//! Signalling: requests and responses as bytes, and how a client of either generation asks to join.
//!
//! Bytes come from anybody, so nothing here panics and everything has a cap. Session descriptions are read
//! and rewritten as text in [`sdp`], because the WebRTC library neither keeps the names a section is to have
//! nor leaves one unused.

mod join;
pub mod sdp;

pub use join::{JoinFault, from_query, from_wrapped};

use crate::protocol as wire;
use prost::Message;

/// Which of the two ways of connecting a client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// One connection for both directions; the client always offers (`/rtc/v1`).
    One,
    /// Two connections: the client offers what it publishes, the server what is subscribed (`/rtc`).
    Two,
}

/// Reads a request. `None`: no message, or one of a kind this version does not know, which is to be ignored.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<wire::SignalRequest> {
    let request = wire::SignalRequest::decode(bytes).ok()?;
    request.message.is_some().then_some(request)
}

/// Writes a response.
#[must_use]
pub fn encode(response: &wire::SignalResponse) -> Vec<u8> {
    response.encode_to_vec()
}

/// The answer to somebody who wants to resume what is not there: come in anew.
#[must_use]
pub fn come_in_anew() -> wire::SignalResponse {
    leave(
        wire::DisconnectReason::StateMismatch,
        wire::leave_request::Action::Reconnect,
    )
}

/// A request to leave.
#[must_use]
pub fn leave(reason: wire::DisconnectReason, action: wire::leave_request::Action) -> wire::SignalResponse {
    let leave = wire::LeaveRequest {
        can_reconnect: action != wire::leave_request::Action::Disconnect,
        reason: reason as i32,
        action: action as i32,
        ..Default::default()
    };
    wire::SignalResponse {
        message: Some(wire::signal_response::Message::Leave(leave)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_a_request_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_request_of_an_unknown_kind_is_no_request() {
        // Field 200, length 0: a message of some future version.
        assert!(decode(&[0xC2, 0x0C, 0x00]).is_none());
        let ping = wire::SignalRequest {
            message: Some(wire::signal_request::Message::Ping(7)),
        };
        assert_eq!(decode(&ping.encode_to_vec()), Some(ping));
    }
}
