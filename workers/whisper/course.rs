//! A transcription under way, as whoever asked for it sees it: how far it has come, and that it is to end.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Shared between a run and whoever watches it.
#[derive(Debug, Default)]
pub struct Course {
    ended: AtomicBool,
    percent: AtomicU8,
    samples: AtomicU64,
    heard: AtomicU64,
}

impl Course {
    /// Tells the run to end; it does within one window of audio.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How much of all audio is heard, 0 to 100; silence counts as heard once it is passed.
    #[must_use]
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Says how many samples there are in all, over all channels that will be run with this course.
    pub fn expect(&self, samples: usize) {
        self.samples.store(samples as u64, Ordering::Relaxed);
    }

    pub(super) const fn flag(&self) -> &AtomicBool {
        &self.ended
    }

    /// More samples are done.
    pub(super) fn heard(&self, samples: usize) {
        let heard = self.heard.fetch_add(samples as u64, Ordering::Relaxed) + samples as u64;
        let all = self.samples.load(Ordering::Relaxed).max(1);
        let percent = u8::try_from(heard.saturating_mul(100) / all).unwrap_or(100);
        self.percent.fetch_max(percent.min(100), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_follows_what_is_heard_and_never_exceeds_the_whole() {
        let course = Course::default();
        course.expect(200);
        course.heard(50);
        assert_eq!(course.percent(), 25);
        course.heard(500);
        assert_eq!(course.percent(), 100);
    }
}
