//! One RTP packet on its way from a publisher to everybody else.

use std::sync::Arc;
use std::time::Instant;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Opus.
    Opus,
    /// Opus with redundancy (RFC 2198).
    Red,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// AV1.
    Av1,
}

/// One RTP packet.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Its sequence number, counted on through roll-overs.
    pub sequence: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// What the payload is.
    pub codec: Codec,
    /// The payload.
    pub payload: Arc<[u8]>,
    /// The audio level of RFC 6464 in -dBov: 0 is loudest, 127 silence.
    pub level: Option<u8>,
    /// Whether the sender found speech in it.
    pub voice: Option<bool>,
    /// When it came.
    pub received: Instant,
}
