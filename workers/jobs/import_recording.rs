//! Audio that came from outside → one level → Opus in Ogg → sealed blob; then the upload is erased.

use super::process_recording::{Made, Sealed};
use super::{Desk, Fault, apart};
use crate::audio::decode::{Layout, decode_at_most};
use crate::audio::{loudness, opus_file, peaks};
use crate::redact::{Policy, sound};
use strowger_model::{RecordingId, TenantId, UploadId};
use strowger_store::RecordingResult;
use tracing::info;

/// Speech in full; what a transcript is made from.
const SAMPLE_RATE_HZ: u32 = 16_000;
/// Two hours of one channel, one of two: a bound on memory.
const MOST_MINUTES: u32 = 120;

pub(super) async fn run(desk: &Desk, tenant: TenantId, recording: RecordingId, upload: UploadId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let (Some(row), Some(found)) = (
        scope.recordings().get(recording).await?,
        scope.uploads().get(upload).await?,
    ) else {
        // Either was erased meanwhile, or the work is done.
        return Ok(());
    };
    if row.state == "ready" {
        return Ok(scope.uploads().done(upload, row.duration_ms).await?);
    }
    let Some(file) = scope.uploads().whole(upload).await? else {
        return Ok(());
    };
    let name = found.file_name;
    let policy = Policy::of(&scope.recordings().settings(recording).await?);
    let made = apart(move || make(&file, &name, policy)).await?;
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
    let then = scope.recordings().afterwards(recording).await?;
    if !scope.recordings().ready(recording, &result, then).await? {
        // Another worker was faster, or the recording was erased.
        scope.blobs().erase(&result.blob).await?;
    }
    info!(
        %recording,
        duration_ms = result.duration_ms,
        size_bytes = result.size_bytes,
        "recording imported"
    );
    Ok(scope.uploads().done(upload, result.duration_ms).await?)
}

fn make(file: &[u8], name: &str, policy: Policy) -> Result<Made, Fault> {
    let mut pcm = decode_at_most(file, name, SAMPLE_RATE_HZ, Layout::Kept, MOST_MINUTES).map_err(Fault::never)?;
    if pcm.channels.len() > 2 {
        pcm = pcm.into_mono();
    }
    if policy.cards {
        // Keys that were pressed are in the audio; they go before anything of it is kept.
        for stretch in sound::keyed_cards(&pcm)? {
            if let Some(channel) = pcm.channels.get_mut(usize::from(stretch.channel)) {
                sound::silence(channel, pcm.sample_rate_hz, stretch.from_ms, stretch.to_ms);
            }
        }
    }
    loudness::normalise(&mut pcm)?;
    Ok(Made {
        file: opus_file::encode(&pcm)?,
        duration_ms: pcm.duration_ms(),
        peaks: peaks::peaks(&pcm.channels),
        tracks: Vec::new(),
    })
}
