//! What must hold once the day is over.

use crate::deployment::Deployment;
use std::collections::BTreeMap;
use strowger_model::CallState;
use strowger_switch::live::EventKind;

/// Judges a finished run; panics where the books are not in order.
pub(crate) fn judge(run: &Deployment) -> String {
    let held = run.endpoint.held();
    assert_eq!(
        (held.dialogs, held.transactions),
        (0, 0),
        "our endpoint holds on to something"
    );
    assert_eq!(run.exchange.count(), 0, "calls are left");
    assert!(
        run.owned.is_empty(),
        "whoever keeps signalling waits for the end of {:?}",
        run.owned
    );
    assert_eq!(
        run.exchange.leftovers(),
        [0; 5],
        "the exchange remembers something of finished calls"
    );
    assert!(run.exchange.poll_timeout().is_none(), "a timer was forgotten");
    assert!(run.supplies.open.lock().unwrap().is_empty(), "audio was not closed");
    for phone in &run.phones {
        assert_eq!(phone.talks(), 0, "{} believes to be in a call", phone.username);
        assert_eq!(phone.endpoint.held().dialogs, 0, "{} holds a dialog", phone.username);
    }
    for trunk in run.house.directory.trunks() {
        assert_eq!(run.exchange.load_on(trunk.id), 0);
    }
    assert!(
        run.captures.values().all(|(open, _)| !open),
        "a capture was never ended"
    );
    states(run);
    records(run)
}

/// No call ever went from a state to one that may not follow it.
fn states(run: &Deployment) {
    let mut states = BTreeMap::new();
    for event in &run.told {
        let now = event.call.state;
        if let Some(before) = states.insert(event.call.id, now) {
            let is_legal: bool = before == now || before.may_become(now);
            assert!(is_legal, "call {}: {before:?} to {now:?}", event.call.id);
        }
    }
}

fn records(run: &Deployment) -> String {
    let store = &run.store;
    assert!(store.begun.values().all(|count| *count == 1), "a call began twice");
    assert_eq!(store.begun.len(), store.finished.len(), "a call has no record");
    let (mut answered, mut taken, mut messages, mut caller_answered) = (0, 0, 0, 0);
    for finished in store.finished.values() {
        let [finished] = finished.as_slice() else {
            panic!("a call has {} records", finished.len());
        };
        let call = &finished.call;
        assert!(call.state.is_final() && call.ended_at.is_some());
        assert_eq!(
            call.state == CallState::Completed,
            call.answered_at.is_some(),
            "{call:?}"
        );
        for leg in &finished.legs {
            assert!(
                leg.ended_at.is_some() && leg.cause.is_some(),
                "a leg was not closed: {leg:?}"
            );
        }
        answered += usize::from(call.answered_at.is_some());
        caller_answered += usize::from(
            finished
                .legs
                .iter()
                .any(|leg| leg.side == "caller" && leg.answered_at.is_some() && !leg.sip_call_id.is_empty()),
        );
        messages += usize::from(finished.message.is_some());
        taken += finished.taken.len();
        for capture in &finished.taken {
            let (_, taps) = run.captures[&capture.capture];
            assert!(taps > 0, "a capture of nothing");
        }
        let talked = finished.events.iter().any(|event| event.kind == "bridge") && !run.stopped.contains(&call.id);
        assert!(
            !talked || !finished.taken.is_empty(),
            "a conversation was not captured: {call:?}"
        );
        let ends = run
            .told
            .iter()
            .filter(|event| event.call.id == call.id && event.call.state.is_final());
        assert_eq!(ends.count(), 1, "those who watch were told of {} ends", call.id);
    }
    assert_eq!(taken, run.captures.len(), "a capture belongs to no record");
    let heard: usize = run.phones.iter().map(|phone| phone.tally.was_answered).sum();
    assert!(
        heard <= caller_answered,
        "{heard} callers were answered, {caller_answered} records say so"
    );
    let began = run.told.iter().filter(|event| event.kind == EventKind::Started).count();
    assert_eq!(began, store.begun.len());
    format!(
        "{} calls, {answered} answered, {taken} captures, {messages} messages; {} datagrams, {} lost; the store was {} entries behind",
        store.begun.len(),
        run.datagrams,
        run.lost,
        store.longest_queue
    )
}

/// Without losses, whoever placed a call was answered or refused.
pub(crate) fn nobody_was_left_waiting(run: &Deployment) {
    for phone in &run.phones {
        let tally = phone.tally;
        assert!(tally.was_answered + tally.was_refused <= tally.placed);
        assert_eq!(
            tally.was_answered + tally.was_refused,
            tally.placed,
            "{}: {tally:?}",
            phone.username
        );
    }
    assert!(run.phones.iter().map(|phone| phone.tally.took).sum::<usize>() > 20);
}
