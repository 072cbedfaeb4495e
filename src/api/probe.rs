//! What `/health` looks at: the database, the queue, the disk, the trunks, the process's memory.

use crate::health::{Check, Mood};
use crate::state::ApiState;
use strowger_model::disk::{DiskLevel, DiskState};
use strowger_store::{BucketHealth, Health, ProviderHealth, ProviderState, Store};

/// Jobs waiting above which workers are too few or too slow.
const MANY_JOBS: i64 = 500;
/// How long a due job may wait before workers are missed.
const PATIENCE: time::Duration = time::Duration::minutes(2);
/// Free bytes below which somebody has to act.
const LOW_DISK_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Free bytes below which rows can no longer be written for sure.
const NO_DISK_BYTES: u64 = 64 * 1024 * 1024;

/// Looks at everything once.
pub(crate) async fn look(state: &ApiState) -> Vec<Check> {
    let mut checks = Vec::new();
    match state.access.store().health().await {
        Ok(health) => {
            checks.push(database(state.access.store(), &health));
            checks.push(queue(&health));
            checks.push(workers(&health));
            checks.extend(health.disk.as_ref().map(disk));
            checks.extend(health.bucket.as_ref().map(bucket));
        }
        Err(problem) => {
            tracing::error!(%problem, "the database does not answer");
            let advice = state.access.store().damage().map_or_else(
                || "the database does not answer; look at its service and at the daemon's log".to_owned(),
                |damage| format!("the database is damaged ({damage}); restart to go back to the last copy"),
            );
            checks.push(Check {
                name: "database",
                mood: Mood::Fail,
                stops_calls: true,
                detail: advice,
            });
        }
    }
    checks.push(trunks(state));
    // A database that does not answer has its own line above.
    if let Ok(providers) = state.access.store().known_providers().health().await {
        checks.push(self::providers(&providers));
    }
    checks.extend(memory());
    checks
}

fn database(store: &Store, health: &Health) -> Check {
    let (mood, detail) = match (store.damage(), store.put_aside().first()) {
        (Some(damage), _) => (
            Mood::Fail,
            format!(
                "the database is damaged ({damage}): nothing is written to it, calls go on; restart to go back to the last copy"
            ),
        ),
        (None, Some(aside)) => (
            Mood::Warn,
            format!(
                "{} answers from a copy: the database was damaged and lies at {}; remove it when you have looked at it, on {} it goes by itself",
                health.engine,
                aside.file.display(),
                aside.until.date()
            ),
        ),
        (None, None) => (Mood::Pass, format!("{} answers", health.engine)),
    };
    Check {
        name: "database",
        mood,
        stops_calls: false,
        detail,
    }
}

fn queue(health: &Health) -> Check {
    let mood = if health.jobs_dead > 0 || health.jobs_queued > MANY_JOBS {
        Mood::Warn
    } else {
        Mood::Pass
    };
    Check {
        name: "queue",
        mood,
        stops_calls: false,
        detail: format!(
            "{} waiting, {} running, {} given up",
            health.jobs_queued, health.jobs_running, health.jobs_dead
        ),
    }
}

/// A worker that lives takes a due job within seconds; one that works on another may take its time.
fn workers(health: &Health) -> Check {
    let waits = health.longest_wait.is_some_and(|wait| wait > PATIENCE);
    let absent = waits && health.jobs_running == 0;
    Check {
        name: "workers",
        mood: if absent { Mood::Fail } else { Mood::Pass },
        stops_calls: false,
        detail: if absent {
            "jobs are due and nobody takes them; is strowger-worker running?".to_owned()
        } else {
            format!("{} at work", health.jobs_running)
        },
    }
}

fn disk(disk: &DiskState) -> Check {
    let mood = if disk.free_bytes < NO_DISK_BYTES {
        Mood::Fail
    } else if disk.free_bytes < LOW_DISK_BYTES || disk.level > DiskLevel::Room {
        Mood::Warn
    } else {
        Mood::Pass
    };
    Check {
        name: "disk",
        mood,
        stops_calls: true,
        detail: disk.story(),
    }
}

/// The bucket recordings move to, as the last try found it. Its name is nothing for strangers.
fn bucket(health: &BucketHealth) -> Check {
    let counts = format!(
        "{} recordings there, {} wait here, {} erased ones wait to be removed",
        health.moved, health.waiting, health.to_remove
    );
    let waits = health.problem.is_some() && health.waiting + health.to_remove > 0;
    Check {
        name: "bucket",
        mood: if waits { Mood::Warn } else { Mood::Pass },
        stops_calls: false,
        detail: if waits {
            format!("{counts}; the last try to move failed, the page of jobs says why")
        } else {
            counts
        },
    }
}

fn trunks(state: &ApiState) -> Check {
    let trunks = state.calls.trunks();
    let down = trunks.iter().filter(|trunk| !trunk.is_usable()).count();
    let mood = match (trunks.len(), down) {
        (_, 0) => Mood::Pass,
        (all, down) if all == down => Mood::Fail,
        _ => Mood::Warn,
    };
    Check {
        name: "trunks",
        mood,
        stops_calls: false,
        detail: format!("{} of {} usable", trunks.len() - down, trunks.len()),
    }
}

/// Language services outside of this machine. Without names: whom a house asks is nobody else's business.
fn providers(all: &[ProviderHealth]) -> Check {
    let ill = all.iter().filter(|one| one.state.is_ill()).count();
    let open = |one: &&ProviderHealth| matches!(one.state, ProviderState::Resting(_) | ProviderState::Trying);
    let detail = match (all.len(), ill) {
        (0, _) => "none is named: speech is understood on this machine".to_owned(),
        (count, 0) => format!("{count} named, none fails"),
        (count, ill) => format!(
            "{ill} of {count} fail, the circuit of {} is open; this machine does their work",
            all.iter().filter(open).count()
        ),
    };
    Check {
        name: "providers",
        mood: if ill > 0 { Mood::Warn } else { Mood::Pass },
        stops_calls: false,
        detail,
    }
}

/// Resident memory, where the system tells (`/proc`).
fn memory() -> Option<Check> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.as_deref().and_then(|text| text.split(' ').next()).unwrap_or("?");
    Some(Check {
        name: "memory",
        mood: Mood::Pass,
        stops_calls: false,
        detail: format!("{} MiB resident, load {load}", kib / 1024),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_stops_calls_and_a_long_queue_does_not() {
        let mut full = DiskState::once(1, 1 << 40);
        assert!(disk(&full).stops_calls && disk(&full).mood == Mood::Fail);
        full.free_bytes = 1 << 39;
        full.level = DiskLevel::Fills;
        full.full_in = Some(std::time::Duration::from_secs(9_000));
        assert_eq!(disk(&full).mood, Mood::Warn);
        assert!(
            disk(&full)
                .detail
                .ends_with("(50 %); as fast as it fills now, the reserve is reached in 2 h 30 min")
        );
        let health = Health {
            engine: "sqlite",
            jobs_queued: 10_000,
            jobs_running: 0,
            jobs_dead: 0,
            longest_wait: Some(time::Duration::hours(1)),
            disk: None,
            bucket: None,
        };
        assert_eq!(workers(&health).mood, Mood::Fail, "nobody is there");
        let away = BucketHealth {
            place: "calls at minio".into(),
            moved: 3,
            waiting: 2,
            to_remove: 0,
            problem: Some("cannot write to the bucket".into()),
        };
        let away = bucket(&away);
        assert!(away.mood == Mood::Warn && !away.stops_calls && !away.detail.contains("minio"));
        let long = queue(&health);
        assert!(!long.stops_calls && long.mood == Mood::Warn);
    }
}
