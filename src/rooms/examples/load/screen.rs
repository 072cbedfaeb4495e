//! A shown screen: VP8 pictures of the size text takes, and how many of their packets arrive.
//!
//! The pictures hold nothing that could be drawn; their packets begin, end and depend on each other as a browser's do, which
//! is all that forwarding looks at.

use std::time::{Duration, Instant};

/// Ten pictures a second, as browsers show a screen with text.
const PACE: Duration = Duration::from_millis(100);
/// Every so many pictures one stands alone, for who has just come.
const KEY_EVERY: u64 = 20;
/// Packets of a picture, and of one that stands alone.
const PACKETS: (u16, u16) = (4, 12);
const PACKET_BYTES: usize = 1100;
/// Ticks of the clock of pictures between two of them.
const TICKS: u64 = 9_000;

/// Who shows the screen.
pub(crate) struct Screen {
    began: Instant,
    pictures: u64,
    sequence: u64,
}

/// One packet of a picture.
pub(crate) struct Part {
    pub(crate) payload: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) is_last: bool,
}

impl Screen {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            began: now,
            pictures: 0,
            sequence: 1_000,
        }
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.began + PACE * u32::try_from(self.pictures).unwrap_or(u32::MAX)
    }

    /// The next picture's packets (RFC 7741): a descriptor with a 15-bit picture id, then the picture.
    pub(crate) fn picture(&mut self) -> Vec<Part> {
        let number = self.pictures;
        self.pictures += 1;
        let is_key = number.is_multiple_of(KEY_EVERY);
        let count = if is_key { PACKETS.1 } else { PACKETS.0 };
        let [high, low] = u16::try_from(number & 0x7FFF).unwrap_or(0).to_be_bytes();
        let timestamp = u32::try_from((number * TICKS) & u64::from(u32::MAX)).unwrap_or(0);
        (0..count)
            .map(|part| {
                self.sequence += 1;
                let start = if part == 0 { 0x90 } else { 0x80 };
                let mut payload = vec![start, 0x80, 0x80 | high, low];
                // The first bit of a picture says whether it depends on another one.
                payload.push(u8::from(!is_key));
                payload.resize(PACKET_BYTES, 0x55);
                Part {
                    payload,
                    sequence: self.sequence,
                    timestamp,
                    is_last: part + 1 == count,
                }
            })
            .collect()
    }
}

/// What one member got of a screen.
#[derive(Default)]
pub(crate) struct Seen {
    first: Option<u64>,
    last: u64,
    /// How many packets came; one that is sent again counts once.
    pub(crate) packets: u64,
}

impl Seen {
    pub(crate) fn take(&mut self, sequence: u64) {
        self.first.get_or_insert(sequence);
        self.last = self.last.max(sequence);
        self.packets += 1;
    }

    /// How many never came.
    pub(crate) fn lost(&self) -> u64 {
        let span = self.first.map_or(0, |first| self.last + 1 - first);
        span.saturating_sub(self.packets)
    }
}
