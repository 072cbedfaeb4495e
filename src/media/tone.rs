//! Sounds made here: signals of the network, the beep, and something to hear while on hold.
//! All are 16-bit linear mono at 8 kHz; those that repeat are whole periods.

use crate::SAMPLE_RATE_HZ;
use std::f32::consts::TAU;
use std::sync::Arc;

/// Where a sound swells and fades, so that it does not click: 5 ms.
const RAMP_SAMPLES: usize = 40;

/// The tone before a voicemail message or a recording: 1 kHz for 300 ms.
#[must_use]
pub fn beep() -> Arc<[i16]> {
    sound(&[(&[1_000.0], 300)], 9_000.0)
}

/// The short tone that reminds of a running recording: 1.4 kHz for 180 ms (the FCC's beep).
#[must_use]
pub fn recording_beep() -> Arc<[i16]> {
    sound(&[(&[1_400.0], 180)], 5_000.0)
}

/// The far end rings, as heard in Europe: 425 Hz, one second in five. To be repeated.
#[must_use]
pub fn ringback() -> Arc<[i16]> {
    sound(&[(&[425.0], 1_000), (&[], 4_000)], 6_000.0)
}

/// The far end is busy: 425 Hz, half a second on and off. To be repeated.
#[must_use]
pub fn busy() -> Arc<[i16]> {
    sound(&[(&[425.0], 500), (&[], 500)], 6_000.0)
}

/// No way through: 425 Hz, a quarter of a second on and off. To be repeated.
#[must_use]
pub fn congestion() -> Arc<[i16]> {
    sound(&[(&[425.0], 250), (&[], 250)], 6_000.0)
}

/// Soft broken chords for a caller on hold: eight seconds, to be repeated.
#[must_use]
pub fn hold_music() -> Arc<[i16]> {
    const CHORDS: [[f32; 4]; 4] = [
        [261.63, 329.63, 392.00, 523.25],
        [220.00, 261.63, 329.63, 440.00],
        [174.61, 261.63, 349.23, 440.00],
        [196.00, 246.94, 293.66, 392.00],
    ];
    /// Each note rings on into the following ones.
    const NOTE_MS: u32 = 250;
    const RING_MS: u32 = 1_500;
    let note = samples_of(NOTE_MS);
    let total = CHORDS.len() * 8 * note;
    let mut mixed = vec![0.0_f32; total];
    for (bar, chord) in CHORDS.iter().enumerate() {
        for (beat, tone) in [0, 1, 2, 3, 2, 1, 2, 1].iter().map(|index| chord[*index]).enumerate() {
            let start = (bar * 8 + beat) * note;
            for n in 0..samples_of(RING_MS) {
                let seconds = n as f32 / SAMPLE_RATE_HZ as f32;
                let swell = (n as f32 / RAMP_SAMPLES as f32).min(1.0);
                let fade = (-3.0 * seconds).exp();
                let wave = (TAU * tone * seconds).sin() + 0.3 * (TAU * 2.0 * tone * seconds).sin();
                // The last notes ring into the first ones, so that the repetition has no seam.
                mixed[(start + n) % total] += wave * swell * fade;
            }
        }
    }
    mixed.into_iter().map(|sample| (sample * 2_200.0) as i16).collect()
}

/// Silence of a length.
#[must_use]
pub fn silence(ms: u32) -> Arc<[i16]> {
    vec![0; samples_of(ms)].into()
}

/// One key as its two tones (ITU-T Q.23). `None` for what is no key.
#[must_use]
pub fn key(digit: char, ms: u32) -> Option<Arc<[i16]>> {
    let (low, high) = crate::inband::frequencies(digit)?;
    Some(sound(&[(&[low, high], ms)], 7_000.0))
}

fn samples_of(ms: u32) -> usize {
    (SAMPLE_RATE_HZ as usize / 1_000) * ms as usize
}

/// Parts of tones (or none) and milliseconds; `level` is one tone's amplitude.
fn sound(parts: &[(&[f32], u32)], level: f32) -> Arc<[i16]> {
    let mut samples = Vec::new();
    for (tones, ms) in parts {
        let length = samples_of(*ms);
        for n in 0..length {
            let edge = n.min(length - 1 - n) as f32 / RAMP_SAMPLES as f32;
            let seconds = n as f32 / SAMPLE_RATE_HZ as f32;
            let wave: f32 = tones.iter().map(|tone| (TAU * tone * seconds).sin()).sum();
            samples.push((wave * level * edge.min(1.0)) as i16);
        }
    }
    samples.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_have_their_length_and_are_audible() {
        for (sound, ms) in [
            (beep(), 300),
            (recording_beep(), 180),
            (ringback(), 5_000),
            (busy(), 1_000),
            (congestion(), 500),
            (hold_music(), 8_000),
        ] {
            assert_eq!(sound.len(), samples_of(ms));
            let loudest = sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((4_000..30_000).contains(&loudest), "{loudest}");
        }
        assert!(silence(20).iter().all(|sample| *sample == 0));
        assert!(key('x', 40).is_none());
    }

    #[test]
    fn the_hold_music_repeats_without_a_click() {
        let music = hold_music();
        let step = |a: i16, b: i16| (i32::from(a) - i32::from(b)).abs();
        let largest = music.windows(2).map(|pair| step(pair[0], pair[1])).max().unwrap();
        assert!(step(music[0], music[music.len() - 1]) <= largest);
    }
}
