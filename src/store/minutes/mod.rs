//! Meetings: their life while they run ([`life`]), the history and one meeting's page ([`page`]), and
//! what programs asked to have recorded ([`egress`]).
//!
//! A meeting is a call of the log under the same id: recordings, transcripts, retention and removal are
//! the call's, in [`crate::calls`].

mod egress;
mod life;
mod page;

pub(crate) use life::close;
pub use page::{MinutesDetail, MinutesFilter};

use crate::Result;
use crate::scope::area;
use crate::sql::Row;
use strowger_model::minutes::{ChatLine, Member, Minutes, RecordingTrack};

area! {
    /// The minutes of the tenant's meetings.
    MinutesArea, minutes
}

fn minutes_of(row: &Row) -> Result<Minutes> {
    Ok(Minutes {
        call: row.parse("call_id")?,
        tenant: row.parse("tenant_id")?,
        sid: row.text("sid")?,
        room: row.text("room")?,
        title: row.text("title")?,
        host: row.opt_text("host")?,
        peak: row.int("peak")?,
        started_at: row.time("started_at")?,
        ended_at: row.opt_time("ended_at")?,
    })
}

fn member_of(row: &Row) -> Result<Member> {
    Ok(Member {
        id: row.parse("id")?,
        call: row.parse("call_id")?,
        sid: row.text("sid")?,
        identity: row.text("identity")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        role: row.text("role")?,
        joined_at: row.time("joined_at")?,
        left_at: row.opt_time("left_at")?,
        reason: row.opt_text("reason")?,
        is_muted: row.switch("is_muted")?,
        has_video: row.switch("has_video")?,
        is_sharing: row.switch("is_sharing")?,
    })
}

fn line_of(row: &Row) -> Result<ChatLine> {
    Ok(ChatLine {
        id: row.text("id")?,
        identity: row.text("identity")?,
        name: row.text("name")?,
        text: row.text("text")?,
        sent_at: row.time("sent_at")?,
    })
}

pub(crate) fn track_of(row: &Row) -> Result<RecordingTrack> {
    Ok(RecordingTrack {
        recording: row.parse("recording_id")?,
        position: row.int("position")?,
        identity: row.text("identity")?,
        name: row.text("name")?,
        blob: row.text("blob")?,
        duration_ms: row.int("duration_ms")?,
        size_bytes: row.int("size_bytes")?,
        sha256: row.text("sha256")?,
        peaks: row.json("peaks")?,
    })
}
