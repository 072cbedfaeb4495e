//! Transactions (RFC 3261 §17, RFC 6026) as values: what is repeated, what is absorbed, and when it is forgotten.
//!
//! [`Servers`] answer requests, [`Clients`] send them. Both put bytes and timers into a [`Wire`]; neither knows what a
//! dialog is.

mod client;
mod server;
mod timers;

pub use client::{ClientKey, Clients, Delivered};
pub use server::{Received, ServerKey, Servers};
pub use timers::{TimerId, Timers};

use crate::message::write::Writer;
use crate::message::{Message, Name};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The estimate of a round trip.
pub const T1: Duration = Duration::from_millis(500);
/// The longest pause between repeats.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may wander in the network.
pub const T4: Duration = Duration::from_secs(5);
/// How long a transaction waits for anything: 64 × T1.
pub const PATIENCE: Duration = Duration::from_secs(32);

/// Our name of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// How bytes reach a far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// A datagram from one of our sockets.
    Udp {
        /// The socket's address.
        local: SocketAddr,
        /// Where to.
        remote: SocketAddr,
    },
    /// A connection.
    Flow(FlowId),
}

impl Path {
    /// Whether the transport repeats by itself.
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        matches!(self, Self::Flow(_))
    }
}

/// What transactions wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// A server transaction repeats its final response.
    ServerRepeat(ServerKey),
    /// A server transaction is forgotten.
    ServerEnd(ServerKey),
    /// A client transaction repeats its request.
    ClientRepeat(ClientKey),
    /// A client transaction got no answer.
    ClientTimeout(ClientKey),
    /// A client transaction is forgotten.
    ClientEnd(ClientKey),
}

/// Where transactions put what they send and when they wake.
pub trait Wire {
    /// Sends bytes.
    fn transmit(&mut self, path: Path, bytes: Bytes);
    /// Wakes at an instant.
    fn wake(&mut self, at: Instant, alarm: Alarm) -> TimerId;
    /// Does not wake.
    fn forget(&mut self, timer: TimerId);
}

/// An ACK or a CANCEL made from the INVITE it belongs to: same Via, Route, From, Call-ID and number.
#[must_use]
pub fn derive(invite: &Message, method: &str, to: &str) -> Bytes {
    let mut writer = Writer::request(method, invite.request_uri().unwrap_or_default());
    if let Some(via) = invite.value(Name::Via) {
        writer = writer.header("Via", via);
    }
    writer = writer.header("Max-Forwards", "70");
    for route in invite.values(Name::Route) {
        writer = writer.header("Route", route);
    }
    let number = invite.cseq().map_or(1, |cseq| cseq.number);
    writer
        .header("From", invite.value(Name::From).unwrap_or_default())
        .header("To", to)
        .header("Call-ID", invite.sip_call_id().unwrap_or_default())
        .header("CSeq", &format!("{number} {method}"))
        .end()
}
