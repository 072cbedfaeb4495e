//! The tap of a capture: packets as they came, packed and handed over about once a second.

use std::time::{Duration, Instant};
use strowger_model::capture::{Chunk, Codec, Frame, Mark, Sink};

/// The memory of a chunk: a second of 20 ms packets (178 bytes each with their header) and some.
pub const CHUNK_BYTES: usize = 10 * 1_024;

const FLUSH_AFTER: Duration = Duration::from_millis(900);

/// One stream of a capture.
pub struct Tap {
    stream: u8,
    began: Instant,
    sink: Box<dyn Sink>,
    chunk: Chunk,
    first: Option<Instant>,
    paused: bool,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Tap {
    /// A tap for one stream of the capture that began at `began`.
    #[must_use]
    pub fn new(stream: u8, began: Instant, sink: Box<dyn Sink>) -> Self {
        Self {
            stream,
            began,
            sink,
            chunk: Chunk::with_capacity(CHUNK_BYTES),
            first: None,
            paused: false,
        }
    }

    /// Takes a packet, unless paused.
    pub fn take(&mut self, codec: Codec, rtp_timestamp: u32, sequence: u16, payload: &[u8], now: Instant) {
        if !self.paused {
            self.put(codec, rtp_timestamp, sequence, payload, now);
        }
    }

    /// Marks a pause or its end. What was said in between is never written anywhere.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        if self.paused != paused {
            self.paused = paused;
            let mark = if paused { Mark::Paused } else { Mark::Resumed };
            self.put(Codec::Mark, 0, 0, &[mark.byte()], now);
        }
    }

    fn put(&mut self, codec: Codec, rtp_timestamp: u32, sequence: u16, payload: &[u8], now: Instant) {
        let elapsed = now.saturating_duration_since(self.began).as_micros();
        let frame = Frame {
            stream: self.stream,
            codec,
            arrival_us: u64::try_from(elapsed).unwrap_or(u64::MAX),
            rtp_timestamp,
            sequence,
            payload,
        };
        if !self.chunk.push(&frame) {
            self.flush();
            // A frame longer than a whole chunk cannot come from a phone; it is not captured.
            let _ = self.chunk.push(&frame);
        }
        self.first.get_or_insert(now);
    }

    /// Hands over what is packed if its oldest frame is about a second old.
    pub fn flush_older(&mut self, now: Instant) {
        let due = |first: Instant| now.saturating_duration_since(first) >= FLUSH_AFTER;
        if self.first.is_some_and(due) {
            self.flush();
        }
    }

    /// Hands over what is packed.
    pub fn flush(&mut self) {
        self.first = None;
        if self.chunk.is_empty() {
            return;
        }
        // On refusal the writer notes the loss; the memory comes back either way.
        self.chunk = match self.sink.submit(std::mem::take(&mut self.chunk)) {
            Ok(chunk) | Err((chunk, _)) => chunk,
        };
        self.chunk.clear();
    }
}
