//! Which time removing things for good goes by: a clock that was set forward is not believed at once.

use std::time::Duration;
use time::OffsetDateTime;

/// How far the clock may run ahead of what passed and be believed: it is slewed, and leap seconds come.
const SLACK: time::Duration = time::Duration::minutes(1);
/// How long a clock that was set forward has to stand by it. Shorter than the day between two runs of retention, so that the
/// second one after a clock was put right believes it.
const PROBATION: Duration = Duration::from_secs(20 * 3600);

/// A wall clock held against the time that passed since it was first looked at.
///
/// Set back it is believed at once: whatever is kept then is kept longer. Set forward it is believed when it still says so
/// twenty hours later; until then the time is the one it would show had nobody set it.
#[derive(Debug, Clone)]
pub struct SteadyClock {
    /// What the believed clock showed when nothing had passed.
    origin: OffsetDateTime,
    doubted: Option<Doubted>,
}

#[derive(Debug, Clone, Copy)]
struct Doubted {
    origin: OffsetDateTime,
    /// What had passed when it was first seen.
    since: Duration,
}

impl SteadyClock {
    /// A clock that shows `wall` when `passed` has passed on a clock that nobody can set.
    #[must_use]
    pub fn new(wall: OffsetDateTime, passed: Duration) -> Self {
        Self {
            origin: wall - passed,
            doubted: None,
        }
    }

    /// The time to go by when the clock shows `wall` and `passed` has passed.
    pub fn look(&mut self, wall: OffsetDateTime, passed: Duration) -> OffsetDateTime {
        let origin = wall - passed;
        if origin - self.origin <= SLACK {
            self.origin = origin;
            self.doubted = None;
            return wall;
        }
        let known = self.doubted.filter(|known| (origin - known.origin).abs() <= SLACK);
        let since = known.map_or(passed, |known| known.since);
        if passed.saturating_sub(since) >= PROBATION {
            self.origin = origin;
            self.doubted = None;
            return wall;
        }
        self.doubted = Some(Doubted { origin, since });
        self.origin + passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const HOUR: Duration = Duration::from_secs(3600);
    const BEGIN: OffsetDateTime = datetime!(2026-03-29 00:30 UTC);

    #[test]
    fn a_clock_that_nobody_sets_is_believed_for_years() {
        let mut clock = SteadyClock::new(BEGIN, HOUR);
        for day in 1..1000 {
            let passed = HOUR * 24 * day;
            // Thirty parts in a million fast: it is a minute ahead after three weeks.
            let wall = BEGIN - HOUR + passed.mul_f64(1.00003);
            assert_eq!(clock.look(wall, passed), wall, "day {day}");
        }
    }

    #[test]
    fn set_forward_it_is_believed_when_it_still_says_so_the_next_day() {
        let mut clock = SteadyClock::new(BEGIN, Duration::ZERO);
        assert_eq!(clock.look(BEGIN + HOUR * 2, HOUR), BEGIN + HOUR, "an hour too far");
        assert_eq!(clock.look(BEGIN + HOUR * 20, HOUR * 19), BEGIN + HOUR * 19);
        assert_eq!(clock.look(BEGIN + HOUR * 22, HOUR * 21), BEGIN + HOUR * 22);
        assert_eq!(clock.look(BEGIN + HOUR * 23, HOUR * 22), BEGIN + HOUR * 23);
    }

    #[test]
    fn set_forward_and_back_nothing_came_early() {
        let mut clock = SteadyClock::new(BEGIN, Duration::ZERO);
        assert_eq!(clock.look(BEGIN + HOUR * 2, HOUR), BEGIN + HOUR);
        assert_eq!(clock.look(BEGIN + HOUR * 2, HOUR * 2), BEGIN + HOUR * 2);
        assert_eq!(
            clock.look(BEGIN + HOUR * 25, HOUR * 24),
            BEGIN + HOUR * 24,
            "a new doubt"
        );
        assert_eq!(
            clock.look(BEGIN + HOUR * 28, HOUR * 25),
            BEGIN + HOUR * 25,
            "and another"
        );
        assert_eq!(clock.look(BEGIN + HOUR * 47, HOUR * 44), BEGIN + HOUR * 44);
        assert_eq!(clock.look(BEGIN + HOUR * 48, HOUR * 45), BEGIN + HOUR * 48);
    }

    #[test]
    fn set_back_it_is_believed_at_once() {
        let mut clock = SteadyClock::new(BEGIN, Duration::ZERO);
        assert_eq!(clock.look(BEGIN, HOUR), BEGIN);
        assert_eq!(
            clock.look(BEGIN + HOUR * 2, HOUR * 2),
            BEGIN + HOUR,
            "forward again: doubted"
        );
    }
}
