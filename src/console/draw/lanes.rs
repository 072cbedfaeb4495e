//! The lanes of a call on one clock: axis, path, mood, sound, quality.

use super::{clipped, escaped};
use crate::show::words;
use std::fmt::Write;

/// A lane: what stands beside it and the drawing.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its name; empty for the axis.
    pub name: &'static str,
    /// What its marks mean.
    pub key: &'static str,
    /// The drawing.
    pub svg: String,
}

/// A step of the way a call took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where the call was.
    pub name: String,
    /// What happened there.
    pub detail: String,
    /// From when, milliseconds from the start of the call.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// What kind of step it is.
    pub kind: StepKind,
}

/// What a step is to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The machine speaks or asks.
    Machine,
    /// The caller waits for somebody.
    Waiting,
    /// Two people talk.
    Talk,
}

/// A point of a mood line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mood {
    /// When, milliseconds from the start of the call.
    pub at_ms: i64,
    /// −1 to 1.
    pub value: f64,
}

/// A stretch of one side's quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// Whether it is what we heard of the caller.
    pub caller: bool,
    /// From when, milliseconds from the start of the call.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// The mean opinion score, 1 to 4.5.
    pub mos: f64,
    /// The part of the packets that never came, 0 to 1.
    pub lost: f64,
}

/// The clock that all lanes share.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The whole, milliseconds.
    pub total_ms: i64,
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a call fit into a double")]
fn real(number: i64) -> f64 {
    number as f64
}

impl Scale {
    fn percent(self, at_ms: i64) -> f64 {
        (real(at_ms.clamp(0, self.total_ms.max(1))) * 100.0) / real(self.total_ms.max(1))
    }

    fn step_ms(self) -> i64 {
        [
            5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
        ]
        .into_iter()
        .find(|step| self.total_ms / step <= 7)
        .unwrap_or(3_600_000)
    }
}

const CURSOR: &str = "<line class=\"cur\" data-cursor display=\"none\" x1=\"0\" x2=\"0\" y1=\"-8\" y2=\"";

fn open(height: u32, label: &str) -> String {
    format!(
        "<svg width=\"100%\" height=\"{height}\" data-seek role=\"img\" aria-label=\"{}\">",
        escaped(label)
    )
}

fn close(mut out: String, height: u32) -> String {
    let _ = write!(out, "{CURSOR}{}\"/></svg>", height + 9);
    out
}

/// The ticks of the clock.
#[must_use]
pub fn axis(scale: Scale) -> Lane {
    let mut svg = String::from("<svg width=\"100%\" height=\"18\" data-seek aria-hidden=\"true\">");
    let step = scale.step_ms();
    let mut at = 0;
    while at < scale.total_ms {
        let x = scale.percent(at);
        let _ = write!(
            svg,
            "<line class=\"ax\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"18\"/>"
        );
        if x < 95.0 {
            let _ = write!(svg, "<text x=\"{x:.2}%\" dx=\"4\" y=\"12\">{}</text>", words::clock(at));
        }
        at += step;
    }
    svg.push_str("<text class=\"s h\" data-now y=\"12\" dx=\"5\"></text></svg>");
    Lane {
        name: "",
        key: "Time from the first ring",
        svg,
    }
}

/// The way the call took.
#[must_use]
pub fn path(scale: Scale, steps: &[Step]) -> Lane {
    let said: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {}", step.name, words::span(step.to_ms - step.from_ms)))
        .collect();
    let mut svg = open(24, &format!("Path: {}", said.join(", ")));
    for (at, step) in steps.iter().enumerate() {
        let (x, end) = (scale.percent(step.from_ms), scale.percent(step.to_ms));
        let width = (end - x - 0.12).max(0.3);
        let class = match step.kind {
            StepKind::Machine => "f2",
            StepKind::Waiting => "fx",
            StepKind::Talk => "f",
        };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"3\" width=\"{width:.2}%\" height=\"18\"/>"
        );
        let label = match width {
            w if w > 16.0 => format!("{} {}", at + 1, clipped(&step.name, 24)),
            w if w > 3.0 => (at + 1).to_string(),
            _ => continue,
        };
        let middle = x + width / 2.0;
        let _ = write!(
            svg,
            "<text class=\"i\" x=\"{middle:.2}%\" y=\"16\" text-anchor=\"middle\">{}</text>",
            escaped(&label)
        );
    }
    Lane {
        name: "Path",
        key: "numbers as above",
        svg: close(svg, 24),
    }
}

fn mood_y(value: f64) -> f64 {
    36.0 - value.clamp(-1.0, 1.0) * 25.0
}

fn curve(scale: Scale, points: &[Mood], class: &str) -> String {
    let mut out = format!("<path class=\"{class}\" d=\"");
    let mut before: Option<(f64, f64)> = None;
    for point in points {
        let (x, y) = (scale.percent(point.at_ms) * 10.0, mood_y(point.value));
        let _ = match before {
            None => write!(out, "M{x:.1} {y:.1}"),
            Some((from_x, from_y)) => {
                let middle = (from_x + x) / 2.0;
                write!(out, "C{middle:.1} {from_y:.1} {middle:.1} {y:.1} {x:.1} {y:.1}")
            }
        };
        before = Some((x, y));
    }
    out.push_str("\"/>");
    out
}

/// The mood of both sides.
#[must_use]
pub fn mood(scale: Scale, caller: &[Mood], callee: &[Mood]) -> Lane {
    let worst = caller
        .iter()
        .filter(|point| point.value < -0.2)
        .min_by(|a, b| a.value.total_cmp(&b.value));
    let best = caller
        .iter()
        .rev()
        .filter(|point| point.value > 0.2)
        .max_by(|a, b| a.value.total_cmp(&b.value));
    let mut label = String::from("Mood over time.");
    for (point, word) in [(worst, "most upset"), (best, "most pleased")] {
        if let Some(point) = point {
            let _ = write!(label, " The caller sounds {word} at {}.", words::clock(point.at_ms));
        }
    }
    let mut svg = open(72, &label);
    svg.push_str("<line class=\"ax\" x1=\"0\" x2=\"100%\" y1=\"36\" y2=\"36\"/><svg width=\"100%\" height=\"72\" viewBox=\"0 0 1000 72\" preserveAspectRatio=\"none\">");
    svg.push_str(&curve(scale, callee, "us thin"));
    svg.push_str(&curve(scale, caller, "them"));
    svg.push_str(
        "</svg><text class=\"h\" x=\"0\" y=\"12\">pleased</text><text class=\"h\" x=\"0\" y=\"68\">upset</text>",
    );
    for (point, class, word, below) in [(worst, "fb", "upset", true), (best, "f", "pleased", false)] {
        let Some(point) = point else { continue };
        let (x, y) = (scale.percent(point.at_ms), mood_y(point.value));
        let (anchor, dx) = if x > 70.0 { ("end", -8) } else { ("start", 8) };
        let text_y = if below {
            (y + 12.0).min(70.0)
        } else {
            (y - 5.0).max(11.0)
        };
        let _ = write!(
            svg,
            "<circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{y:.1}\" r=\"4\"/><text class=\"s h\" x=\"{x:.2}%\" y=\"{text_y:.1}\" dx=\"{dx}\" text-anchor=\"{anchor}\">{} {word}</text>",
            words::clock(point.at_ms)
        );
    }
    Lane {
        name: "Mood",
        key: "thick caller, thin us",
        svg: close(svg, 72),
    }
}

fn wave(scale: Scale, peaks: &[u8], from_ms: i64, to_ms: i64, middle: f64, class: &str) -> String {
    let mut out = format!("<path class=\"{class} thin\" d=\"");
    let most = f64::from(peaks.iter().copied().max().unwrap_or(0).max(24));
    let (left, right) = (scale.percent(from_ms) * 10.0, scale.percent(to_ms) * 10.0);
    let count = u32::try_from(peaks.len().max(1)).unwrap_or(u32::MAX);
    let step = (right - left) / f64::from(count);
    let mut x = left;
    for &peak in peaks {
        let half = (f64::from(peak) / most * 23.0).max(0.5);
        let _ = write!(out, "M{x:.1} {:.1}V{:.1}", middle - half, middle + half);
        x += step;
    }
    out.push_str("\"/>");
    out
}

/// The sound of both channels, from its start to its end on the clock.
#[must_use]
pub fn sound(scale: Scale, peaks: &[Vec<u8>], from_ms: i64, to_ms: i64) -> Lane {
    let both = peaks.len() > 1;
    let height = if both { 104 } else { 52 };
    let label = if both {
        "Waveform of both channels: the caller above, us below"
    } else {
        "Waveform"
    };
    let mut svg = open(height, label);
    let _ = write!(
        svg,
        "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" preserveAspectRatio=\"none\">"
    );
    for (at, (channel, (middle, class))) in peaks.iter().zip([(26.0, "them"), (78.0, "us")]).enumerate() {
        if at < 2 {
            svg.push_str(&wave(scale, channel, from_ms, to_ms, middle, class));
        }
    }
    svg.push_str("</svg>");
    if both {
        svg.push_str("<line class=\"ax\" x1=\"0\" x2=\"100%\" y1=\"52\" y2=\"52\"/>");
    }
    Lane {
        name: "Sound",
        key: if both { "above caller, below us" } else { "one channel" },
        svg: close(svg, height),
    }
}

/// The quality of what was heard from each side.
#[must_use]
pub fn quality(scale: Scale, heard: &[Heard]) -> Lane {
    let y = |mos: f64| 60.0 - (mos.clamp(1.0, 4.5) - 1.0) / 3.5 * 56.0;
    let said: Vec<String> = heard
        .iter()
        .map(|line| {
            format!(
                "{:.1} {}",
                line.mos,
                if line.caller { "from the caller" } else { "from us" }
            )
        })
        .collect();
    let mut svg = open(64, &format!("Quality as mean opinion score: {}", said.join(", ")));
    for line in heard.iter().filter(|line| line.mos < 3.6) {
        let (from, to) = (scale.percent(line.from_ms), scale.percent(line.to_ms));
        let _ = write!(
            svg,
            "<rect class=\"fw\" x=\"{from:.2}%\" width=\"{:.2}%\" y=\"0\" height=\"64\"/>",
            to - from
        );
    }
    let fair = y(3.6);
    let _ = write!(
        svg,
        "<line class=\"lim\" x1=\"0\" x2=\"100%\" y1=\"{fair:.1}\" y2=\"{fair:.1}\"/>"
    );
    for line in heard {
        let class = if line.caller { "them" } else { "us thin" };
        let (from, to, at) = (scale.percent(line.from_ms), scale.percent(line.to_ms), y(line.mos));
        let _ = write!(
            svg,
            "<line class=\"{class}\" x1=\"{from:.2}%\" x2=\"{to:.2}%\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"
        );
        if line.lost >= 0.005 {
            let _ = write!(
                svg,
                "<text class=\"s h\" x=\"{:.2}%\" dx=\"4\" y=\"{:.1}\">{:.1} % lost</text>",
                from,
                (at + 15.0).min(60.0),
                line.lost * 100.0
            );
        }
    }
    let _ = write!(
        svg,
        "<text class=\"h\" x=\"0\" y=\"{:.1}\">3.6 fair</text>",
        fair + 13.0
    );
    Lane {
        name: "Quality",
        key: "MOS, thick from caller",
        svg: close(svg, 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { total_ms: 100_000 };

    #[test]
    fn names_of_people_cannot_break_out_of_a_drawing() {
        let step = Step {
            name: "<script>\"".into(),
            detail: String::new(),
            from_ms: 0,
            to_ms: 100_000,
            kind: StepKind::Talk,
        };
        assert!(!path(SCALE, &[step]).svg.contains("<script"));
    }

    #[test]
    fn an_empty_call_draws_without_dividing_by_nothing() {
        let scale = Scale { total_ms: 0 };
        for lane in [
            axis(scale),
            path(scale, &[]),
            mood(scale, &[], &[]),
            sound(scale, &[], 0, 0),
            quality(scale, &[]),
        ] {
            assert!(!lane.svg.contains("NaN") && !lane.svg.contains("inf"), "{}", lane.name);
        }
    }
}
