//! Sound of the telephone band at twice its rate: where one leg is wide-band the other's samples become denser, and
//! nothing is added above their band.
//!
//! A filter of half the band: every second sample is one that was there, those between are weighed from the 16 before
//! and the 16 behind. So it gives out everything 2 ms late, which is what a coder of 16 kHz does as well.

use std::f32::consts::PI;

/// How many samples before and behind a place say what stands there.
const REACH: usize = 16;

/// Makes one stream denser.
pub(super) struct Doubler {
    /// Of the last samples for the place in their middle: a sinc under Blackman's window, whose image of a tone is more
    /// than 60 dB below it up to 3.3 kHz.
    weights: [f32; 2 * REACH],
    /// The oldest first.
    last: [f32; 2 * REACH],
}

impl Doubler {
    /// One that has heard silence.
    pub(super) fn new() -> Self {
        let mut weights = [0.0; 2 * REACH];
        for (n, weight) in weights.iter_mut().enumerate() {
            // Samples from the place in the middle, which lies between two.
            let away = n as f32 - REACH as f32 + 0.5;
            let round = PI * away / (REACH as f32 + 0.5);
            let window = 0.42 + 0.5 * round.cos() + 0.08 * (2.0 * round).cos();
            *weight = (PI * away).sin() / (PI * away) * window;
        }
        let sum: f32 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        Self {
            weights,
            last: [0.0; 2 * REACH],
        }
    }

    /// Twice as many samples.
    pub(super) fn double(&mut self, samples: &[i16]) -> Vec<i16> {
        let mut denser = Vec::with_capacity(2 * samples.len());
        for sample in samples {
            self.last.copy_within(1.., 0);
            self.last[2 * REACH - 1] = f32::from(*sample);
            let between: f32 = self
                .last
                .iter()
                .zip(&self.weights)
                .map(|(one, weight)| one * weight)
                .sum();
            denser.push(self.last[REACH - 1] as i16);
            denser.push(between.round() as i16);
        }
        denser
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The amplitude of a pitch in samples of 16 kHz.
    fn amplitude(samples: &[i16], hertz: f64) -> f64 {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (s, c) = (n as f64 * std::f64::consts::TAU * hertz / 16_000.0).sin_cos();
            sine += s * f64::from(*sample);
            cosine += c * f64::from(*sample);
        }
        2.0 * sine.hypot(cosine) / samples.len() as f64
    }

    #[test]
    fn a_tone_keeps_its_level_and_has_no_image_above_the_telephone_band() {
        for hertz in [100.0, 440.0, 1_004.0, 2_000.0, 3_000.0, 3_300.0] {
            let step = std::f64::consts::TAU * hertz / 8_000.0;
            let said: Vec<i16> = (0..8_000)
                .map(|n| ((f64::from(n) * step).sin() * 10_000.0) as i16)
                .collect();
            let mut doubler = Doubler::new();
            let heard: Vec<i16> = said.chunks(160).flat_map(|frame| doubler.double(frame)).collect();
            assert_eq!(heard.len(), 16_000);
            let settled = &heard[800..];
            let (own, image) = (amplitude(settled, hertz), amplitude(settled, 8_000.0 - hertz));
            assert!((9_900.0..10_100.0).contains(&own), "{hertz} Hz: {own}");
            assert!(image < 10.0, "{hertz} Hz: {image}");
        }
    }

    #[test]
    fn what_was_there_is_still_there_two_milliseconds_later_and_peaks_are_held() {
        let said: Vec<i16> = (0..400_i16)
            .map(|n| if n % 3 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        let heard = Doubler::new().double(&said);
        let kept: Vec<i16> = heard.into_iter().step_by(2).skip(REACH).collect();
        assert_eq!(kept, said[..400 - REACH]);
    }
}
