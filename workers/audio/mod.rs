//! Audio files and samples: decoding what people upload, resampling, loudness, the recording's own
//! format (Opus in Ogg), WAV and the peaks of the player.
//!
//! Everything works on [`Pcm`]. Foreign files are parsed in [`decode`] only, in this process and
//! never in the daemon.

pub mod decode;
pub mod loudness;
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
    /// Writing the container failed.
    #[error("cannot write the audio")]
    Write(#[from] std::io::Error),
}
