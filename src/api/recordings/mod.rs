//! `/api/recordings`: what was recorded, and its audio with HTTP ranges.

mod audio;
mod convert;
mod range;

pub(crate) use audio::{AudioQuery, send};
pub(crate) use convert::Converter;

use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Listing, page, seconds, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_model::RecordingId;
use strowger_model::record::Recording;
use strowger_model::role::Permission;
use strowger_store::Actor;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(audio::audio))
        .routes(routes!(audio::track))
}

/// A recording.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordingJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// The call.
    call_id: Uuid,
    /// The id in Twilio's form.
    recording_sid: String,
    /// `recording`, `captured`, `ready`, `failed` or `erased`.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Where its audio is, once it is ready.
    recording_url: Option<String>,
    /// What people call it.
    name: String,
    /// One sentence.
    description: String,
    /// `ogg/opus`, stereo, caller left.
    format: String,
    /// Its length.
    duration_seconds: i64,
    /// The same in milliseconds.
    duration_ms: i64,
    /// Size of the audio in bytes.
    size_bytes: i64,
    /// SHA-256 of the audio, hexadecimal.
    sha256: String,
    /// Who asked for it: `settings`, `number`, `api` or `voicemail`.
    recorded_by: String,
    /// Whether a legal hold keeps it.
    is_held: bool,
    /// The id of its transcript.
    transcription_id: Option<Uuid>,
    /// 400 peaks a channel, 0 to 255, in the answer for one recording only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peaks: Vec<Vec<u8>>,
    /// When it began.
    created_at: String,
}

impl From<Recording> for RecordingJson {
    fn from(recording: Recording) -> Self {
        let ready = recording.state == "ready";
        Self {
            id: recording.id.uuid(),
            tenant_id: recording.tenant.uuid(),
            call_id: recording.call.uuid(),
            recording_sid: format!("RE{}", recording.id.uuid().simple()),
            recording_url: ready.then(|| format!("/api/recordings/{}/audio", recording.id)),
            status: recording.state,
            problem: recording.problem,
            name: recording.name,
            description: recording.description,
            format: recording.format,
            duration_seconds: seconds(recording.duration_ms),
            duration_ms: recording.duration_ms,
            size_bytes: recording.size_bytes,
            sha256: recording.sha256,
            recorded_by: recording.recorded_by,
            is_held: recording.held,
            transcription_id: None,
            peaks: Vec::new(),
            created_at: stamp(recording.created_at),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordingsQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists recordings, newest first.
#[utoipa::path(
    get, path = "/api/recordings", tag = "recordings", params(RecordingsQuery),
    responses((status = 200, description = "The recordings", body = Listing<RecordingJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<RecordingsQuery>,
) -> Result<Json<Listing<RecordingJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope.recordings().list(&page(query.cursor, query.limit)).await?;
    Ok(Json(Listing::of(paged, RecordingJson::from)))
}

/// One recording with its peaks.
#[utoipa::path(
    get, path = "/api/recordings/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    responses((status = 200, description = "The recording", body = RecordingJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<RecordingId>) -> Result<Json<RecordingJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let recording = scope.recordings().get(id).await?;
    let recording = recording.ok_or_else(|| Problem::not_found("recording"))?;
    let transcript = scope.transcripts().of_recording(id).await?;
    let peaks = recording.peaks.clone();
    let mut json = RecordingJson::from(recording);
    json.peaks = peaks;
    json.transcription_id = transcript.map(|transcript| transcript.id.uuid());
    Ok(Json(json))
}

/// Erases a recording's audio and its transcript; the call's row stays.
#[utoipa::path(
    delete, path = "/api/recordings/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    responses((status = 204, description = "It is erased"), Refusals, Named, Sent)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<RecordingId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let recording = scope.recordings().get(id).await?;
    let recording = recording.ok_or_else(|| Problem::not_found("recording"))?;
    if recording.held {
        return Err(Problem::conflict("held", "a legal hold keeps this recording"));
    }
    scope.recordings().erase(&Actor::named(caller.actor()), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
