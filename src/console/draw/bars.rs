//! Bars over the hours of a day.

use std::fmt::Write;

/// A bar for each name, as long as its figure is of the largest; at most eight.
#[must_use]
pub fn shares(title: &str, counts: &[(String, i64)]) -> String {
    let shown = counts.get(..counts.len().min(8)).unwrap_or_default();
    let most = shown.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let spoken: Vec<String> = shown.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut out = format!(
        "<svg width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"{}: {}\">",
        shown.len() * 24,
        escaped(title),
        escaped(&spoken.join(", "))
    );
    for (row, (name, count)) in shown.iter().enumerate() {
        let y = row * 24;
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{}\">{}</text><rect class=\"f\" x=\"30%\" y=\"{}\" width=\"{}%\" height=\"14\"/>\
             <text class=\"s\" x=\"{}%\" y=\"{}\">{count}</text>",
            y + 16,
            escaped(name),
            y + 4,
            count * 60 / most,
            31 + count * 60 / most,
            y + 16
        );
    }
    out.push_str("</svg>");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Calls per hour, 24 figures; `now` is the running hour.
#[must_use]
pub fn hours(counts: &[i64; 24], now: u8) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let total: i64 = counts.iter().sum();
    let busiest = (0..24)
        .rev()
        .max_by_key(|hour| counts.get(*hour).copied().unwrap_or(0))
        .unwrap_or(0);
    let mut out = format!(
        "<svg width=\"100%\" height=\"112\" role=\"img\" aria-label=\"Calls per hour today: {total} so far, busiest hour {busiest:02}:00\"><line class=\"ax\" x1=\"0\" x2=\"100%\" y1=\"90.5\" y2=\"90.5\"/>"
    );
    for hour in (0..24).step_by(4) {
        let _ = write!(
            out,
            "<text x=\"{:.2}%\" y=\"106\">{hour:02}:00</text>",
            f64::from(hour) / 0.24
        );
    }
    for (hour, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (count * 76 / most).max(2);
        let left = at(hour);
        let class = if hour == usize::from(now) { "fa" } else { "f" };
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{left:.2}%\" y=\"{}\" width=\"3.3%\" height=\"{height}\"/>",
            90 - height
        );
        if hour == busiest {
            let _ = write!(
                out,
                "<text class=\"s\" x=\"{:.2}%\" y=\"{}\" text-anchor=\"middle\">{count}</text>",
                left + 1.65,
                86 - height
            );
        }
    }
    out.push_str("</svg>");
    out
}

fn at(hour: usize) -> f64 {
    u8::try_from(hour).map_or(0.0, |hour| f64::from(hour) / 0.24) + 0.4
}
