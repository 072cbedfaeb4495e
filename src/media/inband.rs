//! Keys heard as tones (ITU-T Q.23), for far ends that send no telephone-events: eight Goertzel
//! filters over blocks of 12.75 ms. Pure; feed it samples, it tells keys.

use crate::SAMPLE_RATE_HZ;
use std::f32::consts::TAU;

/// Samples of one block. Two blocks must agree, so the shortest key of Q.24 (40 ms) always holds them.
const BLOCK: usize = 102;

const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Mean square below which a block is silence: about -38 dBm0.
const FLOOR: f32 = 60_000.0;
/// The two tones must hold this share of the block's energy; speech seldom does.
const SHARE: f32 = 0.70;
/// The strongest tone of a group must stand out from its neighbours by this factor in energy.
const RELATIVE: f32 = 4.0;
/// How much one tone may exceed the other in energy (8 dB and a margin), either way.
const TWIST: f32 = 8.0;

/// The two frequencies of a key.
#[must_use]
pub fn frequencies(digit: char) -> Option<(f32, f32)> {
    let digit = digit.to_ascii_uppercase();
    KEYS.iter().zip(LOW).find_map(|(row, low)| {
        let column = row.iter().position(|key| *key == digit)?;
        Some((low, HIGH[column]))
    })
}

/// Listens to one leg.
#[derive(Debug, Clone)]
pub struct Detector {
    coefficients: [f32; 8],
    state: [(f32, f32); 8],
    energy: f32,
    filled: usize,
    previous: Option<char>,
    /// The key being held, told already.
    held: Option<char>,
    /// Blocks without the held key; two end it.
    absent: u8,
}

impl Default for Detector {
    fn default() -> Self {
        let mut coefficients = [0.0; 8];
        for (coefficient, tone) in coefficients.iter_mut().zip(LOW.iter().chain(&HIGH)) {
            *coefficient = 2.0 * (TAU * tone / SAMPLE_RATE_HZ as f32).cos();
        }
        Self {
            coefficients,
            state: [(0.0, 0.0); 8],
            energy: 0.0,
            filled: 0,
            previous: None,
            held: None,
            absent: 0,
        }
    }
}

impl Detector {
    /// Hears samples and calls `told` once for every key that begins.
    pub fn hear(&mut self, samples: impl IntoIterator<Item = i16>, mut told: impl FnMut(char)) {
        for sample in samples {
            let sample = f32::from(sample);
            for ((before, last), coefficient) in self.state.iter_mut().zip(&self.coefficients) {
                let next = coefficient.mul_add(*last, sample) - *before;
                *before = *last;
                *last = next;
            }
            self.energy += sample * sample;
            self.filled += 1;
            if self.filled == BLOCK {
                let key = self.block();
                self.step(key, &mut told);
                self.state = [(0.0, 0.0); 8];
                self.energy = 0.0;
                self.filled = 0;
            }
        }
    }

    fn step(&mut self, key: Option<char>, told: &mut impl FnMut(char)) {
        if key.is_some() && key == self.held {
            self.absent = 0;
        } else {
            self.absent = self.absent.saturating_add(1);
            if self.absent >= 2 {
                self.held = None;
            }
        }
        if let Some(digit) = key
            && self.previous == Some(digit)
            && self.held != Some(digit)
        {
            self.held = Some(digit);
            self.absent = 0;
            told(digit);
        }
        self.previous = key;
    }

    fn block(&self) -> Option<char> {
        if self.energy < FLOOR * BLOCK as f32 {
            return None;
        }
        let mut power = [0.0; 8];
        for ((power, (before, last)), coefficient) in power.iter_mut().zip(&self.state).zip(&self.coefficients) {
            *power = last * last + before * before - coefficient * last * before;
        }
        let (low, high) = power.split_at(4);
        let (row, low_power) = strongest(low)?;
        let (column, high_power) = strongest(high)?;
        // A tone of amplitude A gives power (A·N/2)² here and adds A²·N/2 to the energy.
        let share = (low_power + high_power) * 2.0 / (BLOCK as f32 * self.energy);
        let twisted = low_power > TWIST * high_power || high_power > TWIST * low_power;
        if share < SHARE || twisted {
            return None;
        }
        KEYS.get(row)?.get(column).copied()
    }
}

/// The strongest of four, when it stands out.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (index, power) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let clear = group
        .iter()
        .enumerate()
        .all(|(other, value)| other == index || power > RELATIVE * value);
    clear.then_some((index, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g711::{self, Law};
    use crate::tone;

    const ALL: &str = "1234567890*#ABCD";

    fn heard(samples: &[i16]) -> String {
        let mut detector = Detector::default();
        let mut keys = String::new();
        for part in samples.chunks(160) {
            detector.hear(part.iter().copied(), |key| keys.push(key));
        }
        keys
    }

    fn typed(keys: &str, on_ms: u32, off_ms: u32, offset: usize) -> Vec<i16> {
        let mut samples = vec![0; offset];
        for key in keys.chars() {
            samples.extend_from_slice(&tone::key(key, on_ms).unwrap());
            samples.extend_from_slice(&tone::silence(off_ms));
        }
        samples
    }

    #[test]
    fn every_key_is_told_once_at_the_shortest_legal_length_and_any_offset() {
        for offset in 0..BLOCK {
            assert_eq!(heard(&typed(ALL, 40, 40, offset)), ALL, "offset {offset}");
        }
    }

    #[test]
    fn a_key_pressed_twice_is_two_keys_and_a_long_one_is_one() {
        assert_eq!(heard(&typed("55", 60, 50, 0)), "55");
        assert_eq!(heard(&typed("5", 2_000, 50, 0)), "5");
    }

    #[test]
    fn keys_survive_both_laws() {
        for law in [Law::Mu, Law::A] {
            let coded: Vec<i16> = typed(ALL, 50, 50, 7)
                .iter()
                .map(|sample| g711::decode(law, g711::encode(law, *sample)))
                .collect();
            assert_eq!(heard(&coded), ALL);
        }
    }

    #[test]
    fn music_signals_and_noise_are_no_keys() {
        for sound in [tone::hold_music(), tone::ringback(), tone::beep(), tone::busy()] {
            assert_eq!(heard(&sound), "");
        }
        let mut seed = 1_u32;
        let noise: Vec<i16> = (0..80_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 18) as i16 - 8_192
            })
            .collect();
        assert_eq!(heard(&noise), "");
    }
}
