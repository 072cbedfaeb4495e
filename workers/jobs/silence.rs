//! A recording's audio with stretches silenced: decoded, cleaned, encoded and sealed anew.

use super::process_recording::Sealed;
use super::{Fault, apart};
use crate::audio::decode::Layout;
use crate::audio::{self, opus_file, peaks};
use crate::redact::Stretch;
use crate::redact::sound::silence;
use strowger_model::record::Recording;
use strowger_store::{RecordingResult, Scope, Silenced, SilencedTrack, TrackResult};

/// Makes a recording's audio anew without the stretches; `None` when there are none, or when a legal hold
/// keeps the audio as it is.
pub(super) async fn audio(scope: &Scope, row: &Recording, stretches: &[Stretch]) -> Result<Option<Silenced>, Fault> {
    let Some(former) = row.blob.clone().filter(|_| !stretches.is_empty() && !row.held) else {
        return Ok(None);
    };
    let tracks = scope.minutes().tracks(row.id).await?;
    let whole = scope.blobs().get(&former).await?;
    let is_meeting = !tracks.is_empty();
    let all = stretches.to_vec();
    let made = apart(move || {
        if is_meeting {
            mixed(&whole, &all)
        } else {
            telephone(&whole, &all)
        }
    })
    .await?;
    let mut silenced = Silenced {
        recording: row.id,
        former,
        whole: result(scope, row, made).await?,
        tracks: Vec::new(),
        stretches: stretches.len(),
    };
    for (channel, track) in (0_u8..).zip(tracks) {
        let own: Vec<Stretch> = stretches.iter().filter(|one| one.channel == channel).copied().collect();
        if own.is_empty() {
            continue;
        }
        let file = scope.blobs().get(&track.blob).await?;
        let made = apart(move || mixed(&file, &own)).await?;
        let whole = result(scope, row, made).await?;
        silenced.tracks.push(SilencedTrack {
            position: track.position,
            former: track.blob,
            result: TrackResult {
                identity: track.identity,
                name: track.name,
                blob: whole.blob,
                duration_ms: whole.duration_ms,
                size_bytes: whole.size_bytes,
                sha256: whole.sha256,
                peaks: whole.peaks.into_iter().next().unwrap_or_default(),
            },
        });
    }
    Ok(Some(silenced))
}

async fn result(
    scope: &Scope,
    row: &Recording,
    (file, peaks): (Vec<u8>, Vec<Vec<u8>>),
) -> Result<RecordingResult, Fault> {
    let sealed = Sealed::of(scope, &file).await?;
    Ok(RecordingResult {
        format: row.format.clone(),
        sample_rate_hz: i64::from(opus_file::rate_of(&file)),
        duration_ms: row.duration_ms,
        size_bytes: sealed.size_bytes,
        sha256: sealed.sha256,
        blob: sealed.blob,
        peaks,
    })
}

type MadeAnew = (Vec<u8>, Vec<Vec<u8>>);

/// A call: each stretch on its own channel. It stays as wide as it was.
fn telephone(file: &[u8], stretches: &[Stretch]) -> Result<MadeAnew, Fault> {
    let mut pcm = audio::decode(file, "recording.ogg", opus_file::rate_of(file), Layout::Kept)?;
    for one in stretches {
        if let Some(channel) = pcm.channels.get_mut(usize::from(one.channel)) {
            silence(channel, pcm.sample_rate_hz, one.from_ms, one.to_ms);
        }
    }
    Ok((opus_file::encode(&pcm)?, peaks::peaks(&pcm.channels)))
}

/// A meeting's mix or track: one channel holds every stretch.
fn mixed(file: &[u8], stretches: &[Stretch]) -> Result<MadeAnew, Fault> {
    let mut pcm = audio::decode(file, "recording.ogg", opus_file::rate_of(file), Layout::Mono)?;
    for channel in &mut pcm.channels {
        for one in stretches {
            silence(channel, pcm.sample_rate_hz, one.from_ms, one.to_ms);
        }
    }
    Ok((opus_file::encode(&pcm)?, peaks::peaks(&pcm.channels)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Pcm;
    use crate::audio::tests::level;

    #[test]
    fn what_is_left_of_a_call_is_as_wide_as_it_was() {
        for (rate_hz, hertz) in [(8000, 3000.0), (16_000, 5500.0)] {
            let step = std::f32::consts::TAU * hertz / rate_hz as f32;
            let tone = (0..rate_hz * 4)
                .map(|at| ((step * at as f32).sin() * 8000.0) as i16)
                .collect();
            let pcm = Pcm {
                sample_rate_hz: rate_hz,
                channels: vec![tone, vec![0; rate_hz as usize * 4]],
            };
            let stretch = Stretch {
                channel: 0,
                from_ms: 1000,
                to_ms: 2000,
            };
            let (file, peaks) = telephone(&opus_file::encode(&pcm).unwrap(), &[stretch]).unwrap();
            assert_eq!(opus_file::rate_of(&file), rate_hz);
            let back = opus_file::decode(&file, rate_hz).unwrap();
            assert_eq!(back.len(), pcm.len());
            let second = |n: usize| {
                let part = rate_hz as usize / 10;
                let samples = &back.channels[0][n * rate_hz as usize + part..(n + 1) * rate_hz as usize - part];
                level(samples, rate_hz, hertz)
            };
            assert!(second(0) > 5000.0 && second(2) > 5000.0, "{hertz} Hz: {}", second(2));
            assert!(second(1) < 50.0, "{hertz} Hz: {}", second(1));
            assert_eq!(peaks[0][150], 0);
        }
    }
}
