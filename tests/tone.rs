//! Tones: made, and found again in what was recorded.

use anyhow::{Context, Result, bail};
use std::f64::consts::TAU;
use std::path::Path;

/// Writes `seconds` of a sine of `hertz` at −12 dBFS as 8 kHz 16-bit mono WAV.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, hertz: f64, seconds: u32) -> Result<()> {
    write_chord(path, &[hertz], 8000, seconds)
}

/// Writes `seconds` of sines together, each at −12 dBFS, as 16-bit mono WAV.
///
/// # Errors
/// The file cannot be written.
pub fn write_chord(path: &Path, pitches: &[f64], rate_hz: u32, seconds: u32) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).context("cannot write a tone")?;
    for n in 0..seconds * rate_hz {
        let wave = |hertz: &f64| (TAU * hertz * f64::from(n) / f64::from(rate_hz)).sin() * 8231.0;
        #[expect(clippy::cast_possible_truncation, reason = "a few of ±8231")]
        file.write_sample(pitches.iter().map(wave).sum::<f64>() as i16)?;
    }
    file.finalize()?;
    Ok(())
}

/// Writes `seconds` of beeps of `hertz`, five a second, as 48 kHz 16-bit mono WAV: what a browser's noise
/// suppression takes for somebody who speaks, where it would take a steady tone away.
///
/// # Errors
/// The file cannot be written.
pub fn write_beeps(path: &Path, hertz: f64, seconds: u32) -> Result<()> {
    const RATE: u32 = 48_000;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).context("cannot write beeps")?;
    for n in 0..seconds * RATE {
        let time = f64::from(n) / f64::from(RATE);
        // Raised cosines: no clicks, which every pitch would hear.
        let loud = (0.5 - 0.5 * (TAU * 5.0 * time).cos()).powi(2);
        let value = (TAU * hertz * time).sin() * loud * 14_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "within ±14000")]
        file.write_sample(value as i16)?;
    }
    file.finalize()?;
    Ok(())
}

/// The level of one frequency in dBFS (Goertzel over the whole slice; a full-scale sine is 0).
#[must_use]
pub fn level(samples: &[f32], rate_hz: u32, hertz: f64) -> f64 {
    if samples.is_empty() {
        return f64::NEG_INFINITY;
    }
    let factor = 2.0 * (TAU * hertz / f64::from(rate_hz)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        let now = f64::from(*sample) + factor * one - two;
        two = one;
        one = now;
    }
    let power = one * one + two * two - factor * one * two;
    #[expect(clippy::cast_precision_loss, reason = "a length far below 2^52")]
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len() as f64;
    20.0 * amplitude.max(1e-12).log10()
}

/// The level of a tone in dBFS whose sender's clock may just be followed: frames of 20 ms are made one sample of
/// 160 longer or shorter then, and the tone is that much lower or higher.
#[must_use]
pub fn level_near(samples: &[f32], rate_hz: u32, hertz: f64) -> f64 {
    [159.0, 160.0, 161.0]
        .map(|length| level(samples, rate_hz, hertz * 160.0 / length))
        .into_iter()
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The part of `samples`, in windows of 100 ms, in which `hertz` stands above `floor_dbfs`: 0 to 1.
#[must_use]
pub fn share_above(samples: &[f32], rate_hz: u32, hertz: f64, floor_dbfs: f64) -> f64 {
    let window = (rate_hz / 10) as usize;
    let windows: Vec<bool> = samples
        .chunks_exact(window.max(1))
        .map(|part| level_near(part, rate_hz, hertz) > floor_dbfs)
        .collect();
    if windows.is_empty() {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of windows")]
    let share = windows.iter().filter(|is| **is).count() as f64 / windows.len() as f64;
    share
}

/// For how long, in seconds, `hertz` stands above `floor_dbfs`.
#[must_use]
pub fn seconds_above(samples: &[f32], rate_hz: u32, hertz: f64, floor_dbfs: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a length far below 2^52")]
    let length = samples.len() as f64 / f64::from(rate_hz);
    share_above(samples, rate_hz, hertz, floor_dbfs) * length
}

/// Checks that `hertz` stands above `floor_dbfs` in at least `share` of the windows of 100 ms.
///
/// # Errors
/// It does not; says in which windows it is missing and what stands there.
pub fn holds(samples: &[f32], rate_hz: u32, hertz: f64, floor_dbfs: f64, share: f64) -> Result<()> {
    if share_above(samples, rate_hz, hertz, floor_dbfs) > share {
        return Ok(());
    }
    let missing: Vec<String> = samples
        .chunks_exact((rate_hz / 10).max(1) as usize)
        .enumerate()
        .map(|(n, part)| (n, level_near(part, rate_hz, hertz), loudest(part)))
        .filter(|(_, level, _)| *level <= floor_dbfs)
        .map(|(n, level, peak)| format!("{}.{} s: {level:.0} dBFS, peak {peak:.3}", n / 10, n % 10))
        .collect();
    bail!("{hertz} Hz is missing at {missing:?}")
}

fn loudest(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_at_its_level_and_its_neighbour_is_not() {
        #[expect(clippy::cast_possible_truncation, reason = "a test tone")]
        let tone: Vec<f32> = (0..8000)
            .map(|n| ((TAU * 1004.0 * f64::from(n) / 8000.0).sin() * 0.25) as f32)
            .collect();
        assert!((level(&tone, 8000, 1004.0) + 12.04).abs() < 0.2);
        assert!(level(&tone, 8000, 1400.0) < -50.0);
        assert!(share_above(&tone, 8000, 1004.0, -30.0) > 0.99);
        // Heard from a clock that is just being followed.
        assert!(share_above(&tone, 8000, 1004.0 * 161.0 / 160.0, -30.0) > 0.99);
        assert!(share_above(&tone, 8000, 1400.0, -30.0) < 0.01);
        assert!(holds(&tone, 8000, 1004.0, -30.0, 0.99).is_ok());
        let missing = holds(&tone, 8000, 1400.0, -30.0, 0.95).unwrap_err().to_string();
        assert!(missing.contains("0.3 s") && missing.contains("peak 0.250"), "{missing}");
    }
}
