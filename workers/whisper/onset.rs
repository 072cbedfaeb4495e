//! Where a word begins to sound, between the end of the word before it and its own. Pure.

/// 10 ms at 16 kHz.
const FRAME: usize = 160;
const FRAME_MS: i64 = 10;
/// Sound is what is louder than this part of the loudest in sight (24 dB below it) …
const PART_OF_LOUDEST: f32 = 0.063;
/// … and than so many times the quietest, which may be the noise of the line …
const TIMES_QUIETEST: f32 = 2.5;
/// … but never more than this part of the loudest: a vowel is sound whatever is behind it.
const MOST_OF_LOUDEST: f32 = 0.4;
/// Quiet shorter than this within the stretch is a closure of the lips or the tongue: 120 ms.
const PAUSE: usize = 12;
/// What sounds shorter than this before the end is no word: 40 ms …
const SHORTEST: usize = 4;
/// … and after a pause the last letters of one, closed lips before them: 150 ms.
const SHORTEST_AFTER_PAUSE: usize = 15;

/// The time at which the sound that ends at `to_ms` begins, not before `from_ms`; `samples` are the recording's, at
/// 16 kHz. The tail of the word before, which the model's time for it may cut, does not count where a pause follows it.
pub(super) fn onset_ms(samples: &[i16], from_ms: i64, to_ms: i64) -> i64 {
    let (levels, threshold) = sound(samples, from_ms, to_ms);
    if levels.len() <= SHORTEST || threshold <= 0.0 {
        return from_ms;
    }
    let mut begins = 0;
    let mut quiet_since: Option<usize> = None;
    for (at, level) in levels.iter().enumerate() {
        if *level < threshold {
            quiet_since.get_or_insert(at);
        } else if let Some(since) = quiet_since.take() {
            // What follows the last pause is the word, and what follows quiet at the very start.
            let left = levels.len() - at;
            let is_lead = since == 0 && left >= SHORTEST;
            let is_pause = at - since >= PAUSE && left >= SHORTEST_AFTER_PAUSE;
            if is_lead || is_pause {
                begins = at;
            }
        }
    }
    at_frame(from_ms, begins)
}

/// The time of the first sound between two, whatever pauses follow it; `from_ms` where there is none.
pub(super) fn first_sound_ms(samples: &[i16], from_ms: i64, to_ms: i64) -> i64 {
    let (levels, threshold) = sound(samples, from_ms, to_ms);
    let first = levels.iter().position(|level| *level >= threshold && *level > 0.0);
    at_frame(from_ms, first.unwrap_or(0))
}

fn frame_of(ms: i64) -> usize {
    usize::try_from(ms / FRAME_MS).unwrap_or(0)
}

fn at_frame(from_ms: i64, frame: usize) -> i64 {
    let ms = i64::try_from(frame_of(from_ms) + frame).unwrap_or(0) * FRAME_MS;
    ms.max(from_ms)
}

/// How loud each frame between two times is, and how loud sound is among them; 0 where all is silent.
fn sound(samples: &[i16], from_ms: i64, to_ms: i64) -> (Vec<f32>, f32) {
    let levels: Vec<f32> = (frame_of(from_ms)..frame_of(to_ms))
        .map_while(|frame| samples.get(frame * FRAME..(frame + 1) * FRAME))
        .map(level)
        .collect();
    let loudest = levels.iter().copied().fold(0.0, f32::max);
    let quietest = levels.iter().copied().fold(f32::MAX, f32::min);
    let threshold = (loudest * PART_OF_LOUDEST)
        .max(quietest * TIMES_QUIETEST)
        .min(loudest * MOST_OF_LOUDEST);
    (levels, threshold)
}

fn level(frame: &[i16]) -> f32 {
    let energy: f32 = frame.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    (energy / FRAME as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sound_counts_whatever_pause_follows_it() {
        let samples = wave(&[(10, 300), (4000, 200), (10, 900), (4000, 400)]);
        assert_eq!(first_sound_ms(&samples, 0, 1800), 300);
        assert_eq!(onset_ms(&samples, 0, 1800), 1400);
        assert_eq!(first_sound_ms(&[], 120, 1800), 120);
    }

    /// Stretches of a loudness and a length in milliseconds.
    fn wave(parts: &[(i16, usize)]) -> Vec<i16> {
        let part = |(loud, ms): &(i16, usize)| {
            let loud = *loud;
            (0..ms * 16).map(move |n| if n % 8 < 4 { loud } else { -loud })
        };
        parts.iter().flat_map(part).collect()
    }

    #[test]
    fn a_word_begins_after_the_pause_and_not_with_the_tail_of_the_one_before() {
        let samples = wave(&[(4000, 500), (10, 300), (4000, 400)]);
        assert_eq!(onset_ms(&samples, 500, 1200), 800);
        assert_eq!(onset_ms(&samples, 420, 1200), 800);
        // In talk without a pause it begins where the word before it ended.
        assert_eq!(onset_ms(&samples, 100, 480), 100);
    }

    #[test]
    fn closed_lips_are_no_pause_and_the_noise_of_a_line_is_no_sound() {
        let closure = wave(&[(4000, 200), (10, 90), (4000, 200)]);
        assert_eq!(onset_ms(&closure, 0, 490), 0);
        let noisy = wave(&[(300, 400), (4000, 300)]);
        assert_eq!(onset_ms(&noisy, 0, 700), 400);
    }

    #[test]
    fn where_nothing_is_heard_it_stays() {
        assert_eq!(onset_ms(&[], 300, 900), 300);
        assert_eq!(onset_ms(&wave(&[(0, 1000)]), 300, 900), 300);
        assert_eq!(onset_ms(&wave(&[(4000, 1000)]), 990, 1000), 990);
    }
}
