//! Unpredictable numbers of a media thread.

use std::hash::{Hash, Hasher};
use strowger_model::World;

/// Where a thread's unpredictable numbers come from: drawn once, then stirred.
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn draw(world: &dyn World) -> Self {
        let mut bytes = [0; 8];
        world.fill(&mut bytes);
        Self(u64::from_le_bytes(bytes))
    }

    /// The state is secret and the hash one-way: one number tells nothing of the next.
    pub(super) fn next(&mut self) -> u64 {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        self.0.hash(&mut hasher);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        hasher.finish()
    }
}
