//! `/api/transcription`: transcripts on demand and what was understood of them.

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, seconds, stamp};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use strowger_model::captions::{self, Form};
use strowger_model::role::Permission;
use strowger_model::speech::{Point, Segment, Suggestion, Topic};
use strowger_model::transcript::{Transcript, TranscriptSource};
use strowger_model::{CallId, RecordingId, TranscriptId, VoicemailId};
use strowger_store::{Actor, Scope, TranscriptFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(request))
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(file))
}

/// A transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TranscriptJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// `call`, `voicemail` or `recording`.
    source_type: String,
    /// The id of that call, message or recording.
    source_id: Uuid,
    /// The recording it is the text of.
    recording_id: Uuid,
    /// The call.
    call_id: Uuid,
    /// `queued`, `running`, `ready` or `failed`.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Where the audio is.
    audio_url: String,
    /// Length of the audio.
    audio_duration_seconds: i64,
    /// The whole text.
    text: String,
    /// ISO 639-1 code.
    language: Option<String>,
    /// The mean confidence, 0 to 1.
    confidence: f64,
    /// `positive`, `neutral` or `negative`, once understood; none where it is in a language the rules of this machine do not
    /// know and nobody else was asked.
    sentiment: Option<&'static str>,
    /// The mood as a figure, −1 to 1.
    sentiment_score: Option<f64>,
    /// One to three sentences.
    summary: Option<String>,
    /// What mattered.
    key_points: Vec<PointJson>,
    /// Who promised or asked what.
    action_items: Vec<PointJson>,
    /// What it was about, what was heard most first.
    topics: Vec<TopicJson>,
    /// How the call seems to have ended; a person decides.
    outcome: Option<OutcomeJson>,
    /// Who made it.
    provider: String,
    /// With what model.
    model: String,
    /// What transcript and understanding cost, in the currency of the house; nothing when made on this machine.
    cost: f64,
    /// Seconds of processor time this machine took to hear it; nothing where a provider heard it.
    cpu_seconds: f64,
    /// That for each second of audio: below 1 is faster than the talk was. None until it is heard, or where a provider did.
    real_time_factor: Option<f64>,
    /// Tokens asked and answered with to understand it.
    tokens: i64,
    /// Who understood it.
    analysed_by: Option<String>,
    /// Providers that were asked to understand it and failed, each with the reason.
    passed_over: Vec<String>,
    /// The turns in order, in the answer for one transcript only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    segments: Vec<SegmentJson>,
    /// When it was asked for.
    created_at: String,
    /// When it was ready.
    completed_at: Option<String>,
}

/// A line of the understanding.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PointJson {
    /// The text.
    text: String,
    /// Who said it.
    speaker: String,
    /// Where, milliseconds from the start.
    at_ms: i64,
}

/// What a call was about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopicJson {
    /// The name of a list, or words that were said.
    name: String,
    /// Whether it is the name of a list.
    listed: bool,
    /// In how many sentences it was heard.
    times: i64,
    /// The sentence in which it was heard first.
    text: String,
    /// Who said that.
    speaker: String,
    /// Where, milliseconds from the start.
    at_ms: i64,
    /// Who heard it: `local-rules`, or a provider's name.
    provider: String,
}

impl From<Topic> for TopicJson {
    fn from(topic: Topic) -> Self {
        Self {
            name: topic.name,
            listed: topic.listed,
            times: topic.times,
            text: topic.text,
            speaker: topic.speaker,
            at_ms: topic.at_ms,
            provider: topic.provider,
        }
    }
}

/// How a call seems to have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutcomeJson {
    /// `resolved`, `follow_up`, `callback_promised`, `appointment`, `sale`, `complaint_open`, `not_interested`,
    /// `wrong_number`, `voicemail` or `no_result`.
    disposition: &'static str,
    /// The sentence that tells; empty where nothing was said.
    text: String,
    /// Who said it.
    speaker: String,
    /// Where, milliseconds from the start.
    at_ms: i64,
    /// Who suggests it: `local-rules`, or a provider's name.
    provider: String,
}

impl From<Suggestion> for OutcomeJson {
    fn from(told: Suggestion) -> Self {
        Self {
            disposition: told.ending.code(),
            text: told.text,
            speaker: told.speaker,
            at_ms: told.at_ms,
            provider: told.provider,
        }
    }
}

/// A turn.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentJson {
    /// Who spoke.
    speaker: String,
    /// The channel: 0 is the caller.
    channel: u8,
    /// Start, milliseconds from the start of the recording.
    start_ms: i64,
    /// End, milliseconds from the start of the recording.
    end_ms: i64,
    /// What was said.
    text: String,
    /// The mean of its words' confidence, 0 to 1.
    confidence: f64,
    /// The mood of this turn.
    sentiment: &'static str,
    /// The words with their times.
    words: Vec<WordJson>,
}

/// A word.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WordJson {
    /// As written.
    text: String,
    /// Start, milliseconds from the start of the recording.
    start_ms: i64,
    /// End, milliseconds from the start of the recording.
    end_ms: i64,
    /// How sure the model was, 0 to 1.
    confidence: f64,
    /// Whether that is so little that the word may well be wrong (below 0.5).
    unsure: bool,
}

impl From<Point> for PointJson {
    fn from(point: Point) -> Self {
        Self {
            text: point.text,
            speaker: point.speaker,
            at_ms: point.at_ms,
        }
    }
}

impl From<Segment> for SegmentJson {
    fn from(segment: Segment) -> Self {
        Self {
            speaker: segment.speaker,
            channel: segment.channel,
            start_ms: segment.start_ms,
            end_ms: segment.end_ms,
            text: segment.text,
            confidence: segment.confidence,
            sentiment: segment.sentiment.code(),
            words: segment
                .words
                .into_iter()
                .map(|word| WordJson {
                    unsure: word.is_unsure(),
                    text: word.text,
                    start_ms: word.start_ms,
                    end_ms: word.end_ms,
                    confidence: word.confidence,
                })
                .collect(),
        }
    }
}

impl From<Transcript> for TranscriptJson {
    #[expect(
        clippy::cast_precision_loss,
        reason = "no transcript costs nine quadrillion millionths"
    )]
    fn from(transcript: Transcript) -> Self {
        let analysis = transcript.analysis.as_ref();
        let real_time_factor = transcript.real_time_factor();
        let mood = transcript.heard_mood();
        let sentiment = mood.map(|analysis| analysis.sentiment.code());
        let sentiment_score = mood.map(|analysis| analysis.sentiment_score);
        let summary = analysis.map(|analysis| analysis.summary.clone());
        let usage = analysis.map(|analysis| &analysis.usage);
        let cost_micros = transcript.cost_micros + usage.map_or(0, |usage| usage.cost_micros);
        let points = |of: fn(&strowger_model::speech::Analysis) -> &Vec<Point>| -> Vec<PointJson> {
            analysis
                .into_iter()
                .flat_map(of)
                .cloned()
                .map(PointJson::from)
                .collect()
        };
        Self {
            id: transcript.id.uuid(),
            tenant_id: transcript.tenant.uuid(),
            source_type: transcript.source.code().to_owned(),
            source_id: transcript.source.id(),
            recording_id: transcript.recording.uuid(),
            call_id: transcript.call.uuid(),
            status: transcript.state,
            problem: transcript.problem,
            audio_url: format!("/api/recordings/{}/audio", transcript.recording),
            audio_duration_seconds: seconds(transcript.audio_ms),
            text: transcript.text,
            language: transcript.language,
            confidence: transcript.confidence,
            sentiment,
            sentiment_score,
            summary,
            key_points: points(|analysis| &analysis.key_points),
            action_items: points(|analysis| &analysis.action_items),
            topics: analysis
                .into_iter()
                .flat_map(|analysis| analysis.topics.clone())
                .map(TopicJson::from)
                .collect(),
            outcome: analysis
                .and_then(|analysis| analysis.outcome.clone())
                .map(OutcomeJson::from),
            provider: transcript.provider,
            model: transcript.model,
            cost: cost_micros as f64 / 1e6,
            cpu_seconds: transcript.cpu_seconds,
            real_time_factor,
            tokens: usage.map_or(0, |usage| usage.tokens_asked + usage.tokens_answered),
            analysed_by: analysis.map(|analysis| analysis.provider.clone()),
            passed_over: usage.map(|usage| usage.passed_over.clone()).unwrap_or_default(),
            segments: transcript.segments.into_iter().map(SegmentJson::from).collect(),
            created_at: stamp(transcript.created_at),
            completed_at: transcript.finished_at.map(stamp),
        }
    }
}

/// What is to be transcribed: one of the ids, or `source_type` with `source_id`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RequestBody {
    /// `call`, `voicemail` or `recording`.
    #[serde(default)]
    source_type: Option<String>,
    /// Its id.
    #[serde(default)]
    source_id: Option<Uuid>,
    /// A call: its first recording.
    #[serde(default)]
    call_id: Option<Uuid>,
    /// A message.
    #[serde(default)]
    voicemail_id: Option<Uuid>,
    /// A recording.
    #[serde(default)]
    recording_id: Option<Uuid>,
}

impl RequestBody {
    fn source(&self) -> Option<(&str, Uuid)> {
        let named = self.source_type.as_deref().zip(self.source_id);
        named
            .or_else(|| Some(("recording", self.recording_id?)))
            .or_else(|| Some(("voicemail", self.voicemail_id?)))
            .or_else(|| Some(("call", self.call_id?)))
    }
}

impl Checked for RequestBody {
    fn check(&self, faults: &mut Faults) {
        let only_id = self.source_id.is_some() && self.source_type.is_none();
        let lacking = if only_id { "source_type" } else { "source_id" };
        faults.unless(self.source().is_some(), lacking, "say what is to be transcribed");
        let kind = self.source_type.as_deref();
        let known = kind.is_none_or(|kind| TranscriptSource::CODES.contains(&kind));
        faults.unless(known, "source_type", "call, voicemail or recording");
    }
}

/// Asks for a transcript. Asking again for the same audio answers the same transcript.
#[utoipa::path(
    post, path = "/api/transcription/request", tag = "transcription", request_body = RequestBody,
    responses((status = 202, description = "It is there or being made", body = TranscriptJson), Refusals, Named, Sent)
)]
pub(crate) async fn request(
    caller: Caller,
    Body(body): Body<RequestBody>,
) -> Result<(StatusCode, Json<TranscriptJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let settings = scope.settings().resolve().await?;
    if !settings.switch("enable_ai_transcription") {
        let detail = "transcription is switched off for this tenant";
        return Err(
            Problem::new(StatusCode::FORBIDDEN, "transcription_off", detail).hint("set enable_ai_transcription")
        );
    }
    let recording = recording_of(&scope, body.source()).await?;
    let actor = Actor::named(caller.actor());
    let transcripts = scope.transcripts();
    let asked = match body.source() {
        Some(("recording", _)) => transcripts.request_recording(&actor, recording).await?,
        _ => transcripts.request(&actor, recording).await?,
    };
    let id = asked.ok_or_else(|| Problem::not_found("recording"))?;
    let transcript = scope.transcripts().get(id).await?;
    let transcript = transcript.ok_or_else(|| Problem::not_found("transcript"))?;
    Ok((StatusCode::ACCEPTED, Json(transcript.into())))
}

async fn recording_of(scope: &Scope, source: Option<(&str, Uuid)>) -> Result<RecordingId, Problem> {
    let Some((kind, id)) = source else {
        return Err(Problem::field("source_id", "say what is to be transcribed"));
    };
    match kind {
        "call" => {
            let recordings = scope.recordings().of_call(CallId::from_uuid(id)).await?;
            let first = recordings.into_iter().find(|recording| recording.state != "erased");
            first
                .map(|recording| recording.id)
                .ok_or_else(|| Problem::not_found("call with a recording"))
        }
        "voicemail" => {
            let message = scope.voicemails().get(VoicemailId::from_uuid(id)).await?;
            message
                .map(|message| message.recording)
                .ok_or_else(|| Problem::not_found("message"))
        }
        _ => Ok(RecordingId::from_uuid(id)),
    }
}

/// Which transcripts are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TranscriptsQuery {
    /// Those whose text holds this.
    search: Option<String>,
    /// `call`, `voicemail` or `recording`.
    source_type: Option<String>,
    /// `queued`, `running`, `ready` or `failed`.
    status: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists transcripts, newest first, without their turns.
#[utoipa::path(
    get, path = "/api/transcription", tag = "transcription", params(TranscriptsQuery),
    responses((status = 200, description = "The transcripts", body = Listing<TranscriptJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<TranscriptsQuery>,
) -> Result<Json<Listing<TranscriptJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    one_of("source_type", query.source_type.as_deref(), &TranscriptSource::CODES)?;
    one_of("status", query.status.as_deref(), &STATES)?;
    let filter = TranscriptFilter {
        search: query.search,
        source: query.source_type,
        state: query.status,
    };
    let paged = scope
        .transcripts()
        .list(&filter, &page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, TranscriptJson::from)))
}

/// The words of [`TranscriptJson::status`].
const STATES: [&str; 4] = ["queued", "running", "ready", "failed"];

fn one_of(field: &'static str, wanted: Option<&str>, words: &[&str]) -> Result<(), Problem> {
    match wanted.filter(|word| !words.contains(word)) {
        Some(word) => Err(Problem::field(field, format!("`{word}` is none of the words it takes"))),
        None => Ok(()),
    }
}

/// One transcript with its turns.
#[utoipa::path(
    get, path = "/api/transcription/{id}", tag = "transcription",
    params(("id" = Uuid, Path, description = "The transcript's id")),
    responses((status = 200, description = "The transcript", body = TranscriptJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<TranscriptId>) -> Result<Json<TranscriptJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let transcript = scope.transcripts().get(id).await?;
    Ok(Json(transcript.ok_or_else(|| Problem::not_found("transcript"))?.into()))
}

/// The form a transcript is wanted in.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// `vtt` (captions with a time for each word), `srt`, `txt` or `json`; `vtt` when absent.
    format: Option<String>,
}

/// A transcript as a file: captions for a player, or plain text. Each request is written to the audit log.
#[utoipa::path(
    get, path = "/api/transcription/{id}/file", tag = "transcription",
    params(("id" = Uuid, Path, description = "The transcript's id"), FileQuery),
    responses(
        (status = 200, description = "The file", content_type = "text/vtt", body = String),
        Refusals, Named
    )
)]
pub(crate) async fn file(
    caller: Caller,
    Id(id): Id<TranscriptId>,
    Asked(query): Asked<FileQuery>,
) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let form = Form::from_code(query.format.as_deref().unwrap_or("vtt"));
    let form = form.ok_or_else(|| Problem::field("format", "one of `vtt`, `srt`, `txt` and `json`"))?;
    let transcript = scope.transcripts().get(id).await?;
    let transcript = transcript.ok_or_else(|| Problem::not_found("transcript"))?;
    let audit = scope.audit();
    let (actor, target) = (Actor::named(caller.actor()), id.to_string());
    audit.write(&actor, "transcript.export", &target, form.code()).await?;
    let kind = [(header::CONTENT_TYPE, form.media_type())];
    Ok((
        kind,
        captions::write(&transcript.segments, transcript.language.as_deref(), form),
    )
        .into_response())
}

/// Removes a transcript; the recording stays and can be transcribed again.
#[utoipa::path(
    delete, path = "/api/transcription/{id}", tag = "transcription",
    params(("id" = Uuid, Path, description = "The transcript's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<TranscriptId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let removed = scope.transcripts().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("transcript"))
    }
}
