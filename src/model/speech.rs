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

coded! {
    /// How a call seems to have ended, by what was said in it.
    Ending {
        /// What was wanted is done.
        Resolved = "resolved",
        /// Something is still to be done.
        FollowUp = "follow_up",
        /// Somebody is to be called back.
        CallbackPromised = "callback_promised",
        /// Somebody is expected at a time.
        Appointment = "appointment",
        /// Something was bought or ordered.
        Sale = "sale",
        /// A complaint to which nothing was promised.
        ComplaintOpen = "complaint_open",
        /// What was offered is not wanted.
        NotInterested = "not_interested",
        /// Somebody else was wanted.
        WrongNumber = "wrong_number",
        /// A message was left.
        Voicemail = "voicemail",
        /// Only one side spoke, or nobody did.
        NoResult = "no_result",
    }
}

/// What a call was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// The name of a list, or words that were said.
    pub name: String,
    /// Whether it is the name of a list.
    pub listed: bool,
    /// In how many sentences it was heard.
    pub times: i64,
    /// The sentence in which it was heard first.
    pub text: String,
    /// Who said that, as shown to people.
    pub speaker: String,
    /// Where, milliseconds from the start of the recording.
    pub at_ms: i64,
    /// Which provider heard it.
    pub provider: String,
}

/// How a call seems to have ended, and why one would think so. A suggestion: people decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// How.
    pub ending: Ending,
    /// The sentence that tells; empty where nothing was said.
    pub text: String,
    /// Who said it, as shown to people.
    pub speaker: String,
    /// Where, milliseconds from the start of the recording.
    pub at_ms: i64,
    /// Which provider suggests it.
    pub provider: String,
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
    /// What it was about, what was heard most first.
    #[serde(default)]
    pub topics: Vec<Topic>,
    /// How it seems to have ended; nothing where nothing tells, and for meetings.
    #[serde(default)]
    pub outcome: Option<Suggestion>,
    /// Which provider made this ("local-rules").
    pub provider: String,
    /// What it took to make.
    #[serde(default)]
    pub usage: Usage,
}

impl Analysis {
    /// [`Analysis::provider`] of what the rules of this machine understood.
    pub const RULES: &'static str = "local-rules";

    /// Whether the rules know the words of a language (ISO 639-1) that tell a mood and how a call ended. One that nobody
    /// told apart may well be theirs.
    #[must_use]
    pub fn rules_know(language: Option<&str>) -> bool {
        language.is_none_or(|language| language == "en")
    }
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
    /// Providers before the one that answered, each with why it did not: it failed, or was not asked because it failed of late.
    pub passed_over: Vec<String>,
}
