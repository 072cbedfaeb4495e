//! A publisher's sequence numbers without its padding.
//!
//! A browser measures its line with packets that hold nothing, sent under the numbers of its microphone when
//! nothing better flows. They go no further than here. Their numbers would look like loss to whoever counts
//! what comes after, so the numbers of all that follow close up.

use std::collections::VecDeque;

/// How many paddings a late packet may be older than and still get its own number.
const REMEMBERED: usize = 256;

/// The numbers of one stream.
#[derive(Debug, Clone, Default)]
pub struct Gapless {
    newest: Option<u64>,
    /// Paddings that are no longer remembered one by one.
    forgotten: u64,
    paddings: VecDeque<u64>,
}

impl Gapless {
    /// A packet came that holds nothing, or goes no further. `false`: what came after it has its number already,
    /// so that this one stays a gap.
    pub fn padding(&mut self, sequence: u64) -> bool {
        if self.newest.is_some_and(|newest| sequence <= newest) {
            return false;
        }
        self.newest = Some(sequence);
        self.paddings.push_back(sequence);
        if self.paddings.len() > REMEMBERED {
            self.paddings.pop_front();
            self.forgotten += 1;
        }
        true
    }

    /// Whether nothing newer came.
    #[must_use]
    pub fn is_newest(&self, sequence: u64) -> bool {
        self.newest.is_none_or(|newest| sequence > newest)
    }

    /// The number of a packet that holds something.
    pub fn number(&mut self, sequence: u64) -> u64 {
        self.newest = self.newest.max(Some(sequence));
        let before = self.paddings.partition_point(|padding| *padding < sequence) as u64;
        sequence.saturating_sub(self.forgotten + before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_close_up_over_padding() {
        let mut numbers = Gapless::default();
        assert_eq!(numbers.number(100), 100);
        (101..=140).for_each(|sequence| assert!(numbers.padding(sequence)));
        assert_eq!((numbers.number(141), numbers.number(142)), (101, 102));
    }

    #[test]
    fn what_is_lost_stays_a_gap_and_what_is_late_keeps_its_place() {
        let mut numbers = Gapless::default();
        numbers.number(10);
        numbers.padding(12);
        assert_eq!(numbers.number(13), 12);
        assert_eq!(numbers.number(11), 11);
        assert_eq!(numbers.number(16), 15);
    }

    #[test]
    fn padding_that_comes_late_moves_nothing() {
        let mut numbers = Gapless::default();
        assert_eq!((numbers.number(10), numbers.number(12)), (10, 12));
        numbers.padding(11);
        assert_eq!(numbers.number(13), 13);
    }

    #[test]
    fn old_paddings_are_counted_together() {
        let mut numbers = Gapless::default();
        numbers.number(0);
        (1..=10_000).for_each(|sequence| assert!(numbers.padding(sequence)));
        assert_eq!(numbers.number(10_001), 1);
        assert_eq!(numbers.paddings.len(), REMEMBERED);
    }
}
