//! Somebody who tells a tone in Opus, and ears that measure it.

use std::f64::consts::TAU;
use std::sync::Arc;

/// Sends a tone as a browser would: 48 kHz Opus, 20 ms packets.
pub(super) struct Teller {
    encoder: opus::Encoder,
    hz: f64,
    level: f64,
    at: usize,
    sequence: u64,
}

impl Teller {
    pub(super) fn new(hz: f64, level: f64) -> Self {
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
        encoder.set_complexity(0).unwrap();
        Self {
            encoder,
            hz,
            level,
            at: 0,
            sequence: 65_500,
        }
    }

    pub(super) fn next(&mut self) -> (u64, Arc<[u8]>) {
        let samples: Vec<i16> = (self.at..self.at + 960)
            .map(|n| ((TAU * self.hz * n as f64 / 48_000.0).sin() * self.level) as i16)
            .collect();
        self.at += 960;
        self.sequence += 1;
        (self.sequence, self.encoder.encode_vec(&samples, 400).unwrap().into())
    }
}

/// The mean power of samples.
pub(super) fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

/// The power of one pitch at 8 kHz (Goertzel), and what is left without it.
pub(super) fn power_of(samples: &[i16], hz: f64) -> (f64, f64) {
    let factor = 2.0 * (TAU * hz / 8_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + factor * last - before, last);
    }
    let count = samples.len() as f64;
    let tone = (last * last + before * before - factor * last * before) * 2.0 / (count * count);
    (tone, (power(samples) - tone).max(0.0))
}
