//! The audio of a recording, opened and sent piece by piece.

use super::convert::Format;
use super::range::{Wanted, read};
use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::{Problem, ProblemBody};
use crate::refusals::{Named, Refusals};
use crate::state::ApiState;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use strowger_model::RecordingId;
use strowger_model::role::Permission;
use strowger_store::{Actor, Scope};
use utoipa::IntoParams;

/// How much is opened at a time.
const PIECE_BYTES: u64 = 256 * 1024;

/// How the audio is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AudioQuery {
    /// `wav`, `mp3` or `m4a`, made while it is sent and without ranges; Ogg Opus as it is kept when absent.
    format: Option<String>,
}

impl AudioQuery {
    /// What it is to be converted to; nothing where it is wanted as it is kept.
    fn format(&self) -> Result<Option<Format>, Problem> {
        match self.format.as_deref() {
            None | Some("" | "ogg" | "opus") => Ok(None),
            Some(word) => match Format::of(word) {
                Some(format) => Ok(Some(format)),
                None => Err(Problem::field("format", "one of `ogg`, `wav`, `mp3` and `m4a`")),
            },
        }
    }
}

/// The audio of a recording. Each request is written to the audit log.
#[utoipa::path(
    get, path = "/api/recordings/{id}/audio", tag = "recordings",
    params(
        ("id" = Uuid, Path, description = "The recording's id"),
        ("Range" = Option<String>, Header, description = "`bytes=first-last`"),
        AudioQuery,
    ),
    responses(
        (status = 200, description = "Ogg Opus, stereo, caller left", content_type = "audio/ogg", body = Vec<u8>),
        (status = 206, description = "The part that was asked for", content_type = "audio/ogg", body = Vec<u8>),
        (status = 409, description = "The audio is not ready, failed or is erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "It lies in a bucket that is away, or cannot be converted here and now", body = ProblemBody, content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside of the audio", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Named
    )
)]
pub(crate) async fn audio(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RecordingId>,
    Asked(query): Asked<AudioQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let actor = Actor::named(caller.actor());
    send(&state, &scope, &actor, (id, &query), &headers).await
}

/// Sends the audio of a recording as it is wanted, to somebody who may have it.
pub(crate) async fn send(
    state: &ApiState,
    scope: &Scope,
    actor: &Actor,
    (id, query): (RecordingId, &AudioQuery),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let format = query.format()?;
    let recording = scope.recordings().get(id).await?;
    let recording = recording.ok_or_else(|| Problem::not_found("recording"))?;
    let Some(blob) = recording.blob.filter(|_| recording.state == "ready") else {
        let detail = format!("the audio of this recording is {}", recording.state);
        return Err(
            Problem::conflict("not_ready", detail).hint("a `captured` recording is ready within a minute or so")
        );
    };
    let sound = Sound {
        blob,
        size_bytes: recording.size_bytes,
        sha256: recording.sha256,
    };
    let target = id.to_string();
    match format {
        Some(format) => export(state, scope, actor, (&target, format), &sound).await,
        None => play(scope, actor, &target, sound, headers).await,
    }
}

/// Sends the whole of a file in another format. Its name is made of `target`.
async fn export(
    state: &ApiState,
    scope: &Scope,
    actor: &Actor,
    (target, format): (&str, Format),
    sound: &Sound,
) -> Result<Response, Problem> {
    let no_program = || Problem::conflict("no_converter", "this machine converts no recordings");
    let converter = state.converter.as_ref().ok_or_else(no_program)?;
    let file = scope.blobs().get(&sound.blob).await?;
    scope
        .audit()
        .write(actor, "recording.export", target, format.word())
        .await?;
    let name = format!("recording-{}", target.replace(' ', "-"));
    converter.respond(file, format, &name).await
}

/// One speaker of a recorded meeting alone. Each request is written to the audit log.
#[utoipa::path(
    get, path = "/api/recordings/{id}/tracks/{position}/audio", tag = "recordings",
    params(
        ("id" = Uuid, Path, description = "The recording's id"),
        ("position" = i64, Path, description = "The track's position"),
        ("Range" = Option<String>, Header, description = "`bytes=first-last`"),
        AudioQuery,
    ),
    responses(
        (status = 200, description = "Ogg Opus, one channel", content_type = "audio/ogg", body = Vec<u8>),
        (status = 206, description = "The part that was asked for", content_type = "audio/ogg", body = Vec<u8>),
        (status = 409, description = "This machine converts no recordings", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "It lies in a bucket that is away, or cannot be converted here and now", body = ProblemBody, content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside of the audio", body = ProblemBody, content_type = "application/problem+json"),
        Refusals, Named
    )
)]
pub(crate) async fn track(
    State(state): State<ApiState>,
    caller: Caller,
    Path((id, position)): Path<(String, String)>,
    Asked(query): Asked<AudioQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    // Named by what cannot be an id or a position, a track is as absent as an unknown one.
    let id: RecordingId = id.parse().map_err(|_| Problem::not_found("recording"))?;
    let position: i64 = position.parse().map_err(|_| Problem::not_found("track"))?;
    let tracks = scope.minutes().tracks(id).await?;
    let track = tracks.into_iter().find(|track| track.position == position);
    let track = track.ok_or_else(|| Problem::not_found("track"))?;
    let sound = Sound {
        blob: track.blob,
        size_bytes: track.size_bytes,
        sha256: track.sha256,
    };
    let actor = Actor::named(caller.actor());
    let target = format!("{id} track {position}");
    match query.format()? {
        Some(format) => export(&state, &scope, &actor, (&target, format), &sound).await,
        None => play(&scope, &actor, &target, sound, &headers).await,
    }
}

/// A file among the blobs.
struct Sound {
    blob: String,
    size_bytes: i64,
    sha256: String,
}

async fn play(
    scope: &Scope,
    actor: &Actor,
    target: &str,
    sound: Sound,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let size = u64::try_from(sound.size_bytes).unwrap_or(0);
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let etag = format!("\"{}\"", sound.sha256);
    // RFC 9110 §13.1.5: a range of another version is no range.
    let same = headers
        .get(header::IF_RANGE)
        .is_none_or(|given| given.as_bytes() == etag.as_bytes());
    let (status, first, last) = match read(range.filter(|_| same), size) {
        Wanted::All => (StatusCode::OK, 0, size.saturating_sub(1)),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last),
        Wanted::Nothing => {
            let mut response = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range",
                "this range lies outside of the audio",
            )
            .into_response();
            let value = format!("bytes */{size}")
                .parse()
                .map_err(|_| Problem::not_found("range"))?;
            response.headers_mut().insert(header::CONTENT_RANGE, value);
            return Ok(response);
        }
    };
    let length = if size == 0 { 0 } else { last - first + 1 };
    let begun = length.min(PIECE_BYTES);
    // Before the answer, which else would say that all is well and then break off: the bucket may be away.
    let piece = scope.blobs().range(&sound.blob, first, begun).await?;
    scope
        .audit()
        .write(actor, "recording.play", target, range.unwrap_or("all"))
        .await?;
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "audio/ogg")
        .header(header::CONTENT_LENGTH, length)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, etag)
        .header(header::CACHE_CONTROL, "private, no-store");
    if status == StatusCode::PARTIAL_CONTENT {
        response = response.header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
    }
    response
        .body(pieces(
            scope.clone(),
            sound.blob,
            piece,
            (first + begun, length - begun),
        ))
        .map_err(|problem| Problem::internal(&problem))
}

/// The piece that was opened already and what follows from `at` on, opened as the connection takes them.
fn pieces(scope: Scope, blob: String, begun: Vec<u8>, (at, left): (u64, u64)) -> Body {
    let rest = stream::unfold((at, left), move |(at, left)| {
        let (blobs, blob) = (scope.blobs(), blob.clone());
        async move {
            if left == 0 {
                return None;
            }
            let count = left.min(PIECE_BYTES);
            let piece = blobs.range(&blob, at, count).await.map(Bytes::from);
            // A piece that cannot be opened breaks the connection: the client sees that bytes are missing.
            let next = if piece.is_ok() {
                (at + count, left - count)
            } else {
                (at, 0)
            };
            Some((piece, next))
        }
    });
    Body::from_stream(stream::once(std::future::ready(Ok(Bytes::from(begun)))).chain(rest))
}
