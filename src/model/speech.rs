//! What was said: transcripts, segments, words, and what was understood of them.

use crate::call::coded;
use serde::{Deserialize, Serialize};

coded! {
    /// The mood of a stretch of talk.
    Sentiment {
        /// Pleased.
        Positive = "positive",
        /// Neither.
        Neutral = "neutral",
        /// Displeased.
        Negative = "negative",
    }
}

/// One word with its time in the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// The word as written, without surrounding space.
    pub text: String,
    /// Start, milliseconds from the start of the recording.
    pub start_ms: i64,
    /// End, milliseconds from the start of the recording.
    pub end_ms: i64,
    /// How sure the model was, 0 to 1.
    pub confidence: f64,
}

impl Word {
    /// Words of which the model was less sure are marked for people: as likely wrong as right.
    pub const UNSURE_BELOW: f64 = 0.5;

    /// Whether it is to be marked.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        self.confidence < Self::UNSURE_BELOW
    }
}

/// A timed stretch of one speaker's talk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The channel it was heard on: 0 is the caller.
    pub channel: u8,
    /// Who spoke, as shown to people.
    pub speaker: String,
    /// Start, milliseconds from the start of the recording.
    pub start_ms: i64,
    /// End, milliseconds from the start of the recording.
    pub end_ms: i64,
    /// What was said.
    pub text: String,
    /// The mean of its words' confidence, 0 to 1.
    pub confidence: f64,
    /// The mood of this turn.
    pub sentiment: Sentiment,
    /// The words.
    pub words: Vec<Word>,
}

/// A line of the understanding that points to its place in the audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The text.
    pub text: String,
    /// Who said it, as shown to people.
    pub speaker: String,
    /// Where, milliseconds from the start of the recording.
    pub at_ms: i64,
}

/// What was understood of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The mood of the whole, heard from the caller.
    pub sentiment: Sentiment,
    /// The mood as a figure, −1 to 1.
    pub sentiment_score: f64,
    /// The first third's figure and the last third's: where the mood went.
    pub sentiment_trend: [f64; 2],
    /// One to three sentences.
    pub summary: String,
    /// What mattered.
    pub key_points: Vec<Point>,
    /// Who promised or asked what.
    pub action_items: Vec<Point>,
    /// Which provider made this ("local-rules").
    pub provider: String,
    /// What it took to make.
    #[serde(default)]
    pub usage: Usage,
}

/// What it took to have something understood: nothing, when this machine did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens asked with, by all providers asked.
    pub tokens_asked: i64,
    /// Tokens answered with.
    pub tokens_answered: i64,
    /// Millionths of the currency of the house.
    pub cost_micros: i64,
    /// Providers that were asked before and failed, each with the reason.
    pub passed_over: Vec<String>,
}
