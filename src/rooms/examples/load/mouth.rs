//! What a speaker says: a burst of tone each second, and faint noise between.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) const FRAME: usize = 960;
pub(crate) const FRAME_TIME: Duration = Duration::from_millis(20);
const RATE: u64 = 48_000;
const BURST: u64 = RATE / 10;
/// Payloads remembered for the forwarding delay: a few seconds of three speakers.
const REMEMBERED: usize = 2000;

pub(crate) struct Mouth {
    encoder: opus::Encoder,
    began: Instant,
    frames: u64,
    noise: u32,
}

pub(crate) struct Frame {
    pub(crate) payload: Vec<u8>,
    pub(crate) number: u64,
    pub(crate) is_loud: bool,
}

impl Mouth {
    pub(crate) fn new(now: Instant) -> opus::Result<Self> {
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?;
        encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
        encoder.set_complexity(2)?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(5)?;
        Ok(Self {
            encoder,
            began: now,
            frames: 0,
            noise: 1,
        })
    }

    /// When the next frame is complete: a microphone hands it over once its last sample was taken.
    pub(crate) fn next_at(&self) -> Instant {
        self.began + FRAME_TIME * u32::try_from(self.frames + 1).unwrap_or(u32::MAX)
    }

    /// When the sound of a frame's first sample was made, if its burst begins there.
    pub(crate) fn burst_began(&self, number: u64) -> Option<Instant> {
        (number * FRAME as u64)
            .is_multiple_of(RATE)
            .then(|| self.began + FRAME_TIME * u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(crate) fn speak(&mut self) -> opus::Result<Frame> {
        let number = self.frames;
        self.frames += 1;
        let first = number * FRAME as u64;
        let mut is_loud = false;
        let samples: Vec<i16> = (first..first + FRAME as u64)
            .map(|sample| {
                self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let faint = i16::try_from(self.noise >> 27).unwrap_or(0) - 16;
                if sample % RATE < BURST {
                    is_loud = true;
                    tone(sample)
                } else {
                    faint
                }
            })
            .collect();
        Ok(Frame {
            payload: self.encoder.encode_vec(&samples, 400)?,
            number,
            is_loud,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a sine of 16 bits"
)]
fn tone(sample: u64) -> i16 {
    let phase = (sample % RATE) as f64 * 1000.0 / RATE as f64 * std::f64::consts::TAU;
    (phase.sin() * 12_000.0) as i16
}

/// What was said lately, so that whoever gets it knows how old it is.
#[derive(Default)]
pub(crate) struct Said(Mutex<Lately>);

#[derive(Default)]
struct Lately {
    sent: HashMap<u64, (usize, Instant)>,
    order: VecDeque<u64>,
    bursts: HashMap<usize, VecDeque<Instant>>,
}

impl Said {
    pub(crate) fn note(&self, speaker: usize, payload: &[u8], now: Instant) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name_of(payload);
        lately.sent.insert(name, (speaker, now));
        lately.order.push_back(name);
        if lately.order.len() > REMEMBERED
            && let Some(old) = lately.order.pop_front()
        {
            lately.sent.remove(&old);
        }
    }

    pub(crate) fn note_burst(&self, speaker: usize, began: Instant) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bursts = lately.bursts.entry(speaker).or_default();
        bursts.push_back(began);
        if bursts.len() > 100 {
            bursts.pop_front();
        }
    }

    /// Who said a payload, and how long ago it was sent.
    pub(crate) fn who(&self, payload: &[u8], now: Instant) -> Option<(usize, Duration)> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (speaker, sent) = lately.sent.get(&name_of(payload))?;
        Some((*speaker, now.saturating_duration_since(*sent)))
    }

    /// How long before an instant a speaker's last burst began.
    pub(crate) fn since_burst(&self, speaker: usize, heard: Instant) -> Option<Duration> {
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = lately
            .bursts
            .get(&speaker)?
            .iter()
            .rev()
            .find(|began| **began <= heard)?;
        Some(heard.duration_since(*began))
    }
}

fn name_of(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}
