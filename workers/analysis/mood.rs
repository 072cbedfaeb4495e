//! Mood, by VADER's lexicon and rules (English).

use std::sync::LazyLock;
use strowger_model::speech::{Segment, Sentiment};
use vader_sentiment::SentimentIntensityAnalyzer;

static ANALYZER: LazyLock<SentimentIntensityAnalyzer<'static>> = LazyLock::new(SentimentIntensityAnalyzer::new);

/// Where VADER's authors draw the line.
const CLEAR: f64 = 0.05;

/// The mood a figure stands for.
pub(super) fn sentiment(score: f64) -> Sentiment {
    if score >= CLEAR {
        Sentiment::Positive
    } else if score <= -CLEAR {
        Sentiment::Negative
    } else {
        Sentiment::Neutral
    }
}

/// Gives each turn its mood.
pub(super) fn of_turns(mut segments: Vec<Segment>) -> Vec<Segment> {
    for segment in &mut segments {
        segment.sentiment = sentiment(score(&segment.text));
    }
    segments
}

/// Whose mood is that of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The caller's: agents are polite by trade.
    Caller,
    /// Everybody's: a meeting has no caller.
    Everybody,
}

/// The mood over the whole call, and over its first and last third.
pub(super) fn of_call(segments: &[Segment], whose: Whose) -> (f64, [f64; 2]) {
    let turns: Vec<(f64, f64, i64)> = segments
        .iter()
        .filter(|segment| whose == Whose::Everybody || segment.channel == 0)
        .map(|segment| {
            let middle_ms = i64::midpoint(segment.start_ms, segment.end_ms);
            let weight = segment.text.split_whitespace().count() as f64;
            (score(&segment.text), weight, middle_ms)
        })
        .collect();
    let (Some(first), Some(last)) = (
        segments.iter().map(|segment| segment.start_ms).min(),
        segments.iter().map(|segment| segment.end_ms).max(),
    ) else {
        return (0.0, [0.0, 0.0]);
    };
    let third_ms = (last - first) / 3;
    let within = |from_ms: i64, to_ms: i64| {
        let part = turns.iter().filter(move |(_, _, at)| (from_ms..=to_ms).contains(at));
        let (sum, weight) = part.fold((0.0, 0.0), |(sum, total), (score, weight, _)| {
            (sum + score * weight, total + weight)
        });
        if weight > 0.0 { sum / weight } else { 0.0 }
    };
    (
        within(first, last),
        [within(first, first + third_ms), within(last - third_ms, last)],
    )
}

/// −1 to 1.
fn score(text: &str) -> f64 {
    ANALYZER.polarity_scores(text).get("compound").copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_cases_are_told_apart() {
        for (text, wanted) in [
            ("This is wonderful, thank you so much!", Sentiment::Positive),
            (
                "I am really angry, this is the worst service ever.",
                Sentiment::Negative,
            ),
            ("The invoice is from March.", Sentiment::Neutral),
            ("That is not good at all.", Sentiment::Negative),
            ("", Sentiment::Neutral),
        ] {
            assert_eq!(sentiment(score(text)), wanted, "{text}");
        }
    }

    #[test]
    fn only_the_callers_side_counts() {
        let call = super::super::tests::call(&["1|Wonderful, lovely, great!", "0|The invoice is from March."]);
        assert_eq!(of_call(&call, Whose::Caller).0, 0.0);
        assert!(of_call(&call, Whose::Everybody).0 != 0.0);
    }
}
