//! When a provider is left alone: after failures in a row it rests, then one request tries it. Pure.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 3;
/// For so long nothing is asked.
const REST: Duration = Duration::from_secs(60);

/// What a breaker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It may be asked.
    Closed,
    /// It rests.
    Open,
    /// One request tries it.
    Trying,
}

/// A provider's breaker.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    trying: bool,
}

impl Breaker {
    /// Whether it may be asked now; the one who hears `Trying` is the one request that tries.
    pub fn ask(&mut self, now: Instant) -> State {
        match self.open_until {
            None => State::Closed,
            Some(until) if now < until || self.trying => State::Open,
            Some(_) => {
                self.trying = true;
                State::Trying
            }
        }
    }

    /// Failures in a row, and until when it rests once they are too many.
    #[must_use]
    pub const fn stands(&self) -> (u32, Option<Instant>) {
        (self.failures, self.open_until)
    }

    /// It answered well.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// It failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures += 1;
        self.trying = false;
        if self.failures >= FAILURES {
            self.open_until = now.checked_add(REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_open_it_and_one_request_tries_after_a_rest() {
        let mut breaker = Breaker::default();
        let mut now = tokio::time::Instant::now().into_std();
        for _ in 0..2 {
            breaker.failed(now);
            assert_eq!(breaker.ask(now), State::Closed);
        }
        breaker.failed(now);
        assert_eq!(breaker.ask(now), State::Open);
        now += REST;
        assert_eq!([breaker.ask(now), breaker.ask(now)], [State::Trying, State::Open]);
        breaker.failed(now);
        assert_eq!(breaker.ask(now), State::Open);
        now += REST;
        assert_eq!(breaker.ask(now), State::Trying);
        breaker.succeeded();
        assert_eq!(breaker.ask(now), State::Closed);
    }
}
