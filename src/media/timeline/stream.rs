//! Places one stream's frames on the capture's clock.
//!
//! A frame's arrival is its true time plus whatever the network delayed it, and delay is never
//! negative. So the least difference of arrival and timestamp in the seconds around a frame tells how
//! the sender's clock stands against ours; it moves when the clocks drift, and the frames follow it
//! by one sample each, stretched or shrunk, which nobody hears.

use crate::{Codec, g711};
use std::collections::{BTreeMap, VecDeque};
use strowger_model::capture;

/// Arrivals this far before and after a frame say how the clocks stand: 5 s.
const WINDOW: i64 = 40_000;
/// Beyond this the sender paused its clock or jumped, and the frame is put where it arrived: 200 ms.
const JUMP: i64 = 1_600;
/// A delay must last this long to count as a pause of the sender's clock: 1 s.
const LASTING: i64 = 8_000;
/// A frame that stands this far from its stream's clock begins another stretch: 1 s.
const STRETCH: i64 = 8_000;
/// Differences within this are left alone: 2 ms.
const TOLERANCE: i64 = 16;

#[derive(Debug, Default)]
pub(super) struct Stream {
    stretches: VecDeque<Stretch>,
    /// Increasing differences with their arrivals: the front is the least of the window.
    least: VecDeque<(i64, i64)>,
    /// Where the next sample goes, and the timestamp that belongs there.
    next: i64,
    expected: Option<i64>,
    /// Placed samples from `start` on.
    placed: VecDeque<i16>,
    start: i64,
}

/// Frames of one source's unbroken clock.
#[derive(Debug)]
struct Stretch {
    /// The last frame's timestamp with its rounds, and its arrival minus that.
    timestamp: i64,
    difference: i64,
    frames: BTreeMap<i64, Held>,
    /// Arrivals and differences not yet in the window.
    coming: VecDeque<(i64, i64)>,
}

#[derive(Debug)]
struct Held {
    arrival: i64,
    samples: Vec<i16>,
}

impl Stream {
    pub(super) fn push(&mut self, frame: &capture::Frame<'_>, arrival: i64) {
        let Some(samples) = decode(frame) else {
            return;
        };
        if samples.is_empty() {
            return;
        }
        let fitting = self
            .stretches
            .iter_mut()
            .rev()
            .find_map(|stretch| Some((stretch.place_of(frame.rtp_timestamp, arrival)?, stretch)));
        let (timestamp, stretch) = match fitting {
            Some(fitting) => fitting,
            None => {
                let timestamp = i64::from(frame.rtp_timestamp);
                self.stretches.push_back(Stretch::new(timestamp, arrival));
                let Some(stretch) = self.stretches.back_mut() else {
                    return;
                };
                (timestamp, stretch)
            }
        };
        stretch.add(timestamp, Held { arrival, samples });
    }

    /// Places everything that begins before a sample.
    pub(super) fn render(&mut self, until: i64) {
        while let Some(stretch) = self.stretches.front_mut() {
            let Some((timestamp, held)) = stretch.frames.pop_first() else {
                if self.stretches.len() == 1 {
                    return;
                }
                self.stretches.pop_front();
                self.expected = None;
                self.least.clear();
                continue;
            };
            let least = stretch.window(&mut self.least, held.arrival);
            let difference = match self.expected {
                Some(expected) if timestamp >= expected => {
                    let known = self.next - expected;
                    let lasting = held.arrival - timestamp > known + JUMP && stretch.delayed(&held, timestamp, known);
                    if lasting {
                        stretch.rebuild(&mut self.least, &held, timestamp)
                    } else {
                        least
                    }
                }
                _ => least,
            };
            let ideal = timestamp + difference;
            if ideal >= until {
                stretch.frames.insert(timestamp, held);
                return;
            }
            self.place(timestamp, ideal, &held.samples);
        }
    }

    fn place(&mut self, timestamp: i64, ideal: i64, samples: &[i16]) {
        let length = samples.len() as i64;
        let Some(expected) = self.expected else {
            // The first frame of a stretch.
            if ideal + length <= self.next {
                return;
            }
            self.put(ideal.max(self.next), samples);
            self.expected = Some(timestamp + length);
            return;
        };
        let gap = timestamp - expected;
        if gap < 0 {
            // Said already, at least in part: a sender that changed its packet time or repeats itself.
            return;
        }
        let natural = self.next + gap;
        let error = ideal - natural;
        if error < -JUMP && ideal + length <= self.next {
            // Its time is taken by what was placed before; leaving it out brings the clocks together.
            return;
        }
        self.expected = Some(timestamp + length);
        if error.abs() > JUMP {
            self.put(ideal.max(self.next), samples);
        } else if gap > 0 {
            // In a pause nobody hears a shift.
            self.put(natural + error.clamp(-gap, gap), samples);
        } else if error.abs() <= TOLERANCE || length < 2 {
            self.put(natural, samples);
        } else {
            self.put(
                natural,
                &stretched(samples, samples.len().wrapping_add_signed(error.signum() as isize)),
            );
        }
    }

    /// Puts samples at a place at or after `next`.
    fn put(&mut self, at: i64, samples: &[i16]) {
        let index = usize::try_from(at - self.start).unwrap_or(0);
        if index > self.placed.len() {
            self.placed.resize(index, 0);
        }
        self.placed.truncate(index);
        // What lies before the start has been given out already.
        let skip = usize::try_from(self.start - at).unwrap_or(0);
        self.placed.extend(samples.iter().skip(skip));
        self.next = at + samples.len() as i64;
    }

    /// Gives out the next samples, silence where none were placed.
    pub(super) fn take(&mut self, count: usize) -> Vec<i16> {
        let there = count.min(self.placed.len());
        let mut samples: Vec<i16> = self.placed.drain(..there).collect();
        samples.resize(count, 0);
        self.start += count as i64;
        samples
    }

    /// Behind the last placed sample.
    pub(super) fn end(&self) -> i64 {
        let waiting = self.stretches.iter().any(|stretch| !stretch.frames.is_empty());
        if waiting {
            return i64::MAX;
        }
        self.start + self.placed.len() as i64
    }
}

impl Stretch {
    fn new(timestamp: i64, arrival: i64) -> Self {
        Self {
            timestamp,
            difference: arrival - timestamp,
            frames: BTreeMap::new(),
            coming: VecDeque::new(),
        }
    }

    /// The timestamp with its rounds, if it belongs to this stretch.
    fn place_of(&self, rtp_timestamp: u32, arrival: i64) -> Option<i64> {
        let step = rtp_timestamp.wrapping_sub(self.timestamp as u32) as i32;
        let timestamp = self.timestamp + i64::from(step);
        ((arrival - timestamp) - self.difference)
            .checked_abs()
            .is_some_and(|apart| apart <= STRETCH)
            .then_some(timestamp)
    }

    fn add(&mut self, timestamp: i64, held: Held) {
        let difference = held.arrival - timestamp;
        self.timestamp = timestamp.max(self.timestamp);
        self.difference = difference;
        self.coming.push_back((held.arrival, difference));
        // Of two frames with one timestamp the first one stays.
        self.frames.entry(timestamp).or_insert(held);
    }

    /// Moves the window to a frame and gives the least difference in it.
    fn window(&mut self, least: &mut VecDeque<(i64, i64)>, arrival: i64) -> i64 {
        while let Some((seen, difference)) = self.coming.pop_front_if(|(seen, _)| *seen <= arrival + WINDOW) {
            enter(least, seen, difference);
        }
        while least.len() > 1 && least.front().is_some_and(|(seen, _)| *seen < arrival - WINDOW) {
            least.pop_front();
        }
        least.front().map_or(self.difference, |(_, difference)| *difference)
    }

    /// Whether this frame and all that arrive in the next second are late.
    fn delayed(&self, held: &Held, timestamp: i64, known: i64) -> bool {
        self.frames
            .range(timestamp..)
            .map(|(timestamp, other)| (other.arrival, other.arrival - timestamp))
            .take_while(|(arrival, _)| *arrival <= held.arrival + LASTING)
            .all(|(_, difference)| difference > known + JUMP)
    }

    /// Begins the window anew with a frame: its clock stood still before it.
    fn rebuild(&self, least: &mut VecDeque<(i64, i64)>, held: &Held, timestamp: i64) -> i64 {
        least.clear();
        enter(least, held.arrival, held.arrival - timestamp);
        for (timestamp, other) in self.frames.range(timestamp..) {
            if other.arrival > held.arrival + WINDOW {
                break;
            }
            enter(least, other.arrival, other.arrival - timestamp);
        }
        least
            .front()
            .map_or(held.arrival - timestamp, |(_, difference)| *difference)
    }
}

fn enter(least: &mut VecDeque<(i64, i64)>, arrival: i64, difference: i64) {
    while least.back().is_some_and(|(_, other)| *other >= difference) {
        least.pop_back();
    }
    least.push_back((arrival, difference));
}

fn decode(frame: &capture::Frame<'_>) -> Option<Vec<i16>> {
    let law = |codec| frame.payload.iter().map(|byte| g711::decode(codec, *byte)).collect();
    match frame.codec {
        capture::Codec::Pcmu => Some(law(Codec::Pcmu)),
        capture::Codec::Pcma => Some(law(Codec::Pcma)),
        capture::Codec::Linear8 => Some(
            frame
                .payload
                .chunks_exact(2)
                .filter_map(|pair| Some(i16::from_le_bytes(*pair.first_chunk()?)))
                .collect(),
        ),
        capture::Codec::G722 | capture::Codec::Opus | capture::Codec::Mark => None,
    }
}

/// The same sound in another number of samples, by straight lines between them.
fn stretched(samples: &[i16], length: usize) -> Vec<i16> {
    let last = samples.len().saturating_sub(1);
    let steps = length.saturating_sub(1).max(1);
    (0..length)
        .map(|n| {
            let (whole, part) = (n * last / steps, (n * last % steps) as i64);
            let here = i64::from(samples.get(whole).copied().unwrap_or(0));
            let there = i64::from(samples.get(whole + 1).or(samples.last()).copied().unwrap_or(0));
            (here + (there - here) * part / steps as i64) as i16
        })
        .collect()
}
