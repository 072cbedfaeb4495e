//! The real world.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
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

    fn fill(&self, bytes: &mut [u8]) {
        // A machine without randomness cannot make keys; going on with predictable ones would be worse than ending.
        if SystemRandom::new().fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
