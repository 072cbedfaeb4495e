//! A whole deployment in virtual time: hundreds of phones and two providers, each a SIP endpoint of its
//! own, around one endpoint and one exchange of ours; a wire that loses, delays, reorders and repeats;
//! people who answer, refuse, give up, hold, press keys and hang up; a store that stalls.
//!
//! Everything follows from a seed. `STROWGER_SEED=7 STROWGER_CALLS=2000 cargo test -p strowger-switch
//! --test simulation` runs one again; a run that fails names its seed.
//!
//! The SIP machines, the registrar, offers and answers, the flows and the exchange are the real ones.
//! Not here: sockets, audio, disks; audio threads are stood for by [`deployment`], which plays, closes and counts.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod chance;
mod deployment;
mod house;
mod phone;
mod verdict;

use deployment::Deployment;

#[expect(clippy::disallowed_methods, reason = "a failing seed is run again by its name")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) {
    let calls = asked("STROWGER_CALLS").unwrap_or(1_500);
    eprintln!("simulation: seed {seed}, {calls} calls (again with STROWGER_SEED={seed})");
    let mut deployment = Deployment::new(seed, calls as usize);
    deployment.run();
    let report = verdict::judge(&deployment);
    eprintln!("simulation: seed {seed}: {report}");
}

#[test]
fn a_deployment_of_hundreds_of_phones_keeps_its_books_in_order() {
    run(asked("STROWGER_SEED").unwrap_or(1));
}

#[test]
fn another_day_in_the_same_deployment() {
    run(asked("STROWGER_SEED").unwrap_or(2));
}

#[test]
fn a_day_without_losses_connects_whoever_answers() {
    let mut deployment = Deployment::new(3, 300);
    deployment.loss = 0.0;
    deployment.run();
    verdict::judge(&deployment);
    verdict::nobody_was_left_waiting(&deployment);
}
