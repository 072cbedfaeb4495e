//! Changing the sample rate, block by block, so that an hour needs no second copy in memory.

use super::Error;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

/// Input frames of a block.
const BLOCK: usize = 4096;

/// Turns blocks of one channel's samples at one rate into samples at another, without a shift in
/// time.
pub struct Stream {
    resampler: Option<Fft<f32>>,
    waiting: Vec<f32>,
    output: Vec<f32>,
    /// Output frames that are the filter's delay and still to be dropped.
    to_drop: usize,
    taken: u64,
    given: u64,
    from_hz: u32,
    to_hz: u32,
}

impl Stream {
    /// A stream from `from_hz` to `to_hz`.
    ///
    /// # Errors
    /// When a rate is zero or absurd.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, Error> {
        let wrong = || Error::Rate { from_hz, to_hz };
        if !(1000..=768_000).contains(&from_hz) || !(1000..=768_000).contains(&to_hz) {
            return Err(wrong());
        }
        let resampler = if from_hz == to_hz {
            None
        } else {
            let rates = (from_hz as usize, to_hz as usize);
            Some(Fft::<f32>::new(rates.0, rates.1, BLOCK, 1, FixedSync::Both).map_err(|_| wrong())?)
        };
        let to_drop = resampler.as_ref().map_or(0, Resampler::output_delay);
        Ok(Self {
            resampler,
            waiting: Vec::new(),
            output: Vec::new(),
            to_drop,
            taken: 0,
            given: 0,
            from_hz,
            to_hz,
        })
    }

    /// Takes samples and appends what is ready to `out`.
    ///
    /// # Errors
    /// When the resampler refuses a block, which would be a fault of ours.
    pub fn push(&mut self, samples: impl IntoIterator<Item = f32>, out: &mut Vec<i16>) -> Result<(), Error> {
        let before = self.waiting.len();
        self.waiting.extend(samples);
        self.taken += (self.waiting.len() - before) as u64;
        let Some(resampler) = self.resampler.as_mut() else {
            self.given += self.waiting.len() as u64;
            out.extend(self.waiting.drain(..).map(to_i16));
            return Ok(());
        };
        let mut used = 0;
        while self.waiting.len() - used >= resampler.input_frames_next() {
            let needed = resampler.input_frames_next();
            let block = self.waiting.get(used..used + needed).unwrap_or_default();
            used += needed;
            run(resampler, block, None, &mut self.output).ok_or(Error::Rate {
                from_hz: self.from_hz,
                to_hz: self.to_hz,
            })?;
            self.given += give(&mut self.to_drop, &self.output, usize::MAX, out);
        }
        self.waiting.drain(..used);
        Ok(())
    }

    /// Appends the rest; the whole output is then as long as the input was.
    ///
    /// # Errors
    /// As [`Stream::push`].
    pub fn finish(mut self, out: &mut Vec<i16>) -> Result<(), Error> {
        let Some(resampler) = self.resampler.as_mut() else {
            return Ok(());
        };
        let due = (self.taken * u64::from(self.to_hz)).div_ceil(u64::from(self.from_hz));
        while self.given < due {
            let needed = resampler.input_frames_next();
            let part = self.waiting.len().min(needed);
            self.waiting.resize(needed, 0.0);
            run(resampler, &self.waiting, Some(part), &mut self.output).ok_or(Error::Rate {
                from_hz: self.from_hz,
                to_hz: self.to_hz,
            })?;
            self.waiting.clear();
            let left = usize::try_from(due - self.given).unwrap_or(usize::MAX);
            self.given += give(&mut self.to_drop, &self.output, left, out);
        }
        Ok(())
    }
}

fn run(resampler: &mut Fft<f32>, block: &[f32], part: Option<usize>, output: &mut Vec<f32>) -> Option<()> {
    let frames = resampler.output_frames_next();
    output.resize(frames, 0.0);
    let indexing = part.map(|part| Indexing::new().partial_len(part));
    let input = SequentialSlice::new(block, 1, block.len()).ok()?;
    let mut into = SequentialSlice::new_mut(output.as_mut_slice(), 1, frames).ok()?;
    let (_, written) = resampler
        .process_into_buffer(&input, &mut into, indexing.as_ref())
        .ok()?;
    output.truncate(written);
    Some(())
}

fn give(to_drop: &mut usize, output: &[f32], most: usize, out: &mut Vec<i16>) -> u64 {
    let dropped = (*to_drop).min(output.len());
    *to_drop -= dropped;
    let before = out.len();
    out.extend(output.iter().skip(dropped).take(most).copied().map(to_i16));
    (out.len() - before) as u64
}

/// −1 to 1 as 16 bits; beyond is clipped.
pub(super) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round_ties_even().clamp(-32_768.0, 32_767.0) as i16
}

/// A whole channel at another rate.
///
/// # Errors
/// As [`Stream::new`].
pub fn channel(samples: &[i16], from_hz: u32, to_hz: u32) -> Result<Vec<i16>, Error> {
    let mut stream = Stream::new(from_hz, to_hz)?;
    let mut out = Vec::new();
    for block in samples.chunks(BLOCK) {
        stream.push(block.iter().map(|sample| f32::from(*sample) / 32_768.0), &mut out)?;
    }
    stream.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate_hz: u32, hz: f32, seconds: f32) -> Vec<i16> {
        let count = (rate_hz as f32 * seconds) as usize;
        let step = std::f32::consts::TAU * hz / rate_hz as f32;
        (0..count)
            .map(|n| ((n as f32 * step).sin() * 10_000.0) as i16)
            .collect()
    }

    #[test]
    fn length_and_place_in_time_are_kept() {
        for (from, to) in [
            (8000, 48_000),
            (48_000, 16_000),
            (44_100, 8000),
            (8000, 16_000),
            (22_050, 48_000),
        ] {
            let input = tone(from, 300.0, 1.237);
            let output = channel(&input, from, to).unwrap();
            let due = (input.len() as u64 * u64::from(to)).div_ceil(u64::from(from));
            assert_eq!(output.len() as u64, due, "{from} to {to}");
            let wanted = tone(to, 300.0, 1.237);
            let middle = wanted.len() / 4..wanted.len() / 4 * 3;
            let error: f64 = output[middle.clone()]
                .iter()
                .zip(&wanted[middle.clone()])
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum();
            let noise = (error / middle.len() as f64).sqrt();
            assert!(noise < 100.0, "{from} to {to}: {noise}");
        }
    }

    #[test]
    fn a_few_samples_are_enough_and_absurd_rates_are_refused() {
        assert_eq!(channel(&[1, 2, 3], 8000, 48_000).unwrap().len(), 18);
        assert!(channel(&[], 8000, 48_000).unwrap().is_empty());
        assert!(Stream::new(0, 8000).is_err());
    }
}
