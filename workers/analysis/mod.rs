//! What was meant: mood, summary, key points, action items, topics and how it ended, by rules that run anywhere.
//!
//! Everything here is a pure function of the transcript. Nothing is invented: summary and points are
//! sentences that were said. Start reading at [`analyse`].

mod actions;
mod cues;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod fixture;
mod mood;
mod outcome;
mod sentences;
mod summary;
mod topics;

pub use outcome::may_tell;
use strowger_model::speech::{Analysis, Segment, Usage};
use strowger_model::topics::TopicLists;

/// The name results of these rules carry.
pub const PROVIDER: &str = Analysis::RULES;

/// What a transcript is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// A call between somebody and one of us.
    Call,
    /// A message that somebody left.
    Message,
    /// A meeting, in which nobody is the caller and which ends in no way of these.
    Meeting,
}

/// Understands a transcript, and gives its segments the mood of each. `lists` are the topics listened for.
#[must_use]
pub fn analyse(segments: Vec<Segment>, matter: Matter, lists: &TopicLists) -> (Analysis, Vec<Segment>) {
    let whose = match matter {
        Matter::Call | Matter::Message => mood::Whose::Caller,
        Matter::Meeting => mood::Whose::Everybody,
    };
    let segments = mood::of_turns(segments);
    let sentences = sentences::sentences(&segments);
    let ranked = summary::rank(&sentences);
    let (sentiment_score, sentiment_trend) = mood::of_call(&segments, whose);
    let analysis = Analysis {
        sentiment: mood::sentiment(sentiment_score),
        sentiment_score,
        sentiment_trend,
        summary: summary::summary(&sentences, &ranked),
        key_points: summary::key_points(&sentences, &ranked),
        action_items: actions::items(&sentences),
        topics: topics::topics(&sentences, lists),
        outcome: match matter {
            Matter::Call => outcome::suggest(&sentences, false),
            Matter::Message => outcome::suggest(&sentences, true),
            Matter::Meeting => None,
        },
        provider: PROVIDER.to_owned(),
        usage: Usage::default(),
    };
    (analysis, segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::speech::{Sentiment, Word};

    /// A call from lines of `channel|text`, a second a word.
    pub(super) fn call(lines: &[&str]) -> Vec<Segment> {
        let mut at_ms = 0;
        lines
            .iter()
            .map(|line| {
                let (channel, text) = line.split_once('|').unwrap();
                let channel: u8 = channel.parse().unwrap();
                let start_ms = at_ms;
                let words: Vec<Word> = text
                    .split_whitespace()
                    .map(|word| {
                        at_ms += 1000;
                        Word {
                            text: word.to_owned(),
                            start_ms: at_ms - 1000,
                            end_ms: at_ms,
                            confidence: 0.9,
                        }
                    })
                    .collect();
                Segment {
                    channel,
                    speaker: if channel == 0 { "caller" } else { "agent" }.to_owned(),
                    start_ms,
                    end_ms: at_ms,
                    text: text.to_owned(),
                    confidence: 0.9,
                    sentiment: Sentiment::Neutral,
                    words,
                }
            })
            .collect()
    }

    pub(super) fn complaint() -> Vec<Segment> {
        call(&[
            "1|Good morning, thank you for calling Northwind Heating. My name is Dana. How can I help you?",
            "0|Hello. My boiler broke down again yesterday and I am really frustrated.",
            "0|This is the third time this month that the boiler stopped, and it is ridiculous.",
            "1|I am sorry about that. Can you give me your order number?",
            "0|Yes, it is 4 4 7 1.",
            "1|Thank you. The boiler pump of your order was replaced in March, so the repair is still under warranty.",
            "1|I will send a technician tomorrow morning and I will email you the confirmation.",
            "0|Great, that is wonderful. Could you ask him to call me before he comes?",
            "1|Of course. Have a nice day. Goodbye.",
            "0|Thanks, bye.",
        ])
    }

    #[test]
    fn a_complaint_that_ends_well_goes_from_bad_to_good() {
        let (analysis, segments) = analyse(complaint(), Matter::Call, &TopicLists::default());
        assert!(analysis.sentiment_trend[0] < -0.2, "{analysis:?}");
        assert!(analysis.sentiment_trend[1] > 0.2, "{analysis:?}");
        assert_eq!(segments[1].sentiment, Sentiment::Negative);
        assert_eq!(segments[7].sentiment, Sentiment::Positive);
        assert_eq!(analysis.provider, PROVIDER);
    }

    #[test]
    fn nothing_is_invented() {
        let call = complaint();
        let said: String = call.iter().map(|segment| format!("{} ", segment.text)).collect();
        let (analysis, _) = analyse(call, Matter::Call, &TopicLists::default());
        let count = sentences::split(&analysis.summary).len();
        assert!((1..=3).contains(&count), "{}", analysis.summary);
        for sentence in sentences::split(&analysis.summary) {
            assert!(said.contains(&sentence), "{sentence}");
        }
        for point in analysis.key_points.iter().chain(&analysis.action_items) {
            assert!(said.contains(&point.text), "{}", point.text);
        }
        assert!(!analysis.summary.contains("Good morning"));
        assert!(!analysis.summary.contains("nice day"));
    }

    #[test]
    fn promises_and_requests_are_found_with_their_speaker_and_time() {
        let (analysis, segments) = analyse(complaint(), Matter::Call, &TopicLists::default());
        let items: Vec<(&str, &str)> = analysis
            .action_items
            .iter()
            .map(|item| (item.speaker.as_str(), item.text.as_str()))
            .collect();
        assert_eq!(
            items,
            [
                (
                    "agent",
                    "I will send a technician tomorrow morning and I will email you the confirmation."
                ),
                ("caller", "Could you ask him to call me before he comes?"),
            ]
        );
        assert_eq!(analysis.action_items[0].at_ms, segments[6].start_ms);
    }

    #[test]
    fn silence_is_said_so() {
        let (analysis, segments) = analyse(Vec::new(), Matter::Call, &TopicLists::default());
        assert!(segments.is_empty());
        assert_eq!(analysis.summary, "Nobody spoke.");
        assert_eq!(analysis.sentiment, Sentiment::Neutral);
        assert!(analysis.key_points.is_empty() && analysis.action_items.is_empty());
    }
}
