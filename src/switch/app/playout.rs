//! What a voice app has said and the caller has not heard yet.
//!
//! Programs speak faster than people listen: a synthesised sentence comes at once. It waits here and is taken in
//! frames of 20 ms. A mark is reached when everything before it was heard; to clear throws all away and reaches
//! every mark.

use std::collections::VecDeque;
use strowger_media::g711::{self, Law};
use strowger_media::{AudioFrame, FRAME_SAMPLES};

/// The most that waits: five minutes of µ-law. What comes beyond is dropped and counted, because nobody listens
/// that long without a word, and a program that does not stop must not take the memory of all others.
pub const MOST_BYTES: usize = 5 * 60 * 8_000;

/// The most marks that wait. A further one is dropped and counted.
pub const MOST_MARKS: usize = 1_000;

/// Audio and marks, in order.
#[derive(Debug, Default)]
pub struct Playout {
    audio: VecDeque<u8>,
    /// Each with the byte it stands before, counted from the beginning.
    marks: VecDeque<(u64, String)>,
    /// Bytes taken out so far, by frames or by clearing.
    taken: u64,
    dropped: u64,
}

impl Playout {
    /// Takes what is to be said. Gives how many bytes were dropped for want of room.
    pub fn add(&mut self, payload: &[u8]) -> usize {
        let room = MOST_BYTES.saturating_sub(self.audio.len());
        let fits = payload.get(..room.min(payload.len())).unwrap_or_default();
        self.audio.extend(fits);
        let dropped = payload.len() - fits.len();
        self.dropped += dropped as u64;
        dropped
    }

    /// Notes a mark behind what was said so far. `false` when it was dropped for want of room.
    pub fn mark(&mut self, name: String) -> bool {
        let has_room = self.marks.len() < MOST_MARKS;
        if has_room {
            self.marks.push_back((self.taken + self.audio.len() as u64, name));
        }
        has_room
    }

    /// The next 20 ms. What is shorter waits for more, unless it is `last`: then silence fills it up.
    pub fn frame(&mut self, last: bool) -> Option<AudioFrame> {
        let count = self.audio.len().min(FRAME_SAMPLES);
        if count == 0 || (count < FRAME_SAMPLES && !last) {
            return None;
        }
        let mut frame = [0; FRAME_SAMPLES];
        for (sample, byte) in frame.iter_mut().zip(self.audio.drain(..count)) {
            *sample = g711::decode(Law::Mu, byte);
        }
        self.taken += count as u64;
        Some(frame)
    }

    /// The next mark that is reached, when `ahead` of the frames taken were not heard yet.
    pub fn reached(&mut self, ahead: usize) -> Option<String> {
        let heard = self.taken.saturating_sub((ahead * FRAME_SAMPLES) as u64);
        let (at, _) = self.marks.front()?;
        if *at > heard {
            return None;
        }
        self.marks.pop_front().map(|(_, name)| name)
    }

    /// Throws away what was not taken yet. Gives the marks that were in it or are not reached yet, in order.
    pub fn clear(&mut self) -> Vec<String> {
        self.taken += self.audio.len() as u64;
        self.audio.clear();
        std::mem::take(&mut self.marks)
            .into_iter()
            .map(|(_, name)| name)
            .collect()
    }

    /// Milliseconds that wait.
    #[must_use]
    pub fn waits_ms(&self) -> usize {
        self.audio.len() / 8
    }

    /// Milliseconds that were dropped for want of room, in all.
    #[must_use]
    pub const fn dropped_ms(&self) -> u64 {
        self.dropped / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn audio_is_taken_in_frames_whatever_the_lengths_it_came_in() {
        let mut playout = Playout::default();
        for _ in 0..4 {
            assert_eq!(playout.add(&[0x80; 100]), 0);
        }
        assert!(playout.frame(false).is_some() && playout.frame(false).is_some());
        assert_eq!(playout.frame(false), None, "80 bytes wait for more");
        let last = playout.frame(true).unwrap();
        assert!(last[79] != 0 && last[80] == 0, "silence fills it up");
        assert_eq!(playout.frame(true), None);
    }

    #[test]
    fn a_mark_is_reached_when_what_is_before_it_was_heard() {
        let mut playout = Playout::default();
        playout.mark("at once".to_owned());
        assert_eq!(playout.reached(0), Some("at once".to_owned()));
        playout.add(&[0; 320]);
        playout.mark("end".to_owned());
        playout.frame(false);
        playout.frame(false);
        assert_eq!(playout.reached(1), None, "one frame is still on its way");
        assert_eq!(playout.reached(0), Some("end".to_owned()));
    }

    #[test]
    fn clearing_throws_away_and_reaches_every_mark() {
        let mut playout = Playout::default();
        playout.add(&[0; 1_600]);
        playout.mark("a".to_owned());
        playout.add(&[0; 1_600]);
        playout.mark("b".to_owned());
        assert_eq!(playout.clear(), ["a", "b"]);
        assert_eq!((playout.frame(true), playout.waits_ms()), (None, 0));
        playout.add(&[0; 160]);
        playout.mark("c".to_owned());
        assert_eq!(playout.reached(0), None);
        playout.frame(false);
        assert_eq!(playout.reached(0), Some("c".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let mut playout = Playout::default();
        assert_eq!(playout.add(&vec![0; MOST_BYTES - 10]), 0);
        assert_eq!(playout.add(&[0; 810]), 800);
        assert_eq!(playout.dropped_ms(), 100);
        playout.frame(false);
        assert_eq!(playout.add(&[0; 160]), 0, "there is room again");
        for n in 0..MOST_MARKS {
            assert!(playout.mark(n.to_string()));
        }
        assert!(!playout.mark("one too many".to_owned()));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(usize),
        Mark,
        Take(bool),
        Clear,
        Look,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0usize..1_000).prop_map(Step::Add),
            Just(Step::Mark),
            any::<bool>().prop_map(Step::Take),
            Just(Step::Clear),
            Just(Step::Look),
        ];
        proptest::collection::vec(step, 0..120)
    }

    proptest! {
        /// Whatever a program does, every mark comes back once and in order, and nothing is said twice or invented.
        #[test]
        fn marks_come_back_once_and_in_order(steps in steps()) {
            let mut playout = Playout::default();
            let (mut set, mut back, mut added, mut heard) = (0u32, Vec::new(), 0usize, 0usize);
            for step in steps {
                match step {
                    Step::Add(count) => {
                        playout.add(&vec![0x80; count]);
                        added += count;
                    }
                    Step::Mark => {
                        playout.mark(set.to_string());
                        set += 1;
                    }
                    Step::Take(last) => {
                        let frame = playout.frame(last);
                        heard += frame.map_or(0, |frame| frame.iter().filter(|sample| **sample != 0).count());
                    }
                    Step::Clear => back.extend(playout.clear()),
                    Step::Look => back.extend(std::iter::from_fn(|| playout.reached(0))),
                }
            }
            prop_assert!(heard <= added);
            back.extend(playout.clear());
            let all: Vec<String> = (0..set).map(|n| n.to_string()).collect();
            prop_assert_eq!(back, all);
        }
    }
}
