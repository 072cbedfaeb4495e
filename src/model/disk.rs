//! When a disk will be full, at the rate at which it fills now.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back the rate is measured.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Less than this says nothing of a rate: the database is copied every five minutes, and the old copy goes then.
const LEAST: Duration = Duration::from_secs(10 * 60);
/// Measurements that are kept at most.
const MOST: usize = 256;
/// Room made at once by this share of the disk, in thousandths, makes what was measured before worth nothing.
const ROOM_MADE: u64 = 5;
/// Who is to act wants to know this long before: two hours, and one to be told in.
const NOTICE: Duration = Duration::from_secs(3 * 3600);
/// The share of free room, in hundredths, below which it is said once more.
const LOW: u64 = 5;

/// How a disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskLevel {
    /// There is room.
    Room,
    /// At the rate of now its reserve is reached within hours.
    Fills,
    /// Less than a twentieth is free.
    Low,
    /// The reserve is reached: nothing more is recorded.
    Reserve,
}

/// A disk, as it was measured last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskState {
    /// Free bytes.
    pub free_bytes: u64,
    /// All bytes.
    pub size_bytes: u64,
    /// After how long the reserve is reached at the rate of now; `None` when the disk does not fill, or too little is
    /// known.
    pub full_in: Option<Duration>,
    /// What that means.
    pub level: DiskLevel,
}

impl DiskState {
    /// A disk that is looked at once: nothing is known of its rate.
    #[must_use]
    pub const fn once(free_bytes: u64, size_bytes: u64) -> Self {
        let is_low = free_bytes < size_bytes / 100 * LOW;
        Self {
            free_bytes,
            size_bytes,
            full_in: None,
            level: if is_low { DiskLevel::Low } else { DiskLevel::Room },
        }
    }

    /// What there is to say of it, as the end of a sentence.
    #[must_use]
    pub fn story(&self) -> String {
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let room = format!(
            "{:.1} of {:.1} GB are free ({} %)",
            gigabytes(self.free_bytes),
            gigabytes(self.size_bytes),
            self.free_percent()
        );
        match (self.level, self.full_in) {
            (DiskLevel::Reserve, _) => format!("{room}: the reserve is reached"),
            (_, Some(span)) if span < 2 * NOTICE => {
                let minutes = span.as_secs() / 60;
                format!(
                    "{room}; as fast as it fills now, the reserve is reached in {} h {} min",
                    minutes / 60,
                    minutes % 60
                )
            }
            (DiskLevel::Room | DiskLevel::Fills | DiskLevel::Low, _) => room,
        }
    }

    /// The share that is free, in hundredths.
    #[must_use]
    pub fn free_percent(&self) -> u64 {
        let percent = u128::from(self.free_bytes) * 100 / u128::from(self.size_bytes.max(1));
        u64::try_from(percent).unwrap_or(100)
    }
}

/// Measures a disk from time to time.
#[derive(Debug)]
pub struct DiskWatch {
    /// Free bytes below which nothing is recorded.
    reserve_bytes: u64,
    seen: VecDeque<(Instant, u64)>,
    last: Option<DiskState>,
}

impl DiskWatch {
    /// A watch over a disk of which `reserve_bytes` are kept free.
    #[must_use]
    pub const fn new(reserve_bytes: u64) -> Self {
        Self {
            reserve_bytes,
            seen: VecDeque::new(),
            last: None,
        }
    }

    /// What was measured last.
    #[must_use]
    pub const fn state(&self) -> Option<DiskState> {
        self.last
    }

    /// Takes a measurement; the new state, when its level is another one than before.
    pub fn measure(&mut self, free_bytes: u64, size_bytes: u64, now: Instant) -> Option<DiskState> {
        // Somebody heard the alarm and made room: the rate from here on counts, and the alarm ends at once.
        let before = self.seen.back().map_or(free_bytes, |(_, free)| *free);
        let is_told = self.last.is_some_and(|last| last.level > DiskLevel::Room);
        if is_told && free_bytes.saturating_sub(before) > size_bytes / 1000 * ROOM_MADE {
            self.seen.clear();
        }
        while self.seen.len() >= MOST
            || self
                .seen
                .front()
                .is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            self.seen.pop_front();
        }
        self.seen.push_back((now, free_bytes));
        let full_in = self.full_in(free_bytes);
        let state = DiskState {
            free_bytes,
            size_bytes,
            full_in,
            level: self.level(free_bytes, size_bytes, full_in),
        };
        let is_news = self.last.map_or(DiskLevel::Room, |last| last.level) != state.level;
        self.last = Some(state);
        is_news.then_some(state)
    }

    fn level(&self, free_bytes: u64, size_bytes: u64, full_in: Option<Duration>) -> DiskLevel {
        if free_bytes < self.reserve_bytes {
            DiskLevel::Reserve
        } else if free_bytes < size_bytes / 100 * LOW {
            DiskLevel::Low
        } else if full_in.is_some_and(|span| span < NOTICE) {
            DiskLevel::Fills
        } else {
            DiskLevel::Room
        }
    }

    /// By the line that fits the measurements best, so that a file that comes and goes counts little.
    fn full_in(&self, free_bytes: u64) -> Option<Duration> {
        let (first, _) = *self.seen.front()?;
        let (last, _) = *self.seen.back()?;
        if last.saturating_duration_since(first) < LEAST {
            return None;
        }
        let points = || {
            let seconds = |at: &Instant| at.saturating_duration_since(first).as_secs_f64();
            self.seen.iter().map(move |(at, free)| (seconds(at), *free as f64))
        };
        let count = self.seen.len() as f64;
        let middle = points().fold((0.0, 0.0), |(x, y), (at, free)| (x + at / count, y + free / count));
        let (mut along, mut across) = (0.0, 0.0);
        for (at, free) in points() {
            along += (at - middle.0) * (at - middle.0);
            across += (at - middle.0) * (free - middle.1);
        }
        let bytes_a_second = -across / along;
        let left = free_bytes.saturating_sub(self.reserve_bytes) as f64;
        (bytes_a_second > 0.0)
            .then(|| Duration::try_from_secs_f64(left / bytes_a_second).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[expect(clippy::disallowed_methods, reason = "virtual time starts at some instant")]
    fn start() -> Instant {
        Instant::now()
    }

    /// A disk of 100 GB measured every ten seconds; `free` says how much is free after so many seconds.
    fn turns(free: impl Fn(u64) -> u64, seconds: u64) -> (DiskWatch, Vec<(u64, DiskState)>) {
        let (mut watch, begin) = (DiskWatch::new(GB / 2), start());
        let mut turns = Vec::new();
        for at in (0..=seconds).step_by(10) {
            let now = begin + Duration::from_secs(at);
            turns.extend(watch.measure(free(at), 100 * GB, now).map(|state| (at, state)));
        }
        (watch, turns)
    }

    #[test]
    fn a_disk_that_fills_is_told_two_hours_before_it_is_full_and_again_at_a_twentieth() {
        // Ten gigabytes an hour: full after 9 h 57 min.
        let fills = |at: u64| (100 * GB).saturating_sub(at * GB / 360);
        let (_, turns) = turns(fills, 36_000);
        let levels: Vec<DiskLevel> = turns.iter().map(|(_, state)| state.level).collect();
        assert_eq!(levels, [DiskLevel::Fills, DiskLevel::Low, DiskLevel::Reserve]);
        let full_at = turns[2].0;
        assert!(full_at - turns[0].0 >= 2 * 3600, "{turns:?}");
        let left = turns[0].1.full_in.unwrap().as_secs();
        assert!(left.abs_diff(full_at - turns[0].0) < 60, "{turns:?}");
        assert_eq!(turns[1].1.free_percent(), 4);
    }

    #[test]
    fn a_disk_that_begins_to_fill_quickly_is_told_within_minutes() {
        // Idle for an hour, then 30 GB an hour into the last 70.
        let fills = |at: u64| (70 * GB).saturating_sub(at.saturating_sub(3600) * GB / 120);
        let (_, turns) = turns(fills, 3600 + 1200);
        let [(at, state)] = turns[..] else { panic!("{turns:?}") };
        assert_eq!(state.level, DiskLevel::Fills);
        assert!((3600..3600 + 1200).contains(&at), "{at}");
    }

    #[test]
    fn room_that_is_made_ends_the_alarm_at_the_next_measurement() {
        let made_room = |at: u64| if at < 7200 { 20 * GB - at * GB / 360 } else { 40 * GB };
        let (watch, turns) = turns(made_room, 7300);
        let levels: Vec<(u64, DiskLevel)> = turns.iter().map(|(at, state)| (*at, state.level)).collect();
        assert_eq!(levels.last(), Some(&(7200, DiskLevel::Room)), "{levels:?}");
        assert_eq!(watch.state().map(|state| state.level), Some(DiskLevel::Room));
    }

    #[test]
    fn a_copy_that_comes_and_goes_is_no_alarm() {
        // Every five minutes two gigabytes for a minute.
        let (_, turns) = turns(|at| 20 * GB - if at % 300 < 60 { 2 * GB } else { 0 }, 7200);
        assert!(turns.is_empty(), "{turns:?}");
    }
}
