//! Transcripts and what they were asked of.

use crate::speech::{Analysis, Segment};
use crate::{CallId, RecordingId, TenantId, TranscriptId, VoicemailId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// The text of a recording with what was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// Its id.
    pub id: TranscriptId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The recording.
    pub recording: RecordingId,
    /// The call.
    pub call: CallId,
    /// What it was asked of.
    pub source: TranscriptSource,
    /// `queued`, `running`, `ready` or `failed`.
    pub state: String,
    /// Why it failed.
    pub problem: Option<String>,
    /// The whole text.
    pub text: String,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// The mean confidence, 0 to 1.
    pub confidence: f64,
    /// `local-whisper`.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Seconds of processor time it took.
    pub cpu_seconds: f64,
    /// What a provider asked for it, millionths of the currency.
    pub cost_micros: i64,
    /// Length of the audio.
    pub audio_ms: i64,
    /// What was understood, once analysed.
    pub analysis: Option<Analysis>,
    /// The turns in order; empty in lists.
    pub segments: Vec<Segment>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it was ready.
    pub finished_at: Option<OffsetDateTime>,
}

impl Transcript {
    /// What was understood, where the caller said anything that a mood could be heard from: the rules of this machine
    /// hear none in words they do not know.
    #[must_use]
    pub fn mood(&self) -> Option<&Analysis> {
        let said_something = self.segments.iter().any(|segment| segment.channel == 0);
        self.heard_mood().filter(|_| said_something)
    }

    /// As [`Self::mood`], without looking whether the caller said anything, which lists do not know.
    #[must_use]
    pub fn heard_mood(&self) -> Option<&Analysis> {
        let is_known = Analysis::rules_know(self.language.as_deref());
        let by_rules = |analysis: &&Analysis| analysis.provider == Analysis::RULES;
        self.analysis
            .as_ref()
            .filter(|analysis| is_known || !by_rules(analysis))
    }

    /// Seconds of processor time for each second of audio, where this machine heard it.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "no recording lasts three hundred thousand years"
    )]
    pub fn real_time_factor(&self) -> Option<f64> {
        let is_known = self.cpu_seconds > 0.0 && self.audio_ms > 0;
        is_known.then(|| self.cpu_seconds * 1000.0 / self.audio_ms as f64)
    }
}

/// What a transcript was asked of. The audio is that of its recording in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TranscriptSource {
    /// A call, or a meeting, which has the id of one.
    Call(CallId),
    /// A message.
    Voicemail(VoicemailId),
    /// A recording: one that was brought from outside, or that somebody named.
    Recording(RecordingId),
}

impl TranscriptSource {
    /// The words of [`Self::code`].
    pub const CODES: [&'static str; 3] = ["call", "voicemail", "recording"];

    /// Its kind in a word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Voicemail(_) => "voicemail",
            Self::Recording(_) => "recording",
        }
    }

    /// Its id, whatever it is.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Call(id) => id.uuid(),
            Self::Voicemail(id) => id.uuid(),
            Self::Recording(id) => id.uuid(),
        }
    }

    /// What the two say together.
    #[must_use]
    pub fn read(code: &str, id: Uuid) -> Option<Self> {
        match code {
            "call" => Some(Self::Call(CallId::from_uuid(id))),
            "voicemail" => Some(Self::Voicemail(VoicemailId::from_uuid(id))),
            "recording" => Some(Self::Recording(RecordingId::from_uuid(id))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::{Sentiment, Usage};

    fn made(provider: &str, language: Option<&str>) -> Transcript {
        let id = Uuid::from_u128(7);
        Transcript {
            id: TranscriptId::from_uuid(id),
            tenant: TenantId::from_uuid(id),
            recording: RecordingId::from_uuid(id),
            call: CallId::from_uuid(id),
            source: TranscriptSource::Call(CallId::from_uuid(id)),
            state: "ready".into(),
            problem: None,
            text: String::new(),
            language: language.map(str::to_owned),
            confidence: 1.0,
            provider: "local-whisper".into(),
            model: "base".into(),
            cpu_seconds: 3.0,
            cost_micros: 0,
            audio_ms: 12_000,
            analysis: Some(Analysis {
                sentiment: Sentiment::Neutral,
                sentiment_score: 0.0,
                sentiment_trend: [0.0, 0.0],
                summary: String::new(),
                key_points: Vec::new(),
                action_items: Vec::new(),
                topics: Vec::new(),
                outcome: None,
                provider: provider.into(),
                usage: Usage::default(),
            }),
            segments: Vec::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            finished_at: None,
        }
    }

    #[test]
    fn the_rules_hear_no_mood_in_a_language_they_do_not_know() {
        let hears = |provider: &str, language| made(provider, language).heard_mood().is_some();
        assert!(hears(Analysis::RULES, Some("en")) && hears(Analysis::RULES, None));
        assert!(!hears(Analysis::RULES, Some("ru")) && hears("cloud", Some("ru")));
    }

    #[test]
    fn a_quarter_of_a_second_s_work_a_second_is_told_where_this_machine_worked() {
        let mut transcript = made(Analysis::RULES, None);
        assert_eq!(transcript.real_time_factor(), Some(0.25));
        transcript.cpu_seconds = 0.0;
        assert_eq!(transcript.real_time_factor(), None);
    }

    #[test]
    fn a_source_is_read_from_its_words_again() {
        let id = Uuid::from_u128(7);
        for code in TranscriptSource::CODES {
            let source = TranscriptSource::read(code, id).unwrap();
            assert_eq!((source.code(), source.id()), (code, id));
        }
        assert_eq!(TranscriptSource::read("letter", id), None);
    }
}
