//! The audio of one leg and between legs.
//!
//! Pure except for [`io`]: session descriptions are negotiated in [`sdp`], packets are read and
//! written in [`rtp`] and [`rtcp`], one leg's audio is decided in [`leg`], and captured packets become
//! aligned samples in [`timeline`]. [`coder`] turns payloads into samples and back. Sockets, clocks and threads live in [`io`] alone; start reading at
//! [`io::MediaHandle`]. This crate knows nothing of SIP, flows or tenants.

pub mod coder;
pub mod dtmf;
pub mod event;
pub mod g711;
pub mod g722;
pub mod inband;
#[expect(clippy::disallowed_methods, reason = "sockets, clocks and threads live in io/")]
pub mod io;
pub mod leg;
pub mod port;
pub mod quality;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod timeline;
pub mod tone;

pub use event::MediaEvent;
pub use io::{MediaConfig, MediaHandle, OpenLeg};
pub use port::{AudioFrame, AudioPort};
pub use sdp::{Codec, Direction, Negotiated};

use serde::{Deserialize, Serialize};

/// The sample rate of prompts, ports and recordings of calls without a wide-band leg: narrow-band telephony.
pub const SAMPLE_RATE_HZ: u32 = 8_000;

/// The samples of one 20 ms frame at [`SAMPLE_RATE_HZ`].
pub const FRAME_SAMPLES: usize = 160;

/// The media side of one leg, unique within a run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaLegId(pub u64);

impl std::fmt::Display for MediaLegId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One play of a prompt, numbered by whoever asks for it; comes back in [`MediaEvent::PlayDone`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlayId(pub u64);
