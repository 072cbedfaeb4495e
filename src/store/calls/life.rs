//! What the switch writes while a call runs and when it ends. Every function may be repeated: a
//! journal that replays after a crash changes nothing that already stands.

use super::{Calls, call_of, disposition, search};
use crate::sql::{Tx, args};
use crate::{Result, Scope, Store, notices, queue};
use strowger_model::job::{Job, NoticeKind};
use strowger_model::record::{Call, CallEvent, Leg};
use strowger_model::{
    CallId, CallState, CallType, CaptureId, Direction, HangupCause, RecordingId, UserId, VoicemailId,
};
use time::OffsetDateTime;

/// A recording whose capture is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    /// Its id, as the capture's meta has it.
    pub id: RecordingId,
    /// The capture it is made from.
    pub capture: CaptureId,
    /// What people call it.
    pub name: String,
    /// Who asked for it: `settings`, `number`, `api`, `voicemail`.
    pub recorded_by: String,
    /// Why nothing was recorded, if that is so: then there is nothing to be made of it.
    pub problem: Option<String>,
    /// When it began.
    pub created_at: OffsetDateTime,
}

/// A message that was left in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVoicemail {
    /// Its id.
    pub id: VoicemailId,
    /// Whose mailbox.
    pub user: UserId,
    /// Its audio: one of the call's recordings.
    pub recording: RecordingId,
    /// Length of the message so far as known.
    pub duration_ms: i64,
}

/// Everything that becomes true when a call ends.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedCall {
    /// The call in its final state.
    pub call: Call,
    /// Its legs in their final state.
    pub legs: Vec<Leg>,
    /// Its recordings.
    pub recordings: Vec<NewRecording>,
    /// The message that was left, if any.
    pub voicemail: Option<NewVoicemail>,
}

pub(crate) async fn put_call(tx: &mut Tx, call: &Call) -> Result<()> {
    tx.run(
        "insert into calls (id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
         started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, \
         cost_micros, currency) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
         on conflict (id) do nothing",
        args![
            call.id,
            call.tenant,
            call.user,
            call.direction,
            call.call_type,
            call.state,
            call.from_number,
            call.from_name,
            call.to_number,
            call.started_at,
            call.answered_at,
            call.ended_at,
            call.duration_ms,
            call.cause,
            call.flow_version,
            call.notes,
            call.metadata,
            call.transcribe,
            call.cost_micros,
            call.currency
        ],
    )
    .await?;
    for tag in &call.tags {
        super::page::put_tag(tx, call.tenant, call.id, tag).await?;
    }
    Ok(())
}

async fn put_leg(tx: &mut Tx, scope: &Scope, leg: &Leg) -> Result<()> {
    let quality = leg.quality.map(|quality| serde_json::json!(quality));
    tx.run(
        "insert into legs (id, tenant_id, call_id, side, party, device_id, trunk_id, sip_call_id, codec, started_at, \
         answered_at, ended_at, cause, quality, user_id, browser) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         on conflict (id) do update set codec = excluded.codec, party = excluded.party, \
         answered_at = excluded.answered_at, ended_at = excluded.ended_at, cause = excluded.cause, \
         quality = excluded.quality where legs.tenant_id = $2",
        args![
            leg.id,
            scope.tenant(),
            leg.call,
            leg.side,
            leg.party,
            leg.device,
            leg.trunk,
            leg.sip_call_id,
            leg.codec,
            leg.started_at,
            leg.answered_at,
            leg.ended_at,
            leg.cause,
            quality,
            leg.user,
            leg.browser
        ],
    )
    .await?;
    Ok(())
}

impl Calls {
    /// Writes a call that begins, with the legs it has. The row exists before the caller hears an
    /// answer, so that nothing on disk is ever without an owner.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin(&self, call: &Call, legs: &[Leg]) -> Result<()> {
        let mut tx = self.scope.write().await?;
        put_call(&mut tx, call).await?;
        search::refresh(&mut tx, self.scope.tenant(), call.id).await?;
        for leg in legs {
            put_leg(&mut tx, &self.scope, leg).await?;
        }
        tx.commit().await
    }

    /// Writes a leg as it stands.
    ///
    /// # Errors
    /// There is no such call, or the database did not answer.
    pub async fn leg(&self, leg: &Leg) -> Result<()> {
        let mut tx = self.scope.write().await?;
        put_leg(&mut tx, &self.scope, leg).await?;
        tx.commit().await
    }

    /// Writes what happened in a call: `events`, of which the first is its event number `from`
    /// (0, 1, 2 …). Repeating events that stand already changes nothing.
    ///
    /// # Errors
    /// There is no such call, or the database did not answer.
    pub async fn events(&self, call: CallId, from: i64, events: &[CallEvent]) -> Result<()> {
        let mut tx = self.scope.write().await?;
        for (position, event) in (from..).zip(events) {
            tx.run(
                "insert into call_events (call_id, position, tenant_id, at, kind, leg_id, detail) \
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (call_id, position) do nothing",
                args![
                    call,
                    position,
                    self.scope.tenant(),
                    event.at,
                    event.kind,
                    event.leg,
                    event.detail
                ],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Moves a running call on. What is `None` stays; a call that has ended stays as it ended.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn progress(
        &self,
        call: CallId,
        state: CallState,
        answered_at: Option<OffsetDateTime>,
        user: Option<UserId>,
    ) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update calls set state = $3, answered_at = coalesce($4, answered_at), user_id = coalesce($5, user_id) \
             where tenant_id = $1 and id = $2 and ended_at is null",
            args![self.scope.tenant(), call, state, answered_at, user],
        )
        .await?;
        tx.commit().await
    }

    /// Writes the end of a call: its row, its legs, its recordings with the work on them, its message
    /// and the notice of a missed call, all or nothing. A second end changes nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn finish(&self, finished: &FinishedCall) -> Result<()> {
        let call = &finished.call;
        let mut tx = self.scope.write().await?;
        put_call(
            &mut tx,
            &Call {
                ended_at: None,
                ..call.clone()
            },
        )
        .await?;
        let first = tx
            .run(
                "update calls set user_id = $3, direction = $4, call_type = $5, state = $6, from_name = $7, \
                 answered_at = $8, ended_at = $9, duration_ms = $10, cause = $11, flow_version = $12, \
                 transcribe = $13, cost_micros = $14, currency = $15 \
                 where tenant_id = $1 and id = $2 and ended_at is null",
                args![
                    self.scope.tenant(),
                    call.id,
                    call.user,
                    call.direction,
                    call.call_type,
                    call.state,
                    call.from_name,
                    call.answered_at,
                    call.ended_at.unwrap_or_else(|| self.scope.now()),
                    call.duration_ms,
                    call.cause,
                    call.flow_version,
                    call.transcribe,
                    call.cost_micros,
                    call.currency
                ],
            )
            .await?;
        if first == 0 {
            return Ok(());
        }
        search::refresh(&mut tx, self.scope.tenant(), call.id).await?;
        let is_message = finished.voicemail.is_some();
        disposition::settle(&mut tx, self.scope.tenant(), (call.id, call.state), is_message).await?;
        if call.call_type == CallType::Meeting {
            // What a daemon before this one left open.
            let ended_at = call.ended_at.unwrap_or_else(|| self.scope.now());
            let reason = call.cause.map_or("", HangupCause::code);
            crate::minutes::close(&mut tx, self.scope.tenant(), call.id, ended_at, reason).await?;
        }
        if let Some(version) = call.flow_version {
            tx.run(
                "update flows set total_calls = total_calls + 1, last_used_at = $3 where tenant_id = $1 \
                 and id in (select flow_id from flow_versions where id = $2)",
                args![self.scope.tenant(), version, call.started_at],
            )
            .await?;
        }
        for leg in &finished.legs {
            put_leg(&mut tx, &self.scope, leg).await?;
        }
        for recording in &finished.recordings {
            self.put_recording(&mut tx, call.id, recording).await?;
        }
        if let Some(message) = &finished.voicemail {
            self.put_message(&mut tx, call, message).await?;
        }
        if call.state == CallState::Missed && call.direction == Direction::Inbound && finished.voicemail.is_none() {
            notices::write(
                &mut tx,
                &self.scope,
                Some(call.id),
                NoticeKind::CallMissed,
                &call.from_number,
            )
            .await?;
        }
        tx.commit().await
    }

    /// Adds a recording to a call whether it has ended or not: what a crash left in the spool.
    ///
    /// # Errors
    /// There is no such call, or the database did not answer.
    pub async fn add_recording(&self, call: CallId, recording: &NewRecording) -> Result<()> {
        let mut tx = self.scope.write().await?;
        self.put_recording(&mut tx, call, recording).await?;
        tx.commit().await
    }

    async fn put_recording(&self, tx: &mut Tx, call: CallId, recording: &NewRecording) -> Result<()> {
        let tenant = self.scope.tenant();
        if let Some(problem) = &recording.problem {
            return self.put_failed(tx, call, recording, problem).await;
        }
        let new = tx
            .run(
                "insert into recordings (id, tenant_id, call_id, capture_id, state, problem, name, description, format, \
                 duration_ms, size_bytes, sha256, blob, peaks, recorded_by, held, created_at) \
                 values ($1, $2, $3, $4, 'captured', null, $5, '', '', 0, 0, '', null, '[]', $6, 0, $7) \
                 on conflict (id) do update set state = 'captured' \
                 where recordings.tenant_id = $2 and recordings.state = 'recording'",
                args![
                    recording.id,
                    tenant,
                    call,
                    recording.capture,
                    recording.name,
                    recording.recorded_by,
                    recording.created_at
                ],
            )
            .await?;
        if new > 0 {
            let job = Job::ProcessRecording {
                tenant,
                capture: recording.capture,
                recording: recording.id,
            };
            queue::ask(tx, self.scope.store(), &job).await?;
        }
        Ok(())
    }

    /// A recording that was wanted and never began: people and programs are told.
    async fn put_failed(&self, tx: &mut Tx, call: CallId, recording: &NewRecording, problem: &str) -> Result<()> {
        let new = tx
            .run(
                "insert into recordings (id, tenant_id, call_id, capture_id, state, problem, name, description, format, \
                 duration_ms, size_bytes, sha256, blob, peaks, recorded_by, held, created_at) \
                 values ($1, $2, $3, null, 'failed', $4, $5, '', '', 0, 0, '', null, '[]', $6, 0, $7) \
                 on conflict (id) do nothing",
                args![
                    recording.id,
                    self.scope.tenant(),
                    call,
                    problem,
                    recording.name,
                    recording.recorded_by,
                    recording.created_at
                ],
            )
            .await?;
        if new > 0 {
            notices::write(tx, &self.scope, Some(call), NoticeKind::RecordingFailed, problem).await?;
            let recordings = self.scope.recordings();
            recordings.tell_programs(tx, recording.id, "recording_failed").await?;
        }
        Ok(())
    }

    async fn put_message(&self, tx: &mut Tx, call: &Call, message: &NewVoicemail) -> Result<()> {
        tx.run(
            "insert into voicemails (id, tenant_id, user_id, call_id, recording_id, from_number, to_number, \
             duration_ms, is_read, is_deleted, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9) \
             on conflict (id) do nothing",
            args![
                message.id,
                self.scope.tenant(),
                message.user,
                call.id,
                message.recording,
                call.from_number,
                call.to_number,
                message.duration_ms,
                self.scope.now()
            ],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// The calls of all tenants that have no end: after a start, those a crash left open.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn unfinished_calls(&self) -> Result<Vec<Call>> {
        self.read_all()
            .await?
            .all(
                "select id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
                 started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, \
                 cost_micros, currency from calls where ended_at is null order by id",
                args![],
            )
            .await?
            .iter()
            .map(call_of)
            .collect()
    }
}
