//! How a trunk answered over a day: a line of bars, and the time its answers took.

use std::fmt::Write;
use std::time::Duration;

/// What is known of a minute.
#[derive(Debug, Clone, Copy)]
pub struct Minute {
    /// How many minutes ago it was.
    pub ago: i64,
    /// Pings that were answered.
    pub answered: i64,
    /// Pings that were not.
    pub missed: i64,
    /// How long the answers took on average.
    pub latency: Duration,
}

/// Bars of a day: one for ten minutes.
const BARS: usize = 144;
const BAR_MINUTES: i64 = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Bar {
    answered: i64,
    missed: i64,
    micros: i64,
}

/// The day up to now. Where nothing was asked, nothing stands.
#[must_use]
pub fn day(minutes: &[Minute]) -> String {
    let mut bars = [Bar::default(); BARS];
    for minute in minutes {
        let back = minute.ago / BAR_MINUTES;
        let place = usize::try_from(back).ok().and_then(|back| (BARS - 1).checked_sub(back));
        if let Some(bar) = place.and_then(|place| bars.get_mut(place)) {
            bar.answered += minute.answered;
            bar.missed += minute.missed;
            let micros = i64::try_from(minute.latency.as_micros()).unwrap_or(i64::MAX);
            bar.micros = bar.micros.saturating_add(micros.saturating_mul(minute.answered));
        }
    }
    let mean = |bar: &Bar| bar.micros / bar.answered.max(1);
    let slowest = bars.iter().map(mean).max().unwrap_or(0).max(1);
    let missed: i64 = bars.iter().map(|bar| bar.missed).sum();
    let asked: i64 = missed + bars.iter().map(|bar| bar.answered).sum::<i64>();
    let mut out = format!(
        "<svg width=\"100%\" height=\"112\" role=\"img\" aria-label=\"The last 24 hours: {missed} of {asked} pings were \
         not answered, the slowest ten minutes took {:.1} ms on average\">\
         <line class=\"ax\" x1=\"0\" x2=\"100%\" y1=\"90.5\" y2=\"90.5\"/>",
        thousandths(slowest)
    );
    for (hours, left) in [(24, 0.0), (18, 25.0), (12, 50.0), (6, 75.0)] {
        let _ = write!(out, "<text x=\"{left}%\" y=\"106\">−{hours} h</text>");
    }
    for (place, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.answered + bar.missed > 0) {
        let left = u8::try_from(place).map_or(0.0, f64::from) / 1.44;
        // What was not answered stands as high as there is room.
        let (class, fill, height) = if bar.missed > 0 {
            ("bad", " fill=\"var(--bad)\"", 76)
        } else {
            ("f", "", (mean(bar) * 76 / slowest).max(2))
        };
        let _ = write!(
            out,
            "<rect class=\"{class}\"{fill} x=\"{left:.2}%\" y=\"{}\" width=\"0.6%\" height=\"{height}\"/>",
            90 - height
        );
    }
    out.push_str("</svg>");
    out
}

fn thousandths(micros: i64) -> f64 {
    i32::try_from(micros).map_or(f64::INFINITY, |micros| f64::from(micros) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_fall_into_their_bars_and_what_was_missed_stands_out() {
        let minute = |ago, answered, missed| Minute {
            ago,
            answered,
            missed,
            latency: Duration::from_millis(4),
        };
        let drawn = day(&[minute(5_000, 6, 0), minute(300, 6, 0), minute(3, 5, 0), minute(1, 0, 6)]);
        assert!(drawn.contains("6 of 17 pings"), "{drawn}");
        assert_eq!(
            (
                drawn.matches("class=\"bad\"").count(),
                drawn.matches("class=\"f\"").count()
            ),
            (1, 1)
        );
        assert!(drawn.contains("4.0 ms"));
    }
}
