//! The numbers under which packets leave: one unbroken run of sequence numbers and timestamps for each
//! section a subscriber receives, whichever track or layer feeds it.

use std::time::{Duration, Instant};

/// Where the run of a fresh section begins: far from both ends of the first 65,536, because the receiver
/// cannot know of a roll-over it did not see.
const FIRST: u64 = 1_000;

/// The numbers of one section.
#[derive(Debug, Clone, Default)]
pub struct Rewriter {
    last: Option<Last>,
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: u64,
    timestamp: u32,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    /// The first sequence number of this run at its source; older ones belong to another run.
    begins: u64,
    sequence: u64,
    timestamp: u32,
}

impl Rewriter {
    /// The next packet comes from elsewhere, or after a pause that must not look like loss.
    pub fn restart(&mut self) {
        self.run = None;
    }

    /// Whether the next packet begins a run.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.run.is_none()
    }

    /// The numbers under which a packet leaves. `None`: it is older than the run and nobody waits for it.
    pub fn rewrite(&mut self, sequence: u64, timestamp: u32, clock_hz: u32, now: Instant) -> Option<(u64, u32)> {
        let run = match self.run {
            Some(run) => run,
            None => self.begin(sequence, timestamp, clock_hz, now),
        };
        let out = sequence.checked_sub(run.begins)? + run.sequence;
        let timestamp = timestamp.wrapping_add(run.timestamp);
        let newest = self.last.is_none_or(|last| out > last.sequence);
        if newest {
            self.last = Some(Last {
                sequence: out,
                timestamp,
                at: now,
            });
        }
        Some((out, timestamp))
    }

    fn begin(&mut self, sequence: u64, timestamp: u32, clock_hz: u32, now: Instant) -> Run {
        let run = match self.last {
            None => Run {
                begins: sequence,
                sequence: FIRST,
                timestamp: 0,
            },
            Some(last) => {
                // Time went on while nothing was sent; at least one tick, so that the frames differ.
                let passed = now.saturating_duration_since(last.at).min(Duration::from_secs(3600));
                let ticks = (passed.as_secs_f64() * f64::from(clock_hz)).max(1.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "at most an hour of ticks"
                )]
                let goes_on = last.timestamp.wrapping_add(ticks as u32);
                Run {
                    begins: sequence,
                    sequence: last.sequence + 1,
                    timestamp: goes_on.wrapping_sub(timestamp),
                }
            }
        };
        self.run = Some(run);
        run
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere in time")]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_when_the_source_changes() {
        let t0 = Instant::now();
        let mut numbers = Rewriter::default();
        assert_eq!(numbers.rewrite(70_000, 5_000, 48_000, t0), Some((1_000, 5_000)));
        assert_eq!(numbers.rewrite(70_002, 6_920, 48_000, t0), Some((1_002, 6_920)));
        numbers.restart();
        let later = t0 + Duration::from_millis(20);
        assert_eq!(numbers.rewrite(12, 99, 48_000, later), Some((1_003, 7_880)));
        assert_eq!(numbers.rewrite(13, 99 + 960, 48_000, later), Some((1_004, 8_840)));
    }

    #[test]
    fn a_late_packet_of_this_run_keeps_its_place_and_one_of_the_last_run_is_dropped() {
        let t0 = Instant::now();
        let mut numbers = Rewriter::default();
        numbers.rewrite(10, 0, 90_000, t0);
        numbers.rewrite(12, 0, 90_000, t0);
        assert_eq!(numbers.rewrite(11, 0, 90_000, t0), Some((1_001, 0)));
        numbers.restart();
        numbers.rewrite(50, 0, 90_000, t0);
        assert_eq!(numbers.rewrite(49, 0, 90_000, t0), None);
    }
}
