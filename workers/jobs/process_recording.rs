//! Capture → aligned channels → one level → Opus in Ogg → sealed blob; then the capture is erased.

use super::{Desk, Fault, apart, meeting, talk};
use crate::audio::opus_file;
use crate::redact::Policy;
use aws_lc_rs::digest;
use strowger_model::capture::Purpose;
use strowger_model::{CaptureId, RecordingId, TenantId};
use strowger_store::capture::{self, CaptureReader};
use strowger_store::{RecordingResult, Scope, TrackResult};
use tracing::info;

pub(super) async fn run(
    desk: &Desk,
    tenant: TenantId,
    capture: CaptureId,
    recording: RecordingId,
) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let Some(row) = scope.recordings().get(recording).await? else {
        // The recording was removed meanwhile: what it was to be made of goes too.
        capture::erase(&desk.store, capture).await?;
        return Ok(());
    };
    match row.state.as_str() {
        "captured" | "failed" => {}
        _ => return tidy(desk, &scope, capture, recording, row.capture.is_some()).await,
    }
    let reader = opened(desk, capture).await?;
    let policy = Policy::of(&scope.recordings().settings(recording).await?);
    let made = match reader.meta().purpose {
        Purpose::Call | Purpose::Voicemail => apart(move || talk::make(reader, policy)).await?,
        Purpose::Room => {
            let members = scope.minutes().members(row.call).await?;
            apart(move || meeting::make(reader, &members)).await?
        }
    };
    if made.duration_ms == 0 {
        return Err(Fault::never(anyhow::Error::msg(
            "nobody was heard: there is no audio to keep",
        )));
    }
    let whole = Sealed::of(&scope, &made.file).await?;
    let result = RecordingResult {
        format: "ogg/opus".to_owned(),
        sample_rate_hz: i64::from(opus_file::rate_of(&made.file)),
        duration_ms: made.duration_ms,
        size_bytes: whole.size_bytes,
        sha256: whole.sha256,
        blob: whole.blob,
        peaks: made.peaks,
    };
    let mut tracks = Vec::with_capacity(made.tracks.len());
    for track in made.tracks {
        let sealed = Sealed::of(&scope, &track.file).await?;
        tracks.push(TrackResult {
            identity: track.identity,
            name: track.name,
            blob: sealed.blob,
            duration_ms: made.duration_ms,
            size_bytes: sealed.size_bytes,
            sha256: sealed.sha256,
            peaks: track.peaks,
        });
    }
    let then = scope.recordings().afterwards(recording).await?;
    let is_first = scope
        .recordings()
        .ready_with_tracks(recording, &result, &tracks, then)
        .await?;
    if !is_first {
        // Another worker was faster.
        for blob in std::iter::once(&result.blob).chain(tracks.iter().map(|track| &track.blob)) {
            scope.blobs().erase(blob).await?;
        }
    }
    info!(
        %recording,
        duration_ms = result.duration_ms,
        size_bytes = result.size_bytes,
        "recording made"
    );
    tidy(desk, &scope, capture, recording, true).await
}

async fn opened(desk: &Desk, capture: CaptureId) -> Result<CaptureReader, Fault> {
    let reader = CaptureReader::open(&desk.store, capture).await?;
    reader.ok_or_else(|| Fault::again("the capture is not on this machine's disk"))
}

async fn tidy(
    desk: &Desk,
    scope: &Scope,
    capture: CaptureId,
    recording: RecordingId,
    is_due: bool,
) -> Result<(), Fault> {
    if is_due {
        capture::erase(&desk.store, capture).await?;
        scope.recordings().capture_erased(recording).await?;
    }
    Ok(())
}

/// A file among the blobs.
pub(super) struct Sealed {
    pub(super) blob: String,
    pub(super) size_bytes: i64,
    pub(super) sha256: String,
}

impl Sealed {
    pub(super) async fn of(scope: &Scope, file: &[u8]) -> Result<Self, Fault> {
        Ok(Self {
            blob: scope.blobs().put(file).await?,
            size_bytes: i64::try_from(file.len()).unwrap_or(i64::MAX),
            sha256: hex::encode(digest::digest(&digest::SHA256, file)),
        })
    }
}

/// What becomes of a capture.
pub(super) struct Made {
    pub(super) file: Vec<u8>,
    pub(super) duration_ms: i64,
    pub(super) peaks: Vec<Vec<u8>>,
    /// Each speaker of a meeting alone.
    pub(super) tracks: Vec<Track>,
}

/// One speaker of a meeting alone.
pub(super) struct Track {
    pub(super) identity: String,
    pub(super) name: String,
    pub(super) file: Vec<u8>,
    pub(super) peaks: Vec<u8>,
}
