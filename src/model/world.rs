//! Time and chance, made once at start and handed down, so that every decision can be replayed.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;

/// The outside world as far as pure code may know it: UTC wall time and unpredictable bytes.
pub trait World: Send + Sync {
    /// The wall time in UTC. Deadlines inside a machine use `Instant`, rows use this.
    fn now(&self) -> OffsetDateTime;
    /// What has passed since some moment, the same for as long as this process runs, on a clock that nobody can set. It
    /// goes on while the machine sleeps.
    fn passed(&self) -> Duration;
    /// Fills `bytes` with unpredictable bytes fit for keys and identifiers.
    fn fill(&self, bytes: &mut [u8]);
}

/// A world that stands still until told and whose chance is a seeded sequence: for tests and
/// simulation, where a run must replay from its seed.
#[derive(Debug)]
pub struct SeededWorld {
    state: AtomicU64,
    unix_ms: AtomicI64,
    passed_ms: AtomicU64,
}

impl SeededWorld {
    /// Creates a world at `unix_ms` milliseconds since 1970 whose random bytes follow from `seed`.
    #[must_use]
    pub fn new(seed: u64, unix_ms: i64) -> Self {
        Self {
            state: AtomicU64::new(seed),
            unix_ms: AtomicI64::new(unix_ms),
            passed_ms: AtomicU64::new(0),
        }
    }

    /// Lets `ms` milliseconds pass; nothing passes where they are negative, and the clock is set back.
    pub fn advance(&self, ms: i64) {
        self.set_clock(ms);
        self.passed_ms
            .fetch_add(u64::try_from(ms).unwrap_or(0), Ordering::Relaxed);
    }

    /// Sets the wall clock forward by `ms` milliseconds, or back; nothing passes.
    pub fn set_clock(&self, ms: i64) {
        self.unix_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl World for SeededWorld {
    fn now(&self) -> OffsetDateTime {
        let ms = self.unix_ms.load(Ordering::Relaxed);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.passed_ms.load(Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let previous = self.state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            let mut mixed = previous.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
