//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): two bands of adaptive differential coding, 16 kHz audio in one byte
//! for each two samples. Fixed state, no allocation; the blocks are named as the recommendation names them.
//!
//! Both ways may run at half the rate: the lower band alone is a good 8 kHz signal, and an 8 kHz signal is a lower
//! band below a silent upper one. So a bridge to a narrow-band leg needs no resampler.

mod band;
#[cfg(test)]
mod tests;

use band::{Band, HIGH, LOW};

/// The filter that splits and joins the bands (table 11), one half: the other half is its mirror.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// The samples on the outside of a coder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 8 kHz: the lower band alone, one sample for each byte.
    Narrow,
    /// 16 kHz: two samples for each byte.
    Wide,
}

/// Turns samples into bytes.
#[derive(Debug, Clone)]
pub struct Encoder {
    width: Width,
    low: Band,
    high: Band,
    history: [i32; 24],
}

impl Encoder {
    /// An encoder that was given nothing yet.
    #[must_use]
    pub fn new(width: Width) -> Self {
        Self {
            width,
            low: LOW,
            high: HIGH,
            history: [0; 24],
        }
    }

    /// Codes as many samples as make whole bytes and find room; the bytes written.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let step = match self.width {
            Width::Narrow => 1,
            Width::Wide => 2,
        };
        let mut written = 0;
        for (byte, samples) in out.iter_mut().zip(samples.chunks_exact(step)) {
            let (low, high) = match *samples {
                [first, second] => self.split(first, second),
                [only] => (i32::from(only) >> 1, 0),
                _ => break,
            };
            let lower = band::quantise_low(&self.low, low);
            self.low.adapt_low(lower);
            let upper = band::quantise_high(&self.high, high);
            self.high.adapt_high(upper);
            *byte = (upper << 6) | lower;
            written += 1;
        }
        written
    }

    /// The transmit filter: two samples become one of each band.
    fn split(&mut self, first: i16, second: i16) -> (i32, i32) {
        let (even, odd) = filtered(&mut self.history, i32::from(first), i32::from(second));
        ((even + odd) >> 14, (even - odd) >> 14)
    }
}

/// Turns bytes into samples.
#[derive(Debug, Clone)]
pub struct Decoder {
    width: Width,
    low: Band,
    high: Band,
    history: [i32; 24],
}

impl Decoder {
    /// A decoder that has heard nothing.
    #[must_use]
    pub fn new(width: Width) -> Self {
        Self {
            width,
            low: LOW,
            high: HIGH,
            history: [0; 24],
        }
    }

    /// Decodes as many bytes as find room for their samples; the samples written.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let step = match self.width {
            Width::Narrow => 1,
            Width::Wide => 2,
        };
        let mut written = 0;
        for (byte, room) in payload.iter().zip(out.chunks_exact_mut(step)) {
            let lower = byte & 0x3F;
            let low = self.low.reconstruct_low(lower);
            self.low.adapt_low(lower);
            match room {
                [first, second] => {
                    let upper = byte >> 6;
                    let high = self.high.reconstruct_high(upper);
                    self.high.adapt_high(upper);
                    let (even, odd) = filtered(&mut self.history, low + high, low - high);
                    (*first, *second) = (band::clipped(even >> 11), band::clipped(odd >> 11));
                }
                [only] => *only = band::clipped(low << 1),
                _ => break,
            }
            written += step;
        }
        written
    }
}

/// Moves the filter on by two values; its sums over the even and the odd ones.
fn filtered(history: &mut [i32; 24], first: i32, second: i32) -> (i32, i32) {
    history.copy_within(2.., 0);
    (history[22], history[23]) = (first, second);
    let (mut even, mut odd) = (0, 0);
    for ((pair, forward), backward) in history.chunks_exact(2).zip(QMF).zip(QMF.into_iter().rev()) {
        if let [a, b] = *pair {
            odd += a * forward;
            even += b * backward;
        }
    }
    (even, odd)
}
