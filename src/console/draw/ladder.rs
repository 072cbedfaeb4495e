//! The ladder: what passed between the parties and us, in order.

use super::{clipped, escaped};
use std::fmt::Write;

/// Something that passed between a party and us, or happened on our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When, as shown.
    pub at: String,
    /// The party it concerns: an index into the ladder's parties; `None` happens on our side.
    pub party: Option<usize>,
    /// Whether it came from them.
    pub from_them: bool,
    /// What it was.
    pub text: String,
}

/// The places of the columns in percent: the caller left, us next, the others right of us.
fn columns(parties: usize) -> (Vec<f64>, f64) {
    match parties {
        0 | 1 => (vec![34.0], 92.0),
        2 => (vec![27.0, 95.0], 61.0),
        more => {
            let step = 46.0 / f64::from(u32::try_from(more - 1).unwrap_or(1));
            let mut places = vec![22.0];
            let mut x = 50.0;
            for _ in 1..more {
                x += step;
                places.push(x);
            }
            (places, 50.0)
        }
    }
}

/// Draws the ladder: `parties` by name, the caller first.
#[must_use]
pub fn draw(parties: &[String], messages: &[Message]) -> String {
    let (places, us) = columns(parties.len());
    let height = 40 + 28 * messages.len();
    let mut out = format!(
        "<svg width=\"100%\" height=\"{height}\" role=\"img\" aria-label=\"Messages between {} and Strowger; the same list is in the table below\">",
        escaped(&parties.join(", "))
    );
    let heads = parties.iter().map(String::as_str).zip(places.iter().copied());
    for (name, x) in heads.chain([("Strowger", us)]) {
        let anchor = if x > 85.0 { "end" } else { "middle" };
        let _ = write!(
            out,
            "<line class=\"ax\" x1=\"{x}%\" x2=\"{x}%\" y1=\"24\" y2=\"{}\"/><text class=\"s\" x=\"{x}%\" y=\"14\" text-anchor=\"{anchor}\">{}</text>",
            height - 6,
            escaped(&clipped(name, 16))
        );
    }
    let mut y = 50;
    for message in messages {
        line(&mut out, y, message, &places, us);
        y += 28;
    }
    out.push_str("</svg>");
    out
}

fn line(out: &mut String, y: i32, message: &Message, places: &[f64], us: f64) {
    let _ = write!(out, "<text x=\"0\" y=\"{}\">{}</text>", y + 4, escaped(&message.at));
    let text = escaped(&clipped(&message.text, 34));
    let Some(&party) = message.party.and_then(|party| places.get(party)) else {
        let _ = write!(
            out,
            "<circle class=\"f2\" cx=\"{us}%\" cy=\"{y}\" r=\"3\"/><text class=\"h\" x=\"{us}%\" y=\"{}\" dx=\"{}\" text-anchor=\"{}\">{text}</text>",
            y + 4,
            if us > 70.0 { -8 } else { 8 },
            if us > 70.0 { "end" } else { "start" }
        );
        return;
    };
    let (from, to) = if message.from_them { (party, us) } else { (us, party) };
    let (class, tip) = if message.from_them {
        ("them", "tip")
    } else {
        ("us", "f")
    };
    let back = if to > from { "-7" } else { "7" };
    let _ = write!(
        out,
        "<line class=\"{class} thin\" x1=\"{from}%\" x2=\"{to}%\" y1=\"{y}\" y2=\"{y}\"/><svg x=\"{to}%\" y=\"{y}\" width=\"1\" height=\"1\"><path class=\"{tip}\" d=\"M0 0l{back}-4v8z\"/></svg><text class=\"h\" x=\"{:.1}%\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
        (from + to) / 2.0,
        y - 5
    );
}
