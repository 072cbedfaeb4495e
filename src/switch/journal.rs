//! What is written about calls, as values that can be kept in a file until the database takes them.

use serde::{Deserialize, Serialize};
use strowger_model::record::{Call, CallEvent, Consent, Leg};
use strowger_model::{CallId, CallState, CaptureId, RecordingId, UserId, VoicemailId};
use time::OffsetDateTime;

/// One thing to be written. Writing it again changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A call begins.
    Begin {
        /// Its row.
        call: Box<Call>,
        /// The legs it has.
        legs: Vec<Leg>,
    },
    /// A call went on.
    Progress {
        /// Which.
        call: CallId,
        /// Where it stands.
        state: CallState,
        /// When it was answered, once it was.
        answered_at: Option<OffsetDateTime>,
        /// Whose it is, where that became known.
        user: Option<UserId>,
    },
    /// Parties were told that the call is recorded, or answered the question.
    Consents {
        /// Of which call.
        call: CallId,
        /// The number of the first of them within the call, from 0 on.
        from: i64,
        /// What they were told and answered.
        consents: Vec<Consent>,
    },
    /// A call is over.
    Finish(Box<Finished>),
}

/// Everything that becomes true when a call ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Its row in its final state.
    pub call: Call,
    /// Its legs in their final state.
    pub legs: Vec<Leg>,
    /// What happened in it.
    pub events: Vec<CallEvent>,
    /// What was captured of it.
    pub taken: Vec<Taken>,
    /// The message that was left.
    pub message: Option<Message>,
}

/// A capture that is complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The recording it will become.
    pub recording: RecordingId,
    /// The capture.
    pub capture: CaptureId,
    /// Who asked for it: `settings`, `number`, `api`, `voicemail`.
    pub recorded_by: String,
    /// Why nothing was recorded, if that is so.
    #[serde(default)]
    pub problem: Option<String>,
    /// When it began.
    pub began_at: OffsetDateTime,
}

/// A message that was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub voicemail: VoicemailId,
    /// Whose mailbox.
    pub user: UserId,
    /// Its audio.
    pub recording: RecordingId,
    /// Its length.
    pub duration_ms: i64,
}
