//! Callers and voice apps: being connected, keys, being lost, recording beside it.

use crate::bench::{Bench, FLOW_NUMBER};
use std::time::Duration;
use strowger_ivr::{ActionId, AppOutcome};
use strowger_model::CallId;
use strowger_sip::DialogKey;
use strowger_switch::app::{AppCall, AppNews, AppOrder, AppSaid};
use strowger_switch::exchange::Input;
use strowger_switch::live::Steer;

/// A bench whose flow connects callers with a voice app, and the mailbox when it is not there.
fn bench() -> Bench {
    let mut bench = Bench::new();
    let definition = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "clerk", "type": "voice_app", "data": {"url": "wss://voice.example/clerk", "timeout": 4,
                "parameters": {"from": "{caller}"}}},
            {"id": "mail", "type": "voicemail", "data": {"mailbox": "101"}},
            {"id": "again", "type": "voice_app", "data": {"url": "wss://voice.example/second"}},
            {"id": "end", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "clerk"},
            {"id": "2", "source": "clerk", "target": "mail", "label": "fallback"},
            {"id": "3", "source": "clerk", "target": "again", "label": "next"},
            {"id": "4", "source": "again", "target": "end", "label": "fallback"}
        ]
    });
    let graph = strowger_ivr::Flow::parse(&definition).0.unwrap();
    bench.change(|parts| parts.flows[0].graph = std::sync::Arc::new(graph));
    bench
}

/// A caller whom the flow connects.
fn connecting(bench: &mut Bench) -> (DialogKey, CallId, ActionId) {
    let caller = bench.outsider_dials(FLOW_NUMBER);
    bench.acknowledges(caller);
    let (call, app) = joins(bench).remove(0);
    (caller, call, app.id)
}

fn joins(bench: &Bench) -> Vec<(CallId, AppCall)> {
    let joined = bench.to_apps.iter().filter_map(|(call, order)| match order {
        AppOrder::Join(app) => Some((*call, app.as_ref().clone())),
        _ => None,
    });
    joined.collect()
}

fn leaves(bench: &Bench) -> usize {
    let left = bench
        .to_apps
        .iter()
        .filter(|(_, order)| matches!(order, AppOrder::Leave(_)));
    left.count()
}

fn says(bench: &mut Bench, call: CallId, id: ActionId, what: AppNews) {
    bench.tell(Input::App(call, AppSaid { id, what }));
}

fn ended(outcome: AppOutcome) -> AppNews {
    AppNews::Ended {
        outcome,
        why: "so it is".to_owned(),
    }
}

fn doing(bench: &Bench) -> String {
    bench.told.last().unwrap().call.doing.to_owned()
}

fn notes(bench: &Bench) -> Vec<String> {
    let events = bench.finished[0].events.iter().filter(|event| event.kind == "app");
    events.map(|event| event.detail.clone()).collect()
}

fn all_quiet(bench: &mut Bench) {
    bench.last_words();
    assert_eq!(bench.exchange.count(), 0);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
    assert_eq!(joins(bench).len(), leaves(bench), "every connection is put away");
    assert_eq!(bench.begun.len(), bench.finished.len());
}

#[test]
fn a_caller_is_with_the_app_until_it_is_done() {
    let mut bench = bench();
    let (_, call, id) = connecting(&mut bench);
    let (_, app) = joins(&bench).remove(0);
    assert_eq!(app.url, "wss://voice.example/clerk");
    assert!(app.parameters["from"].ends_with("4915112345"), "{:?}", app.parameters);
    assert_eq!(doing(&bench), "connecting");
    says(&mut bench, call, id, AppNews::Connected);
    assert_eq!(doing(&bench), "app");
    bench.pass(Duration::from_secs(600));
    let leg = bench.open_media()[0];
    bench.presses(leg, '7');
    assert!(bench.to_apps.contains(&(call, AppOrder::Digit('7'))));
    says(&mut bench, call, id, ended(AppOutcome::Completed));
    let second = joins(&bench)[1].1.id;
    assert_eq!((doing(&bench).as_str(), leaves(&bench)), ("connecting", 1));
    says(&mut bench, call, id, ended(AppOutcome::Failed));
    assert_eq!(
        doing(&bench),
        "connecting",
        "the last word of the first is not about the second"
    );
    says(&mut bench, call, second, ended(AppOutcome::Failed));
    assert_eq!(
        notes(&bench),
        [
            "calls voice.example:443",
            "connected",
            "ended: so it is",
            "calls voice.example:443",
            "failed: so it is"
        ]
    );
    all_quiet(&mut bench);
}

#[test]
fn a_caller_takes_the_fallback_when_the_app_does_not_answer() {
    let mut bench = bench();
    let (caller, call, id) = connecting(&mut bench);
    bench.pass(Duration::from_secs(3));
    assert_eq!(doing(&bench), "connecting");
    bench.pass(Duration::from_secs(2));
    assert_eq!((doing(&bench).as_str(), leaves(&bench)), ("voicemail", 1));
    // It comes too late.
    says(&mut bench, call, id, AppNews::Connected);
    assert_eq!(doing(&bench), "voicemail");
    bench.hangs_up(caller);
    assert_eq!(notes(&bench)[1], "failed: it did not answer in time");
    all_quiet(&mut bench);
}

#[test]
fn a_caller_takes_the_fallback_when_the_app_is_lost() {
    for connected in [false, true] {
        let mut bench = bench();
        let (caller, call, id) = connecting(&mut bench);
        if connected {
            says(&mut bench, call, id, AppNews::Connected);
        }
        says(&mut bench, call, id, ended(AppOutcome::Failed));
        assert_eq!((doing(&bench).as_str(), leaves(&bench)), ("voicemail", 1));
        bench.hangs_up(caller);
        let ways = &bench.finished[0].events;
        let took = |event: &&_| matches!(event, strowger_model::record::CallEvent { kind, detail, .. } if kind == "node" && detail == "fallback → mail");
        assert!(ways.iter().any(|event| took(&event)));
        all_quiet(&mut bench);
    }
}

#[test]
fn a_caller_who_hangs_up_takes_the_app_along() {
    let mut bench = bench();
    let (caller, call, id) = connecting(&mut bench);
    says(&mut bench, call, id, AppNews::Connected);
    bench.hangs_up(caller);
    assert_eq!(leaves(&bench), 1);
    says(&mut bench, call, id, ended(AppOutcome::Failed));
    all_quiet(&mut bench);
}

#[test]
fn a_recording_goes_on_beside_the_app_and_beyond_it() {
    let mut bench = bench();
    let (caller, call, id) = connecting(&mut bench);
    says(&mut bench, call, id, AppNews::Connected);
    let (tenant, now) = (bench.house.tenant, bench.now);
    let before = bench.captures.len();
    assert!(bench.exchange.steer(tenant, call, Steer::StartRecording, now));
    bench.perform_now();
    assert_eq!(bench.captures.len(), 1, "begun now or with the answer: {before}");
    says(&mut bench, call, id, ended(AppOutcome::Completed));
    assert!(
        bench.captures.values().all(|open| *open),
        "it goes on while the flow does"
    );
    assert!(bench.told.last().unwrap().call.recording);
    bench.hangs_up(caller);
    assert!(bench.captures.values().all(|open| !open));
    all_quiet(&mut bench);
}
