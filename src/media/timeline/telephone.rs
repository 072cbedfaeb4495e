//! A leg's G.722 and Opus as samples of the telephone band, for the timeline of a call.

use super::Decoder;
use crate::Codec;
use crate::coder::{self, LONGEST, Rate};

/// Decodes one codec of one stream to 8 kHz.
pub(super) struct Telephone {
    decoder: coder::Decoder,
    buffer: Box<[i16; LONGEST]>,
}

impl Telephone {
    /// A decoder that has heard nothing; `None` when there is no memory for it.
    pub(super) fn new(codec: Codec) -> Option<Self> {
        Some(Self {
            decoder: coder::Decoder::new(codec, Rate::Narrow)?,
            buffer: Box::new([0; LONGEST]),
        })
    }

    fn heard(&self, count: usize) -> Vec<i16> {
        self.buffer.get(..count).unwrap_or_default().to_vec()
    }
}

impl Decoder for Telephone {
    fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        let count = self.decoder.decode(payload, &mut self.buffer[..]);
        self.heard(count)
    }

    fn conceal(&mut self, samples: usize, next: &[u8]) -> Vec<i16> {
        let count = self.decoder.conceal(samples, next, &mut self.buffer[..]);
        self.heard(count)
    }
}
