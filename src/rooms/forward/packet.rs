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

impl Codec {
    /// Whether it is a picture.
    #[must_use]
    pub const fn is_video(self) -> bool {
        match self {
            Self::Opus | Self::Red | Self::Pcmu | Self::Pcma => false,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => true,
        }
    }

    /// Ticks of its RTP clock in a second.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Opus | Self::Red => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => 90_000,
        }
    }
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
    /// H.264's profile and packetisation, VP9's profile; 0 for all others.
    pub profile: u32,
    /// How far a picture is to be turned, in quarters clockwise.
    pub rotation: Option<u8>,
    /// The payload.
    pub payload: Arc<[u8]>,
    /// The audio level of RFC 6464 in -dBov: 0 is loudest, 127 silence.
    pub level: Option<u8>,
    /// Whether the sender found speech in it.
    pub voice: Option<bool>,
    /// When it came.
    pub received: Instant,
}
