//! Recordings from outside: a file sent whole, and uploads in pieces that go on after a cut.
//!
//! `/api/uploads` speaks tus 1.0.0 (core, creation, termination), so that its stock clients work. Pieces are sealed
//! as they come; the daemon never looks into them.

use super::RecordingJson;
use super::sender::Sender;
use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::{Problem, ProblemBody};
use crate::refusals::{Named, Refusals, Sent};
use crate::wire::stamp;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_model::role::Permission;
use strowger_model::{CallId, Direction, UploadId};
use strowger_store::uploads::{About, Appended, Begun, Upload, Uploads, Wish};
use strowger_store::{Actor, Scope};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What is sealed at a time, and the most that a cut makes a client send again.
const PIECE_BYTES: usize = 1024 * 1024;
/// How long a sender may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

const TUS: &str = "1.0.0";
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// What an imported recording is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// What people call it; the file's name when absent.
    name: Option<String>,
    /// The file's own name; its ending helps to tell formats apart.
    file_name: Option<String>,
    /// Who called.
    from: Option<String>,
    /// Who was called.
    to: Option<String>,
    /// `inbound` (when absent), `outbound` or `internal`.
    direction: Option<String>,
    /// When the call began (RFC 3339); now when absent.
    started_at: Option<String>,
}

impl ImportQuery {
    fn about(self, scope: &Scope) -> Result<About, Problem> {
        let short = |text: Option<String>, field: &'static str| {
            let text = text.unwrap_or_default().trim().to_owned();
            if text.chars().count() > 200 || text.chars().any(char::is_control) {
                return Err(Problem::field(field, "at most 200 characters in one line"));
            }
            Ok(text)
        };
        let direction = self.direction.as_deref().filter(|word| !word.is_empty());
        let direction = direction.map_or(Some(Direction::Inbound), Direction::from_code);
        let started_at = match self.started_at.as_deref().filter(|text| !text.is_empty()) {
            None => scope.now(),
            Some(text) => OffsetDateTime::parse(text, &Rfc3339)
                .map_err(|_| Problem::field("started_at", "a time such as 2026-05-04T09:30:00Z"))?,
        };
        if started_at > scope.now() {
            return Err(Problem::field("started_at", "lies in the future"));
        }
        let file_name = short(self.file_name, "file_name")?;
        let name = short(self.name, "name")?;
        Ok(About {
            name: if name.is_empty() { file_name } else { name },
            from_number: short(self.from, "from")?,
            to_number: short(self.to, "to")?,
            direction: direction
                .ok_or_else(|| Problem::field("direction", "one of `inbound`, `outbound` and `internal`"))?,
            started_at,
        })
    }
}

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadJson {
    /// Its id.
    id: Uuid,
    /// `open` until it is whole, then `whole` until a worker made the recording of it.
    status: String,
    /// The call it belongs to; of an import once it is whole.
    call_id: Option<Uuid>,
    /// The recording it becomes, once it is whole.
    recording_id: Option<Uuid>,
    /// How long it will be, in bytes.
    length_bytes: u64,
    /// How much is here, in bytes.
    offset_bytes: u64,
    /// When it is given up.
    expires_at: String,
}

impl From<Upload> for UploadJson {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id.uuid(),
            status: upload.state,
            call_id: upload.call.map(CallId::uuid),
            recording_id: upload.recording.map(strowger_model::RecordingId::uuid),
            length_bytes: upload.length_bytes,
            offset_bytes: upload.offset_bytes,
            expires_at: stamp(upload.expires_at),
        }
    }
}

/// Opens an upload, or says why not.
async fn begin(scope: &Scope, actor: &Actor, wish: Wish, file_name: &str, length: u64) -> Result<Upload, Problem> {
    let limit = |code, detail| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail);
    match scope.uploads().begin(actor, wish, file_name, length).await? {
        Begun::Open(upload) => Ok(upload),
        Begun::TooLarge(most) => Err(limit(
            "too_large",
            format!("a recording has from 1 to {most} bytes here (upload_limit_mb)"),
        )),
        Begun::Full(most) => Err(limit(
            "quota",
            format!("uploads under way take all of {most} bytes (upload_quota_mb)"),
        )),
        Begun::Off => Err(Problem::conflict(
            "off",
            "the settings take no recordings of clients (client_recordings)",
        )),
        Begun::NoCall => Err(Problem::not_found("call")),
    }
}

fn length_of(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Keeps what comes, from where the upload stands. A connection that is cut leaves what it brought.
async fn take(uploads: &Uploads, actor: &Actor, mut upload: Upload, body: Body) -> Result<Upload, Problem> {
    let mut stream = body.into_data_stream();
    let mut piece: Vec<u8> = Vec::new();
    loop {
        let (came, is_end) = match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(came))) => (came, false),
            Ok(Some(Err(_)) | None) | Err(_) => (Bytes::new(), true),
        };
        piece.extend_from_slice(&came);
        while piece.len() >= PIECE_BYTES || (is_end && !piece.is_empty()) {
            let part: Vec<u8> = piece.drain(..piece.len().min(PIECE_BYTES)).collect();
            upload = match uploads.append(actor, upload.id, upload.offset_bytes, &part).await? {
                Appended::Kept(now) => now,
                Appended::Misplaced(now) => return Err(misplaced(&now)),
                Appended::Gone => return Err(Problem::not_found("upload")),
            };
        }
        if is_end {
            return Ok(upload);
        }
    }
}

fn misplaced(upload: &Upload) -> Problem {
    let detail = format!(
        "the upload stands at {} of {} bytes: go on there",
        upload.offset_bytes, upload.length_bytes
    );
    Problem::conflict("offset", detail)
}

/// Makes a recording of a file: WAV, MP3, M4A, Ogg, FLAC or WebM as the body. It gets a call of its own and is
/// prepared, transcribed and understood as any other; a file that cannot be read ends as `failed` with the reason.
#[utoipa::path(
    post, path = "/api/recordings", tag = "recordings", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 202, description = "It is here and waits for a worker", body = RecordingJson),
        (status = 411, description = "The request does not say how long it is", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "It is too large, or uploads take all the room there is", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Sent
    )
)]
pub(crate) async fn import(
    caller: Caller,
    Asked(query): Asked<ImportQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<RecordingJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let actor = Actor::named(caller.actor());
    let length = length_of(&headers, &header::CONTENT_LENGTH).ok_or_else(|| {
        Problem::new(
            StatusCode::LENGTH_REQUIRED,
            "length",
            "say how long the file is (Content-Length), or use /api/uploads",
        )
    })?;
    let file_name = query.file_name.clone().unwrap_or_default();
    let wish = Wish::Import(query.about(&scope)?);
    let upload = begin(&scope, &actor, wish, &file_name, length).await?;
    let (id, uploads) = (upload.id, scope.uploads());
    let taken = take(&uploads, &actor, upload, body).await;
    let recording = match &taken {
        Ok(upload) => upload.recording,
        Err(_) => None,
    };
    let Some(recording) = recording else {
        // Nobody will go on with it.
        uploads.remove(id).await?;
        taken?;
        return Err(Problem::field("file", "the body ended before the file did"));
    };
    let made = scope.recordings().get(recording).await?;
    let made = made.ok_or_else(|| Problem::not_found("recording"))?;
    Ok((StatusCode::ACCEPTED, Json(RecordingJson::from(made))))
}

/// What tus sends along: names and values in base64.
fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Problem> {
    let wrong = || {
        Problem::field(
            "Upload-Metadata",
            "names and base64 values, such as `filename d2VibQ==`",
        )
    };
    let Some(text) = headers.get(METADATA) else {
        return Ok(BTreeMap::new());
    };
    let pairs = text.to_str().map_err(|_| wrong())?.split(',');
    pairs
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD.decode(value.trim()).map_err(|_| wrong())?;
            let value = String::from_utf8(value).map_err(|_| wrong())?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn answer(status: StatusCode, upload: &Upload) -> Response {
    let headers = [
        (RESUMABLE, TUS.to_owned()),
        (OFFSET, upload.offset_bytes.to_string()),
        (LENGTH, upload.length_bytes.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (status, headers).into_response()
}

/// Opens an upload in pieces (tus 1.0.0). `Upload-Length` says how long it is, `Upload-Metadata` what it is:
/// `call_id` for a recording that a client made of a call, which the settings must allow (`client_recordings`);
/// its parties and whoever manages calls may send one. Without it an import, told by `name`, `from`, `to`,
/// `direction` and `started_at`; `filename` for both. The
/// recording is named by `GET` once all is here.
#[utoipa::path(
    post, path = "/api/uploads", tag = "recordings",
    params(
        ("Upload-Length" = u64, Header, description = "How long it is, in bytes"),
        ("Upload-Metadata" = Option<String>, Header, description = "Names and base64 values, split by commas"),
    ),
    responses(
        (status = 201, description = "It is open; `Location` says where", body = UploadJson),
        (status = 409, description = "The settings take no recordings of clients", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "It is too large, or uploads take all the room there is", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Sent
    )
)]
pub(crate) async fn create(sender: Sender, headers: HeaderMap) -> Result<Response, Problem> {
    let mut said = metadata(&headers)?;
    let call = said.remove("call_id").map(|call| call.parse::<CallId>());
    let call = call.transpose().map_err(|_| Problem::not_found("call"));
    let scope = sender.sends(call.clone().ok().flatten()).await?;
    let length = length_of(&headers, &LENGTH)
        .ok_or_else(|| Problem::field("Upload-Length", "say how long it will be, in bytes"))?;
    let file_name = said.remove("filename").unwrap_or_default();
    let wish = match call? {
        Some(call) => Wish::Client(call),
        None => {
            let mut query = ImportQuery {
                file_name: Some(file_name.clone()),
                ..ImportQuery::default()
            };
            query.name = said.remove("name");
            query.from = said.remove("from");
            query.to = said.remove("to");
            query.direction = said.remove("direction");
            query.started_at = said.remove("started_at");
            Wish::Import(query.about(&scope)?)
        }
    };
    let upload = begin(&scope, &sender.actor(), wish, &file_name, length).await?;
    let location = format!("/api/uploads/{}", upload.id);
    let mut response = answer(StatusCode::CREATED, &upload);
    let place = HeaderValue::try_from(location).map_err(|problem| Problem::internal(&problem))?;
    response.headers_mut().insert(header::LOCATION, place);
    let (head, _) = response.into_parts();
    Ok((head, Json(UploadJson::from(upload))).into_response())
}

/// How an upload stands. `HEAD` answers with `Upload-Offset`: where to go on.
#[utoipa::path(
    get, path = "/api/uploads/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The upload's id")),
    responses((status = 200, description = "How it stands", body = UploadJson), Refusals, Named)
)]
pub(crate) async fn stands(sender: Sender, Id(id): Id<UploadId>) -> Result<Response, Problem> {
    let (_, upload) = sender.upload(Permission::ReadAllCalls, id).await?;
    let (head, _) = answer(StatusCode::OK, &upload).into_parts();
    Ok((head, Json(UploadJson::from(upload))).into_response())
}

/// Adds to an upload from `Upload-Offset` on. What a cut connection brought is kept.
#[utoipa::path(
    patch, path = "/api/uploads/{id}", tag = "recordings",
    params(
        ("id" = Uuid, Path, description = "The upload's id"),
        ("Upload-Offset" = u64, Header, description = "Where the bytes begin: where the upload stands"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream", description = "The next bytes"),
    responses(
        (status = 204, description = "They are kept; `Upload-Offset` says how much is here"),
        (status = 409, description = "The upload stands elsewhere", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/offset+octet-stream`", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Named
    )
)]
pub(crate) async fn append(
    sender: Sender,
    Id(id): Id<UploadId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (scope, upload) = sender.upload(Permission::ManageCalls, id).await?;
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(b"application/offset+octet-stream") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "send `application/offset+octet-stream`",
        ));
    }
    let offset =
        length_of(&headers, &OFFSET).ok_or_else(|| Problem::field("Upload-Offset", "say where the bytes begin"))?;
    if upload.offset_bytes != offset {
        return Err(misplaced(&upload));
    }
    let upload = take(&scope.uploads(), &sender.actor(), upload, body).await?;
    Ok(answer(StatusCode::NO_CONTENT, &upload))
}

/// Gives an upload up that is not whole.
#[utoipa::path(
    delete, path = "/api/uploads/{id}", tag = "recordings",
    params(("id" = Uuid, Path, description = "The upload's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn give_up(sender: Sender, Id(id): Id<UploadId>) -> Result<Response, Problem> {
    let (scope, _) = sender.upload(Permission::ManageCalls, id).await?;
    if !scope.uploads().remove(id).await? {
        return Err(Problem::not_found("upload"));
    }
    Ok((StatusCode::NO_CONTENT, [(RESUMABLE, TUS)]).into_response())
}
