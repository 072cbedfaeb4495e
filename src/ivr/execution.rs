//! The run of a flow for one caller: events in, actions out, in virtual time.
//!
//! [`Execution`] owns a [`State`] that can be written down and taken up again by another process
//! ([`Execution::state`], [`Execution::resume`]); deadlines in it are spans since the start. Where a
//! caller goes is decided by the nodes; here is only what is common to all: answering before sound
//! is needed, counting, following edges, ending.

use crate::action::{Action, ActionId, DialOutcome, Event, Sound, Strategy, Target};
use crate::flow::{Flow, Placed};
use crate::nodes::{Next, Wait};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::HangupCause;
use time::OffsetDateTime;

/// The most nodes a caller passes without pressing a key; then the call ends. A flow that rings the
/// same phone again and again, or asks a silent caller for ever, comes to its end by this.
const SILENT_STEPS: u32 = 100;
/// The most keys kept for a menu that is yet to come.
const TYPED_AHEAD: usize = 16;

/// What a flow may know about the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The wall time at the start of the execution.
    #[serde(with = "time::serde::rfc3339")]
    pub now_utc: OffsetDateTime,
    /// The caller's number.
    pub caller: String,
    /// The number that was called.
    pub called: String,
    /// The tenant's IANA time zone, for hours nodes that name none; UTC when there is none.
    pub time_zone: Option<String>,
}

impl Context {
    /// A call from `caller` to `called`, beginning at this wall time.
    #[must_use]
    pub fn new(now_utc: OffsetDateTime, caller: impl Into<String>, called: impl Into<String>) -> Self {
        Self {
            now_utc,
            caller: caller.into(),
            called: called.into(),
            time_zone: None,
        }
    }
}

/// Everything that changes during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    context: Context,
    node: String,
    phase: Phase,
    answered: bool,
    next_action: u64,
    silent_steps: u32,
    typed: VecDeque<char>,
    actions: VecDeque<Action>,
    /// Since the start: when to wake, and when the last input came.
    deadline: Option<Duration>,
    elapsed: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// The node needs sound and the caller's leg is being answered.
    Answering,
    /// The node waits.
    At(Wait),
    /// Nothing follows.
    Over,
}

/// A flow at work for one caller.
#[derive(Debug, Clone)]
pub struct Execution {
    flow: Arc<Flow>,
    state: State,
    started: Instant,
}

impl Execution {
    /// Begins at the flow's start. The caller is taken to be unanswered.
    #[must_use]
    pub fn start(flow: Arc<Flow>, context: Context, now: Instant) -> Self {
        let first = flow.start();
        let state = State {
            context,
            node: String::new(),
            phase: Phase::Over,
            answered: false,
            next_action: 0,
            silent_steps: 0,
            typed: VecDeque::new(),
            actions: VecDeque::new(),
            deadline: None,
            elapsed: Duration::ZERO,
        };
        let mut execution = Self {
            flow,
            state,
            started: now,
        };
        match first {
            Some(first) => execution.enter(first, None),
            None => execution.end(HangupCause::InternalError),
        }
        execution
    }

    /// Begins for a caller who is answered already.
    #[must_use]
    pub fn start_answered(flow: Arc<Flow>, context: Context, now: Instant) -> Self {
        let mut execution = Self::start(flow, context, now);
        if execution.state.phase == Phase::Answering {
            execution.state.actions.retain(|action| *action != Action::Answer);
        }
        execution.handle(Event::Answered, now);
        execution
    }

    /// Takes up a run where [`Execution::state`] was written down; time stood still in between. `None`
    /// when the flow has no such node.
    #[must_use]
    pub fn resume(flow: Arc<Flow>, state: State, now: Instant) -> Option<Self> {
        let known = state.phase == Phase::Over || flow.nodes().any(|(id, _)| id == state.node);
        let started = now.checked_sub(state.elapsed)?;
        known.then_some(Self { flow, state, started })
    }

    /// What is to be written down to take this run up again.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The node the caller is at.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.state.node
    }

    /// Tells what happened. What does not fit the moment is ignored.
    pub fn handle(&mut self, event: Event, now: Instant) {
        if self.is_over() {
            return;
        }
        self.state.elapsed = now.saturating_duration_since(self.started);
        match event {
            Event::CallerGone => return self.close(),
            Event::Digit(_) => self.state.silent_steps = 0,
            Event::Answered => self.state.answered = true,
            // A conversation happened, so the caller's leg was answered on the way.
            Event::DialEnded {
                outcome: DialOutcome::Completed,
                ..
            } => self.state.answered = true,
            Event::DialEnded { .. }
            | Event::PlayDone(_)
            | Event::VoicemailDone { .. }
            | Event::RoomLeft { .. }
            | Event::Agent { .. }
            | Event::AppConnected { .. }
            | Event::AppEnded { .. } => {}
        }
        match (&self.state.phase, event) {
            (Phase::Answering, Event::Answered) => {
                let next = self.with_node(|placed, run| placed.node.step().enter(run));
                self.go(next);
            }
            (Phase::Answering, Event::Digit(digit)) => self.state.type_ahead(digit),
            (Phase::At(wait), event) => {
                let wait = wait.clone();
                let next = self.with_node(|placed, run| placed.node.step().handle(&wait, event, run));
                self.go(next);
            }
            (
                Phase::Answering,
                Event::PlayDone(_)
                | Event::DialEnded { .. }
                | Event::VoicemailDone { .. }
                | Event::RoomLeft { .. }
                | Event::Agent { .. }
                | Event::AppConnected { .. }
                | Event::AppEnded { .. }
                | Event::CallerGone,
            )
            | (Phase::Over, _) => {}
        }
    }

    /// The time of [`Execution::poll_timeout`] came.
    pub fn handle_timeout(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        if self.state.deadline.is_none_or(|deadline| elapsed < deadline) {
            return;
        }
        self.state.elapsed = elapsed;
        self.state.deadline = None;
        if let Phase::At(wait) = self.state.phase.clone() {
            let next = self.with_node(|placed, run| placed.node.step().handle_timeout(&wait, run));
            self.go(next);
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.state.actions.pop_front()
    }

    /// When to call [`Execution::handle_timeout`], and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((
            self.started.checked_add(self.state.deadline?)?,
            "a node of the flow has waited long enough",
        ))
    }

    /// Whether nothing follows but the actions not yet polled.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.phase == Phase::Over
    }

    /// Lets a caller into a node, and through it as long as nothing holds them.
    fn enter(&mut self, node: usize, exit: Option<&'static str>) {
        let (mut node, mut exit) = (node, exit);
        loop {
            let Some(placed) = self.flow.placed(node) else {
                return self.end(HangupCause::InternalError);
            };
            let step = placed.node.step();
            self.state.node.clone_from(&placed.id);
            let entered = Action::EnteredNode {
                node: placed.id.clone(),
                exit: exit.map(str::to_owned),
            };
            self.state.actions.push_back(entered);
            self.state.silent_steps += 1;
            if self.state.silent_steps > SILENT_STEPS {
                return self.end(HangupCause::FlowEnded);
            }
            if step.needs_answer() && !self.state.answered {
                self.state.actions.push_back(Action::Answer);
                self.state.phase = Phase::Answering;
                return;
            }
            let next = self.with_node(|placed, run| placed.node.step().enter(run));
            match self.settle(next) {
                Some((to, through)) => (node, exit) = (to, Some(through)),
                None => return,
            }
        }
    }

    fn go(&mut self, next: Next) {
        if let Some((node, exit)) = self.settle(next) {
            self.enter(node, Some(exit));
        }
    }

    /// Does what a step decided; gives the node to go to, if it decided to go.
    fn settle(&mut self, next: Next) -> Option<(usize, &'static str)> {
        match next {
            Next::Stay => {}
            Next::Wait(wait) => self.state.phase = Phase::At(wait),
            Next::End(cause) => self.end(cause),
            Next::Leave(exits, otherwise) => {
                self.state.deadline = None;
                let placed = self.flow.all().iter().find(|placed| placed.id == self.state.node);
                let way = exits
                    .into_iter()
                    .find_map(|exit| Some((*placed?.exits.get(exit)?, exit)));
                if way.is_none() {
                    self.end(otherwise);
                }
                return way;
            }
        }
        None
    }

    fn end(&mut self, cause: HangupCause) {
        self.state.actions.push_back(Action::Hangup { cause });
        self.close();
    }

    fn close(&mut self) {
        self.state.phase = Phase::Over;
        self.state.deadline = None;
    }

    fn with_node(&mut self, decide: impl FnOnce(&Placed, &mut Run<'_>) -> Next) -> Next {
        let Some(placed) = self.flow.all().iter().find(|placed| placed.id == self.state.node) else {
            return Next::End(HangupCause::InternalError);
        };
        decide(
            placed,
            &mut Run {
                placed,
                state: &mut self.state,
            },
        )
    }
}

impl State {
    fn type_ahead(&mut self, digit: char) {
        // Further keys are dropped: nobody types a longer way by heart.
        if self.typed.len() < TYPED_AHEAD {
            self.typed.push_back(digit);
        }
    }
}

/// What a step may do for the caller it holds.
pub(crate) struct Run<'a> {
    placed: &'a Placed,
    state: &'a mut State,
}

impl Run<'_> {
    /// The wall time at this moment.
    pub(crate) fn wall(&self) -> OffsetDateTime {
        self.state.context.now_utc + self.state.elapsed
    }

    pub(crate) fn context(&self) -> &Context {
        &self.state.context
    }

    /// Whether an exit of this node leads somewhere.
    pub(crate) fn has_exit(&self, exit: &str) -> bool {
        self.placed.exits.contains_key(exit)
    }

    pub(crate) fn play(&mut self, what: Vec<Sound>) -> ActionId {
        self.state.deadline = None;
        self.act(|id| Action::Play { id, what })
    }

    pub(crate) fn stop_play(&mut self) {
        self.state.actions.push_back(Action::StopPlay);
    }

    pub(crate) fn dial(
        &mut self,
        targets: Vec<Target>,
        strategy: Strategy,
        timeout: Duration,
        caller_id: Option<String>,
    ) -> ActionId {
        self.state.typed.clear();
        self.act(|id| Action::Dial {
            id,
            targets,
            strategy,
            timeout,
            caller_id,
        })
    }

    pub(crate) fn voicemail(&mut self, mailbox: String) -> ActionId {
        self.state.typed.clear();
        self.act(|id| Action::Voicemail { id, mailbox })
    }

    pub(crate) fn room(&mut self, name: String, pin: Option<String>) -> ActionId {
        self.state.typed.clear();
        self.act(|id| Action::Room { id, name, pin })
    }

    pub(crate) fn agent(&mut self, agent: String, room: String, metadata: String) -> ActionId {
        self.state.typed.clear();
        self.act(|id| Action::Agent {
            id,
            agent,
            room,
            metadata,
        })
    }

    pub(crate) fn voice_app(
        &mut self,
        url: String,
        key: Option<String>,
        parameters: BTreeMap<String, String>,
    ) -> ActionId {
        self.state.typed.clear();
        self.act(|id| Action::VoiceApp {
            id,
            url,
            key,
            parameters,
        })
    }

    pub(crate) fn leave_app(&mut self) {
        self.state.actions.push_back(Action::LeaveApp);
    }

    pub(crate) fn leave_room(&mut self) {
        self.state.actions.push_back(Action::LeaveRoom);
    }

    /// No longer asks for [`crate::nodes::Step::handle_timeout`].
    pub(crate) fn sleep(&mut self) {
        self.state.deadline = None;
    }

    /// Whether a deadline is awaited.
    pub(crate) fn is_waking(&self) -> bool {
        self.state.deadline.is_some()
    }

    /// Asks for [`crate::nodes::Step::handle_timeout`] after this time from now.
    pub(crate) fn wake_in(&mut self, time: Duration) {
        self.state.deadline = Some(self.state.elapsed + time);
    }

    /// Keeps a key for the next menu.
    pub(crate) fn type_ahead(&mut self, digit: char) {
        self.state.type_ahead(digit);
    }

    /// The oldest key kept.
    pub(crate) fn typed(&mut self) -> Option<char> {
        self.state.typed.pop_front()
    }

    fn act(&mut self, make: impl FnOnce(ActionId) -> Action) -> ActionId {
        let id = ActionId(self.state.next_action);
        self.state.next_action += 1;
        self.state.actions.push_back(make(id));
        id
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, flow, instant, run};
    use crate::{Action, ActionId, Event, Execution};
    use serde_json::{Value, json};
    use std::sync::Arc;
    use strowger_model::HangupCause;
    use time::macros::datetime;

    fn nodes() -> Value {
        json!([
            ["start", "start", {}, "ask"],
            ["ask", "menu", {"message": "Press 1", "retries": 0}, {"1": "bye", "timeout": "ask"}],
            ["bye", "hangup", {"cause": "normal"}, null]
        ])
    }

    #[test]
    fn a_caller_who_hangs_up_ends_the_run_without_a_word() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.actions();
        run.tell(Event::CallerGone);
        assert!(run.is_over());
        assert_eq!(run.wakes_in(), None);
        run.tell(Event::Digit('1'));
        assert_eq!(run.actions(), []);
    }

    #[test]
    fn an_answered_caller_is_not_answered_again() {
        let flow = Arc::new(flow(nodes()).0.unwrap());
        let mut run = Execution::start_answered(flow, context(datetime!(2026-03-02 12:00 UTC)), instant());
        let actions: Vec<Action> = std::iter::from_fn(|| run.poll_action()).collect();
        assert!(!actions.contains(&Action::Answer));
        assert!(matches!(actions.last(), Some(Action::Play { .. })), "{actions:?}");
    }

    #[test]
    fn a_silent_caller_who_is_asked_for_ever_is_let_go() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        for id in 0..200 {
            if run.is_over() {
                break;
            }
            run.tell(Event::PlayDone(ActionId(id)));
            run.sleep();
        }
        assert_eq!(
            run.actions().last(),
            Some(&Action::Hangup {
                cause: HangupCause::FlowEnded
            })
        );
        assert_eq!(run.path().len(), 101);
    }

    #[test]
    fn a_timeout_that_comes_early_is_ignored() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.tell(Event::PlayDone(ActionId(0)));
        let before = run.path();
        run.run.handle_timeout(instant());
        assert_eq!(run.path(), before);
        assert!(run.wakes_in().is_some());
    }

    #[test]
    fn each_step_tells_through_which_exit_it_was_reached() {
        let mut run = run(nodes());
        let started = json!({"entered_node": {"node": "ask", "exit": "next"}});
        assert_eq!(serde_json::to_value(&run.log()[1]).unwrap(), started);
        run.tell(Event::Answered);
        run.tell(Event::Digit('1'));
        let entered = Action::EnteredNode {
            node: "bye".into(),
            exit: Some("1".into()),
        };
        assert!(run.log().contains(&entered));
    }
}
