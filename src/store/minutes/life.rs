//! What the daemon writes while a meeting runs. Every function may be repeated and changes nothing the
//! second time, so that a follower that lost its place can write all it knows again.

use super::MinutesArea;
use crate::calls::search;
use crate::sql::{Tx, args};
use crate::{NewRecording, Result, Store, queue};
use strowger_model::job::Job;
use strowger_model::minutes::{ChatLine, Member, Minutes};
use strowger_model::{CallId, CallState, CallType, Direction, HangupCause, RecordingId, TenantId};
use time::OffsetDateTime;

impl MinutesArea {
    /// Writes a meeting that begins, and its call.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin(&self, meeting: &Minutes) -> Result<()> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into calls (id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
             started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, \
             cost_micros, currency) \
             values ($1, $2, null, $3, $4, $5, '', $6, $7, $8, $8, null, 0, null, null, '', '{}', 0, 0, '') \
             on conflict (id) do nothing",
            args![
                meeting.call,
                tenant,
                Direction::Internal,
                CallType::Meeting,
                CallState::Active,
                meeting.host,
                meeting.room,
                meeting.started_at
            ],
        )
        .await?;
        tx.run(
            "insert into meetings (call_id, tenant_id, sid, room, title, host, peak, started_at, ended_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, null) on conflict (call_id) do nothing",
            args![
                meeting.call,
                tenant,
                meeting.sid,
                meeting.room,
                meeting.title,
                meeting.host,
                meeting.peak,
                meeting.started_at
            ],
        )
        .await?;
        search::refresh(&mut tx, self.scope.tenant(), meeting.call).await?;
        tx.commit().await
    }

    /// Writes what may change of a running meeting: its host and peak.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn progress(&self, meeting: &Minutes) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update meetings set host = coalesce($3, host), peak = case when peak < $4 then $4 else peak end \
             where tenant_id = $1 and call_id = $2",
            args![self.scope.tenant(), meeting.call, meeting.host, meeting.peak],
        )
        .await?;
        tx.run(
            "update calls set from_name = coalesce($3, from_name) where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), meeting.call, meeting.host],
        )
        .await?;
        search::refresh(&mut tx, self.scope.tenant(), meeting.call).await?;
        tx.commit().await
    }

    /// Writes a member as they stand. Who has left stays so.
    ///
    /// # Errors
    /// There is no such meeting, or the database did not answer.
    pub async fn member(&self, member: &Member) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into meeting_members (id, tenant_id, call_id, sid, identity, name, kind, role, joined_at, left_at, \
             reason, is_muted, has_video, is_sharing) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             on conflict (id) do update set name = excluded.name, role = excluded.role, \
             left_at = coalesce(meeting_members.left_at, excluded.left_at), \
             reason = coalesce(meeting_members.reason, excluded.reason), is_muted = excluded.is_muted, \
             has_video = excluded.has_video, is_sharing = excluded.is_sharing where meeting_members.tenant_id = $2",
            args![
                member.id,
                self.scope.tenant(),
                member.call,
                member.sid,
                member.identity,
                member.name,
                member.kind,
                member.role,
                member.joined_at,
                member.left_at,
                member.reason,
                member.is_muted,
                member.has_video,
                member.is_sharing
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Keeps a line of the chat.
    ///
    /// # Errors
    /// There is no such meeting, or the database did not answer.
    pub async fn wrote(&self, call: CallId, line: &ChatLine) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into meeting_messages (call_id, id, tenant_id, identity, name, text, sent_at) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (call_id, id) do nothing",
            args![
                call,
                line.id,
                self.scope.tenant(),
                line.identity,
                line.name,
                line.text,
                line.sent_at
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Writes the end of a meeting: its row, its call, and everybody who was still there. A second end
    /// changes nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn finish(&self, call: CallId, ended_at: OffsetDateTime) -> Result<()> {
        let mut tx = self.scope.write().await?;
        close(&mut tx, self.scope.tenant(), call, ended_at, "room_ended").await?;
        tx.run(
            "update calls set state = $3, cause = $4, ended_at = $5, duration_ms = $5 - started_at \
             where tenant_id = $1 and id = $2 and ended_at is null",
            args![
                self.scope.tenant(),
                call,
                CallState::Completed,
                HangupCause::Normal,
                ended_at
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Writes a recording whose capture begins: the row stands before the first sound.
    ///
    /// # Errors
    /// There is no such meeting, or the database did not answer.
    pub async fn recording_begins(&self, call: CallId, recording: &NewRecording) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into recordings (id, tenant_id, call_id, capture_id, state, problem, name, description, format, \
             duration_ms, size_bytes, sha256, blob, peaks, recorded_by, held, created_at) \
             values ($1, $2, $3, $4, 'recording', null, $5, '', '', 0, 0, '', null, '[]', $6, 0, $7) \
             on conflict (id) do nothing",
            args![
                recording.id,
                self.scope.tenant(),
                call,
                recording.capture,
                recording.name,
                recording.recorded_by,
                recording.created_at
            ],
        )
        .await?;
        tx.commit().await
    }

    /// The capture of a recording has ended: asks for the work on it. A second time asks for nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn recording_ends(&self, recording: RecordingId) -> Result<()> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "update recordings set state = 'captured' \
                 where tenant_id = $1 and id = $2 and state = 'recording' returning capture_id",
                args![tenant, recording],
            )
            .await?;
        if let Some(row) = row {
            let capture = row.parse("capture_id")?;
            let job = Job::ProcessRecording {
                tenant,
                capture,
                recording,
            };
            queue::ask(&mut tx, self.scope.store(), &job).await?;
        }
        tx.run(
            "update egresses set stopped_at = $3 where tenant_id = $1 and recording_id = $2 and stopped_at is null",
            args![tenant, recording, self.scope.now()],
        )
        .await?;
        tx.commit().await
    }

    /// The capture of a recording could not be opened: there is nothing to work on.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn recording_fails(&self, recording: RecordingId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update recordings set state = 'failed', problem = $3, capture_id = null \
             where tenant_id = $1 and id = $2 and state = 'recording'",
            args![self.scope.tenant(), recording, problem],
        )
        .await?;
        tx.run(
            "update egresses set stopped_at = $3 where tenant_id = $1 and recording_id = $2 and stopped_at is null",
            args![self.scope.tenant(), recording, self.scope.now()],
        )
        .await?;
        tx.commit().await
    }
}

/// Ends a meeting's own rows: everybody who is still there leaves for `reason`.
pub(crate) async fn close(
    tx: &mut Tx,
    tenant: TenantId,
    call: CallId,
    ended_at: OffsetDateTime,
    reason: &str,
) -> Result<()> {
    tx.run(
        "update meetings set ended_at = $3 where tenant_id = $1 and call_id = $2 and ended_at is null",
        args![tenant, call, ended_at],
    )
    .await?;
    tx.run(
        "update meeting_members set left_at = $3, reason = coalesce(reason, $4) \
         where tenant_id = $1 and call_id = $2 and left_at is null",
        args![tenant, call, ended_at, reason],
    )
    .await?;
    Ok(())
}

impl Store {
    /// Gives up the recordings of meetings that a daemon before this one left open and of which nothing was
    /// captured: those but `captured`. Ask before the meetings are closed.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn abandon_recordings(&self, captured: &[RecordingId]) -> Result<()> {
        let running = self
            .read_all()
            .await?
            .all(
                "select r.id, r.tenant_id from meetings m join recordings r on r.call_id = m.call_id \
                 where m.ended_at is null and r.state = 'recording'",
                args![],
            )
            .await?;
        for row in &running {
            let recording: RecordingId = row.parse("id")?;
            if !captured.contains(&recording) {
                let area = self.tenant(row.parse("tenant_id")?).minutes();
                area.recording_fails(recording, "the daemon ended before anything was captured")
                    .await?;
            }
        }
        Ok(())
    }
}
