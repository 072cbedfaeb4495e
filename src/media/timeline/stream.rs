//! Places one stream's frames on the capture's clock.
//!
//! A frame's arrival is its true time plus whatever the network delayed it, and delay is never
//! negative. So the least difference of arrival and timestamp in the seconds around a frame tells how
//! the sender's clock stands against ours; it moves when the clocks drift, and the frames follow it
//! by one sample each, stretched or shrunk, which nobody hears.

use super::telephone::Telephone;
use super::{Decoder, OPUS_RATE_HZ};
use crate::SAMPLE_RATE_HZ;
use crate::coder::Rate;
use std::collections::{BTreeMap, VecDeque};
use strowger_model::capture;

/// How far apart things may be, in samples.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Arrivals this far before and after a frame say how the clocks stand: 5 s.
    window: i64,
    /// Beyond this the sender paused its clock or jumped, and the frame is put where it arrived: 200 ms.
    jump: i64,
    /// A delay must last this long to count as a pause of the sender's clock: 1 s.
    lasting: i64,
    /// A frame that stands this far from its stream's clock begins another stretch: 1 s.
    stretch: i64,
    /// Differences within this are left alone: 2 ms.
    tolerance: i64,
    /// A frame is made so much longer or shorter to follow the clock: 0.125 ms.
    step: i64,
    /// What is lost is concealed up to this, and silent beyond: 100 ms.
    concealed: i64,
}

impl Bounds {
    const fn at(rate: i64) -> Self {
        Self {
            window: 5 * rate,
            jump: rate / 5,
            lasting: rate,
            stretch: rate,
            tolerance: rate / 500,
            step: rate / 8000,
            concealed: rate / 10,
        }
    }
}

pub(super) struct Stream {
    bounds: Bounds,
    /// How many ticks of Opus' clock one sample lasts: 6 or 3 on a call's timeline, 1 on a meeting's.
    opus_ticks: i64,
    /// How many samples a tick of every other clock lasts, which is 8 kHz: 1 or 2 on a call's timeline.
    samples_a_tick: u8,
    /// Of a call; a meeting holds Opus alone, and brings its decoder.
    rate: Option<Rate>,
    /// What turns the codec that is spoken into samples, from its first frame on.
    decoder: Option<(capture::Codec, Box<dyn Decoder>)>,
    /// The last timestamp on Opus' clock, and the same without its rounds.
    opus_clock: Option<(u32, i64)>,
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

/// A frame. It is decoded when it is placed, in the order of the timestamps: most codecs have a memory.
#[derive(Debug)]
struct Held {
    arrival: i64,
    codec: capture::Codec,
    payload: Vec<u8>,
    /// How long it lasts.
    samples: i64,
}

impl Stream {
    pub(super) fn telephone(rate: Rate) -> Self {
        Self::over(rate.hertz(), Some(rate), None)
    }

    pub(super) fn opus(decoder: Box<dyn Decoder>) -> Self {
        Self::over(OPUS_RATE_HZ, None, Some((capture::Codec::Opus, decoder)))
    }

    fn over(hertz: u32, rate: Option<Rate>, decoder: Option<(capture::Codec, Box<dyn Decoder>)>) -> Self {
        Self {
            bounds: Bounds::at(i64::from(hertz)),
            opus_ticks: i64::from(OPUS_RATE_HZ / hertz),
            samples_a_tick: (hertz / SAMPLE_RATE_HZ) as u8,
            rate,
            decoder,
            opus_clock: None,
            stretches: VecDeque::new(),
            least: VecDeque::new(),
            next: 0,
            expected: None,
            placed: VecDeque::new(),
            start: 0,
        }
    }

    pub(super) fn push(&mut self, frame: &capture::Frame<'_>, arrival: i64) {
        let samples = self.length_of(frame);
        if samples == 0 {
            return;
        }
        let rtp_timestamp = self.in_samples(frame);
        let bounds = self.bounds;
        let fitting = self.stretches.iter_mut().rev().find_map(|stretch| {
            let timestamp = stretch.place_of(rtp_timestamp, arrival, bounds.stretch)?;
            Some((timestamp, stretch))
        });
        let (timestamp, stretch) = match fitting {
            Some(fitting) => fitting,
            None => {
                let timestamp = i64::from(rtp_timestamp);
                self.stretches.push_back(Stretch::new(timestamp, arrival));
                let Some(stretch) = self.stretches.back_mut() else {
                    return;
                };
                (timestamp, stretch)
            }
        };
        let held = Held {
            arrival,
            codec: frame.codec,
            payload: frame.payload.to_vec(),
            samples,
        };
        stretch.add(timestamp, held);
    }

    /// Places everything that begins before a sample.
    pub(super) fn render(&mut self, until: i64) {
        let bounds = self.bounds;
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
            let least = stretch.window(&mut self.least, held.arrival, bounds.window);
            let difference = match self.expected {
                Some(expected) if timestamp >= expected => {
                    let known = self.next - expected;
                    let lasting = held.arrival - timestamp > known + bounds.jump
                        && stretch.delayed(&held, timestamp, known, bounds);
                    if lasting {
                        stretch.rebuild(&mut self.least, &held, timestamp, bounds.window)
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
            self.place(timestamp, ideal, &held);
        }
    }

    fn place(&mut self, timestamp: i64, ideal: i64, held: &Held) {
        let length = held.samples;
        let Some(expected) = self.expected else {
            // The first frame of a stretch.
            if ideal + length <= self.next {
                return;
            }
            let samples = self.decoded(held);
            self.put(ideal.max(self.next), &samples);
            self.expected = Some(timestamp + length);
            return;
        };
        let gap = timestamp - expected;
        if gap < 0 {
            // Said already, at least in part: a sender that changed its packet time or repeats itself.
            return;
        }
        let mut natural = self.next + gap;
        let error = ideal - natural;
        if error < -self.bounds.jump && ideal + length <= self.next {
            // Its time is taken by what was placed before; leaving it out brings the clocks together.
            return;
        }
        self.expected = Some(timestamp + length);
        let mut gap = gap;
        if error.abs() <= self.bounds.jump && self.conceal(gap, held) {
            (natural, gap) = (self.next, 0);
        }
        let samples = self.decoded(held);
        if error.abs() > self.bounds.jump {
            self.put(ideal.max(self.next), &samples);
        } else if gap > 0 {
            // In a pause nobody hears a shift.
            self.put(natural + error.clamp(-gap, gap), &samples);
        } else if error.abs() <= self.bounds.tolerance || samples.len() < 2 {
            self.put(natural, &samples);
        } else {
            let change = (error.signum() * self.bounds.step) as isize;
            self.put(
                natural,
                &stretched(&samples, samples.len().saturating_add_signed(change)),
            );
        }
    }

    /// Fills a short gap with what the decoder makes of it. Returns whether it did.
    fn conceal(&mut self, gap: i64, next: &Held) -> bool {
        let Some((decodes, decoder)) = &mut self.decoder else {
            return false;
        };
        let knows = next.codec == capture::Codec::Opus && *decodes == next.codec;
        if !knows || gap <= 0 || gap > self.bounds.concealed {
            return false;
        }
        let mut samples = decoder.conceal(usize::try_from(gap).unwrap_or(0), &next.payload);
        samples.resize(usize::try_from(gap).unwrap_or(0), 0);
        self.put(self.next, &samples);
        true
    }

    fn decoded(&mut self, held: &Held) -> Vec<i16> {
        let decoder = self.decoder_of(held.codec);
        let mut samples = decoder.map(|decoder| decoder.decode(&held.payload)).unwrap_or_default();
        samples.resize(usize::try_from(held.samples).unwrap_or(0), 0);
        samples
    }

    fn decoder_of(&mut self, codec: capture::Codec) -> Option<&mut Box<dyn Decoder>> {
        if let Some(rate) = self.rate
            && self.decoder.as_ref().is_none_or(|(decodes, _)| *decodes != codec)
        {
            self.decoder = Some((codec, Box::new(Telephone::new(codec, rate)?)));
        }
        self.decoder.as_mut().map(|(_, decoder)| decoder)
    }

    /// A frame's timestamp in samples of the timeline, which go round as its own do. That of Opus counts finer, so it is
    /// counted on without rounds before it is divided.
    fn in_samples(&mut self, frame: &capture::Frame<'_>) -> u32 {
        if frame.codec != capture::Codec::Opus {
            return frame.rtp_timestamp.wrapping_mul(u32::from(self.samples_a_tick));
        }
        if self.opus_ticks == 1 {
            return frame.rtp_timestamp;
        }
        let place = match self.opus_clock {
            None => i64::from(frame.rtp_timestamp),
            Some((last, place)) => place + i64::from(frame.rtp_timestamp.wrapping_sub(last) as i32),
        };
        self.opus_clock = Some((frame.rtp_timestamp, place));
        place.div_euclid(self.opus_ticks) as u32
    }

    /// How many samples a frame lasts; 0 when it is not of the stream's kind.
    fn length_of(&self, frame: &capture::Frame<'_>) -> i64 {
        if frame.codec != capture::Codec::Opus && self.rate.is_none() {
            return 0;
        }
        let bytes = i64::try_from(frame.payload.len()).unwrap_or(0);
        let ticks = match frame.codec {
            capture::Codec::Opus => return opus_samples(frame.payload) / self.opus_ticks,
            // One byte is a tick of G.722's clock as well: a sample of the lower band and one of the upper.
            capture::Codec::Pcmu | capture::Codec::Pcma | capture::Codec::G722 => bytes,
            capture::Codec::Linear8 => bytes / 2,
            capture::Codec::Mark => 0,
        };
        ticks * i64::from(self.samples_a_tick)
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
    fn place_of(&self, rtp_timestamp: u32, arrival: i64, farthest: i64) -> Option<i64> {
        let step = rtp_timestamp.wrapping_sub(self.timestamp as u32) as i32;
        let timestamp = self.timestamp + i64::from(step);
        ((arrival - timestamp) - self.difference)
            .checked_abs()
            .is_some_and(|apart| apart <= farthest)
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
    fn window(&mut self, least: &mut VecDeque<(i64, i64)>, arrival: i64, width: i64) -> i64 {
        while let Some((seen, difference)) = self.coming.pop_front_if(|(seen, _)| *seen <= arrival + width) {
            enter(least, seen, difference);
        }
        while least.len() > 1 && least.front().is_some_and(|(seen, _)| *seen < arrival - width) {
            least.pop_front();
        }
        least.front().map_or(self.difference, |(_, difference)| *difference)
    }

    /// Whether this frame and all that arrive in the next second are late.
    fn delayed(&self, held: &Held, timestamp: i64, known: i64, bounds: Bounds) -> bool {
        self.frames
            .range(timestamp..)
            .map(|(timestamp, other)| (other.arrival, other.arrival - timestamp))
            .take_while(|(arrival, _)| *arrival <= held.arrival + bounds.lasting)
            .all(|(_, difference)| difference > known + bounds.jump)
    }

    /// Begins the window anew with a frame: its clock stood still before it.
    fn rebuild(&self, least: &mut VecDeque<(i64, i64)>, held: &Held, timestamp: i64, width: i64) -> i64 {
        least.clear();
        enter(least, held.arrival, held.arrival - timestamp);
        for (timestamp, other) in self.frames.range(timestamp..) {
            if other.arrival > held.arrival + width {
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

/// How long an Opus packet lasts in samples at 48 kHz; 0 for what is none. RFC 6716 §3.1: the first byte
/// says how long a frame is and how many there are, three of its codes as 1, 2, 2 and the fourth in the
/// second byte; a packet lasts 120 ms at most.
fn opus_samples(payload: &[u8]) -> i64 {
    let Some(toc) = payload.first() else { return 0 };
    let frame = match (toc >> 3, (toc >> 3) & 3) {
        (0..=11, 3) => 2880,
        (0..=11, size) => 480 << size,
        (12..=15, size) => 480 << (size & 1),
        (_, size) => 120 << size,
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(payload.get(1).copied().unwrap_or(0) & 63),
    };
    let samples = frame * count;
    if samples <= 5760 { samples } else { 0 }
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
