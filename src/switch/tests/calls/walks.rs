//! Random callers in random flows: what the simulator says of them is what happens to a call.

use crate::bench::{Bench, FLOW_NUMBER, Far};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use strowger_ivr::simulate::{Moment, Trace};
use strowger_ivr::{Catalogue, Context, DialOutcome, Flow, check, simulate};
use strowger_model::World as _;
use strowger_model::world::SeededWorld;
use strowger_sip::DialogKey;

const WALKS: usize = 100;
const MENU_S: u64 = 5;
const RING_S: u64 = 10;

struct Chance(SeededWorld);

impl Chance {
    fn below(&self, most: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes) as usize % most
    }
}

/// A flow of up to nine nodes joined at random; most draws are faulty and drawn again.
fn flow(chance: &Chance) -> Value {
    let count = 3 + chance.below(7);
    let id = |n: usize| format!("n{n}");
    let anywhere = || id(chance.below(count));
    let mut nodes = vec![json!({"id": "start", "type": "start", "data": {}})];
    let mut edges = vec![json!({"id": "s", "source": "start", "target": "n0"})];
    for n in 0..count {
        let (kind, data, exits): (_, _, &[&str]) = match chance.below(7) {
            0 => ("say", json!({"text": "Hello."}), &[""]),
            1..=3 => (
                "menu",
                json!({"message": "Press a key.", "timeout": MENU_S, "retries": chance.below(3)}),
                &["1", "2", "3", "timeout", "invalid"],
            ),
            4 => (
                "dial",
                json!({"number": "101", "timeout": RING_S}),
                &["completed", "busy", "no-answer", "failed"],
            ),
            5 => ("voicemail", json!({"mailbox": "101"}), &[""]),
            _ => ("hangup", json!({}), &[]),
        };
        nodes.push(json!({"id": id(n), "type": kind, "data": data}));
        for exit in exits {
            let mut edge = json!({"id": format!("{n}{exit}"), "source": id(n), "target": anywhere()});
            if !exit.is_empty() {
                edge["label"] = json!(exit);
            }
            edges.push(edge);
        }
    }
    json!({"nodes": nodes, "edges": edges})
}

fn script(chance: &Chance) -> String {
    const WORDS: [&str; 12] = [
        "1",
        "2",
        "3",
        "1",
        "2",
        "9",
        "#",
        "wait",
        "answered",
        "busy",
        "no-answer",
        "failed",
    ];
    let mut words: Vec<&str> = (0..chance.below(9)).map(|_| WORDS[chance.below(WORDS.len())]).collect();
    if chance.below(3) == 0 {
        words.push("hangup");
    }
    words.join(",")
}

/// Lets a call on the bench go through what the simulated caller went through.
fn walk(bench: &mut Bench, caller: DialogKey, trace: &Trace) {
    for moment in trace.stops.iter().flat_map(|stop| &stop.moments) {
        match moment {
            Moment::Answered => bench.acknowledges(caller),
            Moment::Heard(_) => bench.plays_end(),
            Moment::Pressed(key) => {
                bench.pass(Duration::from_secs(1));
                let media = bench.open_media()[0];
                bench.presses(media, *key);
            }
            Moment::Waited => bench.pass(Duration::from_secs(MENU_S)),
            Moment::Rang { outcome, .. } => called(bench, *outcome),
            Moment::LeftMessage { .. } => {
                if bench.state(caller) == Some(Far::Answered) {
                    bench.acknowledges(caller);
                }
                bench.plays_end();
                bench.pass(Duration::from_secs(10));
                let media = bench.open_media()[0];
                bench.presses(media, '#');
            }
            Moment::CallerGone => match bench.state(caller) {
                Some(Far::Calling) => bench.gives_up(caller),
                _ => bench.hangs_up(caller),
            },
            Moment::HungUp { .. } | Moment::Joined { .. } => {}
            Moment::TalkedTo { .. } | Moment::NoAgent { .. } => panic!("no flow here hands a caller to an agent"),
            Moment::SpokeWith { .. } | Moment::NoApp { .. } => panic!("no flow here has a voice app"),
        }
    }
    bench.last_words();
}

fn called(bench: &mut Bench, outcome: DialOutcome) {
    let phones = bench.in_state(Far::Called);
    match outcome {
        DialOutcome::Completed => {
            bench.answers(phones[0]);
            for caller in bench.in_state(Far::Answered) {
                bench.acknowledges(caller);
            }
            bench.pass(Duration::from_secs(10));
            bench.hangs_up(phones[0]);
        }
        DialOutcome::NoAnswer => bench.pass(Duration::from_secs(RING_S)),
        DialOutcome::Busy => phones.into_iter().for_each(|phone| bench.fails(phone, 486)),
        _ => phones.into_iter().for_each(|phone| bench.fails(phone, 404)),
    }
    let off = bench.in_state(Far::CalledOff);
    off.into_iter().for_each(|phone| bench.fails(phone, 487));
}

#[test]
fn a_hundred_random_callers_go_the_way_the_simulator_says() {
    let chance = Chance(SeededWorld::new(16, 0));
    let (mut walked, mut nodes) = (0, 0);
    while walked < WALKS {
        let definition = flow(&chance);
        let (Some(graph), _) = check(&definition, &Catalogue::unknown()) else {
            continue;
        };
        let script = script(&chance);
        let mut bench = Bench::new();
        let context = Context::new(bench.world.now(), "+4915112345", FLOW_NUMBER);
        let graph: Arc<Flow> = Arc::new(graph);
        let trace = simulate::simulate(&graph, script.parse().unwrap(), context, bench.now);
        // A call keeps no more than its first few hundred events.
        if !(2..60).contains(&trace.stops.len()) {
            continue;
        }
        bench.change(|parts| parts.flows[0].graph = graph.clone());
        let caller = bench.outsider_dials(FLOW_NUMBER);
        walk(&mut bench, caller, &trace);
        assert_eq!(bench.exchange.count(), 0, "{script} in {definition}:\n{trace}");
        let finished = &bench.finished[0];
        let steps = finished.events.iter().filter(|event| event.kind == "node");
        let path: Vec<&str> = steps
            .map(|event| event.detail.rsplit(' ').next().unwrap_or_default())
            .collect();
        assert_eq!(path, trace.path(), "{script} in {definition}:\n{trace}");
        nodes += path.len();
        walked += 1;
    }
    assert!(nodes > 3 * WALKS, "{nodes} nodes in all");
}
