//! Looks at the disk from time to time, and says when it fills.

use std::time::{Duration, Instant};
use strowger_host::Shutdown;
use strowger_model::disk::{DiskLevel, DiskState};
use strowger_store::Store;
use tracing::{info, warn};

/// How often. Whoever made room sees the alarm end within three of these.
const EVERY: Duration = Duration::from_secs(10);

/// Measures the disk of the data folder until the end.
pub(crate) fn watch(store: &Store, reserve_bytes: u64, shutdown: &Shutdown) {
    let (store, hard) = (store.clone(), shutdown.hard().clone());
    shutdown.tasks().spawn(async move {
        let mut pulse = tokio::time::interval(EVERY);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = hard.cancelled() => return,
                _ = pulse.tick() => {}
            }
            // A disk that stalls does not answer this either.
            let looking = store.clone();
            let looked = tokio::task::spawn_blocking(move || looking.watch_disk(reserve_bytes, Instant::now()));
            let turn = tokio::select! {
                () = hard.cancelled() => return,
                turn = looked => turn.ok().flatten(),
            };
            turn.iter().for_each(told);
            if let Some(state) = store.disk() {
                metrics::gauge!("strowger_disk_free_bytes").set(state.free_bytes as f64);
                let seconds = state.full_in.map_or(f64::INFINITY, |span| span.as_secs_f64());
                metrics::gauge!("strowger_disk_full_in_seconds").set(seconds);
            }
        }
    });
}

fn told(state: &DiskState) {
    let story = state.story();
    match state.level {
        DiskLevel::Room => info!("the disk of the data folder has room again: {story}"),
        DiskLevel::Fills => warn!("the disk of the data folder fills up: {story}"),
        DiskLevel::Low => warn!("the disk of the data folder is almost full: {story}"),
        DiskLevel::Reserve => warn!("the disk of the data folder is full, nothing is recorded: {story}"),
    }
}
