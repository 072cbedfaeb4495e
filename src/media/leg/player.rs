//! What we say to a far end ourselves: prompts, keys, and an audio port, in 20 ms steps.

use super::{Events, Kind, PACKET_BYTES};
use crate::coder::{Encoder, Rate};
use crate::port::AudioFrame;
use crate::rtp::HEADER_BYTES;
use crate::sdp::OpusTerms;
use crate::{Codec, FRAME_SAMPLES, MediaEvent, MediaLegId, PlayId, dtmf, tone};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Plays that may wait; more are dropped, told as done at once.
const WAITING: usize = 256;
/// A key as a tone, and the pause after it.
const TONE_MS: u32 = 120;
const TONE_PAUSE_MS: u32 = 80;

/// One play of a prompt.
#[derive(Debug, Clone)]
pub struct Play {
    /// Named in the event at its end; `None` for sounds nobody waits for.
    pub id: Option<PlayId>,
    /// 16-bit linear mono, 8 kHz.
    pub samples: Arc<[i16]>,
    /// Whether it begins again at its end.
    pub repeat: bool,
}

/// A frame of our own in the buffer.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) marker: bool,
    pub(super) timestamp: u32,
    pub(super) payload: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Player {
    leg: MediaLegId,
    plays: VecDeque<Play>,
    /// Samples of the first play that were said.
    position: usize,
    keys: Option<Box<dtmf::Sender>>,
    /// What turns the frames into the far end's codec, from the first one on.
    encoder: Option<(Codec, Encoder)>,
}

/// What the far end takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) codec: Codec,
    pub(super) terms: Option<OpusTerms>,
    /// The clock by which keys are counted.
    pub(super) event_khz: u8,
}

impl Player {
    pub(super) fn new(leg: MediaLegId) -> Self {
        Self {
            leg,
            plays: VecDeque::new(),
            position: 0,
            keys: None,
            encoder: None,
        }
    }

    pub(super) fn add(&mut self, play: Play) {
        self.end_repeating();
        if self.plays.len() < WAITING {
            self.plays.push_back(play);
        }
    }

    /// A repeating play would never let another one begin.
    pub(super) fn end_repeating(&mut self) {
        let repeats = |play: &Play| play.repeat;
        if self.plays.front().is_some_and(repeats) {
            self.position = 0;
        }
        self.plays.retain(|play| !play.repeat);
    }

    pub(super) fn clear(&mut self) {
        self.plays.clear();
        self.position = 0;
        self.keys = None;
    }

    pub(super) fn press(&mut self, digits: &str, as_events: bool) {
        if as_events {
            self.keys.get_or_insert_default().press(digits);
            return;
        }
        for samples in digits.chars().filter_map(|digit| tone::key(digit, TONE_MS)) {
            for samples in [samples, tone::silence(TONE_PAUSE_MS)] {
                let (id, repeat) = (None, false);
                self.add(Play { id, samples, repeat });
            }
        }
    }

    /// Whether a prompt or keys are being said; a port does not count.
    pub(super) fn is_busy(&self) -> bool {
        !self.plays.is_empty() || self.keys.is_some()
    }

    /// The next 20 ms, written behind room for a header. `stands` is our stream's timestamp,
    /// `ported` what an audio port has to say.
    pub(super) fn step(
        &mut self,
        manner: Manner,
        stands: u32,
        ported: Option<AudioFrame>,
        packet: &mut [u8; PACKET_BYTES],
        events: &mut Events,
    ) -> Option<Frame> {
        if let Some(keys) = &mut self.keys {
            match keys.step(stands, manner.event_khz) {
                dtmf::Step::Packet {
                    marker,
                    timestamp,
                    payload,
                } => {
                    let range = HEADER_BYTES..HEADER_BYTES + dtmf::EVENT_BYTES;
                    packet.get_mut(range.clone())?.copy_from_slice(&payload);
                    return Some(Frame {
                        kind: Kind::Event(None),
                        marker,
                        timestamp,
                        payload: range,
                    });
                }
                dtmf::Step::Pause => return None,
                dtmf::Step::Over => self.keys = None,
            }
        }
        let samples = if self.plays.is_empty() {
            ported?
        } else {
            let mut samples = [0; FRAME_SAMPLES];
            self.fill(&mut samples, events);
            samples
        };
        let length = self.encoder(manner)?.encode(&samples, packet.get_mut(HEADER_BYTES..)?);
        (length > 0).then_some(Frame {
            kind: Kind::Audio(manner.codec),
            marker: false,
            timestamp: stands,
            payload: HEADER_BYTES..HEADER_BYTES + length,
        })
    }

    fn encoder(&mut self, manner: Manner) -> Option<&mut Encoder> {
        if self.encoder.as_ref().is_none_or(|(codec, _)| *codec != manner.codec) {
            self.encoder = Some((manner.codec, Encoder::new(manner.codec, Rate::Narrow, manner.terms)?));
        }
        self.encoder.as_mut().map(|(_, encoder)| encoder)
    }

    /// Fills a silent frame from the plays; one that ends within it is followed by the next without a gap.
    fn fill(&mut self, mut room: &mut [i16], events: &mut Events) {
        while let Some(play) = self.plays.front() {
            let rest = play.samples.get(self.position..).unwrap_or_default();
            let count = rest.len().min(room.len());
            let (now, later) = std::mem::take(&mut room).split_at_mut(count);
            now.copy_from_slice(rest.get(..count).unwrap_or_default());
            room = later;
            self.position += count;
            if self.position < play.samples.len() {
                return;
            }
            self.position = 0;
            if play.repeat && !play.samples.is_empty() {
                if room.is_empty() {
                    return;
                }
                continue;
            }
            if let Some(ended) = self.plays.pop_front()
                && let Some(play) = ended.id
            {
                let leg = self.leg;
                events.push_back(MediaEvent::PlayDone { leg, play });
            }
        }
    }
}
