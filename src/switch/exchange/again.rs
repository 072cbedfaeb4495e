//! Talks of before a restart.

use super::Exchange;
use crate::call::Call;
use crate::standing::Revival;
use std::time::Instant;

impl Exchange {
    /// Takes up again what two parties each talked about when the daemon before this one was killed. It goes on once both
    /// have agreed, and ends otherwise.
    pub fn take_up(&mut self, revivals: Vec<Revival>, now: Instant) {
        for revival in revivals {
            let call = self.with_scene(now, |scene| Call::revive(revival, scene));
            self.enter(call, now);
        }
    }
}
