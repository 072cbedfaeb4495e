//! One phone on its way to the room: what it says in frames, when it speaks, and as Opus.

use super::level::{SILENCE, level};
use super::limiter::Limiter;
use super::{PhoneKey, Spoken};
use std::collections::VecDeque;
use strowger_media::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE_HZ};

/// Frames a phone must have queued before it is heard: 40 ms against jitter.
const START: usize = 2;
/// Frames a phone may have queued; the oldest is dropped beyond, so that delay stays below 120 ms.
const MOST: usize = 6;
/// A phone speaks at this level or above it, in decibels below overload. G.711 lines hiss below.
const SPEECH: u8 = 60;
/// Ticks a phone counts as speaking after its last loud moment: 300 ms.
const HANGOVER: u32 = 15;
/// A silent phone sends one packet in this many ticks (400 ms), as Opus itself does when it has nothing to send.
const HEARTBEAT: u32 = 20;
/// The RTP clock of Opus (RFC 7587 §4.1) goes on by this much in 20 ms, whatever is encoded.
const TIMESTAMP_STEP: u32 = 960;
/// Bytes a narrow-band packet of 20 ms never exceeds.
const MOST_BYTES: usize = 400;

/// A phone in the room.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) key: PhoneKey,
    queue: VecDeque<AudioFrame>,
    running: bool,
    muted: bool,
    /// Whether it has said anything yet; one that is still being called has not.
    is_there: bool,
    /// What it says in this tick, while it speaks.
    pub(super) current: Option<AudioFrame>,
    level: u8,
    /// Ticks since it last was loud.
    quiet: u32,
    pub(super) limiter: Limiter,
    encoder: Option<opus::Encoder>,
    /// Ticks since its last packet.
    unsent: u32,
    sequence: u16,
    timestamp: u32,
}

impl Phone {
    pub(super) fn new(key: PhoneKey, sequence: u16, timestamp: u32) -> Self {
        Self {
            key,
            queue: VecDeque::with_capacity(MOST + 1),
            running: false,
            muted: false,
            is_there: false,
            current: None,
            level: SILENCE,
            quiet: HANGOVER,
            limiter: Limiter::default(),
            encoder: None,
            unsent: HEARTBEAT,
            sequence,
            timestamp,
        }
    }

    pub(super) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(super) fn put(&mut self, frame: &AudioFrame) {
        self.is_there = true;
        self.queue.push_back(*frame);
        if self.queue.len() > MOST {
            self.queue.pop_front();
        }
    }

    /// Takes the next 20 ms of what it says.
    pub(super) fn step(&mut self) {
        self.running = self.queue.len() >= START || (self.running && !self.queue.is_empty());
        let frame = if self.running { self.queue.pop_front() } else { None };
        let frame = frame.filter(|_| !self.muted);
        self.level = frame.as_ref().map_or(SILENCE, level);
        self.quiet = if self.level <= SPEECH {
            0
        } else {
            self.quiet.saturating_add(1)
        };
        self.current = frame.filter(|_| self.quiet < HANGOVER);
    }

    /// Its packet of this tick, if it has one.
    pub(super) fn speak(&mut self, mut say: impl FnMut(PhoneKey, Spoken<'_>)) {
        self.timestamp = self.timestamp.wrapping_add(TIMESTAMP_STEP);
        self.unsent = self.unsent.saturating_add(1);
        let frame = match &self.current {
            Some(frame) => frame,
            None if self.unsent >= HEARTBEAT && self.is_there && !self.muted => &[0; FRAME_SAMPLES],
            None => return,
        };
        if self.encoder.is_none() {
            self.encoder = encoder().ok();
        }
        let mut payload = [0; MOST_BYTES];
        let encoded = self
            .encoder
            .as_mut()
            .and_then(|encoder| encoder.encode(frame, &mut payload).ok());
        let Some(payload) = encoded.and_then(|length| payload.get(..length)) else {
            return;
        };
        let spoken = Spoken {
            sequence: self.sequence,
            timestamp: self.timestamp,
            // RFC 3551 §4.1: the first packet after a silence.
            marker: self.unsent > 1,
            level: self.level,
            voice: self.quiet == 0,
            payload,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.unsent = 0;
        say(self.key, spoken);
    }
}

fn encoder() -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE_HZ, opus::Channels::Mono, opus::Application::Voip)?;
    encoder.set_complexity(5)?;
    encoder.set_bitrate(opus::Bitrate::Bits(12_000))?;
    encoder.set_max_bandwidth(opus::Bandwidth::Narrowband)?;
    // A spare copy of the frame before costs nothing to speak of at this rate.
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(5)?;
    encoder.set_dtx(true)?;
    Ok(encoder)
}
