//! The voice-activity model (Silero): a probability of speech for every 32 ms.

use super::Error;
use super::speech::HOP;
use std::path::Path;
use whisper_rs::{WhisperVadContext, WhisperVadContextParams};

/// Looked at in one go: a minute, so that a long recording needs no copy of itself.
const BLOCK: usize = 60 * 16_000 / HOP * HOP;

/// A loaded voice-activity model.
#[derive(Debug)]
pub(super) struct Vad {
    context: WhisperVadContext,
}

impl Vad {
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let mut params = WhisperVadContextParams::new();
        params.set_n_threads(1);
        let context = WhisperVadContext::new(&path.to_string_lossy(), params).map_err(|source| Error::Engine {
            doing: "loading the voice-activity model",
            source,
        })?;
        Ok(Self { context })
    }

    /// A probability for each 512 samples of 16 kHz mono.
    pub(super) fn probabilities(&mut self, samples: &[i16]) -> Result<Vec<f32>, Error> {
        let mut probabilities = Vec::with_capacity(samples.len() / HOP + 1);
        let mut buffer = Vec::with_capacity(BLOCK.min(samples.len()));
        for block in samples.chunks(BLOCK) {
            buffer.clear();
            buffer.extend(block.iter().map(|sample| f32::from(*sample) / 32_768.0));
            self.context.detect_speech(&buffer).map_err(|source| Error::Engine {
                doing: "looking for speech",
                source,
            })?;
            probabilities.extend_from_slice(self.context.probabilities());
        }
        Ok(probabilities)
    }
}
