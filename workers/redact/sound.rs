//! The same for samples: silence where something was said, and keys of a card number heard as tones.

use super::Stretch;
use crate::audio::{self, Pcm, resample};
use strowger_media::SAMPLE_RATE_HZ;
use strowger_media::inband::Detector;
use strowger_model::card::is_card;

/// Samples looked at between two questions which key it is: the time of a key is known to this.
const STEP: usize = 80;
const STEP_MS: i64 = 10;
/// Samples heard at once.
const BLOCK: usize = 8192;
/// Before a key is recognised it has sounded this long, milliseconds.
const UNHEARD_MS: i64 = 120;
/// After the last key, milliseconds: it may be held.
const HELD_MS: i64 = 1200;
/// Keys of one number follow each other within this, milliseconds.
const PAUSE_MS: i64 = 15_000;
/// Fades at the ends of a silence, milliseconds: no click.
const FADE_MS: i64 = 5;

/// Silences a stretch of a channel's samples.
pub fn silence(samples: &mut [i16], sample_rate_hz: u32, from_ms: i64, to_ms: i64) {
    silence_at(samples, 0, sample_rate_hz, (from_ms, to_ms));
}

/// Silences a stretch in a part of a channel, whose first sample is the `at`-th of the channel; the stretch is
/// `(from, to)` in milliseconds of the channel.
pub fn silence_at(samples: &mut [i16], at: u64, sample_rate_hz: u32, (from_ms, to_ms): (i64, i64)) {
    let place = |ms: i64| {
        let place = u128::from(ms.max(0).unsigned_abs()) * u128::from(sample_rate_hz) / 1000;
        u64::try_from(place).unwrap_or(u64::MAX)
    };
    // The fades lie outside: inside nothing is left.
    let (from, to, fade) = (place(from_ms), place(to_ms), place(FADE_MS));
    let within = |place: u64| {
        usize::try_from(place.saturating_sub(at))
            .unwrap_or(usize::MAX)
            .min(samples.len())
    };
    let (first, last) = (within(from.saturating_sub(fade)), within(to.saturating_add(fade)));
    for (n, sample) in samples.iter_mut().enumerate().take(last).skip(first) {
        let n = at + n as u64;
        // How far outside; nearer than a whole fade.
        let away = if n < from { from - n - 1 } else { n.saturating_sub(to) };
        let is_outside = n < from || n >= to;
        *sample = if is_outside {
            (f32::from(*sample) * (away as f32 / fade.max(1) as f32)) as i16
        } else {
            0
        };
    }
}

/// The stretches of channels in which a card number was keyed and can be heard. Keys are in the telephone band.
///
/// # Errors
/// When the sample rate is absurd.
pub fn keyed_cards(pcm: &Pcm) -> Result<Vec<Stretch>, audio::Error> {
    let mut stretches = Vec::new();
    for (channel, samples) in (0_u8..).zip(&pcm.channels) {
        let mut keys = Keys::new(pcm.sample_rate_hz)?;
        keys.hear(samples)?;
        stretches.extend(keys.cards(channel)?);
    }
    Ok(stretches)
}

/// Hears the keys of one channel, part by part.
pub struct Keys {
    /// Brings what is wider to the telephone band.
    narrowing: Option<resample::Stream>,
    /// Samples that are not yet a whole step.
    waiting: Vec<i16>,
    detector: Detector,
    /// Steps heard.
    steps: i64,
    /// Each key, and when it was recognised, milliseconds.
    keys: Vec<(u8, i64)>,
}

impl Keys {
    /// Keys of a channel of this rate.
    ///
    /// # Errors
    /// When the sample rate is absurd.
    pub fn new(sample_rate_hz: u32) -> Result<Self, audio::Error> {
        let is_wide = sample_rate_hz != SAMPLE_RATE_HZ;
        let narrowing = is_wide.then(|| resample::Stream::new(sample_rate_hz, SAMPLE_RATE_HZ));
        Ok(Self {
            narrowing: narrowing.transpose()?,
            waiting: Vec::new(),
            detector: Detector::default(),
            steps: 0,
            keys: Vec::new(),
        })
    }

    /// Hears the next samples.
    ///
    /// # Errors
    /// When the resampler refuses, which would be a fault of ours.
    pub fn hear(&mut self, samples: &[i16]) -> Result<(), audio::Error> {
        match &mut self.narrowing {
            Some(stream) => {
                for block in samples.chunks(BLOCK) {
                    let block = block.iter().map(|sample| f32::from(*sample) / 32_768.0);
                    stream.push(block, &mut self.waiting)?;
                    self.steps = listen(&mut self.detector, &mut self.waiting, self.steps, &mut self.keys);
                }
            }
            None => {
                for block in samples.chunks(BLOCK) {
                    self.waiting.extend_from_slice(block);
                    self.steps = listen(&mut self.detector, &mut self.waiting, self.steps, &mut self.keys);
                }
            }
        }
        Ok(())
    }

    /// The stretches in which a card number was keyed; the channel is called `channel` in them.
    ///
    /// # Errors
    /// When the resampler refuses, which would be a fault of ours.
    pub fn cards(mut self, channel: u8) -> Result<Vec<Stretch>, audio::Error> {
        if let Some(stream) = self.narrowing.take() {
            stream.finish(&mut self.waiting)?;
        }
        // The last step is heard to its end in silence.
        self.waiting.resize(self.waiting.len().next_multiple_of(STEP), 0);
        listen(&mut self.detector, &mut self.waiting, self.steps, &mut self.keys);
        // Star and hash end a number.
        let pieces = self.keys.split(|(key, _)| !key.is_ascii_digit());
        Ok(pieces.flat_map(|piece| cards_of(channel, piece)).collect())
    }
}

/// Hears whole steps of what waits, from step `step` on, and says which comes next.
fn listen(detector: &mut Detector, waiting: &mut Vec<i16>, mut step: i64, keys: &mut Vec<(u8, i64)>) -> i64 {
    let whole = waiting.len() - waiting.len() % STEP;
    for block in waiting.drain(..whole).as_slice().chunks_exact(STEP) {
        let at_ms = step * STEP_MS;
        detector.hear(block.iter().copied(), |key| {
            keys.extend(u8::try_from(key).ok().map(|key| (key, at_ms)));
        });
        step += 1;
    }
    step
}

fn cards_of(channel: u8, keys: &[(u8, i64)]) -> Vec<Stretch> {
    let digits: Vec<u8> = keys.iter().map(|(key, _)| *key).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < keys.len() {
        let card = |length: &usize| {
            let times = keys.get(at..at + length).unwrap_or_default();
            let together = times.windows(2).all(|pair| match pair {
                [(_, one), (_, next)] => next - one <= PAUSE_MS,
                _ => true,
            });
            together && digits.get(at..at + length).is_some_and(is_card)
        };
        let Some(length) = (12..=19).rev().find(card) else {
            at += 1;
            continue;
        };
        if let (Some((_, first)), Some((_, last))) = (keys.get(at), keys.get(at + length - 1)) {
            found.push(Stretch {
                channel,
                from_ms: first - UNHEARD_MS,
                to_ms: last + HELD_MS,
            });
        }
        at += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strowger_media::tone;

    fn keyed(digits: &str) -> Vec<i16> {
        let mut samples = vec![0; 8000];
        for digit in digits.chars() {
            samples.extend(tone::key(digit, 90).unwrap().iter());
            samples.extend([0; 800]);
        }
        samples.extend([5000; 16_000]);
        samples
    }

    fn cards(channels: Vec<Vec<i16>>) -> Vec<Stretch> {
        let narrow = Pcm {
            sample_rate_hz: 8000,
            channels,
        };
        let wide = narrow
            .channels
            .iter()
            .map(|channel| resample::channel(channel, 8000, 16_000));
        let wide = Pcm {
            sample_rate_hz: 16_000,
            channels: wide.map(Result::unwrap).collect(),
        };
        let found = keyed_cards(&narrow).unwrap();
        assert_eq!(keyed_cards(&wide).unwrap(), found);
        found
    }

    #[test]
    fn a_card_that_was_keyed_is_silenced_and_nothing_else() {
        let mut channel = keyed("4111111111111111");
        let stretches = cards(vec![vec![0; 100], channel.clone()]);
        assert_eq!(stretches.len(), 1);
        assert_eq!(stretches[0].channel, 1);
        silence(&mut channel, 8000, stretches[0].from_ms, stretches[0].to_ms);
        let keys = 8000..8000 + 16 * 1520;
        assert!(channel[keys].iter().all(|sample| *sample == 0));
        assert_eq!(channel.last(), Some(&5000));
        assert!(cards(vec![keyed("4111111111111112")]).is_empty());
        assert!(cards(vec![keyed("4111*1111111111#11")]).is_empty());
    }

    #[test]
    fn silence_has_no_edge_and_stays_in_its_bounds() {
        let mut samples = vec![10_000_i16; 8000];
        silence(&mut samples, 8000, 250, 500);
        assert!(samples[2000..4000].iter().all(|sample| *sample == 0));
        let steps = samples
            .windows(2)
            .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
        assert!(steps.max().unwrap() < 400);
        silence(&mut samples, 8000, -5, 9_000_000);
        silence(&mut [], 8000, 0, 10);
        assert!(samples.iter().all(|sample| *sample == 0));
    }

    proptest! {
        #[test]
        fn part_by_part_the_same_is_silenced(
            from_ms in -10_i64..400,
            length_ms in 0_i64..300,
            parts in proptest::collection::vec(1_usize..900, 1..12),
            rate_hz in prop::sample::select(vec![8000_u32, 16_000, 48_000]),
        ) {
            let mut whole: Vec<i16> = (0..4000).map(|n| 9000 + n).collect();
            let mut by_parts = whole.clone();
            let stretch = (from_ms, from_ms + length_ms);
            silence(&mut whole, rate_hz, stretch.0, stretch.1);
            let (mut at, mut sizes) = (0, parts.into_iter().cycle());
            while at < by_parts.len() {
                let end = (at + sizes.next().unwrap()).min(by_parts.len());
                silence_at(&mut by_parts[at..end], at as u64, rate_hz, stretch);
                at = end;
            }
            prop_assert_eq!(whole, by_parts);
        }

        #[test]
        fn part_by_part_the_same_keys_are_heard(parts in proptest::collection::vec(1_usize..20_000, 1..12)) {
            let mut samples = keyed("4111111111111111");
            samples.truncate(8000 + 16 * 1520);
            for rate_hz in [8000, 16_000] {
                let samples = resample::channel(&samples, 8000, rate_hz).unwrap();
                let mut keys = Keys::new(rate_hz).unwrap();
                let (mut at, mut sizes) = (0, parts.iter().cycle());
                while at < samples.len() {
                    let end = (at + sizes.next().unwrap()).min(samples.len());
                    keys.hear(&samples[at..end]).unwrap();
                    at = end;
                }
                let pcm = Pcm { sample_rate_hz: rate_hz, channels: vec![samples] };
                let found = keys.cards(0).unwrap();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found, keyed_cards(&pcm).unwrap());
            }
        }
    }
}
