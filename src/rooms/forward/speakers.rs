//! Who speaks, from the levels their packets carry (RFC 6464): within 400 ms of the first word, and without
//! flapping at each pause for breath.

use std::time::{Duration, Instant};

/// -dBov at which sound counts as speech. Quieter is louder in number.
const LOUD: u8 = 35;

/// Of the packets of one step, how many must be loud: two in five, so that one knock is nobody's word.
const SHARE: (u32, u32) = (2, 5);

/// How long somebody counts as speaking after the last loud step.
const HOLD: Duration = Duration::from_millis(600);

/// How loud one member is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loudness {
    heard: u32,
    loud: u32,
    sum: u32,
    level: u8,
    until: Option<Instant>,
}

impl Loudness {
    /// A packet with this level in -dBov. Digital silence without a level is 127.
    pub(crate) fn heard(&mut self, level: u8) {
        self.heard += 1;
        if level <= LOUD {
            self.loud += 1;
            self.sum += u32::from(level);
        }
    }

    /// A step has passed. `Some(level)` while they speak: 0 to 1, as clients expect it.
    pub(crate) fn step(&mut self, now: Instant) -> Option<f32> {
        let Self { heard, loud, sum, .. } = *self;
        if loud > 0 && loud * SHARE.1 >= heard * SHARE.0 {
            self.level = u8::try_from(sum / loud).unwrap_or(LOUD);
            self.until = Some(now + HOLD);
        }
        (self.heard, self.loud, self.sum) = (0, 0, 0);
        self.until
            .filter(|until| now < *until)
            .map(|_| 10_f32.powf(-f32::from(self.level) / 20.0))
    }

    /// They were muted or their track ended: silent at once.
    pub(crate) fn hush(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests {
    use super::*;

    /// How often rooms ask.
    const STEP: Duration = Duration::from_millis(200);

    fn speak(loudness: &mut Loudness, levels: &[u8]) {
        for level in levels {
            loudness.heard(*level);
        }
    }

    #[test]
    fn speech_is_seen_after_one_step_and_held_over_a_breath() {
        let t0 = Instant::now();
        let mut ada = Loudness::default();
        speak(&mut ada, &[20; 10]);
        assert!((ada.step(t0).unwrap() - 0.1).abs() < 1e-6);
        speak(&mut ada, &[80; 10]);
        assert!(ada.step(t0 + STEP).is_some());
        assert!(ada.step(t0 + STEP * 2).is_some());
        assert!(ada.step(t0 + STEP * 3).is_none());
    }

    #[test]
    fn a_knock_is_not_speech_and_muting_is_silence_at_once() {
        let t0 = Instant::now();
        let mut ada = Loudness::default();
        speak(&mut ada, &[10, 80, 80, 80, 80, 80, 80, 80]);
        assert!(ada.step(t0).is_none());
        speak(&mut ada, &[10; 8]);
        assert!(ada.step(t0).is_some());
        ada.hush();
        assert!(ada.step(t0).is_none());
    }
}
