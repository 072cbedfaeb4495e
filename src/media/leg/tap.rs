//! The tap of a capture: packets as they came, packed until they are handed over.

use std::time::Instant;
use strowger_model::capture::{Chunk, Codec, Frame, Mark, Sink};

/// The memory of a chunk: what is said between two rounds of housekeeping in the widest format, linear at 8 kHz (338 bytes
/// a 20 ms packet with its header), and one packet that came early.
pub const CHUNK_BYTES: usize = 5_632 + 512;

/// One stream of a capture.
pub struct Tap {
    stream: u8,
    began: Instant,
    sink: Box<dyn Sink>,
    chunk: Chunk,
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
    }

    /// Says where the stream ends, though nothing may have come for a while, and hands over what is packed.
    pub fn end(mut self, now: Instant) {
        self.put(Codec::Mark, 0, 0, &[Mark::Paused.byte()], now);
        self.flush();
    }

    /// Hands over what is packed.
    pub fn flush(&mut self) {
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
