//! What of a channel is only the other party's voice, come back by a loudspeaker, a line or the next chair. It is theirs:
//! their own channel has it, louder. Pure.
//!
//! Echo is told from a second voice by its shape, not by its level: it is the same wave as the other channel's some
//! milliseconds before. The delay is sought anew in each half minute, where the other party speaks and this one is quieter,
//! and each half second counts as echo only if it fits at that delay.

use super::speech::HOP;

/// Looked at with every fourth sample: 4 kHz hold what makes voices alike.
const THIN: usize = 4;
/// Half a second: so much has to be alike.
const WINDOW: usize = 16 * HOP / THIN;
/// Windows begin a quarter of a second apart.
const STEP: usize = 8 * HOP / THIN;
/// The longest way there and back: 400 ms at 4 kHz.
const LONGEST_DELAY: usize = 1600;
/// The delay is sought anew so often: half a minute at 16 kHz.
const SEARCH: usize = 30 * 16_000 / (STEP * THIN) * STEP * THIN;
/// Windows that are asked for the delay: enough to be sure, and a bound of what a long call costs.
const ASKED: usize = 16;
/// Fewer do not tell a delay from chance.
const FEWEST: usize = 2;
/// Echo is quieter than what it is of by this factor at least: 8 dB.
const QUIETER: f32 = 2.5;
/// The root mean square of a window in which nobody is heard; full scale is 32,768.
const FLOOR: f32 = 4.0;
/// How alike all windows that were asked are at the delay, on average: 1 is the same wave.
const ALIKE_ON_AVERAGE: f32 = 0.25;
/// How alike a single one is that counts as echo. Two voices come to a tenth by chance.
const ALIKE: f32 = 0.35;
/// How far the delay may wander within a search: 1 ms.
const WANDERS: usize = 4;

/// A channel as it is compared: thin, and with its differences instead of its values, so that the low tones that all
/// voices share weigh less.
struct Wave {
    values: Vec<f32>,
    /// The sum of the squares before each value.
    squares: Vec<f64>,
}

impl Wave {
    fn of(samples: &[i16]) -> Self {
        let thin: Vec<f32> = samples
            .chunks(THIN)
            .map(|four| four.iter().map(|sample| f32::from(*sample)).sum::<f32>() / THIN as f32)
            .collect();
        let values: Vec<f32> = std::iter::once(0.0)
            .chain(
                thin.windows(2)
                    .map(|two| two.last().unwrap_or(&0.0) - two.first().unwrap_or(&0.0)),
            )
            .take(thin.len())
            .collect();
        let mut sum = 0.0;
        let mut squares = vec![0.0];
        squares.extend(values.iter().map(|value| {
            sum += f64::from(*value) * f64::from(*value);
            sum
        }));
        Self { values, squares }
    }

    fn window(&self, at: usize) -> Option<&[f32]> {
        self.values.get(at..at + WINDOW)
    }

    /// The root mean square of `count` values.
    fn level(&self, from: usize, count: usize) -> f32 {
        let last = self.squares.len().saturating_sub(1);
        let at = |place: usize| self.squares.get(place.min(last)).copied().unwrap_or(0.0);
        ((at(from + count) - at(from)) / count.max(1) as f64).sqrt() as f32
    }
}

/// For each 512 samples of 16 kHz whether they are an echo of one of the others.
pub(super) fn echoes(samples: &[i16], others: &[&[i16]]) -> Vec<bool> {
    let mut found = vec![false; samples.len().div_ceil(HOP)];
    for other in others {
        // Half a minute at a time: a long recording needs no copy of itself. The last window reaches into the next one.
        for from in (0..samples.len()).step_by(SEARCH) {
            let to = (from + SEARCH + (WINDOW - STEP) * THIN).min(samples.len());
            let begin = from.saturating_sub(LONGEST_DELAY * THIN);
            let (Some(own), Some(said)) = (samples.get(from..to), other.get(begin..to.min(other.len()))) else {
                continue;
            };
            if said.iter().all(|sample| *sample == 0) {
                continue;
            }
            let pair = Pair {
                own: Wave::of(own),
                other: Wave::of(said),
                ahead: (from - begin) / THIN,
            };
            let hops = found.iter_mut().skip(from / HOP);
            pair.mark(&mut hops.collect::<Vec<_>>());
        }
    }
    found
}

/// Some seconds of a channel beside another one, which begins `ahead` values earlier.
struct Pair {
    own: Wave,
    other: Wave,
    ahead: usize,
}

impl Pair {
    fn mark(&self, found: &mut [&mut bool]) {
        let starts = (0..self.own.values.len().saturating_sub(WINDOW - 1)).step_by(STEP);
        let quiet: Vec<usize> = starts.filter(|at| self.may_be(*at)).collect();
        let Some(delay) = self.delay(&quiet) else {
            return;
        };
        for at in quiet.into_iter().filter(|at| self.fits(*at, delay)) {
            let (first, count) = (at * THIN / HOP, WINDOW * THIN / HOP);
            found.iter_mut().skip(first).take(count).for_each(|hop| **hop = true);
        }
    }

    /// Where the other channel stood `delay` before.
    fn before(&self, at: usize, delay: usize) -> Option<usize> {
        (at + self.ahead).checked_sub(delay)
    }

    /// Whether a window is loud enough to be heard, and so much quieter than what the other said then or just before that
    /// it may be the echo of it.
    fn may_be(&self, at: usize) -> bool {
        let level = self.own.level(at, WINDOW);
        let now = at + self.ahead;
        let then = now.saturating_sub(LONGEST_DELAY);
        level > FLOOR && level * QUIETER < self.other.level(then, WINDOW).max(self.other.level(now, WINDOW))
    }

    /// The delay at which windows are alike, where there is one.
    fn delay(&self, windows: &[usize]) -> Option<usize> {
        let every = windows.len().div_ceil(ASKED).max(1);
        let asked: Vec<usize> = windows.iter().copied().step_by(every).collect();
        if asked.len() < FEWEST {
            return None;
        }
        let mut sums = vec![0.0_f32; LONGEST_DELAY];
        for at in &asked {
            for (delay, sum) in sums.iter_mut().enumerate() {
                *sum += self.alike(*at, delay).unwrap_or(0.0);
            }
        }
        let (delay, sum) = sums
            .iter()
            .enumerate()
            .max_by(|(_, one), (_, two)| one.abs().total_cmp(&two.abs()))?;
        (sum.abs() / asked.len() as f32 >= ALIKE_ON_AVERAGE).then_some(delay)
    }

    fn fits(&self, at: usize, delay: usize) -> bool {
        (delay.saturating_sub(WANDERS)..=delay + WANDERS).any(|delay| {
            let then = self.before(at, delay);
            let louder = then.is_some_and(|then| self.own.level(at, WINDOW) * QUIETER < self.other.level(then, WINDOW));
            louder && self.alike(at, delay).is_some_and(|alike| alike.abs() >= ALIKE)
        })
    }

    /// How alike a window is to the other channel `delay` before: 1 the same wave, 0 nothing in common, −1 the same upside
    /// down.
    fn alike(&self, at: usize, delay: usize) -> Option<f32> {
        let then = self.before(at, delay)?;
        let (one, two) = (self.own.window(at)?, self.other.window(then)?);
        let norm = self.own.level(at, WINDOW) * self.other.level(then, WINDOW) * WINDOW as f32;
        (norm > 0.0).then(|| dot(one, two) / norm)
    }
}

/// In lanes, so that the processor does several at once.
fn dot(one: &[f32], two: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    for (a, b) in one.chunks_exact(LANES).zip(two.chunks_exact(LANES)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 16_000;

    /// Something like a voice: a buzz whose pitch and loudness wander and pause, from a seed.
    fn voice(mut seed: u32, seconds: usize, peak: f32) -> Vec<i16> {
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1_u32 << 24) as f32
        };
        let (mut samples, mut phase) = (Vec::new(), 0.0_f32);
        while samples.len() < seconds * SECOND {
            // A syllable: its pitch, its colour, its length, and now and then a pause.
            let (hz, colour) = (90.0 + 150.0 * random(), random());
            let loud = if random() < 0.2 {
                0.0
            } else {
                peak * (0.3 + 0.7 * random())
            };
            let length = (SECOND as f32 * (0.08 + 0.2 * random())) as usize;
            for n in 0..length {
                phase = (phase + hz / SECOND as f32).fract();
                let hull = (n as f32 / length as f32 * std::f32::consts::PI).sin();
                let turn = phase * std::f32::consts::TAU;
                let wave = (turn.sin() + colour * (turn * 3.0).sin() + (1.0 - colour) * (turn * 7.0).sin()) / 2.0;
                samples.push((loud * hull * (wave + 0.2 * (random() - 0.5))) as i16);
            }
        }
        samples.truncate(seconds * SECOND);
        samples
    }

    /// What comes back by a room: some ways of different lengths.
    fn room(said: &[i16], delay_ms: usize, gain: f32) -> Vec<f32> {
        let ways = [(0, 1.0), (5, 0.4), (13, -0.3), (31, 0.15)];
        (0..said.len())
            .map(|n| {
                let way = |(more, share): &(usize, f32)| {
                    let at = n.checked_sub((delay_ms + more) * SECOND / 1000);
                    at.and_then(|at| said.get(at))
                        .map_or(0.0, |sample| f32::from(*sample) * share)
                };
                ways.iter().map(way).sum::<f32>() * gain
            })
            .collect()
    }

    fn mixed(parts: &[&[f32]], hiss: f32) -> Vec<i16> {
        let noise = voice(99, parts[0].len() / SECOND + 1, 0.0);
        let mut seed = 7_u32;
        (0..parts[0].len().min(noise.len()))
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = ((seed >> 8) as f32 / (1_u32 << 24) as f32 - 0.5) * 2.0 * hiss;
                (parts.iter().map(|part| part[n]).sum::<f32>() + hiss) as i16
            })
            .collect()
    }

    fn share(found: &[bool], from_s: usize, to_s: usize) -> f32 {
        let hops = &found[from_s * SECOND / HOP..to_s * SECOND / HOP];
        hops.iter().filter(|hop| **hop).count() as f32 / hops.len() as f32
    }

    fn floats(samples: &[i16]) -> Vec<f32> {
        samples.iter().map(|sample| f32::from(*sample)).collect()
    }

    #[test]
    fn what_comes_back_by_a_room_is_an_echo() {
        for (delay_ms, gain) in [(20, 0.1), (130, 0.05), (350, 0.05), (130, -0.05), (130, 0.2)] {
            let far = voice(1, 40, 12_000.0);
            let near = mixed(&[&room(&far, delay_ms, gain)], 8.0);
            let found = echoes(&near, &[&far]);
            let share = share(&found, 1, 39);
            assert!(share > 0.95, "{delay_ms} ms, {gain}: {share}");
        }
    }

    #[test]
    fn two_voices_are_no_echo_of_each_other_however_quiet_one_is() {
        for (seed, peak) in [(2, 12_000.0), (3, 1200.0), (4, 300.0), (5, 120.0)] {
            let (far, near) = (voice(1, 60, 12_000.0), voice(seed, 60, peak));
            assert!(!echoes(&near, &[&far]).contains(&true), "{peak}");
        }
    }

    #[test]
    fn who_speaks_into_the_echo_is_heard() {
        let far = voice(1, 40, 12_000.0);
        let said = voice(2, 40, 6000.0);
        let mut own = floats(&said);
        own[..20 * SECOND].fill(0.0);
        let near = mixed(&[&room(&far, 130, 0.05), &own], 8.0);
        let found = echoes(&near, &[&far]);
        assert!(share(&found, 1, 19) > 0.95);
        let loud: Vec<bool> = said
            .chunks(HOP)
            .map(|hop| hop.iter().any(|sample| sample.abs() > 2000))
            .collect();
        let lost = found
            .iter()
            .zip(&loud)
            .skip(20 * SECOND / HOP + 1)
            .filter(|(echo, loud)| **echo && **loud);
        assert_eq!(lost.count(), 0, "no loud hop of theirs is taken for echo");
    }

    #[test]
    fn a_delay_that_changes_is_found_anew() {
        let far = voice(1, 80, 12_000.0);
        let mut back = room(&far, 60, 0.05);
        let later = room(&far, 240, 0.05);
        back[40 * SECOND..].copy_from_slice(&later[40 * SECOND..]);
        let found = echoes(&mixed(&[&back], 8.0), &[&far]);
        assert!(share(&found, 1, 29) > 0.95 && share(&found, 62, 79) > 0.95);
    }

    #[test]
    fn nothing_and_short_sound_are_no_echo() {
        assert!(echoes(&[], &[]).is_empty());
        assert_eq!(echoes(&[1; 600], &[&[], &[5; 3]]), [false, false]);
        let far = voice(1, 3, 12_000.0);
        assert!(!echoes(&vec![0; 3 * SECOND], &[&far]).contains(&true));
    }
}
