//! Keeps a sum of voices below overload: the gain goes down within 2 ms and comes back within a second,
//! so that loud moments are turned down and not cut off.

use strowger_media::{AudioFrame, FRAME_SAMPLES};

/// Several voices together, before they fit 16 bits.
pub(super) type Sum = [i32; FRAME_SAMPLES];

/// The loudest sample let through: 1 dB below overload.
const CEILING: f32 = 29_200.0;
/// Samples over which the gain goes down: 2 ms.
const ATTACK: usize = 16;
/// By how much the gain may come back each 20 ms: 0.25 dB.
const RELEASE: f32 = 1.029;

/// The gain of one listener's mix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Makes a frame of a sum.
    pub(super) fn apply(&mut self, sum: &Sum) -> AudioFrame {
        let peak = sum.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0) as f32;
        let wanted = if peak > CEILING { CEILING / peak } else { 1.0 };
        let from = self.gain;
        let to = wanted.min(from * RELEASE);
        self.gain = to;
        let mut frame = [0; FRAME_SAMPLES];
        if from >= 1.0 && to >= 1.0 {
            for (out, sample) in frame.iter_mut().zip(sum) {
                *out = saturate(*sample);
            }
            return frame;
        }
        let ramp = if to < from { ATTACK } else { FRAME_SAMPLES };
        let step = (to - from) / ramp as f32;
        for (n, (out, sample)) in frame.iter_mut().zip(sum).enumerate() {
            let gain = if n < ramp { from + step * (n + 1) as f32 } else { to };
            *out = saturate((*sample as f32 * gain) as i32);
        }
        frame
    }
}

fn saturate(sample: i32) -> i16 {
    i16::try_from(sample).unwrap_or(if sample < 0 { i16::MIN } else { i16::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_passes_untouched() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.apply(&[20_000; FRAME_SAMPLES]), [20_000; FRAME_SAMPLES]);
    }

    #[test]
    fn what_does_not_fit_is_turned_down_and_comes_back_slowly() {
        let mut limiter = Limiter::default();
        let loud = limiter.apply(&[60_000; FRAME_SAMPLES]);
        assert!((loud[FRAME_SAMPLES - 1] - CEILING as i16).abs() <= 1);
        let after = limiter.apply(&[10_000; FRAME_SAMPLES]);
        assert!(after[0] < 5_100 && after[FRAME_SAMPLES - 1] > after[0]);
        for _ in 0..60 {
            limiter.apply(&[10_000; FRAME_SAMPLES]);
        }
        assert_eq!(limiter.apply(&[10_000; FRAME_SAMPLES]), [10_000; FRAME_SAMPLES]);
    }
}
