//! How far a try has come: the handler says it, the hand that runs it writes it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much of a try is done, 0 to 100. Cheap to clone and to set from any thread.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Says how much is done. It never goes back, and what runs is never wholly done: at most 99.
    pub fn set(&self, percent: u8) {
        self.0.fetch_max(percent.min(99), Ordering::Relaxed);
    }

    /// How much is done.
    #[must_use]
    pub fn percent(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_only_grows_and_ends_before_the_job_does() {
        let progress = Progress::default();
        progress.set(40);
        progress.clone().set(20);
        assert_eq!(progress.percent(), 40);
        progress.set(100);
        assert_eq!(progress.percent(), 99);
    }
}
