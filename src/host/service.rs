//! What systemd is told: ready, still alive, stopping. Elsewhere these calls do nothing.

use crate::Shutdown;
use sd_notify::NotifyState;
use std::time::Duration;

/// Says that every port answers.
pub fn ready() {
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// Says that the end has begun.
pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Feeds the watchdog at half its period for as long as `is_healthy` says so, when the service manager
/// asked for one.
pub fn feed_watchdog(shutdown: &Shutdown, is_healthy: impl Fn() -> bool + Send + 'static) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let hard = shutdown.hard().clone();
    shutdown.tasks().spawn(async move {
        let mut tick = tokio::time::interval((period / 2).max(Duration::from_millis(100)));
        loop {
            tokio::select! {
                () = hard.cancelled() => return,
                _ = tick.tick() => if is_healthy() {
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                },
            }
        }
    });
}
