//! What we play: texts spoken by `espeak-ng`, uploads brought to one form and level.
//!
//! The form is always the same: 16-bit little-endian linear, 8 kHz, mono, no header. Speaking is a
//! child process, so its licence and its crashes stay outside ours.

mod espeak;

pub use espeak::Voice;

use crate::audio::decode::Layout;
use crate::audio::{self, Pcm, loudness};

/// The rate of everything we play.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// The longest prompt taken, milliseconds.
const LONGEST_MS: i64 = 10 * 60 * 1000;

/// Why a prompt could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The uploaded file is of no use.
    #[error(transparent)]
    Audio(#[from] audio::Error),
    /// The upload is too long to be a prompt.
    #[error("a prompt may last 10 minutes, this file lasts longer")]
    TooLong,
    /// The program that speaks is not there.
    #[error("espeak-ng is not installed, so texts cannot be spoken: apt install espeak-ng")]
    NoVoice,
    /// The program that speaks failed.
    #[error("espeak-ng could not speak the text: {0}")]
    Voice(String),
}

impl Error {
    /// Whether it can come out better another time, without anybody changing the text or the file.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NoVoice => true,
            Self::Audio(_) | Self::TooLong | Self::Voice(_) => false,
        }
    }
}

/// Audio ready to be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playable {
    /// 16-bit little-endian linear samples, 8 kHz mono.
    pub bytes: Vec<u8>,
    /// Its length.
    pub duration_ms: i64,
}

/// An uploaded file as it will be played.
///
/// # Errors
/// When the file is no audio we can read, or too long.
pub fn from_upload(file: &[u8], name: &str) -> Result<Playable, Error> {
    let pcm = audio::decode(file, name, SAMPLE_RATE_HZ, Layout::Mono)?;
    if pcm.duration_ms() > LONGEST_MS {
        return Err(Error::TooLong);
    }
    playable(pcm)
}

/// A text as it will be played.
///
/// # Errors
/// When `espeak-ng` is missing (the message names the package) or fails.
pub fn from_text(text: &str, voice: &Voice) -> Result<Playable, Error> {
    let file = espeak::speak(text, voice)?;
    let pcm = audio::decode(&file, "speech.wav", SAMPLE_RATE_HZ, Layout::Mono)?;
    playable(pcm)
}

/// Whether texts can be spoken here.
///
/// # Errors
/// [`Error::NoVoice`].
pub fn check() -> Result<(), Error> {
    espeak::check()
}

fn playable(mut pcm: Pcm) -> Result<Playable, Error> {
    loudness::normalise(&mut pcm)?;
    let duration_ms = pcm.duration_ms();
    let samples = pcm.channels.into_iter().next().unwrap_or_default();
    Ok(Playable {
        bytes: samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        duration_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;

    #[test]
    fn an_upload_becomes_telephone_audio_of_its_own_length() {
        let tone: Vec<i16> = (0..44_100 * 2)
            .map(|n| ((n as f32 * 0.06).sin() * 4000.0) as i16)
            .collect();
        let file = wav::encode(&Pcm {
            sample_rate_hz: 44_100,
            channels: vec![tone.clone(), tone],
        })
        .unwrap();
        let playable = from_upload(&file, "hold.wav").unwrap();
        assert_eq!(playable.duration_ms, 2000);
        assert_eq!(playable.bytes.len(), 2 * 8000 * 2);
    }

    #[test]
    fn a_text_is_spoken_and_at_the_level_of_everything_else() {
        check().expect("tests need espeak-ng: apt install espeak-ng");
        let playable = from_text(
            "Welcome. Press one for sales; -- two for <support> & more.",
            &Voice::default(),
        )
        .unwrap();
        assert!(playable.duration_ms > 1500, "{}", playable.duration_ms);
        let samples: Vec<i16> = playable
            .bytes
            .chunks(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        let level = loudness::measure(&samples, SAMPLE_RATE_HZ).unwrap();
        assert!((level - loudness::TARGET_LUFS).abs() < 4.0, "{level}");
    }

    #[test]
    fn an_empty_text_is_a_moment_of_silence() {
        let playable = from_text("  ", &Voice::default()).unwrap();
        assert!(playable.duration_ms < 1000);
    }
}
