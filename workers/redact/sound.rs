//! The same for samples: silence where something was said, and keys of a card number heard as tones.

use super::Stretch;
use crate::audio::{self, Pcm, resample};
use std::borrow::Cow;
use strowger_media::SAMPLE_RATE_HZ;
use strowger_media::inband::Detector;
use strowger_model::card::is_card;

/// Samples looked at between two questions which key it is: the time of a key is known to this.
const STEP: usize = 80;
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
    let place = |ms: i64| {
        let at = u128::from(ms.max(0).unsigned_abs()) * u128::from(sample_rate_hz) / 1000;
        usize::try_from(at).unwrap_or(usize::MAX).min(samples.len())
    };
    let (from, to) = (place(from_ms), place(to_ms));
    // The fades lie outside: inside nothing is left.
    let fade = place(FADE_MS);
    for n in 0..fade {
        let gain = n as f32 / fade as f32;
        let near = [from.checked_sub(n + 1), to.checked_add(n)];
        for at in near.into_iter().flatten() {
            if let Some(sample) = samples.get_mut(at) {
                *sample = (f32::from(*sample) * gain) as i16;
            }
        }
    }
    samples.get_mut(from..to).unwrap_or_default().fill(0);
}

/// The stretches of channels in which a card number was keyed and can be heard. Keys are in the telephone band.
///
/// # Errors
/// When the sample rate is absurd.
pub fn keyed_cards(pcm: &Pcm) -> Result<Vec<Stretch>, audio::Error> {
    let mut stretches = Vec::new();
    for (channel, samples) in (0_u8..).zip(&pcm.channels) {
        let samples = if pcm.sample_rate_hz == SAMPLE_RATE_HZ {
            Cow::Borrowed(samples)
        } else {
            Cow::Owned(resample::channel(samples, pcm.sample_rate_hz, SAMPLE_RATE_HZ)?)
        };
        let mut keys: Vec<(u8, i64)> = Vec::new();
        let mut detector = Detector::default();
        for (n, block) in (0_i64..).zip(samples.chunks(STEP)) {
            let at_ms = n * 10;
            detector.hear(block.iter().copied(), |key| {
                keys.extend(u8::try_from(key).ok().map(|key| (key, at_ms)));
            });
        }
        // Star and hash end a number.
        let pieces = keys.split(|(key, _)| !key.is_ascii_digit());
        for piece in pieces {
            stretches.extend(cards_of(channel, piece));
        }
    }
    Ok(stretches)
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
}
