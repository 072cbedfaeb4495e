//! Loudness by EBU R 128: recordings and prompts are brought to one level without clipping.

use super::{Error, Pcm};
use ebur128::{EbuR128, Mode};

/// What speech is brought to, LUFS.
pub const TARGET_LUFS: f64 = -16.0;
/// No sample, nor the curve between samples, goes above this, dBTP.
const CEILING_DB: f64 = -1.5;
/// Never amplified by more than this: noise is not speech.
const MOST_GAIN_DB: f64 = 24.0;
/// Quieter than this is silence and stays as it is, LUFS.
const SILENCE_LUFS: f64 = -60.0;
/// Measured at once, in samples.
const BLOCK: usize = 8192;

/// Brings each channel to [`TARGET_LUFS`] by a gain of its own: the two ends of a call come over
/// different lines. A peak that would pass the ceiling lowers the gain by at most 3 dB; what is still
/// above is rounded off by [`limit`].
///
/// # Errors
/// When the sample rate cannot be measured at.
pub fn normalise(pcm: &mut Pcm) -> Result<(), Error> {
    for channel in &mut pcm.channels {
        let gain_db = gain_db(channel, pcm.sample_rate_hz)?;
        amplify(channel, gain_db);
    }
    Ok(())
}

/// The loudness of one channel, LUFS; silence is minus infinity.
///
/// # Errors
/// When the sample rate cannot be measured at.
pub fn measure(samples: &[i16], sample_rate_hz: u32) -> Result<f64, Error> {
    Ok(meter(samples, sample_rate_hz)?.loudness_global()?)
}

fn meter(samples: &[i16], sample_rate_hz: u32) -> Result<EbuR128, Error> {
    let mut meter = Meter::new(sample_rate_hz)?;
    meter.push(samples)?;
    Ok(meter.0)
}

fn gain_db(samples: &[i16], sample_rate_hz: u32) -> Result<f64, Error> {
    Meter(meter(samples, sample_rate_hz)?).gain_db()
}

/// Hears one channel block by block and says by how much it is to be amplified.
pub struct Meter(EbuR128);

impl Meter {
    /// A meter for one channel.
    ///
    /// # Errors
    /// When the sample rate cannot be measured at.
    pub fn new(sample_rate_hz: u32) -> Result<Self, Error> {
        Ok(Self(EbuR128::new(1, sample_rate_hz, Mode::I | Mode::TRUE_PEAK)?))
    }

    /// Hears the next samples.
    ///
    /// # Errors
    /// When the meter refuses, which would be a fault of ours.
    pub fn push(&mut self, samples: &[i16]) -> Result<(), Error> {
        for block in samples.chunks(BLOCK) {
            self.0.add_frames_i16(block)?;
        }
        Ok(())
    }

    /// The gain that brings what was heard to [`TARGET_LUFS`], dB.
    ///
    /// # Errors
    /// When the meter refuses, which would be a fault of ours.
    pub fn gain_db(&self) -> Result<f64, Error> {
        let loudness = self.0.loudness_global()?;
        if loudness < SILENCE_LUFS {
            return Ok(0.0);
        }
        let wanted = (TARGET_LUFS - loudness).min(MOST_GAIN_DB);
        let peak_db = 20.0 * self.0.true_peak(0)?.max(1e-6).log10();
        let room_db = CEILING_DB - peak_db;
        Ok(wanted.min(room_db.max(wanted - 3.0)))
    }
}

/// Amplifies samples by a gain; what would pass the ceiling is rounded off.
pub fn amplify(samples: &mut [i16], gain_db: f64) {
    if gain_db.abs() < 0.1 {
        return;
    }
    let gain = 10_f64.powf(gain_db / 20.0) as f32 / 32_768.0;
    for sample in samples {
        *sample = super::resample::to_i16(limit(f32::from(*sample) * gain));
    }
}

/// A sum of samples as one sample that does not pass the ceiling.
#[must_use]
pub fn limited(sum: i32) -> i16 {
    super::resample::to_i16(limit(sum as f32 / 32_768.0))
}

/// Leaves what is below 0.7 as it is and bends the rest so that nothing passes the ceiling.
fn limit(sample: f32) -> f32 {
    const KNEE: f32 = 0.7;
    let ceiling = 10_f32.powf(CEILING_DB as f32 / 20.0);
    let size = sample.abs();
    if size <= KNEE {
        return sample;
    }
    let room = ceiling - KNEE;
    let bent = KNEE + room * ((size - KNEE) / room).tanh();
    bent.copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech_like(peak: f32) -> Vec<i16> {
        (0..8000 * 6)
            .map(|n| {
                let t = n as f32 / 8000.0;
                let envelope = (t * 3.0).sin().abs();
                ((t * 700.0 * std::f32::consts::TAU).sin() * envelope * peak) as i16
            })
            .collect()
    }

    #[test]
    fn quiet_and_loud_channels_meet_at_one_level() {
        let mut pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![speech_like(1000.0), speech_like(20_000.0)],
        };
        normalise(&mut pcm).unwrap();
        let levels: Vec<f64> = pcm
            .channels
            .iter()
            .map(|channel| measure(channel, 8000).unwrap())
            .collect();
        assert!((levels[0] - TARGET_LUFS).abs() < 1.5, "{levels:?}");
        assert!((levels[0] - levels[1]).abs() < 1.0, "{levels:?}");
    }

    #[test]
    fn nothing_passes_the_ceiling() {
        let mut samples = speech_like(300.0);
        for click in samples.iter_mut().step_by(4001) {
            *click = 32_000;
        }
        let mut pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![samples],
        };
        normalise(&mut pcm).unwrap();
        let ceiling = (10_f64.powf(CEILING_DB / 20.0) * 32_768.0) as i16;
        assert!(
            pcm.channels[0]
                .iter()
                .all(|sample| sample.unsigned_abs() <= ceiling.unsigned_abs() + 1)
        );
    }

    #[test]
    fn silence_stays_silence() {
        let mut pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![vec![0; 16_000], vec![3; 100]],
        };
        normalise(&mut pcm).unwrap();
        assert!(pcm.channels[0].iter().all(|sample| *sample == 0));
    }
}
