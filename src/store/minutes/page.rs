//! The history of meetings and one meeting with all that belongs to it.

use super::{MinutesArea, line_of, member_of, minutes_of, track_of};
use crate::Result;
use crate::recordings::recording_of;
use crate::sql::{Page, Paged, args, cut, escape_like};
use crate::transcripts::transcript_of;
use strowger_model::minutes::{ChatLine, Member, Minutes, RecordingTrack};
use strowger_model::record::Recording;
use strowger_model::transcript::Transcript;
use strowger_model::{CallId, RecordingId};
use time::OffsetDateTime;

/// Which meetings are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MinutesFilter {
    /// Those of the room with this name.
    pub room: Option<String>,
    /// Those that somebody with this identity was in.
    pub identity: Option<String>,
    /// Those whose room, title, members' names or chat hold this text.
    pub search: Option<String>,
    /// Those that began at or after this.
    pub from: Option<OffsetDateTime>,
    /// Those that began before this.
    pub until: Option<OffsetDateTime>,
}

/// A meeting with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct MinutesDetail {
    /// The meeting.
    pub meeting: Minutes,
    /// Who was there, in the order they came.
    pub members: Vec<Member>,
    /// What was written, in order.
    pub chat: Vec<ChatLine>,
    /// Its recordings in order.
    pub recordings: Vec<Recording>,
    /// The tracks of those recordings.
    pub tracks: Vec<RecordingTrack>,
    /// Their transcripts, with segments.
    pub transcripts: Vec<Transcript>,
}

impl MinutesArea {
    /// The meetings, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &MinutesFilter, page: &Page) -> Result<Paged<Minutes>> {
        let search = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let search = search.map(|text| format!("%{}%", escape_like(&text.to_lowercase())));
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select call_id, tenant_id, sid, room, title, host, peak, started_at, ended_at from meetings m \
                 where tenant_id = $1 and call_id < $2 and ($3 is null or room = $3) \
                 and ($4 is null or started_at >= $4) and ($5 is null or started_at < $5) \
                 and ($6 is null or exists (select 1 from meeting_members p where p.call_id = m.call_id \
                 and p.tenant_id = $1 and p.identity = $6)) \
                 and ($7 is null or lower(room) like $7 escape '\\' or lower(title) like $7 escape '\\' \
                 or exists (select 1 from meeting_members p where p.call_id = m.call_id and p.tenant_id = $1 \
                 and lower(p.name) like $7 escape '\\') \
                 or exists (select 1 from meeting_messages t where t.call_id = m.call_id and t.tenant_id = $1 \
                 and lower(t.text) like $7 escape '\\')) \
                 order by call_id desc limit $8",
                args![
                    self.scope.tenant(),
                    page.before_id(),
                    filter.room,
                    filter.from,
                    filter.until,
                    filter.identity,
                    search,
                    page.fetch()
                ],
            )
            .await?;
        cut(&rows, page, minutes_of, |meeting| meeting.call.to_string())
    }

    /// One meeting.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, call: CallId) -> Result<Option<Minutes>> {
        self.scope
            .read()
            .await?
            .one(
                "select call_id, tenant_id, sid, room, title, host, peak, started_at, ended_at from meetings \
                 where tenant_id = $1 and call_id = $2",
                args![self.scope.tenant(), call],
            )
            .await?
            .map(|row| minutes_of(&row))
            .transpose()
    }

    /// One meeting with all that belongs to it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn detail(&self, call: CallId) -> Result<Option<MinutesDetail>> {
        let Some(meeting) = self.get(call).await? else {
            return Ok(None);
        };
        let members = self.members(call).await?;
        let mut tx = self.scope.read().await?;
        let key = || args![self.scope.tenant(), call];
        let chat = tx
            .all(
                "select id, identity, name, text, sent_at from meeting_messages \
                 where tenant_id = $1 and call_id = $2 order by sent_at, id",
                key(),
            )
            .await?;
        let recordings = tx
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and call_id = $2 order by created_at, id",
                key(),
            )
            .await?;
        let tracks = tx
            .all(
                "select t.recording_id, t.position, t.identity, t.name, t.blob, t.duration_ms, t.size_bytes, t.sha256, \
                 t.peaks from recording_tracks t join recordings r on r.id = t.recording_id \
                 where t.tenant_id = $1 and r.call_id = $2 order by r.created_at, r.id, t.position",
                key(),
            )
            .await?;
        let transcripts = tx
            .all(
                "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
                 provider, model, cpu_seconds, cost_micros, audio_ms, analysis, segments, created_at, finished_at \
                 from transcripts where tenant_id = $1 and call_id = $2 order by created_at, id",
                key(),
            )
            .await?;
        Ok(Some(MinutesDetail {
            meeting,
            members,
            chat: chat.iter().map(line_of).collect::<Result<_>>()?,
            recordings: recordings.iter().map(recording_of).collect::<Result<_>>()?,
            tracks: tracks.iter().map(track_of).collect::<Result<_>>()?,
            transcripts: transcripts.iter().map(transcript_of).collect::<Result<_>>()?,
        }))
    }

    /// Who was in a meeting, in the order they came.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn members(&self, call: CallId) -> Result<Vec<Member>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, call_id, sid, identity, name, kind, role, joined_at, left_at, reason, is_muted, has_video, \
                 is_sharing from meeting_members where tenant_id = $1 and call_id = $2 order by joined_at, id",
                args![self.scope.tenant(), call],
            )
            .await?
            .iter()
            .map(member_of)
            .collect()
    }

    /// The tracks of a recording in order; a recording of a call has none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tracks(&self, recording: RecordingId) -> Result<Vec<RecordingTrack>> {
        self.scope
            .read()
            .await?
            .all(
                "select recording_id, position, identity, name, blob, duration_ms, size_bytes, sha256, peaks \
                 from recording_tracks where tenant_id = $1 and recording_id = $2 order by position",
                args![self.scope.tenant(), recording],
            )
            .await?
            .iter()
            .map(track_of)
            .collect()
    }
}
