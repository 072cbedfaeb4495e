//! The minutes of meetings: one run of a room, who was there, what was written and recorded.
//!
//! A meeting is a call of the log under the same id; a member's presence is one of its legs.

use crate::{CallId, LegId, RecordingId, TenantId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One run of a room, from the first member to the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// Its call in the log.
    pub call: CallId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The opaque id that clients know this run by, `RM_…`.
    pub sid: String,
    /// The room's name.
    pub room: String,
    /// What it is about; empty when nobody said.
    pub title: String,
    /// The host as shown, once one came.
    pub host: Option<String>,
    /// The most members at once.
    pub peak: i64,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
}

/// One presence of somebody in a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The presence.
    pub id: LegId,
    /// The meeting.
    pub call: CallId,
    /// The opaque id that clients know it by, `PA_…`.
    pub sid: String,
    /// Who, as the token names them; unique in the room at a time.
    pub identity: String,
    /// Their name as shown; may be empty.
    pub name: String,
    /// `standard`, `sip` (a phone), `agent`, `ingress` or `egress`.
    pub kind: String,
    /// `host`, `moderator` or `participant`.
    pub role: String,
    /// When they came.
    pub joined_at: OffsetDateTime,
    /// When they went.
    pub left_at: Option<OffsetDateTime>,
    /// Why they went, a word: `client_initiated`, `signal_close`, `participant_removed` …
    pub reason: Option<String>,
    /// Whether their microphone was last muted or off.
    pub is_muted: bool,
    /// Whether their camera was last on.
    pub has_video: bool,
    /// Whether they last shared a screen.
    pub is_sharing: bool,
}

impl Member {
    /// The name as shown, or the identity of somebody who gave none.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.name.is_empty() {
            &self.identity
        } else {
            &self.name
        }
    }
}

/// A line written in a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatLine {
    /// The sender's id of it, unique in the meeting.
    pub id: String,
    /// The sender.
    pub identity: String,
    /// The sender's name as shown.
    pub name: String,
    /// The text.
    pub text: String,
    /// When it came.
    pub sent_at: OffsetDateTime,
}

/// One speaker of a recorded meeting alone, aligned with the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingTrack {
    /// The recording.
    pub recording: RecordingId,
    /// 0, 1, 2 … in the order in which they were first heard.
    pub position: i64,
    /// Who, as their token named them.
    pub identity: String,
    /// Their name as shown.
    pub name: String,
    /// The key of its blob.
    pub blob: String,
    /// Length: the recording's.
    pub duration_ms: i64,
    /// Size before sealing, bytes.
    pub size_bytes: i64,
    /// SHA-256 before sealing, hexadecimal.
    pub sha256: String,
    /// 400 peaks, 0–255, for the player.
    pub peaks: Vec<u8>,
}

/// What a program asked to have recorded, and the recording it becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Egress {
    /// Its id, `EG_…`.
    pub id: String,
    /// The meeting.
    pub call: CallId,
    /// The recording.
    pub recording: RecordingId,
    /// What was asked, as it came.
    pub request: serde_json::Value,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was stopped, or the meeting ended.
    pub stopped_at: Option<OffsetDateTime>,
    /// When the program was told of its end.
    pub told_at: Option<OffsetDateTime>,
}
