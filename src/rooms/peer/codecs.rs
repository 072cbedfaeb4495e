//! Payload types and codecs. The numbers are each client's own (Firefox calls Opus 109), so packets are
//! matched by what they are.

use crate::forward::Codec;
use std::collections::HashMap;
use str0m::Rtc;
use str0m::format::{Codec as Theirs, FormatParams, PayloadParams};
use str0m::media::Mid;
use str0m::rtp::VideoOrientation;

/// A codec with what else must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Format {
    pub(super) codec: Codec,
    /// H.264's profile and packetisation, VP9's profile; 0 for all others.
    pub(super) profile: u32,
}

/// What was looked up before. Forgotten at each negotiation.
#[derive(Debug, Default)]
pub(super) struct Codecs {
    incoming: HashMap<u8, Format>,
    outgoing: HashMap<(Mid, Format), Option<u8>>,
}

fn ours(theirs: Theirs) -> Option<Codec> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum; the rest is not forwarded"
    )]
    match theirs {
        Theirs::Opus => Some(Codec::Opus),
        Theirs::PCMU => Some(Codec::Pcmu),
        Theirs::PCMA => Some(Codec::Pcma),
        Theirs::Vp8 => Some(Codec::Vp8),
        Theirs::Vp9 => Some(Codec::Vp9),
        Theirs::H264 => Some(Codec::H264),
        Theirs::H265 => Some(Codec::H265),
        Theirs::Av1 => Some(Codec::Av1),
        _ => None,
    }
}

fn profile(codec: Codec, format: &FormatParams) -> u32 {
    match codec {
        // The level is the sender's limit, not a property of the stream: only profile and packetisation
        // must match.
        Codec::H264 => {
            let profile = format.profile_level_id.unwrap_or(0x42_00_1F) >> 8;
            (profile << 8) | u32::from(format.packetization_mode.unwrap_or(0))
        }
        Codec::Vp9 => format.profile_id.unwrap_or(0),
        Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma | Codec::Vp8 | Codec::H265 | Codec::Av1 => 0,
    }
}

fn format_of(params: &PayloadParams) -> Option<Format> {
    let codec = ours(params.spec().codec)?;
    Some(Format {
        codec,
        profile: profile(codec, &params.spec().format),
    })
}

impl Codecs {
    /// What came under that number.
    pub(super) fn of_payload_type(&mut self, number: u8, rtc: &Rtc) -> Option<Format> {
        if let Some(format) = self.incoming.get(&number) {
            return Some(*format);
        }
        let format = rtc.codec_config().params().iter().find_map(|params| {
            if *params.pt() == number {
                return format_of(params);
            }
            let is_red = params.red().is_some_and(|red| *red == number);
            is_red.then_some(Format {
                codec: Codec::Red,
                profile: 0,
            })
        })?;
        self.incoming.insert(number, format);
        Some(format)
    }

    /// Under which number the other side takes a codec in a section.
    pub(super) fn payload_type(&mut self, mid: Mid, codec: Codec, profile: u32, rtc: &Rtc) -> Option<u8> {
        let profile = if codec == Codec::Red { 0 } else { profile };
        let wanted = Format { codec, profile };
        if let Some(known) = self.outgoing.get(&(mid, wanted)) {
            return *known;
        }
        let allowed = rtc.media(mid)?.remote_pts();
        let found = rtc.codec_config().params().iter().find_map(|params| {
            let number = if codec == Codec::Red {
                params.red().filter(|_| params.spec().codec == Theirs::Opus)?
            } else {
                params.pt()
            };
            let is_it = codec == Codec::Red || format_of(params) == Some(wanted);
            (is_it && allowed.contains(&number)).then_some(*number)
        });
        self.outgoing.insert((mid, wanted), found);
        found
    }

    /// What was known may no longer hold.
    pub(super) fn forget(&mut self) {
        self.incoming.clear();
        self.outgoing.clear();
    }
}

/// A picture's rotation in quarter turns.
pub(super) const fn rotation_of(orientation: Option<VideoOrientation>) -> Option<u8> {
    match orientation {
        Some(VideoOrientation::Deg0) => Some(0),
        Some(VideoOrientation::Deg90) => Some(1),
        Some(VideoOrientation::Deg180) => Some(2),
        Some(VideoOrientation::Deg270) => Some(3),
        None => None,
    }
}

/// And back.
pub(super) const fn orientation_of(rotation: Option<u8>) -> Option<VideoOrientation> {
    match rotation {
        Some(0) => Some(VideoOrientation::Deg0),
        Some(1) => Some(VideoOrientation::Deg90),
        Some(2) => Some(VideoOrientation::Deg180),
        Some(_) => Some(VideoOrientation::Deg270),
        None => None,
    }
}
