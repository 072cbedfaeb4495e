//! Calls out through several providers.

use crate::bench::{Bench, Far};
use std::time::Duration;
use strowger_model::record::Trunk;
use strowger_model::{CallState, HangupCause, TrunkId, World};
use strowger_sip::{Command, DialogKey, Invite, SipEvent, Target, TrunkState};

const OUTSIDE: &str = "+1 555 555 0123";

/// A bench with a second provider for the same numbers: the bench, the first provider, the second.
fn two_providers() -> (Bench, TrunkId, TrunkId) {
    let mut bench = Bench::new();
    let first = bench.house.provider_out;
    bench.world.advance(1);
    let (second, created_at) = (TrunkId::generate(bench.world.as_ref()), bench.world.now());
    bench.change(|parts| {
        let like = parts.trunks.iter().find(|trunk| trunk.id == first).unwrap();
        let standby = Trunk {
            id: second,
            name: "standby".to_owned(),
            created_at,
            ..like.clone()
        };
        // The order of the rows says nothing.
        parts.trunks.insert(0, standby);
    });
    (bench, first, second)
}

fn invites(bench: &Bench) -> Vec<&Invite> {
    let invites = bench.commands.iter().filter_map(|command| match command {
        Command::Invite(invite) => Some(invite.as_ref()),
        _ => None,
    });
    invites.collect()
}

fn asked(bench: &Bench) -> Vec<TrunkId> {
    let trunks = invites(bench).into_iter().filter_map(|invite| match &invite.target {
        Target::Trunk(target) => Some(target.trunk),
        Target::Binding(_) | Target::Address { .. } => None,
    });
    trunks.collect()
}

fn called(bench: &Bench) -> DialogKey {
    bench.in_state(Far::Called)[0]
}

#[test]
fn the_next_provider_takes_a_call_that_the_first_cannot() {
    let (mut bench, first, second) = two_providers();
    let ada = bench.ada_dials(OUTSIDE);
    assert_eq!(asked(&bench), [first]);
    bench.fails(called(&bench), 503);
    assert_eq!(asked(&bench), [first, second]);
    assert_eq!(bench.state(ada), Some(Far::Calling), "the caller notices nothing");
    bench.rings(called(&bench));
    bench.answers(called(&bench));
    bench.acknowledges(ada);
    bench.pass(Duration::from_secs(5));
    bench.hangs_up(ada);
    bench.last_words();
    let finished = &bench.finished[0];
    assert_eq!(finished.call.state, CallState::Completed);
    let causes: Vec<_> = finished.legs.iter().map(|leg| (leg.trunk, leg.cause)).collect();
    assert_eq!(causes[1], (Some(first), Some(HangupCause::Congestion)));
    assert_eq!(causes[2], (Some(second), Some(HangupCause::Normal)));
    assert_eq!((bench.exchange.load_on(first), bench.exchange.load_on(second)), (0, 0));
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
}

#[test]
fn only_what_speaks_of_the_provider_leads_to_the_next() {
    for (status, goes_on) in [
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (408, true),
        (403, false),
        (404, false),
        (480, false),
        (484, false),
        (486, false),
        (488, false),
        (600, false),
        (603, false),
    ] {
        let (mut bench, first, second) = two_providers();
        bench.ada_dials(OUTSIDE);
        bench.fails(called(&bench), status);
        let expected = if goes_on { vec![first, second] } else { vec![first] };
        assert_eq!(asked(&bench), expected, "{status}");
    }
}

#[test]
fn a_phone_that_rang_and_was_not_picked_up_is_not_rung_again_by_the_next_provider() {
    let (mut bench, first, _) = two_providers();
    bench.ada_dials(OUTSIDE);
    bench.rings(called(&bench));
    bench.fails(called(&bench), 408);
    assert_eq!(asked(&bench), [first]);
    assert_eq!(bench.finished[0].call.cause, Some(HangupCause::NoAnswer));
}

#[test]
fn the_last_providers_refusal_is_the_callers() {
    let (mut bench, first, second) = two_providers();
    bench.ada_dials(OUTSIDE);
    bench.fails(called(&bench), 500);
    bench.fails(called(&bench), 486);
    assert_eq!(asked(&bench), [first, second]);
    assert_eq!(bench.finished[0].call.cause, Some(HangupCause::Busy));
}

#[test]
fn a_provider_that_is_down_or_full_is_asked_last_or_not_at_all() {
    let (mut bench, first, second) = two_providers();
    let state = |trunk, state| SipEvent::TrunkState { trunk, state };
    let reason = String::new();
    bench.sip(state(first, TrunkState::Unreachable { reason }));
    bench.ada_dials(OUTSIDE);
    bench.fails(called(&bench), 503);
    assert_eq!(asked(&bench), [second, first]);
    bench.fails(called(&bench), 503);

    let latency = Duration::from_millis(5);
    bench.sip(state(first, TrunkState::Up { latency }));
    for _ in 0..4 {
        bench.ada_dials(OUTSIDE);
    }
    assert_eq!(bench.exchange.load_on(first), 4);
    bench.ada_dials(OUTSIDE);
    assert_eq!(asked(&bench)[2..], [first, first, first, first, second]);
}

#[test]
fn a_provider_is_waited_for_only_briefly_while_another_stands_by() {
    let (mut bench, ..) = two_providers();
    bench.ada_dials(OUTSIDE);
    bench.fails(called(&bench), 503);
    let patience: Vec<_> = invites(&bench).iter().map(|invite| invite.patience).collect();
    assert_eq!(patience, [Some(Duration::from_secs(5)), None]);
}

#[test]
fn a_longer_prefix_is_meant_and_a_shorter_one_no_reserve() {
    let (mut bench, first, second) = two_providers();
    bench.change(|parts| {
        for trunk in parts.trunks.iter_mut().filter(|trunk| trunk.id == first) {
            trunk.prefix = "+1".to_owned();
        }
    });
    bench.ada_dials(OUTSIDE);
    bench.fails(called(&bench), 503);
    bench.ada_dials("+44 20 7946 0000");
    assert_eq!(asked(&bench), [first, second]);
}

#[test]
fn legs_that_we_open_have_their_call_id_from_the_first_moment() {
    let (mut bench, ..) = two_providers();
    bench.ada_dials(OUTSIDE);
    bench.fails(called(&bench), 503);
    bench.fails(called(&bench), 404);
    let written: Vec<String> = invites(&bench)
        .iter()
        .map(|invite| invite.sip_call_id.clone())
        .collect();
    let rows: Vec<String> = bench.finished[0].legs[1..]
        .iter()
        .map(|leg| leg.sip_call_id.clone())
        .collect();
    assert_eq!(written, rows);
    assert!(written.iter().all(|id| id.len() == 32) && written[0] != written[1]);
}
