//! Captured packets become aligned samples: every stream of a capture on one clock, 16-bit linear
//! mono, sample 0 being the moment the capture began. Calls are put together at the [`Rate`] of the widest
//! codec that was spoken in them, meetings, whose members speak Opus, at 48 kHz through a [`Decoder`] that
//! the caller brings.
//!
//! Pure and streaming: [`Timeline::push`] frames as they come off the disk, [`Timeline::next_block`]
//! until it has none, [`Timeline::finish`] at the end and drain again. What never came is silence, what
//! came out of order is put in order, what the clocks of two phones drift apart is corrected.
//! [`stream`] places one stream's frames; not here: loudness, mixing, encoding.

mod doubler;
mod stream;
mod telephone;
#[cfg(test)]
mod tests;

pub use crate::coder::Rate;

use std::collections::BTreeMap;
use stream::Stream;
use strowger_model::capture::{Chunk, Codec, Frame, Mark};

/// The RTP clock of Opus, and the rate at which meetings are put together.
pub const OPUS_RATE_HZ: u32 = 48_000;

/// The least rate that keeps all that a codec carries of speech: 16 kHz for G.722 and Opus. Opus of a telephone holds
/// little above 8 kHz, nobody's words are there, and what listens to speech wants 16 kHz.
#[must_use]
pub const fn rate_of(codec: Codec) -> Rate {
    match codec {
        Codec::G722 | Codec::Opus => Rate::Wide,
        Codec::Pcmu | Codec::Pcma | Codec::Linear8 | Codec::Mark => Rate::Narrow,
    }
}

/// A block is made when frames this much later have been seen: streams are packed in chunks of about
/// a second and a frame is placed by what came in the five seconds around it.
const LAG_S: i64 = 10;

/// A frame that claims to be this much later than all before is no frame of this call.
const LONGEST_PAUSE_US: u64 = 24 * 3_600 * 1_000_000;

/// Decodes one stream of a codec with a memory, frame by frame in the order of the timestamps, to mono at the
/// timeline's rate.
pub trait Decoder {
    /// The samples of a frame; none when it is damaged.
    fn decode(&mut self, payload: &[u8]) -> Vec<i16>;
    /// What stands for `samples` lost samples just before `next`, which may hold a coarse copy of them.
    fn conceal(&mut self, samples: usize, next: &[u8]) -> Vec<i16>;
}

/// One second of a capture; the last one may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its first sample, counted from the capture's begin.
    pub start: u64,
    /// The samples of each stream, in the order of the stream numbers; all of equal length.
    pub streams: Vec<Vec<i16>>,
    /// The marks that fall into it.
    pub marks: Vec<Marked>,
}

/// A mark and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// The sample, counted from the capture's begin.
    pub at: u64,
    /// The stream it stands in.
    pub stream: u8,
    /// What it says.
    pub mark: Mark,
}

/// The streams of one capture on one clock.
pub struct Timeline {
    /// Samples a second.
    rate: i64,
    streams: BTreeMap<u8, Stream>,
    marks: Vec<Marked>,
    latest_us: u64,
    next: i64,
    finished: bool,
}

impl Timeline {
    /// The timeline of a call with these streams at a rate, whatever codecs they speak.
    #[must_use]
    pub fn new(rate: Rate, streams: impl IntoIterator<Item = u8>) -> Self {
        let streams = streams.into_iter().map(|stream| (stream, Stream::telephone(rate)));
        Self::over(i64::from(rate.hertz()), streams.collect())
    }

    /// The timeline of a meeting with these streams, at 48 kHz. All but Opus is skipped.
    #[must_use]
    pub fn of_opus(streams: impl IntoIterator<Item = (u8, Box<dyn Decoder>)>) -> Self {
        let rate = i64::from(OPUS_RATE_HZ);
        let streams = streams
            .into_iter()
            .map(|(stream, decoder)| (stream, Stream::opus(decoder)));
        Self::over(rate, streams.collect())
    }

    fn over(rate: i64, streams: BTreeMap<u8, Stream>) -> Self {
        Self {
            rate,
            streams,
            marks: Vec::new(),
            latest_us: 0,
            next: 0,
            finished: false,
        }
    }

    /// The stream numbers, in the order of [`Block::streams`].
    pub fn streams(&self) -> impl Iterator<Item = u8> {
        self.streams.keys().copied()
    }

    /// Takes a frame. Frames of one stream come about in the order of their arrival; streams may be
    /// some seconds apart. Frames of other streams and of codecs that are not theirs are skipped.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let Some(stream) = self.streams.get_mut(&frame.stream) else {
            return;
        };
        if frame.arrival_us > self.latest_us.saturating_add(LONGEST_PAUSE_US) {
            return;
        }
        self.latest_us = self.latest_us.max(frame.arrival_us);
        let arrival = samples(frame.arrival_us, self.rate);
        if frame.codec == Codec::Mark {
            if let Some(mark) = Mark::of(frame.payload) {
                self.marks.push(Marked {
                    at: arrival.unsigned_abs(),
                    stream: frame.stream,
                    mark,
                });
            }
            return;
        }
        stream.push(frame, arrival);
    }

    /// Takes all frames of a chunk.
    pub fn push_chunk(&mut self, chunk: &Chunk) {
        chunk.frames().for_each(|frame| self.push(&frame));
    }

    /// Says that no frame follows: what is held back can be had now.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next second, once everything in it is known.
    pub fn next_block(&mut self) -> Option<Block> {
        let whole = self.next + self.rate;
        let end = if !self.finished {
            if samples(self.latest_us, self.rate) < whole + LAG_S * self.rate {
                return None;
            }
            self.render(whole);
            whole
        } else {
            self.render(whole);
            let last = self.streams.values().map(Stream::end).max().unwrap_or(0);
            let end = whole.min(last.max(self.last_mark()));
            if end <= self.next {
                return None;
            }
            end
        };
        let length = usize::try_from(end - self.next).unwrap_or(0);
        let start = self.next.unsigned_abs();
        self.next = end;
        let (marks, later) = self.marks.iter().partition(|mark| mark.at < end.unsigned_abs());
        self.marks = later;
        Some(Block {
            start,
            streams: self.streams.values_mut().map(|stream| stream.take(length)).collect(),
            marks,
        })
    }

    fn render(&mut self, until: i64) {
        for stream in self.streams.values_mut() {
            stream.render(until);
        }
    }

    /// Where the last mark stands, plus the sample it stands on.
    fn last_mark(&self) -> i64 {
        self.marks
            .iter()
            .map(|mark| i64::try_from(mark.at).unwrap_or(i64::MAX - 1) + 1)
            .max()
            .unwrap_or(0)
    }
}

/// The blocks of a call's capture whose chunks come from an iterator.
pub fn blocks(
    rate: Rate,
    streams: impl IntoIterator<Item = u8>,
    chunks: impl IntoIterator<Item = Chunk>,
) -> impl Iterator<Item = Block> {
    let mut timeline = Timeline::new(rate, streams);
    let mut chunks = chunks.into_iter();
    std::iter::from_fn(move || {
        loop {
            if let Some(block) = timeline.next_block() {
                return Some(block);
            }
            if timeline.finished {
                return None;
            }
            match chunks.next() {
                Some(chunk) => timeline.push_chunk(&chunk),
                None => timeline.finish(),
            }
        }
    })
}

fn samples(micros: u64, rate: i64) -> i64 {
    // Every rate here is whole samples a millisecond.
    i64::try_from(micros).map_or(i64::MAX, |micros| micros.saturating_mul(rate / 1000) / 1000)
}
