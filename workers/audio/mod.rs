//! Audio files and samples: decoding what people upload, resampling, loudness, the recording's own
//! format (Opus in Ogg), what is downloaded (WAV, MP3, M4A) and the peaks of the player.
//!
//! Everything works on [`Pcm`]. Foreign files are parsed in [`decode`] only, in this process and
//! never in the daemon.

pub mod decode;
pub mod loudness;
pub mod m4a;
pub mod mp3;
pub mod opus_file;
pub mod peaks;
pub mod resample;
pub mod voice;
pub mod wav;

pub use decode::decode;

/// Samples: 16-bit linear, one vector a channel, all of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pcm {
    /// Samples a second of each channel.
    pub sample_rate_hz: u32,
    /// The channels; of a recording, the caller is the first.
    pub channels: Vec<Vec<i16>>,
}

impl Pcm {
    /// The length of the longest channel in samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether there is no sample at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> i64 {
        let rate = u64::from(self.sample_rate_hz.max(1));
        i64::try_from(self.len() as u64 * 1000 / rate).unwrap_or(i64::MAX)
    }

    /// All channels mixed to one, each at an equal share.
    #[must_use]
    pub fn into_mono(mut self) -> Self {
        if self.channels.len() > 1 {
            let count = i32::try_from(self.channels.len()).unwrap_or(1);
            let mixed = (0..self.len())
                .map(|at| {
                    let samples = self.channels.iter().filter_map(|channel| channel.get(at));
                    let sum: i32 = samples.map(|sample| i32::from(*sample)).sum();
                    (sum / count) as i16
                })
                .collect();
            self.channels = vec![mixed];
        }
        self
    }
}

/// What MP3 and AAC get for a channel, kbit/s: speech of telephones and rooms has no more to say at 16 kHz; what is
/// finer has the rest of the spectrum to tell as well.
pub(crate) const fn kbps_per_channel(sample_rate_hz: u32) -> u32 {
    if sample_rate_hz > 16_000 { 64 } else { 32 }
}

/// Why audio could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is in no format we know, or is damaged at its beginning.
    #[error("this is not an audio file we can read (wav, mp3, ogg, opus, flac, m4a, webm)")]
    Unknown(#[source] symphonia::core::errors::Error),
    /// The file made its format's reader fail in a way the reader did not foresee.
    #[error("the file is damaged so badly that its reader gave up")]
    Hostile,
    /// The file has no audio in it.
    #[error("the file holds no audio")]
    Silent,
    /// The file is longer than we take.
    #[error("the audio is longer than {0} minutes")]
    TooLong(u32),
    /// The Ogg container is damaged.
    #[error("the Ogg file is damaged")]
    Ogg(#[source] ogg::OggReadError),
    /// libopus refused.
    #[error("Opus failed")]
    Opus(#[from] opus::Error),
    /// Changing the sample rate failed.
    #[error("cannot change the sample rate from {from_hz} to {to_hz} Hz")]
    Rate {
        /// What it is.
        from_hz: u32,
        /// What was asked for.
        to_hz: u32,
    },
    /// Measuring loudness failed.
    #[error("cannot measure the loudness")]
    Loudness(#[from] ebur128::Error),
    /// Writing WAV failed.
    #[error("cannot write WAV")]
    Wav(#[from] hound::Error),
    /// The MP3 encoder refused.
    #[error("cannot write MP3")]
    Mp3(#[source] rusty_mp3::Error),
    /// The AAC encoder refused.
    #[error("cannot write AAC")]
    Aac(#[source] syom::AacError),
    /// The file would be larger than its format allows.
    #[error("the file would be too large for its format")]
    TooLarge,
    /// Writing the container failed.
    #[error("cannot write the audio")]
    Write(#[from] std::io::Error),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::process::Command;

    pub(super) const LEFT_HZ: f32 = 440.0;
    pub(super) const RIGHT_HZ: f32 = 1004.0;

    /// Rates of recordings, and how many samples they are.
    pub(super) const LENGTHS: [(u32, usize); 4] =
        [(16_000, 16_000), (16_000, 48_123), (16_000, 100_000), (48_000, 100_001)];

    /// Two tones, one a side.
    pub(super) fn speakers(sample_rate_hz: u32, samples: usize) -> Pcm {
        let tone = |hz: f32| {
            let angle = |at: usize| std::f32::consts::TAU * hz * at as f32 / sample_rate_hz as f32;
            (0..samples).map(|at| (angle(at).sin() * 8000.0) as i16).collect()
        };
        Pcm {
            sample_rate_hz,
            channels: vec![tone(LEFT_HZ), tone(RIGHT_HZ)],
        }
    }

    /// The amplitude of a tone.
    pub(crate) fn level(samples: &[i16], rate_hz: u32, hz: f32) -> f64 {
        let step = std::f64::consts::TAU * f64::from(hz) / f64::from(rate_hz);
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            real += f64::from(*sample) * (step * at as f64).cos();
            imaginary += f64::from(*sample) * (step * at as f64).sin();
        }
        2.0 * real.hypot(imaginary) / samples.len() as f64
    }

    /// Another program plays the file: as long as it should be to 20 ms, each tone in its channel alone.
    pub(super) fn heard(file: &[u8], ending: &str, pcm: &Pcm) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("x.{ending}"));
        std::fs::write(&path, file).unwrap();
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(&path);
        let rate = pcm.sample_rate_hz.to_string();
        let output = command.args(["-f", "s16le", "-ar", &rate, "-"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let samples: Vec<i16> = output
            .stdout
            .chunks_exact(2)
            .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]))
            .collect();
        let length = samples.len() / 2;
        // This program plays the padding of an AAC file's last frame, its own files' too.
        let most = if ending == "m4a" {
            1024
        } else {
            pcm.sample_rate_hz as usize / 50
        };
        assert!(length.abs_diff(pcm.len()) <= most, "{length} of {}", pcm.len());
        for (channel, (own, other)) in [(LEFT_HZ, RIGHT_HZ), (RIGHT_HZ, LEFT_HZ)].into_iter().enumerate() {
            let voice: Vec<i16> = samples.iter().skip(channel).step_by(2).copied().collect();
            let voice = &voice[1600..pcm.len() - 1600];
            let [wanted, foreign] = [own, other].map(|hz| level(voice, pcm.sample_rate_hz, hz));
            assert!((7000.0..9000.0).contains(&wanted), "{channel}: {wanted}");
            assert!(foreign < wanted / 100.0, "{channel}: {foreign} of {wanted}");
        }
        if ending == "m4a" {
            let mut command = Command::new("ffprobe");
            command.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]);
            let told = command.arg(&path).output().unwrap();
            let told: f64 = String::from_utf8(told.stdout).unwrap().trim().parse().unwrap();
            let samples = told * f64::from(pcm.sample_rate_hz);
            assert!((samples - pcm.len() as f64).abs() < 60.0, "{told}");
        }
    }
}
