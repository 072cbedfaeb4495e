//! Capture → aligned channels → one level → Opus in Ogg → sealed blob; then the capture is erased.

use super::{Desk, Fault, apart, meeting};
use crate::audio::{Pcm, loudness, opus_file, peaks};
use crate::redact::{Policy, sound};
use aws_lc_rs::digest;
use strowger_media::timeline::{self, Block, Rate, Timeline};
use strowger_model::capture::Purpose;
use strowger_model::{CaptureId, RecordingId, TenantId};
use strowger_store::capture::{self, CaptureReader, Ending};
use strowger_store::{RecordingResult, Scope, TrackResult};
use tracing::{info, warn};

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
    let first = opened(desk, capture).await?;
    let second = opened(desk, capture).await?;
    let made = match first.meta().purpose {
        Purpose::Call | Purpose::Voicemail => {
            let policy = Policy::of(&scope.recordings().settings(recording).await?);
            apart(move || make(first, second, policy)).await?
        }
        Purpose::Room => {
            let members = scope.minutes().members(row.call).await?;
            let third = opened(desk, capture).await?;
            apart(move || meeting::make(first, second, third, &members)).await?
        }
    };
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

/// Reads the capture twice: once for the streams it holds and how wide they are, once for their sound.
fn make(mut first: CaptureReader, second: CaptureReader, policy: Policy) -> Result<Made, Fault> {
    // What cannot be read is told of below.
    let rate = first.by_ref().flatten().fold(Rate::Narrow, |widest, chunk| {
        chunk
            .frames()
            .map(|frame| timeline::rate_of(frame.codec))
            .fold(widest, Rate::max)
    });
    let mut streams: Vec<u8> = first.streams().iter().map(|stream| stream.stream).collect();
    if streams.is_empty() {
        streams.push(0);
    }
    if first.ending() == Some(Ending::Cut) {
        warn!("the capture has no end mark: the daemon was killed during the call");
    }
    let mut channels = Channels::new(first.meta().purpose, rate, &streams);
    let mut timeline = Timeline::new(rate, streams);
    for chunk in second {
        match chunk {
            Ok(chunk) => timeline.push_chunk(&chunk),
            Err(damage) => warn!(%damage, "part of a capture cannot be read and is silent"),
        }
        while let Some(block) = timeline.next_block() {
            channels.take(&block);
        }
    }
    timeline.finish();
    while let Some(block) = timeline.next_block() {
        channels.take(&block);
    }
    let mut pcm = channels.into_pcm();
    if policy.cards {
        // Keys that came as tones are in the audio; they go before anything of it is kept.
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

/// The recording's channels as they grow: the caller on the left, everybody else on the right. A
/// message has one channel.
struct Channels {
    rate: Rate,
    left: Vec<i16>,
    right: Option<Vec<i16>>,
    /// Where the caller's stream stands in a block.
    caller: Option<usize>,
}

impl Channels {
    fn new(purpose: Purpose, rate: Rate, streams: &[u8]) -> Self {
        let mut ordered = streams.to_vec();
        ordered.sort_unstable();
        ordered.dedup();
        let is_stereo = match purpose {
            Purpose::Call => true,
            Purpose::Voicemail | Purpose::Room => false,
        };
        Self {
            rate,
            left: Vec::new(),
            right: is_stereo.then(Vec::new),
            caller: ordered.iter().position(|stream| *stream == 0),
        }
    }

    fn take(&mut self, block: &Block) {
        let length = block.streams.iter().map(Vec::len).max().unwrap_or(0);
        let mix = |is_wanted: &dyn Fn(usize) -> bool, out: &mut Vec<i16>| {
            let from = out.len();
            out.resize(from + length, 0);
            for (_, samples) in block.streams.iter().enumerate().filter(|(at, _)| is_wanted(*at)) {
                for (into, sample) in out.iter_mut().skip(from).zip(samples) {
                    *into = into.saturating_add(*sample);
                }
            }
        };
        let caller = self.caller;
        match &mut self.right {
            Some(right) => {
                mix(&|at| Some(at) == caller, &mut self.left);
                mix(&|at| Some(at) != caller, right);
            }
            None => mix(&|_| true, &mut self.left),
        }
    }

    fn into_pcm(self) -> Pcm {
        Pcm {
            sample_rate_hz: self.rate.hertz(),
            channels: std::iter::once(self.left).chain(self.right).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(streams: Vec<Vec<i16>>) -> Block {
        Block {
            start: 0,
            streams,
            marks: Vec::new(),
        }
    }

    #[test]
    fn the_caller_is_left_and_everybody_else_right() {
        let mut channels = Channels::new(Purpose::Call, Rate::Narrow, &[1, 0, 2]);
        channels.take(&block(vec![vec![1, 2], vec![10, 20], vec![100, i16::MAX]]));
        let pcm = channels.into_pcm();
        assert_eq!(pcm.channels, [vec![1, 2], vec![110, i16::MAX]]);
    }

    #[test]
    fn a_call_that_reached_nobody_has_a_silent_right_side_and_a_message_none() {
        let mut call = Channels::new(Purpose::Call, Rate::Narrow, &[0]);
        call.take(&block(vec![vec![5, 6]]));
        assert_eq!(call.into_pcm().channels, [vec![5, 6], vec![0, 0]]);
        let mut message = Channels::new(Purpose::Voicemail, Rate::Wide, &[0]);
        message.take(&block(vec![vec![5, 6]]));
        assert_eq!(message.into_pcm().channels, [vec![5, 6]]);
    }
}
