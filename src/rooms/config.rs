//! What the rooms are told at start and what one room is told when it is made.

use crate::protocol as wire;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Names relay servers for one participant, with credentials that soon end.
pub trait IceServers: Send + Sync + std::fmt::Debug {
    /// The servers for the participant `sid`.
    fn for_participant(&self, sid: &str) -> Vec<wire::IceServer>;
}

/// What the rooms are told at start.
#[derive(Debug, Clone)]
pub struct RoomsConfig {
    /// Where WebRTC media arrives: one UDP port for everybody.
    pub udp: SocketAddr,
    /// Where ICE-TCP listens; `None`: nowhere.
    pub tcp: Option<SocketAddr>,
    /// The addresses browsers are told; empty: that of the socket, or every address of the machine when it
    /// is bound to all.
    pub advertised: Vec<IpAddr>,
    /// Who names relay servers to participants; `None`: nobody.
    pub turn: Option<Arc<dyn IceServers>>,
    /// What nobody may exceed.
    pub limits: Limits,
}

/// What nobody may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rooms at once on this machine.
    pub rooms: usize,
    /// Participants of one room when it was not told otherwise.
    pub participants: usize,
    /// Tracks one participant may publish.
    pub tracks: usize,
    /// Bytes of one session description.
    pub sdp_bytes: usize,
    /// Bytes of one data message.
    pub data_bytes: usize,
    /// Bytes of name, metadata and attributes together.
    pub metadata_bytes: usize,
    /// Signalling requests a second of one session, sustained.
    pub requests_per_second: u32,
    /// Signalling requests of one session at once.
    pub requests_burst: u32,
    /// How long a session may be without signalling before its participant is gone.
    pub resume: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 10_000,
            participants: 200,
            tracks: 32,
            sdp_bytes: 256 * 1024,
            data_bytes: 64 * 1024,
            metadata_bytes: 64 * 1024,
            requests_per_second: 50,
            requests_burst: 300,
            resume: Duration::from_secs(18),
        }
    }
}

/// What one room is told when it is made. Zero means: as usual.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomOptions {
    /// Seconds an empty room waits for its first participant; 0: 300.
    pub empty_timeout_s: u32,
    /// Seconds a room waits after the last participant left; 0: 20.
    pub departure_timeout_s: u32,
    /// Most participants; 0: the machine's limit.
    pub max_participants: u32,
    /// Free text all members see.
    pub metadata: String,
    /// Whether only hosts and moderators may come in.
    pub locked: bool,
    /// Whether others wait until a host or moderator admits them.
    pub waiting_room: bool,
    /// Free pairs kept with the room.
    pub tags: BTreeMap<String, String>,
}
