//! One end of an audio port: payloads of any length become frames of 20 ms and back.

use crate::FRAME_SAMPLES;
use crate::port::{AudioFrame, AudioPort, Popped};

/// An audio port that is spoken to in any number of samples.
#[derive(Debug)]
pub struct Attached {
    port: AudioPort,
    filling: AudioFrame,
    filled: usize,
    gone: bool,
}

impl Attached {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(port: AudioPort) -> Self {
        Self {
            port,
            filling: [0; FRAME_SAMPLES],
            filled: 0,
            gone: false,
        }
    }

    /// Takes samples; the other end gets them in frames.
    pub fn hear(&mut self, samples: impl IntoIterator<Item = i16>) {
        for heard in samples {
            if let Some(sample) = self.filling.get_mut(self.filled) {
                *sample = heard;
            }
            self.filled += 1;
            if self.filled == FRAME_SAMPLES {
                // Full means the other end is behind or gone; 20 ms are lost, which it hears as a gap.
                let _ = self.port.push(&self.filling);
                self.filled = 0;
            }
        }
    }

    /// The next frame to be said; `None` when nothing is there yet.
    pub fn say(&mut self) -> Option<AudioFrame> {
        match self.port.pop() {
            Popped::Frame(frame) => Some(frame),
            Popped::Empty => None,
            Popped::Gone => {
                self.gone = true;
                None
            }
        }
    }

    /// Whether the other end went away.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }
}
