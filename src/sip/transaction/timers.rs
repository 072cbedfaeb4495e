//! Deadlines in order.

use std::collections::BTreeMap;
use std::time::Instant;

/// Names a deadline that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(Instant, u64);

/// Deadlines and what they are for, earliest first.
#[derive(Debug)]
pub struct Timers<T> {
    waiting: BTreeMap<TimerId, T>,
    next: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        let waiting = BTreeMap::new();
        Self { waiting, next: 0 }
    }
}

impl<T> Timers<T> {
    /// Sets a deadline.
    pub fn set(&mut self, at: Instant, what: T) -> TimerId {
        self.next += 1;
        let id = TimerId(at, self.next);
        self.waiting.insert(id, what);
        id
    }

    /// Drops a deadline; one that has passed is no matter.
    pub fn cancel(&mut self, id: TimerId) {
        self.waiting.remove(&id);
    }

    /// The next deadline.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, &T)> {
        self.waiting.first_key_value().map(|(id, what)| (id.0, what))
    }

    /// Takes a deadline that has passed.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// How many deadlines wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
