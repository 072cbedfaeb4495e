//! The health of the machine.

use super::view::{self, Check};
use crate::desk::PlatformDesk;
use crate::fault::Page;
use crate::show::{Clock, Fact, Figure, State, words};
use crate::state::{CertificateLevel, CertificateState};
use axum::response::IntoResponse;
use strowger_model::disk::{DiskLevel, DiskState};
use strowger_model::job::JobState;
use strowger_rooms::io::turn::TurnHandle;
use strowger_rooms::turn::{Figures, Refusal};
use strowger_store::capture::SpoolState;
use strowger_store::queue::JobFilter;
use strowger_store::{BucketHealth, Page as Keyset, ProviderHealth, ProviderState};

fn check(name: &str, state: State, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        state,
        detail: detail.into(),
    }
}

fn disk(disk: Option<DiskState>) -> Check {
    const GB: u64 = 1_000_000_000;
    let Some(disk) = disk else {
        return check(
            "Disk",
            State::idle("Unknown"),
            "The system does not say how much is free.",
        );
    };
    let story = disk.story();
    match disk.level {
        DiskLevel::Reserve => check(
            "Disk",
            State::bad("Full"),
            format!("{story}. Nothing is recorded; make room and it goes on by itself."),
        ),
        DiskLevel::Room if disk.free_bytes >= GB => check("Disk", State::ok("Room enough"), format!("{story}.")),
        DiskLevel::Fills => check("Disk", State::warn("Fills up"), format!("{story}.")),
        DiskLevel::Low | DiskLevel::Room => check(
            "Disk",
            State::bad("Almost full"),
            format!("{story}. Make room: recording stops when the reserve is reached."),
        ),
    }
}

/// The certificates of the listeners.
fn certificates(seen: &CertificateState) -> Check {
    let state = match seen.level {
        CertificateLevel::Good => State::ok("Good"),
        CertificateLevel::Soon => State::warn("Ends soon"),
        CertificateLevel::Ended => State::bad("Ended"),
    };
    check("Certificates", state, format!("{}.", seen.story))
}

/// Whether calls that are to be recorded are.
fn recording(spool: SpoolState) -> Check {
    if spool.is_stopped {
        let detail =
            "The disk's reserve is reached. Calls go on unrecorded; make room and recording goes on by itself.";
        return check("Recording", State::bad("Stopped"), detail);
    }
    let detail = format!("{} captures run.", spool.open);
    if spool.lost > 0 {
        let lost = format!(
            "{detail} {} chunks were lost since the start: the disk is slow.",
            spool.lost
        );
        return check("Recording", State::warn("Lost sound"), lost);
    }
    check("Recording", State::ok("Works"), detail)
}

/// The bucket recordings move to, as the last try found it.
fn bucket(health: &BucketHealth) -> Check {
    let mut detail = format!(
        "{}: {} objects there, {} wait on this disk, {} erased ones wait to be removed.",
        health.place, health.moved, health.waiting, health.to_remove
    );
    let state = match (&health.problem, health.waiting + health.to_remove) {
        (_, 0) => State::ok("Nothing waits"),
        (None, _) => State::on("Moving"),
        (Some(problem), _) => {
            detail.push_str(&format!(
                " The last try failed: {problem}. Recordings stay here and are tried again."
            ));
            State::warn("Fails")
        }
    };
    check("Bucket", state, detail)
}

/// The relay for networks that let nothing else through.
fn relay(figures: Option<&Figures>) -> Check {
    let Some(figures) = figures else {
        return check(
            "Relay (TURN)",
            State::idle("Off"),
            "Browsers behind strict networks may not reach meetings: see turn.enabled.",
        );
    };
    let bytes = i64::try_from(figures.bytes_to_peers + figures.bytes_to_clients).unwrap_or(i64::MAX);
    // Every client is refused once before it proves itself, so those refusals say nothing.
    let refused = |refusal: Refusal| figures.refused(refusal);
    let detail = format!(
        "{} relays now, {} since the start, {} relayed; refused: {} peers, {} for want of room.",
        figures.relays,
        figures.opened,
        words::size(bytes),
        refused(Refusal::Forbidden),
        refused(Refusal::Quota) + refused(Refusal::Capacity),
    );
    if refused(Refusal::Capacity) > 0 {
        return check("Relay (TURN)", State::warn("Was full"), detail);
    }
    check("Relay (TURN)", State::ok("Works"), detail)
}

/// A language service outside of this machine.
fn service(one: &ProviderHealth, clock: &Clock) -> Check {
    let name = format!("Language service {}", one.provider.name);
    let failure = match (one.last_failed_at, &one.last_problem) {
        (Some(at), Some(problem)) => format!("Last failure {}: {problem}.", clock.stamp(at)),
        _ => String::new(),
    };
    let meanwhile = "Calls go on; this machine or the next in the order does its work.";
    match one.state {
        ProviderState::Unused => check(
            &name,
            State::idle("Not asked"),
            "Nobody asked it in the last thirty days.",
        ),
        ProviderState::Works => check(&name, State::ok("Works"), failure),
        ProviderState::Failing => check(&name, State::warn("Failing"), format!("{failure} {meanwhile}")),
        ProviderState::Trying => {
            let detail = format!("{failure} The circuit is half open: the next request tries it. {meanwhile}");
            check(&name, State::warn("Being tried"), detail)
        }
        ProviderState::Resting(until) => {
            let until = clock.stamp(until);
            let detail = format!("{failure} The circuit is open: it is left alone until {until}. {meanwhile}");
            check(&name, State::warn("Resting"), detail)
        }
    }
}

pub(crate) async fn health(desk: PlatformDesk) -> Page {
    let state = &desk.state;
    let seen = state.store().health().await?;
    let now = state.now();
    let running = JobFilter {
        state: Some(JobState::Queued),
        kind: None,
    };
    let queued = state.store().queue().list(&running, &Keyset::first(1000)).await?.items;
    let oldest = queued.iter().map(|job| job.created_at).min();
    let waits_ms = oldest.map_or(0, |at| i64::try_from((now - at).whole_milliseconds()).unwrap_or(0));
    let work = match (seen.jobs_queued, waits_ms) {
        (0, _) => check("Worker", State::ok("Nothing waits"), "Every job was taken."),
        (_, ms) if ms > 600_000 => check(
            "Worker",
            State::bad("Behind"),
            format!(
                "The oldest job has waited {}. Start strowger-worker, or add one.",
                words::short(ms)
            ),
        ),
        (count, ms) => check(
            "Worker",
            State::ok("Works"),
            format!("{count} wait, the oldest {}.", words::short(ms)),
        ),
    };
    let dead = match seen.jobs_dead {
        0 => check("Jobs given up", State::ok("None"), ""),
        count => check(
            "Jobs given up",
            State::warn(count.to_string()),
            "Each tenant’s page of jobs says why and can try again.",
        ),
    };
    let engine = if seen.engine == "sqlite" {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let mut checks = vec![check("Database", State::ok("Works"), format!("{engine} answered."))];
    let figures = state.config().relay.as_ref().map(TurnHandle::figures);
    checks.extend(state.phones().map(|switch| recording(switch.spool())));
    checks.extend([work, dead, disk(seen.disk)]);
    checks.extend(seen.bucket.as_ref().map(bucket));
    checks.extend([relay(figures.as_ref())]);
    checks.extend(state.config().certificates.as_ref().map(|look| certificates(&look())));
    let providers = state.store().known_providers();
    checks.extend(providers.health().await?.iter().map(|one| service(one, &state.clock())));
    let spend = providers.spend_of_the_month().await?;
    let tenants = state.store().tenants().list(&Keyset::first(1000)).await?.items;
    let live: usize = tenants
        .iter()
        .map(|tenant| state.exchange().live_calls(tenant.id).len())
        .sum();
    for tenant in &tenants {
        for trunk in state.exchange().trunk_states(tenant.id) {
            if !trunk.is_usable() {
                let name = format!("Trunk {} of {}", trunk.name, tenant.name);
                checks.push(check(
                    &name,
                    State::bad("Down"),
                    format!("Since {}.", state.clock().stamp(trunk.since)),
                ));
            }
        }
    }
    let figure = |name: &str, value: String, state: State| Figure {
        name: name.to_owned(),
        value,
        state,
    };
    let strip = vec![
        figure("Calls now", live.to_string(), State::on("Talking or ringing")),
        figure(
            "Jobs waiting",
            seen.jobs_queued.to_string(),
            State::idle(format!("{} running", seen.jobs_running)),
        ),
        figure("Tenants", tenants.len().to_string(), State::idle("On this machine")),
    ];
    let up_ms = i64::try_from((now - state.started_at()).whole_milliseconds()).unwrap_or(0);
    let mut facts = vec![
        Fact::new("Version", env!("CARGO_PKG_VERSION")),
        Fact::new("Running for", words::short(up_ms)),
        Fact::new("Database", engine),
    ];
    facts.extend(
        state
            .config()
            .facts
            .iter()
            .map(|(name, value)| Fact::new(name, value.clone())),
    );
    Ok(view::health(&desk.shell(), &checks, strip, facts, &spend).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_away_says_what_waits() {
        let mut health = BucketHealth {
            place: "calls at https://minio.example".into(),
            moved: 40,
            waiting: 2,
            to_remove: 0,
            problem: Some("cannot write to the bucket".into()),
        };
        let said = bucket(&health);
        assert_eq!(said.state, State::warn("Fails"));
        assert!(said.detail.contains("2 wait on this disk"), "{}", said.detail);
        health.waiting = 0;
        assert_eq!(bucket(&health).state, State::ok("Nothing waits"));
    }

    #[test]
    fn the_relay_says_what_it_did_and_that_it_was_full() {
        assert_eq!(relay(None).state, State::idle("Off"));
        let mut figures = Figures {
            relays: 3,
            opened: 9,
            bytes_to_peers: 1_500_000,
            ..Figures::default()
        };
        let said = relay(Some(&figures));
        assert_eq!(said.state, State::ok("Works"));
        assert!(
            said.detail
                .starts_with("3 relays now, 9 since the start, 1.5 MB relayed"),
            "{}",
            said.detail
        );
        figures.refused.insert(Refusal::Capacity, 2);
        assert_eq!(relay(Some(&figures)).state, State::warn("Was full"));
    }
}
