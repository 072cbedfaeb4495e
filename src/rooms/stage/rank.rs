//! Who is loudest, by the levels that packets carry (RFC 6464). Nothing is decoded for it.

/// Ticks for which a loud moment counts: 300 ms, so that nobody is dropped between two syllables.
const HOLD: u64 = 15;
/// How much louder than somebody who is heard a newcomer must be, in decibels.
const LEAD: u8 = 6;
/// At this level and below a track says nothing.
const INAUDIBLE: u8 = 100;
/// What a track counts as whose packets carry no level.
const UNKNOWN: u8 = 50;

/// How loud one track has been lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Loudness {
    /// Decibels above silence, 0–127.
    loud: u8,
    at: u64,
}

impl Loudness {
    /// Takes the level of a packet that came at a tick.
    pub(super) fn note(&mut self, level: Option<u8>, tick: u64) {
        let level = level.unwrap_or(UNKNOWN).min(127);
        let loud = if level >= INAUDIBLE { 0 } else { 127 - level };
        if loud >= self.loud || self.is_old(tick) {
            self.loud = loud;
            self.at = tick;
        }
    }

    /// What it ranks with at a tick; 0 when it says nothing.
    pub(super) const fn score(&self, tick: u64, is_heard: bool) -> u8 {
        if self.loud == 0 || self.is_old(tick) {
            return 0;
        }
        if is_heard { self.loud + LEAD } else { self.loud }
    }

    const fn is_old(&self, tick: u64) -> bool {
        tick.saturating_sub(self.at) > HOLD
    }
}

/// The places of the highest scores that are not 0.
pub(super) fn top<const N: usize>(scores: impl Iterator<Item = u8>) -> [Option<usize>; N] {
    let mut best: [Option<(u8, usize)>; N] = [None; N];
    for (place, score) in scores.enumerate().filter(|(_, score)| *score > 0) {
        let mut candidate = Some((score, place));
        for held in &mut best {
            let is_higher = match (candidate, *held) {
                (Some((score, _)), Some((other, _))) => score > other,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if is_higher {
                std::mem::swap(held, &mut candidate);
            }
        }
    }
    best.map(|held| held.map(|(_, place)| place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_three_are_found_and_the_silent_never() {
        assert_eq!(top::<3>([5, 90, 0, 70, 91].into_iter()), [Some(4), Some(1), Some(3)]);
        assert_eq!(top::<3>([0, 7, 0].into_iter()), [Some(1), None, None]);
        assert_eq!(top::<3>([8, 8, 8, 8].into_iter()), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_loud_moment_counts_for_300_ms() {
        let mut loudness = Loudness::default();
        loudness.note(Some(20), 100);
        loudness.note(Some(70), 110);
        assert_eq!(loudness.score(115, false), 107);
        loudness.note(Some(70), 116);
        assert_eq!(loudness.score(116, false), 57);
        assert_eq!(loudness.score(200, false), 0);
    }

    #[test]
    fn who_is_heard_keeps_the_place_against_somebody_just_as_loud() {
        let (mut heard, mut other) = (Loudness::default(), Loudness::default());
        heard.note(Some(30), 1);
        other.note(Some(27), 1);
        assert!(heard.score(2, true) > other.score(2, false));
        other.note(Some(20), 2);
        assert!(heard.score(2, true) < other.score(2, false));
    }

    #[test]
    fn a_track_without_levels_is_heard_when_there_is_room() {
        let mut loudness = Loudness::default();
        loudness.note(None, 1);
        assert_eq!(loudness.score(1, false), 77);
    }
}
