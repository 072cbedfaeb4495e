//! The meeting point of phones, rooms and browsers: bounded queues of 20 ms frames in both
//! directions. No network, no clock: each side pushes and pops at its own 20 ms pace.

use crate::FRAME_SAMPLES;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// 20 ms of 16-bit linear mono at 8 kHz.
pub type AudioFrame = [i16; FRAME_SAMPLES];

/// Frames a queue holds at most: 200 ms. When it is full the newest frame is dropped, because a
/// reader that far behind is gone or will catch up by hearing a gap.
pub const PORT_FRAMES: usize = 10;

/// One end of a two-way audio pipe.
#[derive(Debug)]
pub struct AudioPort {
    out: SyncSender<AudioFrame>,
    inward: Receiver<AudioFrame>,
    /// Frames on their way to the other end, and to this one.
    ahead: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
}

/// What a pop found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation each frame")]
pub enum Popped {
    /// The oldest frame.
    Frame(AudioFrame),
    /// Nothing is there at the moment.
    Empty,
    /// The other end is gone and everything it said has been read.
    Gone,
}

impl AudioPort {
    /// Two ends of one pipe: what one pushes the other pops.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let (a_out, b_in) = sync_channel(PORT_FRAMES);
        let (b_out, a_in) = sync_channel(PORT_FRAMES);
        let (to_b, to_a) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        (
            Self {
                out: a_out,
                inward: a_in,
                ahead: Arc::clone(&to_b),
                waiting: Arc::clone(&to_a),
            },
            Self {
                out: b_out,
                inward: b_in,
                ahead: to_a,
                waiting: to_b,
            },
        )
    }

    /// Hands a frame to the other end. Returns `false` when it was dropped: queue full or other end gone.
    pub fn push(&self, frame: &AudioFrame) -> bool {
        // Counted before it can be taken, so that the count never falls below none.
        self.ahead.fetch_add(1, Ordering::Relaxed);
        let is_taken = self.out.try_send(*frame).is_ok();
        if !is_taken {
            self.ahead.fetch_sub(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// How many pushed frames the other end has not taken yet.
    #[must_use]
    pub fn ahead(&self) -> usize {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Takes the oldest frame the other end pushed.
    pub fn pop(&self) -> Popped {
        match self.inward.try_recv() {
            Ok(frame) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Popped::Frame(frame)
            }
            Err(TryRecvError::Empty) => Popped::Empty,
            Err(TryRecvError::Disconnected) => Popped::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_cross_in_both_directions() {
        let (a, b) = AudioPort::pair();
        assert!(a.push(&[7; FRAME_SAMPLES]));
        assert!(b.push(&[9; FRAME_SAMPLES]));
        assert_eq!(b.pop(), Popped::Frame([7; FRAME_SAMPLES]));
        assert_eq!(a.pop(), Popped::Frame([9; FRAME_SAMPLES]));
        assert_eq!(a.pop(), Popped::Empty);
    }

    #[test]
    fn a_full_queue_drops_the_newest_and_keeps_the_rest() {
        let (a, b) = AudioPort::pair();
        for n in 0..PORT_FRAMES {
            assert!(a.push(&[n as i16; FRAME_SAMPLES]));
        }
        assert!(!a.push(&[99; FRAME_SAMPLES]));
        assert_eq!(a.ahead(), PORT_FRAMES);
        assert_eq!(b.pop(), Popped::Frame([0; FRAME_SAMPLES]));
        assert_eq!((a.ahead(), b.ahead()), (PORT_FRAMES - 1, 0));
    }

    #[test]
    fn an_end_that_went_away_is_noticed_after_its_last_frame() {
        let (a, b) = AudioPort::pair();
        assert!(a.push(&[1; FRAME_SAMPLES]));
        drop(a);
        assert_eq!(b.pop(), Popped::Frame([1; FRAME_SAMPLES]));
        assert_eq!(b.pop(), Popped::Gone);
        assert!(!b.push(&[1; FRAME_SAMPLES]));
    }
}
