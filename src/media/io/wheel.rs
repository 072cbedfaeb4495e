//! The clock of a media thread: a grid of 2 ms, ten steps of which are one turn of 20 ms. A leg that
//! says something itself is in one of the ten places, so that many plays neither wake the thread
//! separately nor all send at once.

use std::time::{Duration, Instant};

/// One step of the grid.
pub(super) const STEP: Duration = Duration::from_millis(2);
/// How long packets may gather in a crowded thread: a step, so that none is overslept.
const REST: Duration = STEP;
const PLACES: usize = 10;
/// A thread that was stopped for longer than this gives the time in between up.
const MOST_BEHIND: u64 = 10 * PLACES as u64;

/// Who is to be served when.
#[derive(Debug)]
pub(super) struct Wheel {
    epoch: Instant,
    /// The next step to be served, counted from the epoch.
    step: u64,
    places: [Vec<usize>; PLACES],
    members: usize,
}

impl Wheel {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            step: 0,
            places: Default::default(),
            members: 0,
        }
    }

    fn steps_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch).as_micros();
        u64::try_from(elapsed / STEP.as_micros()).unwrap_or(u64::MAX)
    }

    fn moment(&self, step: u64) -> Instant {
        self.epoch + Duration::from_micros(step.saturating_mul(2_000))
    }

    /// The end of the rest that a moment falls into.
    pub(super) fn rest_after(&self, now: Instant) -> Instant {
        let elapsed = now.saturating_duration_since(self.epoch).as_nanos();
        let into = u64::try_from(elapsed % REST.as_nanos()).unwrap_or(0);
        now + REST.saturating_sub(Duration::from_nanos(into))
    }

    /// Takes a member in, to be served at once and then each 20 ms.
    pub(super) fn join(&mut self, slot: usize, now: Instant) -> usize {
        let step = self.steps_at(now);
        if self.members == 0 {
            self.step = step;
        }
        // A thread that is behind serves its late steps first; the newcomer begins with them.
        let place = (self.step.max(step) % PLACES as u64) as usize;
        if let Some(members) = self.places.get_mut(place) {
            members.push(slot);
            self.members += 1;
        }
        place
    }

    /// Takes a member out.
    pub(super) fn leave(&mut self, place: usize, slot: usize) {
        if let Some(members) = self.places.get_mut(place)
            && let Some(index) = members.iter().position(|member| *member == slot)
        {
            members.swap_remove(index);
            self.members -= 1;
        }
    }

    /// A member of a place.
    pub(super) fn member(&self, place: usize, index: usize) -> Option<usize> {
        self.places.get(place)?.get(index).copied()
    }

    /// The next place whose time has come, and when that was.
    pub(super) fn due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        if self.members == 0 {
            return None;
        }
        let current = self.steps_at(now);
        if current.saturating_sub(self.step) > MOST_BEHIND {
            // Whole turns, so that every member keeps its place.
            let turns = (current - self.step) / PLACES as u64;
            self.step += turns * PLACES as u64;
        }
        while self.step <= current {
            let step = self.step;
            self.step += 1;
            let place = (step % PLACES as u64) as usize;
            if self.places.get(place).is_some_and(|members| !members.is_empty()) {
                return Some((place, self.moment(step)));
            }
        }
        None
    }

    /// When the next member is to be served.
    pub(super) fn next(&self) -> Option<Instant> {
        (0..PLACES as u64)
            .map(|ahead| self.step + ahead)
            .find(|step| {
                let place = (step % PLACES as u64) as usize;
                self.places.get(place).is_some_and(|members| !members.is_empty())
            })
            .map(|step| self.moment(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves everything due at a moment.
    fn served(wheel: &mut Wheel, now: Instant) -> Vec<usize> {
        let mut served = Vec::new();
        while let Some((place, due)) = wheel.due(now) {
            assert!(due <= now);
            served.extend((0..).map_while(|index| wheel.member(place, index)));
        }
        served
    }

    #[test]
    fn a_member_is_served_at_once_and_each_20_ms() {
        let epoch = Instant::now();
        let mut wheel = Wheel::new(epoch);
        let mut now = epoch + Duration::from_micros(7_300);
        wheel.join(5, now);
        assert_eq!(served(&mut wheel, now), [5]);
        let mut count = 0;
        for _ in 0..1_000 {
            now += Duration::from_millis(1);
            count += served(&mut wheel, now).len();
        }
        assert_eq!(count, 50);
    }

    #[test]
    fn nobody_to_serve_means_no_waking() {
        let epoch = Instant::now();
        let mut wheel = Wheel::new(epoch);
        assert_eq!(wheel.next(), None);
        let place = wheel.join(1, epoch);
        assert_eq!(wheel.next(), Some(epoch));
        assert_eq!(served(&mut wheel, epoch), [1]);
        assert_eq!(wheel.next(), Some(epoch + Duration::from_millis(20)));
        wheel.leave(place, 1);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_stalled_thread_catches_up_a_little_and_gives_the_rest_up() {
        let epoch = Instant::now();
        let mut wheel = Wheel::new(epoch);
        wheel.join(1, epoch);
        assert_eq!(served(&mut wheel, epoch).len(), 1);
        assert_eq!(served(&mut wheel, epoch + Duration::from_millis(100)).len(), 5);
        assert!(served(&mut wheel, epoch + Duration::from_secs(10)).len() <= 2);
    }
}
