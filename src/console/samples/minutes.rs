//! Meetings that were held.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::minutes::view::{self, Found};
use strowger_model::minutes::{ChatLine, Member, Minutes, RecordingTrack};
use strowger_model::record::Recording;
use strowger_model::{CallId, LegId, RecordingId, TenantId};
use strowger_store::MinutesDetail;
use time::Duration;

fn minutes(room: &str, title: &str, hours_ago: i64, runs: bool) -> Minutes {
    let started_at = NOW - Duration::hours(hours_ago);
    Minutes {
        call: CallId::generate(&world()),
        tenant: TenantId::generate(&world()),
        sid: "RM_kT4vQx2mB7cd".into(),
        room: room.into(),
        title: title.into(),
        host: Some("Ines Duarte".into()),
        peak: 3,
        started_at,
        ended_at: (!runs).then(|| started_at + Duration::minutes(47)),
    }
}

fn member(meeting: &Minutes, name: &str, role: &str, kind: &str, reason: Option<&str>) -> Member {
    Member {
        id: LegId::generate(&world()),
        call: meeting.call,
        sid: "PA_b8Vn3kQzT5ra".into(),
        identity: name.to_lowercase().replace(' ', "."),
        name: name.into(),
        kind: kind.into(),
        role: role.into(),
        joined_at: meeting.started_at,
        left_at: meeting.ended_at,
        reason: reason.map(str::to_owned),
        is_muted: kind == "sip",
        has_video: role == "host",
        is_sharing: false,
    }
}

fn recording(meeting: &Minutes) -> Recording {
    Recording {
        id: RecordingId::generate(&world()),
        tenant: meeting.tenant,
        call: meeting.call,
        capture: None,
        state: "ready".into(),
        problem: None,
        name: meeting.room.clone(),
        description: String::new(),
        format: "ogg/opus".into(),
        duration_ms: 2_815_000,
        size_bytes: 9_120_334,
        sha256: "9f".repeat(32),
        blob: Some("blob".into()),
        peaks: Vec::new(),
        recorded_by: "host".into(),
        sample_rate_hz: Some(16_000),
        held: false,
        created_at: meeting.started_at,
    }
}

fn detail() -> MinutesDetail {
    let meeting = minutes("q4-review", "Review of the quarter", 5, false);
    let recording = recording(&meeting);
    let track = |position: i64, name: &str| RecordingTrack {
        recording: recording.id,
        position,
        identity: name.to_lowercase(),
        name: name.into(),
        blob: "blob".into(),
        duration_ms: recording.duration_ms,
        size_bytes: 4_100_220,
        sha256: "1c".repeat(32),
        peaks: Vec::new(),
    };
    MinutesDetail {
        members: vec![
            member(&meeting, "Ines Duarte", "host", "standard", Some("room_ended")),
            member(&meeting, "Jonas Weber", "participant", "standard", Some("signal_close")),
            member(
                &meeting,
                "+44 20 7946 0018",
                "participant",
                "sip",
                Some("client_initiated"),
            ),
        ],
        chat: vec![ChatLine {
            id: "m1".into(),
            identity: "jonas.weber".into(),
            name: "Jonas Weber".into(),
            text: "The figures are on page 4.".into(),
            sent_at: meeting.started_at + Duration::minutes(3),
        }],
        tracks: vec![track(0, "Ines Duarte"), track(1, "Jonas Weber")],
        transcripts: Vec::new(),
        recordings: vec![recording],
        meeting,
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let found = Found {
        meetings: vec![
            minutes("standup", "", 0, true),
            minutes("q4-review", "Review of the quarter", 5, false),
        ],
        next: None,
        after: String::new(),
        search: String::new(),
    };
    vec![
        sample("meetings_held", &view::list(&shell(), BASE, &found)),
        sample("meeting_held", &view::one(&shell(), BASE, &detail())),
    ]
}
