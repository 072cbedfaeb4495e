//! Background work. Payloads hold ids, never copies of data, and can be read by the next release.

use crate::call::coded;
use crate::{
    CallId, CaptureId, FlowVersionId, GreetingId, PromptId, QuestionId, RecordingId, TenantId, TranscriptId, UploadId,
    UserId,
};
use serde::{Deserialize, Serialize};

/// A piece of background work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are ids, named for what they name")]
pub enum Job {
    /// Capture → aligned stereo → loudness → sealed recording, then the capture is erased.
    ProcessRecording {
        tenant: TenantId,
        capture: CaptureId,
        recording: RecordingId,
    },
    /// Recording → segments and words.
    Transcribe {
        tenant: TenantId,
        recording: RecordingId,
        transcript: TranscriptId,
    },
    /// Transcript → sentiment, summary, key points, action items.
    Analyse { tenant: TenantId, transcript: TranscriptId },
    /// Transcripts without vectors of what they mean → vectors.
    Embed { tenant: TenantId },
    /// A question put to the search by meaning → its vector.
    EmbedQuestion { tenant: TenantId, question: QuestionId },
    /// Writes the notice that something finished.
    Notify {
        tenant: TenantId,
        call: CallId,
        what: NoticeKind,
    },
    /// Uploaded audio → normalised 8 kHz mono.
    NormalisePrompt { tenant: TenantId, prompt: PromptId },
    /// Text of a flow's say nodes → audio; flips the flow's pointer when all are there.
    RenderFlow { tenant: TenantId, version: FlowVersionId },
    /// Text of a user's default greeting → audio.
    RenderGreeting { tenant: TenantId, user: UserId },
    /// What the switchboard itself says, in the languages and words of a tenant's settings → audio.
    RenderPhrases { tenant: TenantId },
    /// A greeting's own text or upload → audio.
    PrepareGreeting { tenant: TenantId, greeting: GreetingId },
    /// Removes what is past its retention.
    Retain { tenant: TenantId },
    /// Takes recordings whose time on the disk is over to the bucket.
    MoveRecordings { tenant: TenantId },
    /// Audio that came from outside → level → sealed recording, then the upload is erased.
    ImportRecording {
        tenant: TenantId,
        recording: RecordingId,
        upload: UploadId,
    },
}

coded! {
    /// What a notice tells.
    NoticeKind {
        /// A recording is ready to play.
        RecordingReady = "recording_ready",
        /// A recording could not be made.
        RecordingFailed = "recording_failed",
        /// A transcript and its analysis are ready.
        TranscriptReady = "transcript_ready",
        /// A transcript could not be made.
        TranscriptFailed = "transcript_failed",
        /// A message was left.
        VoicemailReady = "voicemail_ready",
        /// An inbound call was missed.
        CallMissed = "call_missed",
        /// A trunk does not answer or refuses us.
        TrunkDown = "trunk_down",
        /// A trunk that was down can be used again.
        TrunkUp = "trunk_up",
        /// A scheduled meeting opens its doors.
        MeetingOpens = "meeting_opens",
        /// A certificate of this machine ends soon, or has ended.
        CertificateEnds = "certificate_ends",
    }
}

coded! {
    /// Where a job stands.
    JobState {
        /// Waiting for a worker or for its next try.
        Queued = "queued",
        /// A worker is on it.
        Running = "running",
        /// Done.
        Done = "done",
        /// Given up, with the reason; can be tried again by hand.
        Dead = "dead",
    }
}

impl Job {
    /// The kind as stored and shown.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProcessRecording { .. } => "process_recording",
            Self::Transcribe { .. } => "transcribe",
            Self::Analyse { .. } => "analyse",
            Self::Embed { .. } => "embed",
            Self::EmbedQuestion { .. } => "embed_question",
            Self::Notify { .. } => "notify",
            Self::NormalisePrompt { .. } => "normalise_prompt",
            Self::RenderFlow { .. } => "render_flow",
            Self::RenderGreeting { .. } => "render_greeting",
            Self::RenderPhrases { .. } => "render_phrases",
            Self::PrepareGreeting { .. } => "prepare_greeting",
            Self::Retain { .. } => "retain",
            Self::MoveRecordings { .. } => "move_recordings",
            Self::ImportRecording { .. } => "import_recording",
        }
    }

    /// The tenant it works for.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::ProcessRecording { tenant, .. }
            | Self::Transcribe { tenant, .. }
            | Self::Analyse { tenant, .. }
            | Self::Embed { tenant }
            | Self::EmbedQuestion { tenant, .. }
            | Self::Notify { tenant, .. }
            | Self::NormalisePrompt { tenant, .. }
            | Self::RenderFlow { tenant, .. }
            | Self::RenderGreeting { tenant, .. }
            | Self::RenderPhrases { tenant }
            | Self::PrepareGreeting { tenant, .. }
            | Self::Retain { tenant }
            | Self::MoveRecordings { tenant }
            | Self::ImportRecording { tenant, .. } => *tenant,
        }
    }

    /// Jobs up to this priority are short errands for which somebody waits; a hand of a worker does nothing else.
    pub const ERRAND: i32 = -1;

    /// Lower runs first: what somebody waits for on the phone before what fills an archive.
    #[must_use]
    pub const fn priority(&self) -> i32 {
        match self {
            Self::EmbedQuestion { .. } => Self::ERRAND,
            Self::RenderFlow { .. }
            | Self::RenderGreeting { .. }
            | Self::RenderPhrases { .. }
            | Self::PrepareGreeting { .. }
            | Self::NormalisePrompt { .. } => 0,
            Self::Notify { .. } => 1,
            Self::ProcessRecording { .. } | Self::ImportRecording { .. } => 2,
            Self::Analyse { .. } => 3,
            Self::Transcribe { .. } => 4,
            Self::Embed { .. } | Self::Retain { .. } | Self::MoveRecordings { .. } => 5,
        }
    }

    /// How often it is tried before it is given up.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        match self {
            Self::ProcessRecording { .. } => 8,
            // A bucket may be away for days: what waits for it is tried until it is back.
            Self::MoveRecordings { .. } => 1_000_000,
            Self::EmbedQuestion { .. } => 1,
            Self::Transcribe { .. }
            | Self::Analyse { .. }
            | Self::NormalisePrompt { .. }
            | Self::ImportRecording { .. } => 3,
            Self::Embed { .. }
            | Self::Notify { .. }
            | Self::RenderFlow { .. }
            | Self::RenderGreeting { .. }
            | Self::RenderPhrases { .. }
            | Self::PrepareGreeting { .. }
            | Self::Retain { .. } => 5,
        }
    }

    /// How long to wait before try `attempt` (2 is the first repeat), seconds.
    #[must_use]
    pub const fn back_off_s(attempt: u32) -> u64 {
        match attempt {
            0..=2 => 2,
            3 => 10,
            4 => 60,
            _ => 300,
        }
    }
}
