//! Short ways to write flows and run them in virtual time.

use crate::{Action, Catalogue, Context, Event, Execution, Finding, Flow, Say, Sound, check};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::macros::datetime;

/// A definition from rows of `[id, kind, data, exits]`; exits are `null`, the target of an
/// unlabelled edge, or an object from label to target.
pub(crate) fn definition(rows: &Value) -> Value {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for row in rows.as_array().unwrap() {
        nodes.push(json!({"id": row[0], "type": row[1], "data": row[2]}));
        if let Value::Object(exits) = &row[3] {
            for (label, target) in exits {
                edges.push(json!({"source": row[0], "target": target, "label": label}));
            }
        } else if let Value::String(target) = &row[3] {
            edges.push(json!({"source": row[0], "target": target}));
        }
    }
    json!({"nodes": nodes, "edges": edges})
}

pub(crate) fn flow(rows: Value) -> (Option<Flow>, Vec<Finding>) {
    flow_in(rows, &Catalogue::unknown())
}

pub(crate) fn flow_in(rows: Value, catalogue: &Catalogue) -> (Option<Flow>, Vec<Finding>) {
    check(&definition(&rows), catalogue)
}

/// Some moment to begin at; only the distance from it matters.
#[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

pub(crate) fn context(now_utc: OffsetDateTime) -> Context {
    Context::new(now_utc, "+4942100001", "+4942100002")
}

pub(crate) fn said(text: &str) -> Sound {
    Sound::Say(Say {
        text: text.into(),
        voice: "default".into(),
        language: "en".into(),
    })
}

/// A run with its clock.
pub(crate) struct Case {
    pub(crate) run: Execution,
    now: Instant,
    log: Vec<Action>,
    read: usize,
}

pub(crate) fn run(rows: Value) -> Case {
    run_at(rows, datetime!(2026-03-02 12:00 UTC))
}

/// Runs a flow as far as it can be read, so that a test need not complete what it is not about.
pub(crate) fn run_at(rows: Value, now_utc: OffsetDateTime) -> Case {
    let (flow, findings) = Flow::parse(&definition(&rows));
    assert_eq!(findings, []);
    let now = instant();
    let run = Execution::start(Arc::new(flow.unwrap()), context(now_utc), now);
    let mut case = Case {
        run,
        now,
        log: Vec::new(),
        read: 0,
    };
    case.drain();
    case
}

impl Case {
    fn drain(&mut self) {
        while let Some(action) = self.run.poll_action() {
            self.log.push(action);
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.now += Duration::from_millis(10);
        self.run.handle(event, self.now);
        self.drain();
    }

    /// Moves the clock to the next deadline.
    pub(crate) fn sleep(&mut self) {
        self.now = self.run.poll_timeout().unwrap().0;
        self.run.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn wakes_in(&self) -> Option<Duration> {
        Some(self.run.poll_timeout()?.0 - self.now)
    }

    /// What was asked since the last look, without the steps.
    pub(crate) fn actions(&mut self) -> Vec<Action> {
        let new = self.log.split_off(self.read);
        self.log.extend(new.clone());
        self.read = self.log.len();
        new.into_iter()
            .filter(|action| !matches!(action, Action::EnteredNode { .. }))
            .collect()
    }

    /// Everything asked so far, steps included.
    pub(crate) fn log(&self) -> &[Action] {
        &self.log
    }

    /// The nodes entered so far.
    pub(crate) fn path(&self) -> Vec<String> {
        let entered = |action: &Action| {
            let Action::EnteredNode { node, .. } = action else {
                return None;
            };
            Some(node.clone())
        };
        self.log.iter().filter_map(entered).collect()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.run.is_over()
    }
}
