//! Meetings as programs see them.

use crate::wire::stamp;
use serde::Serialize;
use strowger_model::minutes::{ChatLine, Member, Minutes, RecordingTrack};
use strowger_model::record::Recording;
use strowger_model::speech::Analysis;
use strowger_model::transcript::Transcript;
use strowger_store::MinutesDetail;
use utoipa::ToSchema;
use uuid::Uuid;

/// A meeting: one run of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeetingJson {
    /// Its id, which is also its call's in the call log.
    id: Uuid,
    /// The room's name.
    room: String,
    /// The id that clients know this run of the room by.
    room_sid: String,
    /// What it is about.
    title: String,
    /// Who held it.
    host: Option<String>,
    /// The most members at once.
    peak_participants: i64,
    /// When it began.
    started_at: String,
    /// When it ended; `null` while it runs.
    ended_at: Option<String>,
    /// Its length so far as it is over.
    duration_ms: Option<i64>,
}

impl From<Minutes> for MeetingJson {
    fn from(minutes: Minutes) -> Self {
        let length = minutes.ended_at.map(|ended_at| ended_at - minutes.started_at);
        Self {
            id: minutes.call.uuid(),
            room: minutes.room,
            room_sid: minutes.sid,
            title: minutes.title,
            host: minutes.host,
            peak_participants: minutes.peak,
            started_at: stamp(minutes.started_at),
            ended_at: minutes.ended_at.map(stamp),
            duration_ms: length.map(|length| i64::try_from(length.whole_milliseconds()).unwrap_or(i64::MAX)),
        }
    }
}

/// One presence of somebody: who comes again has two.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberJson {
    /// The id that clients know it by.
    sid: String,
    /// Who, as their token named them.
    identity: String,
    /// Their name as shown.
    name: String,
    /// `standard`, `sip` (a phone), `agent`, `ingress` or `egress`.
    kind: String,
    /// `host`, `moderator` or `participant`.
    role: String,
    /// When they came.
    joined_at: String,
    /// When they went; `null` while they are there.
    left_at: Option<String>,
    /// Why they went.
    reason: Option<String>,
    /// Whether their microphone was last muted or off.
    is_muted: bool,
    /// Whether their camera was last on.
    is_video_on: bool,
    /// Whether they last shared a screen.
    is_screen_sharing: bool,
}

impl From<Member> for MemberJson {
    fn from(member: Member) -> Self {
        Self {
            sid: member.sid,
            identity: member.identity,
            name: member.name,
            kind: member.kind,
            role: member.role,
            joined_at: stamp(member.joined_at),
            left_at: member.left_at.map(stamp),
            reason: member.reason,
            is_muted: member.is_muted,
            is_video_on: member.has_video,
            is_screen_sharing: member.is_sharing,
        }
    }
}

/// A line of the chat.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatJson {
    /// The sender's id of it.
    id: String,
    /// Who wrote.
    identity: String,
    /// Their name as shown.
    name: String,
    /// What.
    text: String,
    /// When.
    sent_at: String,
}

impl From<ChatLine> for ChatJson {
    fn from(line: ChatLine) -> Self {
        Self {
            id: line.id,
            identity: line.identity,
            name: line.name,
            text: line.text,
            sent_at: stamp(line.sent_at),
        }
    }
}

/// One speaker of a recording alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrackJson {
    /// 0, 1, 2 … in the order in which they were first heard.
    position: i64,
    /// Who, as their token named them.
    identity: String,
    /// Their name as shown.
    name: String,
    /// Where the audio is.
    audio_url: String,
    /// Length: the recording's.
    duration_ms: i64,
    /// Size in bytes.
    size_bytes: i64,
    /// SHA-256, hexadecimal.
    sha256: String,
}

impl From<&RecordingTrack> for TrackJson {
    fn from(track: &RecordingTrack) -> Self {
        Self {
            position: track.position,
            identity: track.identity.clone(),
            name: track.name.clone(),
            audio_url: format!("/api/recordings/{}/tracks/{}/audio", track.recording, track.position),
            duration_ms: track.duration_ms,
            size_bytes: track.size_bytes,
            sha256: track.sha256.clone(),
        }
    }
}

/// A recording of a meeting: everybody together, and each speaker alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeetingRecordingJson {
    /// Its id.
    id: Uuid,
    /// `recording` while it runs, then `captured`, `ready`, `failed` or `erased`.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Who asked for it: `settings`, `host` or `egress`.
    recorded_by: String,
    /// Where the audio is, once it is ready.
    audio_url: Option<String>,
    /// Length.
    duration_ms: i64,
    /// Size in bytes.
    size_bytes: i64,
    /// When it began.
    created_at: String,
    /// The speakers.
    tracks: Vec<TrackJson>,
    /// The id of its transcript.
    transcription_id: Option<Uuid>,
    /// Where its transcript stands: `queued`, `running`, `ready` or `failed`.
    transcription_status: Option<String>,
    /// One to three sentences, once understood.
    summary: Option<String>,
    /// What mattered.
    key_points: Vec<String>,
    /// Who promised or asked what.
    action_items: Vec<String>,
}

impl MeetingRecordingJson {
    fn of(recording: Recording, tracks: &[RecordingTrack], transcripts: &[Transcript]) -> Self {
        let transcript = transcripts
            .iter()
            .find(|transcript| transcript.recording == recording.id);
        let analysis = transcript.and_then(|transcript| transcript.analysis.as_ref());
        let points = |of: fn(&Analysis) -> &Vec<strowger_model::speech::Point>| {
            let points = analysis.map(of).into_iter().flatten();
            points.map(|point| point.text.clone()).collect()
        };
        let is_ready = recording.state == "ready";
        Self {
            id: recording.id.uuid(),
            audio_url: is_ready.then(|| format!("/api/recordings/{}/audio", recording.id)),
            tracks: tracks
                .iter()
                .filter(|track| track.recording == recording.id)
                .map(TrackJson::from)
                .collect(),
            status: recording.state,
            problem: recording.problem,
            recorded_by: recording.recorded_by,
            duration_ms: recording.duration_ms,
            size_bytes: recording.size_bytes,
            created_at: stamp(recording.created_at),
            transcription_id: transcript.map(|transcript| transcript.id.uuid()),
            transcription_status: transcript.map(|transcript| transcript.state.clone()),
            summary: analysis.map(|analysis| analysis.summary.clone()),
            key_points: points(|analysis| &analysis.key_points),
            action_items: points(|analysis| &analysis.action_items),
        }
    }
}

/// A meeting with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeetingDetailJson {
    /// The meeting.
    #[serde(flatten)]
    meeting: MeetingJson,
    /// Who was there, in the order they came.
    participants: Vec<MemberJson>,
    /// What was written, in order.
    chat: Vec<ChatJson>,
    /// Its recordings in order.
    recordings: Vec<MeetingRecordingJson>,
}

impl From<MinutesDetail> for MeetingDetailJson {
    fn from(detail: MinutesDetail) -> Self {
        let recordings = detail.recordings.into_iter();
        Self {
            recordings: recordings
                .map(|recording| MeetingRecordingJson::of(recording, &detail.tracks, &detail.transcripts))
                .collect(),
            meeting: MeetingJson::from(detail.meeting),
            participants: detail.members.into_iter().map(MemberJson::from).collect(),
            chat: detail.chat.into_iter().map(ChatJson::from).collect(),
        }
    }
}
