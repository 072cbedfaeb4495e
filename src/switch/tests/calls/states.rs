//! The states of a call: every legal step is taken, and ten thousand random calls take no other.

use crate::bench::{BOB_NUMBER, BRIDGE_NUMBER, Bench, FLOW_NUMBER, Far};
use crate::properties::{Step, take};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use strowger_model::CallState::{
    self, Active, Busy, Cancelled, Completed, Failed, Initiated, Missed, NoAnswer, Ringing,
};
use strowger_model::world::SeededWorld;
use strowger_model::{CallId, World as _};
use strowger_switch::exchange::Input;

/// The steps that were told, by name; none was illegal.
fn steps(bench: &Bench) -> BTreeSet<(&'static str, &'static str)> {
    let mut standing: BTreeMap<CallId, CallState> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    for event in &bench.told {
        let now = event.call.state;
        let before = standing.insert(event.call.id, now).unwrap_or(Initiated);
        if before != now {
            assert!(before.may_become(now), "{before} to {now}");
            steps.insert((before.code(), now.code()));
        }
    }
    for finished in &bench.finished {
        assert_eq!(
            standing.get(&finished.call.id),
            Some(&finished.call.state),
            "told as written"
        );
    }
    steps
}

/// A call from outside to a number behind a provider, or one of ours to it; the provider says `status`.
fn refused(bench: &mut Bench, from_outside: bool, rings: bool, status: u16) {
    if from_outside {
        bench.outsider_dials(BRIDGE_NUMBER);
    } else {
        bench.ada_dials("+15555550123");
    }
    let called = bench.in_state(Far::Called)[0];
    if rings {
        bench.rings(called);
    }
    bench.fails(called, status);
    bench.last_words();
}

#[test]
fn every_legal_step_can_be_taken_and_a_caller_who_hangs_up_while_it_rings_has_cancelled() {
    let mut bench = Bench::new();
    // Answered by a person after ringing, and ended in order.
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.rings(bob);
    bench.answers(bob);
    bench.acknowledges(ada);
    bench.hangs_up(ada);
    bench.last_words();
    // Answered by a flow at once, and broken.
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    bench.plays_end();
    let media = bench.open_media()[0];
    bench.supply.breaks.store(true, Ordering::Relaxed);
    bench.presses(media, '1');
    bench.last_words();
    // Given up before and while it rings.
    for rings in [false, true] {
        let caller = bench.outsider_dials(BOB_NUMBER);
        if rings {
            let called = bench.in_state(Far::Called)[0];
            bench.rings(called);
        }
        bench.gives_up(caller);
        assert_eq!(bench.finished.last().unwrap().call.state, Cancelled);
        assert_eq!(Cancelled.seed_word(), "CANCELLED");
        bench.last_words();
        refused(&mut bench, true, rings, 480);
        assert_eq!(bench.finished.last().unwrap().call.state, Missed);
        refused(&mut bench, false, rings, 480);
        assert_eq!(bench.finished.last().unwrap().call.state, NoAnswer);
        refused(&mut bench, false, rings, 486);
        assert_eq!(bench.finished.last().unwrap().call.state, Busy);
        refused(&mut bench, false, rings, 404);
        assert_eq!(bench.finished.last().unwrap().call.state, Failed);
    }
    let legal = [Initiated, Ringing, Active]
        .into_iter()
        .flat_map(|from| CallState::ALL.iter().map(move |to| (from, *to)))
        .filter(|(from, to)| from.may_become(*to))
        .map(|(from, to)| (from.code(), to.code()));
    assert_eq!(steps(&bench), legal.collect());
    assert!(!Completed.may_become(Active));
}

#[test]
fn ten_thousand_random_calls_take_no_illegal_step() {
    let (mut calls, mut seed, mut seen) = (0, 0, BTreeSet::new());
    while calls < 10_000 {
        seed += 1;
        let chance = SeededWorld::new(seed, 0);
        let mut bench = Bench::new();
        for _ in 0..200 {
            let mut bytes = [0; 8];
            chance.fill(&mut bytes);
            take(&mut bench, Step::random(bytes));
        }
        bench.tell(Input::Shutdown);
        bench.last_words();
        bench.last_words();
        assert_eq!(bench.begun.len(), bench.finished.len(), "seed {seed}");
        seen.extend(steps(&bench));
        calls += bench.begun.len();
    }
    assert!(seen.len() >= 12, "{seen:?}");
}
