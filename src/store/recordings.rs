//! Recordings: from capture to sealed audio.

use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Engine, Page, Paged, Row, Tx, args, cut};
use crate::transcripts;
use crate::{Result, Scope, notices, room_webhooks};
use std::collections::HashSet;
use strowger_model::job::NoticeKind;
use strowger_model::record::Recording;
use strowger_model::settings::Settings;
use strowger_model::transcript::TranscriptSource;
use strowger_model::{CallId, CallType, CaptureId, RecordingId, TenantId, UserId};

/// What processing made of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingResult {
    /// `ogg/opus`.
    pub format: String,
    /// Samples a second.
    pub sample_rate_hz: i64,
    /// Length.
    pub duration_ms: i64,
    /// Size of the audio before sealing.
    pub size_bytes: i64,
    /// SHA-256 of the audio before sealing, hexadecimal.
    pub sha256: String,
    /// The key of its blob, already written.
    pub blob: String,
    /// 400 peaks a channel, 0–255.
    pub peaks: Vec<Vec<u8>>,
}

/// What processing made of one speaker of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackResult {
    /// Who, as their token named them.
    pub identity: String,
    /// Their name as shown.
    pub name: String,
    /// The key of its blob, already written.
    pub blob: String,
    /// Length: the recording's.
    pub duration_ms: i64,
    /// Size of the audio before sealing.
    pub size_bytes: i64,
    /// SHA-256 of the audio before sealing, hexadecimal.
    pub sha256: String,
    /// 400 peaks, 0–255.
    pub peaks: Vec<u8>,
}

/// Audio in which stretches were silenced, to be put in the place of what there was.
#[derive(Debug, Clone, PartialEq)]
pub struct Silenced {
    /// The recording.
    pub recording: RecordingId,
    /// The blob it was made from.
    pub former: String,
    /// The whole.
    pub whole: RecordingResult,
    /// Each speaker of a meeting whose track changed.
    pub tracks: Vec<SilencedTrack>,
    /// How many stretches were silenced.
    pub stretches: usize,
}

/// A speaker's track in which stretches were silenced.
#[derive(Debug, Clone, PartialEq)]
pub struct SilencedTrack {
    /// Its position.
    pub position: i64,
    /// The blob it was made from.
    pub former: String,
    /// What it is now.
    pub result: TrackResult,
}

/// What follows once a recording is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It is transcribed.
    Transcribe,
    /// Nothing.
    Nothing,
}

area! {
    /// The recordings of the tenant.
    Recordings, recordings
}

pub(crate) fn recording_of(row: &Row) -> Result<Recording> {
    Ok(Recording {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        call: row.parse("call_id")?,
        capture: row.opt_parse("capture_id")?,
        state: row.text("state")?,
        problem: row.opt_text("problem")?,
        name: row.text("name")?,
        description: row.text("description")?,
        format: row.text("format")?,
        duration_ms: row.int("duration_ms")?,
        size_bytes: row.int("size_bytes")?,
        sha256: row.text("sha256")?,
        blob: row.opt_text("blob")?,
        peaks: row.json("peaks")?,
        recorded_by: row.text("recorded_by")?,
        held: row.switch("held")?,
        created_at: row.time("created_at")?,
        sample_rate_hz: row.opt_int("sample_rate_hz")?,
    })
}

impl Recordings {
    pub(crate) const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The recordings, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Recording>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and id < $2 order by id desc limit $3",
                args![self.scope.tenant(), page.before_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, recording_of, |recording| recording.id.to_string())
    }

    /// The recordings of a call in order.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_call(&self, call: CallId) -> Result<Vec<Recording>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and call_id = $2 order by created_at, id",
                args![self.scope.tenant(), call],
            )
            .await?
            .iter()
            .map(recording_of)
            .collect()
    }

    /// Which of the recordings from the first id to the last lie in the bucket.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn in_bucket(&self, first: RecordingId, last: RecordingId) -> Result<HashSet<RecordingId>> {
        self.scope
            .read()
            .await?
            .all(
                "select r.id from recordings r join object_keys k on k.tenant_id = r.tenant_id and k.blob = r.blob \
                 where r.tenant_id = $1 and r.id >= $2 and r.id <= $3 and k.tier = 'bucket'",
                args![self.scope.tenant(), first.min(last), first.max(last)],
            )
            .await?
            .iter()
            .map(|row| row.parse("id"))
            .collect()
    }

    /// One recording.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, recording: RecordingId) -> Result<Option<Recording>> {
        self.read(&mut self.scope.read().await?, recording).await
    }

    async fn read(&self, tx: &mut Tx, recording: RecordingId) -> Result<Option<Recording>> {
        tx.one(
            "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
             size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
             where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), recording],
        )
        .await?
        .map(|row| recording_of(&row))
        .transpose()
    }

    /// Whether settings or the call ask for a transcript of this recording: a message by
    /// `auto_transcribe_voicemails`, a meeting by `auto_transcribe_rooms`, a call by its own wish or
    /// `auto_transcribe_calls`, and none where `enable_ai_transcription` is off.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn afterwards(&self, recording: RecordingId) -> Result<Afterwards> {
        let Some((row, mailbox, settings)) = self.asked(recording).await? else {
            return Ok(Afterwards::Nothing);
        };
        let wished = match row.code("call_type", CallType::from_code)? {
            _ if mailbox.is_some() => settings.switch("auto_transcribe_voicemails"),
            CallType::Meeting => settings.switch("auto_transcribe_rooms"),
            CallType::Internal | CallType::CustomerInbound | CallType::CustomerOutbound => {
                settings.switch("auto_transcribe_calls")
            }
        };
        let wished = wished || row.switch("transcribe")?;
        Ok(if wished && settings.switch("enable_ai_transcription") {
            Afterwards::Transcribe
        } else {
            Afterwards::Nothing
        })
    }

    /// The settings that hold for a recording: those of the person whose call or message it is.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn settings(&self, recording: RecordingId) -> Result<Settings> {
        match self.asked(recording).await? {
            Some((_, _, settings)) => Ok(settings),
            None => self.scope.settings().resolve().await,
        }
    }

    /// The call of a recording, whose mailbox it lies in, and the settings that hold.
    async fn asked(&self, recording: RecordingId) -> Result<Option<(Row, Option<UserId>, Settings)>> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select c.transcribe, c.user_id, c.call_type, v.user_id as mailbox from recordings r \
                 join calls c on c.id = r.call_id left join voicemails v on v.recording_id = r.id \
                 where r.tenant_id = $1 and r.id = $2",
                args![self.scope.tenant(), recording],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mailbox: Option<UserId> = row.opt_parse("mailbox")?;
        let settings = match mailbox.or(row.opt_parse("user_id")?) {
            Some(user) => self.scope.settings().resolve_for(user).await?,
            None => self.scope.settings().resolve().await?,
        };
        Ok(Some((row, mailbox, settings)))
    }

    /// Keeps what processing made: the row, the notice, the message's length and the transcript with
    /// its job, all or nothing. Doing it twice changes nothing. Returns whether it was the first time;
    /// when not, the caller erases the blob it brought.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ready(&self, recording: RecordingId, result: &RecordingResult, then: Afterwards) -> Result<bool> {
        self.ready_with_tracks(recording, result, &[], then).await
    }

    /// As [`Recordings::ready`], with each speaker alone beside the whole.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ready_with_tracks(
        &self,
        recording: RecordingId,
        result: &RecordingResult,
        tracks: &[TrackResult],
        then: Afterwards,
    ) -> Result<bool> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "update recordings set state = 'ready', problem = null, format = $3, duration_ms = $4, \
                 size_bytes = $5, sha256 = $6, blob = $7, peaks = $8, sample_rate_hz = $9 \
                 where tenant_id = $1 and id = $2 and state in ('captured', 'failed') returning call_id, recorded_by",
                args![
                    tenant,
                    recording,
                    result.format,
                    result.duration_ms,
                    result.size_bytes,
                    result.sha256,
                    result.blob,
                    serde_json::json!(result.peaks),
                    result.sample_rate_hz
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        let call: CallId = row.parse("call_id")?;
        for (position, track) in (0_i64..).zip(tracks) {
            put_track(&mut tx, tenant, recording, position, track).await?;
        }
        let message = tx
            .one(
                "update voicemails set duration_ms = $3 where tenant_id = $1 and recording_id = $2 returning id",
                args![tenant, recording, result.duration_ms],
            )
            .await?
            .map(|row| row.parse("id"))
            .transpose()?;
        let kind = if message.is_some() {
            NoticeKind::VoicemailReady
        } else {
            NoticeKind::RecordingReady
        };
        notices::write(&mut tx, &self.scope, Some(call), kind, "").await?;
        self.tell_programs(&mut tx, recording, "recording_completed").await?;
        match then {
            Afterwards::Transcribe => {
                let source = transcripts::nature(recording, message, &row.text("recorded_by")?);
                let source = source.unwrap_or(TranscriptSource::Call(call));
                transcripts::ask(&mut tx, &self.scope, recording, call, source).await?;
            }
            Afterwards::Nothing => {}
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The capture behind the recording was erased after processing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn capture_erased(&self, recording: RecordingId) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update recordings set capture_id = null where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), recording],
        )
        .await?;
        tx.commit().await
    }

    /// The recording could not be made: the reason and the notice.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn failed(&self, recording: RecordingId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "update recordings set state = 'failed', problem = $3 \
                 where tenant_id = $1 and id = $2 and state = 'captured' returning call_id",
                args![self.scope.tenant(), recording, problem],
            )
            .await?;
        if let Some(row) = row {
            let call: CallId = row.parse("call_id")?;
            notices::write(&mut tx, &self.scope, Some(call), NoticeKind::RecordingFailed, problem).await?;
            self.tell_programs(&mut tx, recording, "recording_failed").await?;
        }
        tx.commit().await
    }

    /// Lets webhooks know how a recording came out.
    pub(crate) async fn tell_programs(&self, tx: &mut Tx, recording: RecordingId, event: &str) -> Result<()> {
        let Some(found) = self.read(tx, recording).await? else {
            return Ok(());
        };
        let is_ready = found.state == "ready";
        let about = serde_json::json!({
            "id": found.id, "callId": found.call, "tenantId": found.tenant, "status": found.state,
            "problem": found.problem, "recordedBy": found.recorded_by, "format": found.format,
            "durationMs": found.duration_ms, "sizeBytes": found.size_bytes, "sha256": found.sha256,
            "startedAt": found.created_at.unix_timestamp(),
            "url": is_ready.then(|| format!("/api/recordings/{}/audio", found.id)),
        });
        room_webhooks::post_all(tx, &self.scope, event, &about).await
    }

    /// Renames a recording. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn rename(&self, actor: &Actor, recording: RecordingId, name: &str, description: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update recordings set name = $3, description = $4 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), recording, name, description],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope
            .note(&mut tx, actor, "recording.rename", &recording, name)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts a recording under a legal hold: nothing removes it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn hold(&self, actor: &Actor, recording: RecordingId) -> Result<bool> {
        self.set_held(actor, recording, true, "recording.hold").await
    }

    /// Ends a legal hold.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn release(&self, actor: &Actor, recording: RecordingId) -> Result<bool> {
        self.set_held(actor, recording, false, "recording.release").await
    }

    async fn set_held(&self, actor: &Actor, recording: RecordingId, held: bool, action: &'static str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update recordings set held = $3 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), recording, held],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope.note(&mut tx, actor, action, &recording, "").await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Erases a recording's audio and transcript; the row stays in state `erased`. One under a legal
    /// hold stays whole. Returns whether it was erased.
    ///
    /// # Errors
    /// A legal hold keeps it, or the database did not answer.
    pub async fn erase(&self, actor: &Actor, recording: RecordingId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let Some(found) = self.read(&mut tx, recording).await? else {
            return Ok(false);
        };
        if !is_free(&mut tx, &found).await? {
            return Err(crate::Error::State {
                what: "this recording",
                state: "under a legal hold".to_owned(),
                wish: "be erased",
            });
        }
        let gone = erase_audio(&mut tx, &found).await?;
        self.scope
            .note(&mut tx, actor, "recording.erase", &recording, "")
            .await?;
        tx.commit().await?;
        forget_audio(&self.scope, &gone).await?;
        // Its key goes from the log of changes as well. The copy, which a damaged database is put back from, is made anew
        // within minutes: without one for every recording that is erased there would often be none. PostgreSQL's dead rows
        // wait for its own vacuum: that looks at the whole database.
        if self.scope.store().db().engine() == Engine::Sqlite {
            self.scope.store().cut_log().await?;
        }
        Ok(true)
    }
}

impl crate::Store {
    /// The captures of calls that have ended whose recordings are written: their work was asked for with them.
    pub(crate) async fn captures_settled(&self) -> Result<HashSet<CaptureId>> {
        self.read_all()
            .await?
            .all(
                "select r.capture_id from recordings r join calls c on c.id = r.call_id \
                 where r.capture_id is not null and r.state <> 'recording' and c.ended_at is not null",
                args![],
            )
            .await?
            .iter()
            .map(|row| row.parse("capture_id"))
            .collect()
    }
}

/// Puts silenced audio in the place of a recording's in the caller's transaction and destroys the keys of
/// what was there. Nothing changes when the recording is not as it was read, or held. Returns the blobs
/// whose files are to be removed after the commit: the old ones, or the new ones when nothing changed.
pub(crate) async fn put_silenced(tx: &mut Tx, scope: &Scope, silenced: &Silenced) -> Result<Vec<String>> {
    let tenant = scope.tenant();
    let mut fresh = vec![silenced.whole.blob.clone()];
    fresh.extend(silenced.tracks.iter().map(|track| track.result.blob.clone()));
    let touched = tx
        .run(
            "update recordings set blob = $4, size_bytes = $5, sha256 = $6, peaks = $7 \
             where tenant_id = $1 and id = $2 and blob = $3 and state = 'ready' and held = 0",
            args![
                tenant,
                silenced.recording,
                silenced.former,
                silenced.whole.blob,
                silenced.whole.size_bytes,
                silenced.whole.sha256,
                serde_json::json!(silenced.whole.peaks)
            ],
        )
        .await?;
    if touched == 0 {
        for blob in &fresh {
            crate::blobs::destroy_key(tx, tenant, blob).await?;
        }
        return Ok(fresh);
    }
    let mut gone = vec![silenced.former.clone()];
    for track in &silenced.tracks {
        tx.run(
            "update recording_tracks set blob = $4, size_bytes = $5, sha256 = $6, peaks = $7 \
             where tenant_id = $1 and recording_id = $2 and position = $3",
            args![
                tenant,
                silenced.recording,
                track.position,
                track.result.blob,
                track.result.size_bytes,
                track.result.sha256,
                serde_json::json!(track.result.peaks)
            ],
        )
        .await?;
        gone.push(track.former.clone());
    }
    for blob in &gone {
        crate::blobs::destroy_key(tx, tenant, blob).await?;
    }
    let detail = format!("{} stretches", silenced.stretches);
    scope
        .note(tx, &Actor::system(), "recording.redact", &silenced.recording, &detail)
        .await?;
    Ok(gone)
}

async fn put_track(
    tx: &mut Tx,
    tenant: TenantId,
    recording: RecordingId,
    position: i64,
    track: &TrackResult,
) -> Result<()> {
    tx.run(
        "insert into recording_tracks (recording_id, position, tenant_id, identity, name, blob, duration_ms, \
         size_bytes, sha256, peaks) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            recording,
            position,
            tenant,
            track.identity,
            track.name,
            track.blob,
            track.duration_ms,
            track.size_bytes,
            track.sha256,
            serde_json::json!(track.peaks)
        ],
    )
    .await?;
    Ok(())
}

/// What is left to remove after the commit that destroyed the keys of recordings.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    blobs: Vec<String>,
    captures: Vec<CaptureId>,
}

/// Destroys the keys of all audio of a recording and notes what is to be removed.
pub(crate) async fn destroy_keys(tx: &mut Tx, recording: &Recording, gone: &mut Gone) -> Result<()> {
    let tracks = tx
        .all(
            "select blob from recording_tracks where tenant_id = $1 and recording_id = $2",
            args![recording.tenant, recording.id],
        )
        .await?;
    let mut blobs: Vec<String> = tracks.iter().map(|row| row.text("blob")).collect::<Result<_>>()?;
    blobs.extend(recording.blob.clone());
    for blob in &blobs {
        crate::blobs::destroy_key(tx, recording.tenant, blob).await?;
    }
    gone.blobs.append(&mut blobs);
    let mut source = crate::uploads::destroy_of(tx, recording.tenant, recording.id).await?;
    gone.blobs.append(&mut source);
    gone.captures.extend(recording.capture);
    Ok(())
}

/// Destroys the keys of a recording's audio, removes its tracks and its transcript and marks the row;
/// [`forget_audio`] removes the rest after the commit.
pub(crate) async fn erase_audio(tx: &mut Tx, recording: &Recording) -> Result<Gone> {
    let mut gone = Gone::default();
    destroy_keys(tx, recording, &mut gone).await?;
    let key = || args![recording.tenant, recording.id];
    tx.run(
        "delete from recording_tracks where tenant_id = $1 and recording_id = $2",
        key(),
    )
    .await?;
    tx.run(
        "delete from transcripts where tenant_id = $1 and recording_id = $2",
        key(),
    )
    .await?;
    crate::calls::search::refresh(tx, recording.tenant, recording.call).await?;
    tx.run(
        "update recordings set state = 'erased', blob = null, capture_id = null, peaks = '[]', sha256 = '', \
         size_bytes = 0 where tenant_id = $1 and id = $2",
        key(),
    )
    .await?;
    Ok(gone)
}

/// Whether no legal hold keeps a recording. Whoever wants to hold it from here on waits for this transaction.
pub(crate) async fn is_free(tx: &mut Tx, recording: &Recording) -> Result<bool> {
    let statement = "update recordings set held = 0 where tenant_id = $1 and id = $2 and held = 0";
    let free = tx.run(statement, args![recording.tenant, recording.id]).await?;
    Ok(free > 0)
}

/// Whether no legal hold keeps any recording of a call, as [`is_free`].
pub(crate) async fn is_call_free(tx: &mut Tx, tenant: TenantId, call: CallId) -> Result<bool> {
    let statement = "update recordings set held = 0 where tenant_id = $1 and call_id = $2 and held = 0";
    tx.run(statement, args![tenant, call]).await?;
    let held = "select count(*) as n from recordings where tenant_id = $1 and call_id = $2 and held = 1";
    Ok(tx.count(held, args![tenant, call]).await? == 0)
}

/// Removes the files of erased recordings, and the captures of those that were never processed.
pub(crate) async fn forget_audio(scope: &Scope, gone: &Gone) -> Result<()> {
    scope.blobs().unlink(&gone.blobs).await?;
    for capture in &gone.captures {
        crate::capture::erase(scope.store(), *capture).await?;
    }
    Ok(())
}
