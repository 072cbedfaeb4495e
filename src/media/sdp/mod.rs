//! Session descriptions: what two sides agree about one audio stream.
//!
//! [`parse`] reads any body tolerantly into lines, [`Session`] is one side of the offer/answer
//! exchange of RFC 3264 for one leg, and [`Negotiated`] is what the media thread needs to know of
//! the outcome. Pure: addresses come in, bodies go out. Not here: SIP, and anything but one audio
//! stream (every other stream is refused in its position).

mod description;
mod session;
#[cfg(test)]
mod tests;

pub use description::{Description, Media, parse};
pub use session::{Preference, Session, spoken};

use crate::g711::Law;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use strowger_model::capture;

/// An audio codec we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722: wide-band.
    G722,
    /// Opus (RFC 6716, RFC 7587), mono.
    Opus,
}

impl Codec {
    /// Every one, in the order we would choose: a wide-band one first.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcma, Self::Pcmu];

    /// The payload type RFC 3551 gives it, or the one we call it by until the far end has named another.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The codec of a payload type that means the same everywhere (RFC 3551 §6).
    #[must_use]
    pub const fn of_static(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// Its name in `a=rtpmap`.
    #[must_use]
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The codec of a name, in whatever case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.encoding().eq_ignore_ascii_case(name))
    }

    /// Its RTP clock, ticks a millisecond. That of G.722 is 8 although it samples at 16 kHz (RFC 3551 §4.5.2).
    #[must_use]
    pub const fn clock_khz(self) -> u8 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8,
            Self::Opus => 48,
        }
    }

    /// Whether it carries more than the telephone band.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        match self {
            Self::Pcmu | Self::Pcma => false,
            Self::G722 | Self::Opus => true,
        }
    }

    /// Its law, if it is G.711.
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            Self::G722 | Self::Opus => None,
        }
    }

    /// The codec that comes nearest where this one is not spoken: the other law, the other wide-band one.
    #[must_use]
    pub const fn nearest(self) -> Self {
        match self {
            Self::Pcmu => Self::Pcma,
            Self::Pcma => Self::Pcmu,
            Self::G722 => Self::Opus,
            Self::Opus => Self::G722,
        }
    }

    /// How a capture names it.
    #[must_use]
    pub const fn captured(self) -> capture::Codec {
        match self {
            Self::Pcmu => capture::Codec::Pcmu,
            Self::Pcma => capture::Codec::Pcma,
            Self::G722 => capture::Codec::G722,
            Self::Opus => capture::Codec::Opus,
        }
    }
}

/// What a far end asks of the Opus it is sent (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusTerms {
    /// `useinbandfec`: whether a packet should carry a coarse copy of the one before it.
    pub wants_copies: bool,
    /// `maxaveragebitrate`, bits a second.
    pub most_bits: i32,
}

impl Default for OpusTerms {
    fn default() -> Self {
        Self {
            wants_copies: false,
            most_bits: 510_000,
        }
    }
}

/// Which way audio flows, as we see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Direction {
    /// We may send to the far end.
    pub send: bool,
    /// The far end may send to us.
    pub recv: bool,
}

impl Direction {
    /// `a=sendrecv`: the ordinary call.
    pub const BOTH: Self = Self { send: true, recv: true };
    /// `a=sendonly`: we hold the far end and let it hear something.
    pub const SEND: Self = Self {
        send: true,
        recv: false,
    };
    /// `a=recvonly`: the far end holds us.
    pub const RECV: Self = Self {
        send: false,
        recv: true,
    };
    /// `a=inactive`: silence on both ways.
    pub const NONE: Self = Self {
        send: false,
        recv: false,
    };

    /// Whether the far end has put us on hold: it does not want to hear us.
    #[must_use]
    pub const fn is_held(self) -> bool {
        !self.send
    }

    /// The same stream as the other side sees it.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        Self {
            send: self.recv,
            recv: self.send,
        }
    }

    /// What is left when `other` has its say as well.
    #[must_use]
    pub const fn limited_by(self, other: Self) -> Self {
        Self {
            send: self.send && other.send,
            recv: self.recv && other.recv,
        }
    }

    pub(crate) const fn attribute(self) -> &'static str {
        match (self.send, self.recv) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }
}

/// What two sides agreed about the audio of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the far end wants RTP; the unspecified address or port 0 means nowhere.
    pub remote: SocketAddr,
    /// Where the far end wants RTCP.
    pub remote_rtcp: SocketAddr,
    /// The codec we send.
    pub codec: Codec,
    /// The payload type we send it with.
    pub payload_type: u8,
    /// The payload type of telephone-event (RFC 4733) towards the far end, where it takes them.
    pub dtmf_payload_type: Option<u8>,
    /// The payload type of telephone-event towards us; differs only with peers that answer with a
    /// number of their own.
    pub dtmf_receive_type: Option<u8>,
    /// The ticks of a telephone-event's duration in a millisecond: those of its `a=rtpmap`.
    pub dtmf_clock_khz: u8,
    /// The payload type that brings Opus from the far end, whatever we send, and what it asks of ours.
    pub opus: Option<(u8, OpusTerms)>,
    /// The packet time the far end prefers, milliseconds.
    pub ptime_ms: u8,
    /// Which way audio flows.
    pub direction: Direction,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a session description at all: no media line, or beyond every limit.
    #[error("the body is not a session description")]
    Unreadable,
    /// No audio stream with a codec of ours: SIP answers 488.
    #[error("no audio stream with a codec we speak")]
    NoUsableAudio,
    /// The connection address is no IP address.
    #[error("the connection address is not an IP address")]
    UnknownAddress,
    /// An answer came though nothing was offered.
    #[error("an answer came without an offer of ours")]
    NothingOffered,
}
