//! What holds for every flow and every caller.

use crate::testing::{context, definition, instant};
use crate::{Action, AppOutcome, Catalogue, DialOutcome, Event, Execution, Flow, Script, State, check, simulate};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::macros::datetime;

/// Nodes of any kind joined at random, most of them in ways the check lets pass.
fn rows() -> impl Strategy<Value = Value> {
    let node = (0u8..10, prop::collection::vec(1usize..12, 4), 0u32..3);
    prop::collection::vec(node, 1..12).prop_map(|nodes| {
        let count = nodes.len();
        let id = |at: usize| format!("n{}", 1 + at % count);
        let mut rows = vec![json!(["start", "start", {}, "n1"])];
        for (at, (kind, to, retries)) in nodes.iter().enumerate() {
            let (a, b, c, d) = (id(to[0]), id(to[1]), id(to[2]), id(to[3]));
            let (kind, data, exits) = match kind {
                0 => ("say", json!({"text": "Hello"}), json!(a)),
                1 => ("play", json!({"prompt": "tune"}), json!(a)),
                2 => (
                    "menu",
                    json!({"message": "?", "retries": retries}),
                    json!({"1": a, "2": b, "timeout": c, "invalid": d}),
                ),
                3 => (
                    "menu",
                    json!({"message": "?", "retries": retries, "bargeIn": false}),
                    json!({"#": a}),
                ),
                4 => (
                    "hours",
                    json!({"timezone": "UTC", "hours": {"mon": "9-17"}}),
                    json!({"open": a, "closed": b}),
                ),
                5 => (
                    "dial",
                    json!({"user": "ada"}),
                    json!({"completed": a, "busy": b, "no-answer": c}),
                ),
                6 => ("voicemail", json!({"mailbox": "ada"}), json!(a)),
                7 => ("agent", json!({"agent": "clerk"}), json!({"fallback": a, "next": b})),
                8 => (
                    "voice_app",
                    json!({"url": "wss://voice.example"}),
                    json!({"fallback": a, "next": b}),
                ),
                _ => ("hangup", json!({}), json!(null)),
            };
            rows.push(json!([format!("n{}", at + 1), kind, data, exits]));
        }
        Value::Array(rows)
    })
}

fn graph(rows: &Value) -> Arc<Flow> {
    Arc::new(Flow::parse(&definition(rows)).0.unwrap())
}

/// What the world answers to an action, kindly and at once.
fn answer(action: &Action, outcome: DialOutcome) -> Option<Event> {
    match action {
        Action::Answer => Some(Event::Answered),
        Action::Play { id, .. } => Some(Event::PlayDone(*id)),
        Action::Dial { id, .. } => Some(Event::DialEnded { id: *id, outcome }),
        Action::Voicemail { id, .. } => Some(Event::VoicemailDone { id: *id }),
        Action::Room { id, .. } | Action::Agent { id, .. } => Some(Event::RoomLeft { id: *id }),
        Action::VoiceApp { id, .. } => Some(Event::AppEnded {
            id: *id,
            outcome: AppOutcome::Completed,
        }),
        Action::EnteredNode { .. }
        | Action::StopPlay
        | Action::LeaveRoom
        | Action::LeaveApp
        | Action::Hangup { .. } => None,
    }
}

fn drain(run: &mut Execution) -> Vec<Action> {
    std::iter::from_fn(|| run.poll_action()).collect()
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop::sample::select(vec![
        DialOutcome::Completed,
        DialOutcome::Busy,
        DialOutcome::NoAnswer,
        DialOutcome::Failed,
        DialOutcome::Rejected,
        DialOutcome::Cancelled,
    ]);
    let id = (0u64..6).prop_map(crate::ActionId);
    prop_oneof![
        Just(Event::Answered),
        id.clone().prop_map(Event::PlayDone),
        prop::sample::select("0123456789*#ABCD".chars().collect::<Vec<_>>()).prop_map(Event::Digit),
        (id.clone(), outcome).prop_map(|(id, outcome)| Event::DialEnded { id, outcome }),
        id.clone().prop_map(|id| Event::VoicemailDone { id }),
        id.clone().prop_map(|id| Event::RoomLeft { id }),
        (id.clone(), any::<bool>()).prop_map(|(id, is_there)| Event::Agent { id, is_there }),
        id.clone().prop_map(|id| Event::AppConnected { id }),
        (id, any::<bool>()).prop_map(|(id, failed)| Event::AppEnded {
            id,
            outcome: if failed {
                AppOutcome::Failed
            } else {
                AppOutcome::Completed
            },
        }),
    ]
}

/// Feeds the events, sleeping whenever nothing else can be done, and gives what was asked.
fn feed(run: &mut Execution, events: &[Event], now: &mut Instant) -> Vec<Action> {
    let mut asked = drain(run);
    for event in events {
        *now += Duration::from_millis(700);
        run.handle_timeout(*now);
        run.handle(*event, *now);
        asked.extend(drain(run));
    }
    asked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 30_000, ..ProptestConfig::default() })]

    /// A caller who never presses a key comes to an end, however the flow is drawn.
    #[test]
    fn no_execution_runs_for_ever_without_input(rows in rows(), busy in any::<bool>()) {
        let mut now = instant();
        let mut run = Execution::start(graph(&rows), context(datetime!(2026-03-02 12:00 UTC)), now);
        let outcome = if busy { DialOutcome::Busy } else { DialOutcome::Completed };
        let mut turns = 0;
        loop {
            let events: Vec<Event> = drain(&mut run).iter().filter_map(|action| answer(action, outcome)).collect();
            if run.is_over() {
                break;
            }
            if let Some((deadline, _)) = run.poll_timeout() {
                now = deadline;
                run.handle_timeout(now);
            }
            for event in events {
                run.handle(event, now);
            }
            turns += 1;
            prop_assert!(turns < 1_000, "still running at {}", run.node());
        }
    }

    /// A flow that passed the check ends the call itself or says what it waits for.
    #[test]
    fn every_validated_flow_ends_or_waits(rows in rows(), events in prop::collection::vec(event(), 0..40)) {
        let (flow, _) = check(&definition(&rows), &Catalogue::unknown());
        prop_assume!(flow.is_some());
        let mut now = instant();
        let mut run = Execution::start(Arc::new(flow.unwrap()), context(datetime!(2026-03-02 12:00 UTC)), now);
        let asked = feed(&mut run, &events, &mut now);
        let hung_up = asked.iter().filter(|action| matches!(action, Action::Hangup { .. })).count();
        prop_assert_eq!(hung_up, usize::from(run.is_over()));
        let outstanding = asked.iter().rev().any(|action| answer(action, DialOutcome::Busy).is_some());
        prop_assert!(run.is_over() || run.poll_timeout().is_some() || outstanding);
        prop_assert!(asked.iter().filter(|action| **action == Action::Answer).count() <= 1);
    }

    /// Written down and taken up again at any moment, a run goes on as if nothing had been.
    #[test]
    fn a_run_taken_up_again_goes_on_the_same(
        rows in rows(),
        before in prop::collection::vec(event(), 0..20),
        after in prop::collection::vec(event(), 0..20),
    ) {
        let flow = graph(&rows);
        let mut now = instant();
        let mut run = Execution::start(Arc::clone(&flow), context(datetime!(2026-03-02 12:00 UTC)), now);
        feed(&mut run, &before, &mut now);
        let written = serde_json::to_string(run.state()).unwrap();
        let state: State = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&state, run.state());
        let mut again = Execution::resume(flow, state, now).unwrap();
        let mut later = now;
        // The twin's clock stood still since its last input; give both the same distance from here.
        let asked = feed(&mut run, &after, &mut now);
        prop_assert_eq!(feed(&mut again, &after, &mut later), asked);
        prop_assert_eq!(again.is_over(), run.is_over());
    }

    /// Any JSON is read without a panic, and given back as it came.
    #[test]
    fn any_document_is_read_or_refused(text in "\\PC{0,60}", rows in rows(), at in 0usize..12, field in 0usize..5) {
        let mut definition = definition(&rows);
        let field = ["message", "options", "hours", "targets", "timeout"][field];
        if let Some(node) = definition["nodes"].get_mut(at) {
            node["data"][field] = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
        }
        let (flow, findings) = check(&definition, &Catalogue::unknown());
        prop_assert!(flow.is_some() || !findings.is_empty());
        if let Some(flow) = flow {
            prop_assert_eq!(flow.definition(), &definition);
        }
    }

    /// The simulator goes where a call goes that presses the same keys.
    #[test]
    fn a_simulated_caller_takes_the_way_of_a_real_one(rows in rows(), keys in "[0-9*#]{0,8}") {
        let flow = graph(&rows);
        let context = context(datetime!(2026-03-02 12:00 UTC));
        let trace = simulate(&flow, keys.parse::<Script>().unwrap(), context.clone(), instant());
        let mut now = instant();
        let mut run = Execution::start(flow, context, now);
        let (mut keys, mut path) = (keys.chars(), Vec::new());
        for _ in 0..5_000 {
            let actions = drain(&mut run);
            let entered = |action: &Action| if let Action::EnteredNode { node, .. } = action { Some(node.clone()) } else { None };
            path.extend(actions.iter().filter_map(entered));
            if run.is_over() {
                break;
            }
            let events: Vec<Event> = actions.iter().filter_map(|action| answer(action, DialOutcome::Completed)).collect();
            for event in &events {
                now += Duration::from_millis(20);
                run.handle(*event, now);
            }
            // Keys are pressed when nothing else happens, as in a simulation.
            if let (Some((deadline, _)), true) = (run.poll_timeout(), events.is_empty()) {
                match keys.next() {
                    Some(key) => run.handle(Event::Digit(key), now),
                    None => {
                        now = deadline;
                        run.handle_timeout(now);
                    }
                }
            }
        }
        prop_assert_eq!(trace.path(), path);
    }
}
