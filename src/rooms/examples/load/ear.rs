//! A listener's jitter buffer and ear: when is a burst heard?
//!
//! The buffer plays a frame as late as nearly all of the last two seconds' frames came (their 98th percentile),
//! which is about what a browser does. Frames that are later still are concealed by Opus. `Said` tells when the
//! burst was made: the speaker starts them on whole seconds of its own clock, which this process shares.

use crate::mouth::{FRAME, FRAME_TIME};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: usize = 100;
const LOUD: i16 = 3000;
/// Quiet frames after which a loud one is a new burst.
const QUIET: u32 = 10;

pub(crate) struct Ear {
    decoder: opus::Decoder,
    waiting: BTreeMap<u64, Vec<u8>>,
    /// Sequence number and instant that all others are counted from.
    origin: Option<(u64, Instant)>,
    next: u64,
    lateness: VecDeque<Duration>,
    delay: Duration,
    quiet: u32,
    pub(crate) played: u64,
    pub(crate) concealed: u64,
}

impl Ear {
    pub(crate) fn new() -> opus::Result<Self> {
        Ok(Self {
            decoder: opus::Decoder::new(48_000, opus::Channels::Mono)?,
            waiting: BTreeMap::new(),
            origin: None,
            next: 0,
            lateness: VecDeque::new(),
            delay: Duration::from_millis(40),
            quiet: 0,
            played: 0,
            concealed: 0,
        })
    }

    pub(crate) fn take(&mut self, number: u64, payload: &[u8], now: Instant) {
        let (first, origin) = *self.origin.get_or_insert((number, now));
        if number < first {
            return;
        }
        let ideal = origin + frames(number - first);
        // The origin itself may have come late: move it to the earliest frame seen.
        if now < ideal {
            self.origin = Some((first, origin - (ideal - now)));
        }
        self.lateness.push_back(now.saturating_duration_since(ideal));
        if self.lateness.len() > WINDOW {
            self.lateness.pop_front();
        }
        if self.next == 0 {
            self.next = number;
        }
        if number >= self.next {
            self.waiting.insert(number, payload.to_vec());
        }
    }

    /// When the next frame is to be played.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let (first, origin) = self.origin?;
        Some(origin + frames(self.next.saturating_sub(first)) + self.delay)
    }

    /// Plays what is due; returns the instant at which a burst was heard.
    pub(crate) fn play(&mut self, now: Instant) -> Option<Instant> {
        let mut heard = None;
        while let Some(at) = self.next_at().filter(|at| *at <= now) {
            let frame = self.waiting.remove(&self.next);
            let mut samples = [0_i16; FRAME];
            // An empty packet asks the decoder to conceal; the packet after a lost one holds a copy of it.
            let (bytes, is_copy) = match (&frame, self.waiting.get(&(self.next + 1))) {
                (Some(frame), _) => (&frame[..], false),
                (None, Some(after)) => (&after[..], true),
                (None, None) => (&[][..], false),
            };
            let _ = self.decoder.decode(bytes, &mut samples, is_copy);
            self.played += 1;
            self.concealed += u64::from(frame.is_none());
            self.next += 1;
            self.adapt();
            let loud = samples
                .iter()
                .position(|sample| sample.unsigned_abs() > LOUD.unsigned_abs());
            match loud {
                Some(sample) => {
                    if self.quiet >= QUIET {
                        heard = Some(at + Duration::from_micros(sample as u64 * 1_000_000 / 48_000));
                    }
                    self.quiet = 0;
                }
                None => self.quiet += 1,
            }
        }
        heard
    }

    fn adapt(&mut self) {
        if !self.next.is_multiple_of(25) || self.lateness.len() < 25 {
            return;
        }
        let mut sorted: Vec<Duration> = self.lateness.iter().copied().collect();
        sorted.sort_unstable();
        let wanted = sorted.get(sorted.len() * 98 / 100).copied().unwrap_or_default();
        // A change is a leap of the sound; small ones are not worth it. At least half a frame stays.
        let wanted = wanted.max(FRAME_TIME / 2);
        if wanted > self.delay || self.delay - wanted > Duration::from_millis(5) {
            self.delay = wanted;
        }
    }
}

fn frames(count: u64) -> Duration {
    FRAME_TIME * u32::try_from(count).unwrap_or(u32::MAX)
}

/// Median, 95th percentile and highest of what was measured, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
pub(crate) fn quantiles(measured: &Mutex<Vec<Duration>>) -> serde_json::Value {
    let mut sorted = measured.lock().unwrap_or_else(PoisonError::into_inner).clone();
    sorted.sort_unstable();
    let at = |share: usize| {
        let index = (sorted.len() * share / 100).min(sorted.len().saturating_sub(1));
        sorted
            .get(index)
            .map(|value| (value.as_micros() as f64 / 10.0).round() / 100.0)
    };
    serde_json::json!({ "n": sorted.len(), "p50": at(50), "p95": at(95), "max": at(100) })
}
