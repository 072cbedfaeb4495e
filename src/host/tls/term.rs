//! How long a certificate has left, in the steps people are told.

use time::Duration;

/// How near the end is: each step is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// More than three weeks.
    Fine,
    /// Three weeks or less.
    Weeks,
    /// A week or less.
    Week,
    /// A day or less.
    Day,
    /// It has ended: whoever looks at certificates refuses it.
    Over,
}

/// The stage of what is left.
#[must_use]
pub const fn stage(left: Duration) -> Stage {
    let seconds = left.whole_seconds();
    if seconds <= 0 {
        Stage::Over
    } else if seconds <= Duration::DAY.whole_seconds() {
        Stage::Day
    } else if seconds <= 7 * Duration::DAY.whole_seconds() {
        Stage::Week
    } else if seconds <= 21 * Duration::DAY.whole_seconds() {
        Stage::Weeks
    } else {
        Stage::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_weeks_one_week_and_one_day_before_the_end_it_is_said() {
        for (left, wanted) in [
            (Duration::days(22), Stage::Fine),
            (Duration::days(21), Stage::Weeks),
            (Duration::days(8), Stage::Weeks),
            (Duration::days(7), Stage::Week),
            (Duration::hours(25), Stage::Week),
            (Duration::hours(24), Stage::Day),
            (Duration::seconds(1), Stage::Day),
            (Duration::ZERO, Stage::Over),
            (Duration::days(-3), Stage::Over),
        ] {
            assert_eq!(stage(left), wanted, "{left}");
        }
    }
}
