//! `/api/recordings`: what was recorded, and its audio with HTTP ranges.

mod audio;
mod convert;
mod range;
mod sender;
mod upload;

pub(crate) use audio::{AudioQuery, send};
pub use convert::Converter;

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, seconds, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use strowger_model::RecordingId;
use strowger_model::record::Recording;
use strowger_model::role::Permission;
use strowger_store::{Actor, BucketHealth, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, upload::import))
        .routes(routes!(upload::create))
        .routes(routes!(upload::stands, upload::append, upload::give_up))
        .routes(routes!(storage))
        .routes(routes!(get, change, remove))
        .routes(routes!(hold, release))
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
    /// `opus`, once it is made.
    codec: Option<String>,
    /// Samples a second; none until it is made, and for those made before this was kept.
    sample_rate_hz: Option<i64>,
    /// How many channels it has, while there is audio.
    channels: Option<usize>,
    /// Bits a second of its audio, on average.
    bitrate_bps: Option<i64>,
    /// Its length.
    duration_seconds: i64,
    /// The same in milliseconds.
    duration_ms: i64,
    /// Size of the audio in bytes.
    size_bytes: i64,
    /// SHA-256 of the audio, hexadecimal.
    sha256: String,
    /// Who asked for it: `settings`, `number`, `api`, `voicemail`, `host`, `egress`, `import` or `client`.
    recorded_by: String,
    /// Whether a legal hold keeps it.
    is_held: bool,
    /// Where the audio lies: `local` or `bucket`.
    storage: &'static str,
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
            codec: recording.format.split_once('/').map(|(_, codec)| codec.to_owned()),
            sample_rate_hz: recording.sample_rate_hz,
            channels: recording.channels(),
            bitrate_bps: recording.bits_per_second(),
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
            storage: "local",
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
    let paged = scope
        .recordings()
        .list(&page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    let far = match (paged.items.first(), paged.items.last()) {
        (Some(first), Some(last)) => scope.recordings().in_bucket(first.id, last.id).await?,
        _ => HashSet::new(),
    };
    Ok(Json(Listing::of(paged, |recording| {
        let storage = if far.contains(&recording.id) { "bucket" } else { "local" };
        RecordingJson {
            storage,
            ..RecordingJson::from(recording)
        }
    })))
}

/// Where recordings lie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StorageJson {
    /// The bucket and its host; none where the machine has no bucket.
    bucket: Option<String>,
    /// Audio files that lie there.
    moved: i64,
    /// Audio files that are due there and still on the disk.
    waiting: i64,
    /// Erased files that are still to be removed there; their keys are destroyed.
    to_remove: i64,
    /// Why the last try to move some came to nothing; it is tried again.
    problem: Option<String>,
}

/// Where recordings lie: how many moved to the bucket, what waits and why.
#[utoipa::path(
    get, path = "/api/recordings/storage", tag = "recordings",
    responses((status = 200, description = "How storage stands", body = StorageJson), Refusals)
)]
pub(crate) async fn storage(caller: Caller) -> Result<Json<StorageJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let health = scope.recordings().bucket().await?;
    let count = |of: fn(&BucketHealth) -> i64| health.as_ref().map_or(0, of);
    Ok(Json(StorageJson {
        moved: count(|health| health.moved),
        waiting: count(|health| health.waiting),
        to_remove: count(|health| health.to_remove),
        bucket: health.as_ref().map(|health| health.place.clone()),
        problem: health.and_then(|health| health.problem),
    }))
}

/// One recording with its peaks.
#[utoipa::path(
    get, path = "/api/recordings/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    responses((status = 200, description = "The recording", body = RecordingJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<RecordingId>) -> Result<Json<RecordingJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    shown(&scope, id).await
}

async fn shown(scope: &Scope, id: RecordingId) -> Result<Json<RecordingJson>, Problem> {
    let recording = scope.recordings().get(id).await?;
    let recording = recording.ok_or_else(|| Problem::not_found("recording"))?;
    let transcript = scope.transcripts().of_recording(id).await?;
    let peaks = recording.peaks.clone();
    let blob = recording.blob.clone();
    let mut json = RecordingJson::from(recording);
    json.peaks = peaks;
    if let Some(blob) = blob
        && scope.blobs().is_in_bucket(&blob).await? == Some(true)
    {
        json.storage = "bucket";
    }
    json.transcription_id = transcript.map(|transcript| transcript.id.uuid());
    Ok(Json(json))
}

/// What of a recording changes. What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RecordingChangeBody {
    /// What people call it.
    #[serde(default)]
    #[schema(example = "First talk with Maria Hansen")]
    name: Option<String>,
    /// One sentence.
    #[serde(default)]
    description: Option<String>,
}

impl Checked for RecordingChangeBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(200, "name", self.name.as_deref());
        faults.at_most(1000, "description", self.description.as_deref());
    }
}

/// Names or describes a recording.
#[utoipa::path(
    patch, path = "/api/recordings/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    request_body = RecordingChangeBody,
    responses((status = 200, description = "The recording", body = RecordingJson), Refusals, Named, Sent)
)]
pub(crate) async fn change(
    caller: Caller,
    Id(id): Id<RecordingId>,
    Body(body): Body<RecordingChangeBody>,
) -> Result<Json<RecordingJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let absent = || Problem::not_found("recording");
    let recording = scope.recordings().get(id).await?.ok_or_else(absent)?;
    let name = body.name.unwrap_or(recording.name);
    let description = body.description.unwrap_or(recording.description);
    let actor = Actor::named(caller.actor());
    if !scope.recordings().rename(&actor, id, &name, &description).await? {
        return Err(absent());
    }
    shown(&scope, id).await
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

/// Keeps a recording with its transcript and call from retention, erasure and requests of those concerned, until it is
/// released. What was asked for already changes nothing.
#[utoipa::path(
    put, path = "/api/recordings/{id}/hold", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    responses((status = 204, description = "A legal hold keeps it"), Refusals, Named)
)]
pub(crate) async fn hold(caller: Caller, Id(id): Id<RecordingId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    there(scope.recordings().hold(&actor, id).await?)
}

/// Releases a recording that a legal hold keeps: retention removes it when its time is up.
#[utoipa::path(
    delete, path = "/api/recordings/{id}/hold", tag = "recordings",
    params(("id" = Uuid, Path, description = "The recording's id")),
    responses((status = 204, description = "No legal hold keeps it"), Refusals, Named)
)]
pub(crate) async fn release(caller: Caller, Id(id): Id<RecordingId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    there(scope.recordings().release(&actor, id).await?)
}

fn there(is_there: bool) -> Result<StatusCode, Problem> {
    if is_there {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("recording"))
    }
}
