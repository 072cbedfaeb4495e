//! Drawings made here, so that they are there without script: the lanes of a call on one clock, the
//! ladder of its legs, a flow's graph, bars.
//!
//! Places are percents, so text keeps its size at any width; curves lie in a nested box without
//! aspect ratio. Every drawing has a label for those who hear it, and its page has a table below it.
//! Nothing here knows a request or the store.

pub mod bars;
pub mod graph;
pub mod ladder;
pub mod lanes;
pub mod pulse;

/// Text as it may stand in SVG.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

/// At most `most` letters, the last an ellipsis when some were left off.
#[must_use]
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
