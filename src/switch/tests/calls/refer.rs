//! Calls that are handed over by a phone.

use crate::bench::{Bench, FLOW_NUMBER, Far};
use std::time::Duration;
use strowger_media::Direction as Way;
use strowger_model::{CallState, HangupCause};
use strowger_sip::{Command, DialogKey, SipEvent};
use strowger_switch::call::MediaOrder;

fn told(bench: &Bench, of: DialogKey) -> Vec<u16> {
    let told = bench.commands.iter().filter_map(|command| match command {
        Command::Referred { dialog, status } if *dialog == of => Some(*status),
        _ => None,
    });
    told.collect()
}

/// Ada talks with Bob, who holds her.
fn talking(bench: &mut Bench) -> (DialogKey, DialogKey) {
    let ada = bench.ada_dials("101");
    let bob = bench.in_state(Far::Called)[0];
    bench.answers(bob);
    bench.acknowledges(ada);
    bench.last_words();
    bench.wants(bob, Way::SEND);
    (ada, bob)
}

fn refers(bench: &mut Bench, by: DialogKey, to: &str) {
    let to = to.to_owned();
    bench.sip(SipEvent::Refer { dialog: by, to });
}

fn all_quiet(bench: &mut Bench) {
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert!(bench.captures.values().all(|open| !open));
}

#[test]
fn who_was_called_hands_the_caller_to_somebody_outside() {
    let mut bench = Bench::new();
    let (ada, bob) = talking(&mut bench);
    refers(&mut bench, bob, "+15555550123");
    let outside = bench.in_state(Far::Called);
    assert_eq!(outside.len(), 1, "the provider is asked");
    assert!(told(&bench, bob).is_empty());
    bench.rings(outside[0]);
    // Bob's phone may stay to hear how it comes out, and is silent meanwhile.
    bench.pass(Duration::from_secs(5));
    bench.answers(outside[0]);
    assert_eq!(told(&bench, bob), [200]);
    bench.hangs_up(bob);
    assert_eq!(bench.state(ada), Some(Far::Up));
    let bridged = bench
        .orders
        .iter()
        .rev()
        .find(|order| matches!(order, MediaOrder::Bridge(..)));
    assert!(bridged.is_some());
    bench.pass(Duration::from_secs(60));
    bench.hangs_up(ada);
    let call = &bench.finished[0].call;
    assert_eq!(
        (call.state, call.cause),
        (CallState::Completed, Some(HangupCause::Normal))
    );
    assert_eq!(bench.finished.len(), 1, "it is one call");
    assert!(bench.finished[0].events.iter().any(|event| event.kind == "transfer"));
    all_quiet(&mut bench);
}

#[test]
fn who_called_hands_the_called_one_over_and_goes_at_once() {
    let mut bench = Bench::new();
    let (ada, bob) = talking(&mut bench);
    refers(&mut bench, ada, "+15555550123");
    bench.hangs_up(ada);
    let outside = bench.in_state(Far::Called)[0];
    bench.answers(outside);
    assert_eq!(bench.state(bob), Some(Far::Up));
    bench.hangs_up(outside);
    assert_eq!(bench.state(bob), Some(Far::Ending));
    all_quiet(&mut bench);
}

#[test]
fn a_party_that_nobody_takes_comes_back() {
    let mut bench = Bench::new();
    let (ada, bob) = talking(&mut bench);
    refers(&mut bench, bob, "+15555550123");
    let outside = bench.in_state(Far::Called)[0];
    bench.fails(outside, 486);
    assert_eq!(told(&bench, bob), [486]);
    assert_eq!((bench.state(ada), bench.state(bob)), (Some(Far::Up), Some(Far::Up)));
    bench.hangs_up(ada);
    assert_eq!(bench.state(bob), Some(Far::Ending));
    all_quiet(&mut bench);
}

#[test]
fn a_party_that_nobody_takes_and_nobody_waits_for_is_let_go() {
    let mut bench = Bench::new();
    let (ada, bob) = talking(&mut bench);
    refers(&mut bench, bob, "+15555550123");
    bench.hangs_up(bob);
    let outside = bench.in_state(Far::Called)[0];
    bench.fails(outside, 486);
    assert_eq!(bench.state(ada), Some(Far::Ending));
    all_quiet(&mut bench);
}

#[test]
fn a_number_nobody_has_and_a_call_without_two_parties_are_refused() {
    let mut bench = Bench::new();
    let (ada, bob) = talking(&mut bench);
    refers(&mut bench, bob, "eve-desk");
    assert_eq!(told(&bench, bob), [404]);
    bench.hangs_up(ada);
    bench.last_words();
    let ada = bench.ada_dials(FLOW_NUMBER);
    bench.acknowledges(ada);
    refers(&mut bench, ada, "101");
    assert_eq!(told(&bench, ada), [491]);
    bench.hangs_up(ada);
    all_quiet(&mut bench);
}
