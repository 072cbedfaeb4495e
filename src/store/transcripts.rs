//! Transcripts: asked for, made, analysed, searched.

use crate::audit::Actor;
use crate::calls::search;
use crate::meanings::{self, StretchMeaning};
use crate::recordings::{Silenced, put_silenced};
use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut, escape_like};
use crate::{Error, Result, Scope, notices, queue};
use strowger_model::job::{Job, NoticeKind};
use strowger_model::record::Recording;
use strowger_model::speech::{Analysis, Segment};
use strowger_model::transcript::{Transcript, TranscriptSource};
use strowger_model::{CallId, RecordingId, TranscriptId, VoicemailId};

/// What a transcriber made.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptResult {
    /// The whole text.
    pub text: String,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// The mean confidence, 0 to 1.
    pub confidence: f64,
    /// Who made it.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Seconds of processor time it took.
    pub cpu_seconds: f64,
    /// What a provider asked for it, millionths of the currency.
    pub cost_micros: i64,
    /// Length of the audio.
    pub audio_ms: i64,
    /// The turns in order.
    pub segments: Vec<Segment>,
}

/// Which transcripts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TranscriptFilter {
    /// Those whose text holds this.
    pub search: Option<String>,
    /// Those of this source: `call`, `voicemail` or `recording`.
    pub source: Option<String>,
    /// Those in this state.
    pub state: Option<String>,
}

area! {
    /// The transcripts of the tenant.
    Transcripts, transcripts
}

pub(crate) fn transcript_of(row: &Row) -> Result<Transcript> {
    Ok(Transcript {
        segments: row.json("segments")?,
        ..listed(row)?
    })
}

fn source_of(row: &Row) -> Result<TranscriptSource> {
    let code = row.text("source")?;
    let source = TranscriptSource::read(&code, row.parse("source_id")?);
    source.ok_or(Error::Corrupt {
        column: "source",
        value: code,
    })
}

fn listed(row: &Row) -> Result<Transcript> {
    Ok(Transcript {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        recording: row.parse("recording_id")?,
        call: row.parse("call_id")?,
        source: source_of(row)?,
        state: row.text("state")?,
        problem: row.opt_text("problem")?,
        text: row.text("text")?,
        language: row.opt_text("language")?,
        confidence: row.real("confidence")?,
        provider: row.text("provider")?,
        model: row.text("model")?,
        cpu_seconds: row.real("cpu_seconds")?,
        cost_micros: row.int("cost_micros")?,
        audio_ms: row.int("audio_ms")?,
        analysis: row.opt_json("analysis")?,
        segments: Vec::new(),
        created_at: row.time("created_at")?,
        finished_at: row.opt_time("finished_at")?,
    })
}

/// What a recording is besides that of a call: a message, or brought here from outside.
pub(crate) fn nature(recording: RecordingId, message: Option<VoicemailId>, by: &str) -> Option<TranscriptSource> {
    let brought = || (by == Recording::IMPORT).then_some(TranscriptSource::Recording(recording));
    message.map(TranscriptSource::Voicemail).or_else(brought)
}

/// Asks for a recording's transcript: one a recording, whoever asks and however often. One that failed
/// is tried again.
pub(crate) async fn ask(
    tx: &mut Tx,
    scope: &Scope,
    recording: RecordingId,
    call: CallId,
    source: TranscriptSource,
) -> Result<TranscriptId> {
    let tenant = scope.tenant();
    let standing = tx
        .one(
            "select id, state from transcripts where tenant_id = $1 and recording_id = $2",
            args![tenant, recording],
        )
        .await?;
    let transcript = match standing {
        Some(row) => {
            let id = row.parse("id")?;
            if row.text("state")? != "failed" {
                return Ok(id);
            }
            tx.run(
                "update transcripts set state = 'queued', problem = null where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
            id
        }
        None => {
            let id = TranscriptId::generate(scope.world());
            tx.run(
                "insert into transcripts (id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, \
                 language, confidence, provider, model, cpu_seconds, audio_ms, analysis, segments, created_at, finished_at) \
                 values ($1, $2, $3, $4, $5, $6, 'queued', null, '', null, $7, '', '', $7, 0, null, '[]', $8, null)",
                args![id, tenant, recording, call, source.code(), source.id().to_string(), 0.0_f64, scope.now()],
            )
            .await?;
            id
        }
    };
    let job = Job::Transcribe {
        tenant,
        recording,
        transcript,
    };
    // Somebody waits for a message; a call's transcript is for later.
    let earlier = i32::from(matches!(source, TranscriptSource::Voicemail(_)));
    queue::ask_at(tx, scope.store(), &job, job.priority() - earlier).await?;
    Ok(transcript)
}

impl Transcripts {
    /// Asks for the transcript of a call's recording or of a message; a second asking finds the first. `None` when
    /// there is no such recording.
    ///
    /// # Errors
    /// The recording has no audio, or the database did not answer.
    pub async fn request(&self, actor: &Actor, recording: RecordingId) -> Result<Option<TranscriptId>> {
        self.request_of(actor, recording, TranscriptSource::Call).await
    }

    /// As [`Transcripts::request`], of a recording that somebody named.
    ///
    /// # Errors
    /// The recording has no audio, or the database did not answer.
    pub async fn request_recording(&self, actor: &Actor, recording: RecordingId) -> Result<Option<TranscriptId>> {
        let named = |_| TranscriptSource::Recording(recording);
        self.request_of(actor, recording, named).await
    }

    async fn request_of(
        &self,
        actor: &Actor,
        recording: RecordingId,
        of: impl FnOnce(CallId) -> TranscriptSource,
    ) -> Result<Option<TranscriptId>> {
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "select r.call_id, r.state, r.recorded_by, v.id as voicemail_id from recordings r \
                 left join voicemails v on v.recording_id = r.id where r.tenant_id = $1 and r.id = $2",
                args![self.scope.tenant(), recording],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let state = row.text("state")?;
        if state != "ready" {
            return Err(crate::Error::State {
                what: "this recording",
                state,
                wish: "be transcribed",
            });
        }
        let call = row.parse("call_id")?;
        let message = row.opt_parse("voicemail_id")?;
        let by = row.text("recorded_by")?;
        let source = nature(recording, message, &by).unwrap_or_else(|| of(call));
        let transcript = ask(&mut tx, &self.scope, recording, call, source).await?;
        self.scope
            .note(&mut tx, actor, "transcript.request", &transcript, "")
            .await?;
        tx.commit().await?;
        Ok(Some(transcript))
    }

    /// The transcripts, newest first, without segments.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &TranscriptFilter, page: &Page) -> Result<Paged<Transcript>> {
        let search = filter
            .search
            .as_deref()
            .map(|text| format!("%{}%", escape_like(&text.trim().to_lowercase())));
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
                 provider, model, cpu_seconds, cost_micros, audio_ms, analysis, created_at, finished_at from transcripts \
                 where tenant_id = $1 and id < $2 and ($3 is null or lower(text) like $3 escape '\\') \
                 and ($4 is null or source = $4) and ($5 is null or state = $5) order by id desc limit $6",
                args![
                    self.scope.tenant(),
                    page.before_id(),
                    search,
                    filter.source,
                    filter.state,
                    page.fetch()
                ],
            )
            .await?;
        cut(&rows, page, listed, |transcript| transcript.id.to_string())
    }

    /// One transcript with its segments.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, transcript: TranscriptId) -> Result<Option<Transcript>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
                 provider, model, cpu_seconds, cost_micros, audio_ms, analysis, segments, created_at, finished_at \
                 from transcripts where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), transcript],
            )
            .await?
            .map(|row| transcript_of(&row))
            .transpose()
    }

    /// The transcript of a recording.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_recording(&self, recording: RecordingId) -> Result<Option<Transcript>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
                 provider, model, cpu_seconds, cost_micros, audio_ms, analysis, segments, created_at, finished_at \
                 from transcripts where tenant_id = $1 and recording_id = $2",
                args![self.scope.tenant(), recording],
            )
            .await?
            .map(|row| transcript_of(&row))
            .transpose()
    }

    /// A worker has begun.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn running(&self, transcript: TranscriptId) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update transcripts set state = 'running', problem = null \
             where tenant_id = $1 and id = $2 and state in ('queued', 'failed')",
            args![self.scope.tenant(), transcript],
        )
        .await?;
        tx.commit().await
    }

    /// Keeps what was transcribed and asks for its analysis, in one transaction. Doing it twice changes
    /// nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ready(&self, transcript: TranscriptId, result: &TranscriptResult) -> Result<()> {
        self.ready_with_audio(transcript, result, None).await
    }

    /// As [`Transcripts::ready`], with the audio in which the same was silenced as is left out of the text:
    /// both or neither. The former audio's keys are destroyed.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn ready_with_audio(
        &self,
        transcript: TranscriptId,
        result: &TranscriptResult,
        silenced: Option<&Silenced>,
    ) -> Result<()> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let first = tx
            .one(
                "update transcripts set state = 'ready', problem = null, text = $3, language = $4, confidence = $5, \
                 provider = $6, model = $7, cpu_seconds = $8, audio_ms = $9, segments = $10, finished_at = $11, cost_micros = $12 \
                 where tenant_id = $1 and id = $2 and state <> 'ready' returning call_id",
                args![
                    tenant,
                    transcript,
                    result.text,
                    result.language,
                    result.confidence,
                    result.provider,
                    result.model,
                    result.cpu_seconds,
                    result.audio_ms,
                    serde_json::json!(result.segments),
                    self.scope.now(),
                    result.cost_micros
                ],
            )
            .await?;
        if let Some(row) = first {
            search::refresh(&mut tx, tenant, row.parse("call_id")?).await?;
            queue::ask(&mut tx, self.scope.store(), &Job::Analyse { tenant, transcript }).await?;
        }
        let gone = match silenced {
            Some(silenced) => put_silenced(&mut tx, &self.scope, silenced).await?,
            None => Vec::new(),
        };
        tx.commit().await?;
        self.scope.blobs().unlink(&gone).await
    }

    /// Keeps what was understood, the turns with their mood, and tells the tenant. Doing it twice tells
    /// once.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn analysed(&self, transcript: TranscriptId, analysis: &Analysis, segments: &[Segment]) -> Result<()> {
        self.analysed_with(transcript, analysis, segments, None).await
    }

    /// As [`Transcripts::analysed`], with what its stretches mean and the name of the model that told.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn analysed_with(
        &self,
        transcript: TranscriptId,
        analysis: &Analysis,
        segments: &[Segment],
        meanings: Option<(&str, &[StretchMeaning])>,
    ) -> Result<()> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "select call_id, analysis from transcripts where tenant_id = $1 and id = $2",
                args![tenant, transcript],
            )
            .await?;
        let Some(row) = row else { return Ok(()) };
        tx.run(
            "update transcripts set analysis = $3, segments = $4 where tenant_id = $1 and id = $2",
            args![
                tenant,
                transcript,
                serde_json::json!(analysis),
                serde_json::json!(segments)
            ],
        )
        .await?;
        let call: CallId = row.parse("call_id")?;
        search::refresh(&mut tx, tenant, call).await?;
        if let Some((model, meanings)) = meanings {
            meanings::put(&mut tx, &self.scope, (transcript, call), model, meanings).await?;
        }
        if row.opt_text("analysis")?.is_none() {
            notices::write(
                &mut tx,
                &self.scope,
                Some(call),
                NoticeKind::TranscriptReady,
                &analysis.summary,
            )
            .await?;
        }
        tx.commit().await
    }

    /// The transcript could not be made: the reason and the notice.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn failed(&self, transcript: TranscriptId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "update transcripts set state = 'failed', problem = $3 \
                 where tenant_id = $1 and id = $2 and state in ('queued', 'running') returning call_id",
                args![self.scope.tenant(), transcript, problem],
            )
            .await?;
        if let Some(row) = row {
            let call: CallId = row.parse("call_id")?;
            notices::write(&mut tx, &self.scope, Some(call), NoticeKind::TranscriptFailed, problem).await?;
        }
        tx.commit().await
    }

    /// Removes a transcript; the audio stays. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, transcript: TranscriptId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "delete from transcripts where tenant_id = $1 and id = $2 returning call_id",
                args![self.scope.tenant(), transcript],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        search::refresh(&mut tx, self.scope.tenant(), row.parse("call_id")?).await?;
        self.scope
            .note(&mut tx, actor, "transcript.remove", &transcript, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
