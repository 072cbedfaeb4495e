//! The real world.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::time::Duration;
use strowger_model::World;
use time::OffsetDateTime;

/// Wall time of this machine and its cryptographic randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemWorld;

impl World for SystemWorld {
    #[expect(clippy::disallowed_methods, reason = "the one place where wall time comes from")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn passed(&self) -> Duration {
        let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(passed.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(passed.tv_nsec).unwrap_or(0))
    }

    fn fill(&self, bytes: &mut [u8]) {
        // A machine without randomness cannot make keys; going on with predictable ones would be worse than ending.
        if SystemRandom::new().fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
