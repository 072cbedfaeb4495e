//! Audio out of sealed blobs, whole or by range.

use super::audible;
use crate::desk::Desk;
use crate::fault::{Fault, Page};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strowger_model::RecordingId;
use strowger_store::Scope;

/// What a `Range` header asks of a thing of `size` bytes (RFC 9110 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part { from: u64, to: u64 },
    Nothing,
}

/// One range; several, other units and nonsense are answered with the whole, as the RFC allows.
fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(range) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    if range.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::Whole;
    };
    let (from, to) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) => (from, to.min(size.saturating_sub(1))),
        (Ok(from), Err(_)) if last.trim().is_empty() => (from, size.saturating_sub(1)),
        (Err(_), Ok(count)) if first.trim().is_empty() => (size.saturating_sub(count), size.saturating_sub(1)),
        _ => return Wanted::Whole,
    };
    if size == 0 || from >= size || from > to {
        Wanted::Nothing
    } else {
        Wanted::Part { from, to }
    }
}

/// Answers a request for sealed audio.
pub(crate) async fn respond(scope: &Scope, blob: &str, kind: &'static str, request: &HeaderMap) -> Page {
    let blobs = scope.blobs();
    let size = blobs.size(blob).await?.ok_or(Fault::NotFound)?;
    let range = request.get(header::RANGE).and_then(|value| value.to_str().ok());
    let mut response = match wanted(range, size) {
        Wanted::Nothing => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            put(&mut response, header::CONTENT_RANGE, format!("bytes */{size}"));
            return Ok(response);
        }
        Wanted::Whole => blobs.get(blob).await?.into_response(),
        Wanted::Part { from, to } => {
            let bytes = blobs.range(blob, from, to - from + 1).await?;
            let mut response = (StatusCode::PARTIAL_CONTENT, bytes).into_response();
            put(
                &mut response,
                header::CONTENT_RANGE,
                format!("bytes {from}-{to}/{size}"),
            );
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

fn put(response: &mut Response, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Answers a request for samples (16-bit little-endian, 8 kHz mono) as a WAV file.
pub(crate) fn wave(samples: &[u8], request: &HeaderMap) -> Response {
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX - 36);
    let mut file = Vec::with_capacity(samples.len() + 44);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(length.saturating_add(36)).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel, 8000 Hz, 16000 bytes a second, 2 bytes a sample, 16 bits.
    for half in [1_u16, 1, 8_000, 0, 16_000, 0, 2, 16] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(samples);
    let size = u64::try_from(file.len()).unwrap_or(0);
    let range = request.get(header::RANGE).and_then(|value| value.to_str().ok());
    let kind = [(header::CONTENT_TYPE, "audio/wav"), (header::ACCEPT_RANGES, "bytes")];
    match wanted(range, size) {
        Wanted::Whole => (kind, file).into_response(),
        Wanted::Nothing => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        Wanted::Part { from, to } => {
            let bounds = usize::try_from(from).ok().zip(usize::try_from(to).ok());
            let part = bounds
                .and_then(|(from, to)| file.get(from..=to))
                .unwrap_or_default()
                .to_vec();
            let mut response = (StatusCode::PARTIAL_CONTENT, kind, part).into_response();
            put(
                &mut response,
                header::CONTENT_RANGE,
                format!("bytes {from}-{to}/{size}"),
            );
            response
        }
    }
}

/// The media type of a recording's format.
fn kind_of(format: &str) -> (&'static str, &'static str) {
    match format {
        "audio/wav" | "wav" => ("audio/wav", "wav"),
        _ => ("audio/ogg", "ogg"),
    }
}

/// Whether a request begins a listening: browsers fetch one play in many ranges, and one line in the
/// audit log is enough.
fn begins(request: &HeaderMap) -> bool {
    let range = request.get(header::RANGE).and_then(|value| value.to_str().ok());
    range.is_none_or(|range| range.trim().starts_with("bytes=0-"))
}

pub(super) async fn play(Path((_, recording)): Path<(String, RecordingId)>, desk: Desk, request: HeaderMap) -> Page {
    let found = audible(&desk, recording).await?;
    let blob = found.blob.as_deref().ok_or(Fault::NotFound)?;
    let (kind, extension) = kind_of(&found.format);
    let format = desk.query().get("format");
    if !format.is_empty() {
        let convert = desk.state.config().convert.as_ref().ok_or(Fault::NotFound)?;
        let file = desk.scope.blobs().get(blob).await?;
        let audit = desk.scope.audit();
        audit
            .write(&desk.actor(), "recording.export", &recording.to_string(), format)
            .await?;
        return Ok(convert(file, format.to_owned(), format!("recording-{recording}")).await);
    }
    let download = desk.query().get("download") == "1";
    let mut response = respond(&desk.scope, blob, kind, &request).await?;
    if begins(&request) {
        let action = if download {
            "recording.download"
        } else {
            "recording.play"
        };
        let detail = format!("from {}", desk.source());
        desk.scope
            .audit()
            .write(&desk.actor(), action, &recording.to_string(), &detail)
            .await?;
    }
    if download {
        put(
            &mut response,
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{recording}.{extension}\""),
        );
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let cases = [
            (None, Wanted::Whole),
            (Some("bytes=0-"), Wanted::Part { from: 0, to: 99 }),
            (Some("bytes=10-19"), Wanted::Part { from: 10, to: 19 }),
            (Some("bytes=90-500"), Wanted::Part { from: 90, to: 99 }),
            (Some("bytes=-5"), Wanted::Part { from: 95, to: 99 }),
            (Some("bytes=-500"), Wanted::Part { from: 0, to: 99 }),
            (Some("bytes=100-"), Wanted::Nothing),
            (Some("bytes=9-3"), Wanted::Nothing),
            (Some("bytes=0-1,5-6"), Wanted::Whole),
            (Some("lines=1-2"), Wanted::Whole),
            (Some("bytes=x-y"), Wanted::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(header, 100), expected, "{header:?}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
