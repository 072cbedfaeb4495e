//! Ringing: who is invited when, who wins, who is called off. Knows branches by number, nothing of SIP.

use crate::cause;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use strowger_model::HangupCause;

/// One attempt to find somebody who answers.
///
/// Branches ring in turns; all branches of a turn ring at once. The first answer wins and every
/// other branch is called off. A turn that nobody answers in time makes room for the next one.
#[derive(Debug)]
pub struct Ring {
    turns: VecDeque<Vec<usize>>,
    ringing: Vec<usize>,
    timeout: Duration,
    state: State,
    worst: Option<HangupCause>,
    has_rung: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying { until: Instant },
    Over,
}

/// What happened on a branch, or to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The branch rings.
    Rings(usize),
    /// The branch answered.
    Answered(usize),
    /// The branch refused, could not be reached or was not made at all.
    Failed(usize, HangupCause),
    /// The branch refused for everybody (6xx): nobody else is asked.
    Declined(usize),
    /// The caller is gone, or somebody called it off.
    Abandoned,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Invite the branch.
    Invite(usize),
    /// Call the branch off.
    CallOff(usize, HangupCause),
    /// Somebody rings: tell the caller. Comes once.
    Rings,
    /// The branch won; all others were called off. Nothing follows.
    Won(usize),
    /// Nobody answered; all branches are over. Nothing follows.
    Lost(HangupCause),
}

impl Ring {
    /// Begins with the first turn. `timeout` is for each turn.
    #[must_use]
    pub fn start(turns: Vec<Vec<usize>>, timeout: Duration, now: Instant) -> Self {
        let mut ring = Self {
            turns: turns.into(),
            ringing: Vec::new(),
            timeout,
            state: State::Trying { until: now + timeout },
            worst: None,
            has_rung: false,
            outputs: VecDeque::new(),
        };
        ring.next_turn(now);
        ring
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Rings(branch) => {
                if self.ringing.contains(&branch) && !std::mem::replace(&mut self.has_rung, true) {
                    self.outputs.push_back(Output::Rings);
                }
            }
            Input::Answered(branch) => {
                if self.take(branch) {
                    self.call_off(HangupCause::AnsweredElsewhere);
                    self.end(Output::Won(branch));
                }
            }
            Input::Failed(branch, why) => {
                if self.take(branch) {
                    self.note(why);
                    if self.ringing.is_empty() {
                        self.next_turn(now);
                    }
                }
            }
            Input::Declined(branch) => {
                if self.take(branch) {
                    self.call_off(HangupCause::AnsweredElsewhere);
                    self.end(Output::Lost(HangupCause::Rejected));
                }
            }
            Input::Abandoned => {
                self.call_off(HangupCause::Cancelled);
                self.end(Output::Lost(HangupCause::Cancelled));
            }
        }
    }

    /// The turn's time is up.
    pub fn handle_timeout(&mut self, now: Instant) {
        let State::Trying { until } = self.state else {
            return;
        };
        if now >= until {
            self.call_off(HangupCause::NoAnswer);
            self.note(HangupCause::NoAnswer);
            self.next_turn(now);
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the turn's time is up.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Trying { until } => Some((until, "ring timeout")),
            State::Over => None,
        }
    }

    /// Whether it was won or lost.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// How many branches ring or will ring.
    #[must_use]
    pub fn open(&self) -> usize {
        self.ringing.len() + self.turns.iter().map(Vec::len).sum::<usize>()
    }

    fn take(&mut self, branch: usize) -> bool {
        let place = self.ringing.iter().position(|ringing| *ringing == branch);
        place.map(|place| self.ringing.swap_remove(place)).is_some()
    }

    fn note(&mut self, why: HangupCause) {
        if self.worst.is_none_or(|worst| cause::weight(why) > cause::weight(worst)) {
            self.worst = Some(why);
        }
    }

    fn call_off(&mut self, why: HangupCause) {
        for branch in self.ringing.drain(..) {
            self.outputs.push_back(Output::CallOff(branch, why));
        }
    }

    fn end(&mut self, output: Output) {
        self.state = State::Over;
        self.turns.clear();
        self.outputs.push_back(output);
    }

    fn next_turn(&mut self, now: Instant) {
        match self.turns.pop_front() {
            None => self.end(Output::Lost(self.worst.unwrap_or(HangupCause::Unreachable))),
            Some(turn) if turn.is_empty() => {
                self.note(HangupCause::Unreachable);
                self.next_turn(now);
            }
            Some(turn) => {
                self.state = State::Trying {
                    until: now + self.timeout,
                };
                self.outputs.extend(turn.iter().map(|branch| Output::Invite(*branch)));
                self.ringing = turn;
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an origin of virtual time")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: Duration = Duration::from_secs(10);

    fn drain(ring: &mut Ring) -> Vec<Output> {
        std::iter::from_fn(|| ring.poll_output()).collect()
    }

    #[test]
    fn the_first_answer_wins_and_the_others_are_called_off() {
        let now = Instant::now();
        let mut ring = Ring::start(vec![vec![0, 1, 2]], TEN, now);
        assert_eq!(
            drain(&mut ring),
            [Output::Invite(0), Output::Invite(1), Output::Invite(2)]
        );
        ring.handle(Input::Rings(1), now);
        ring.handle(Input::Rings(2), now);
        assert_eq!(drain(&mut ring), [Output::Rings]);
        ring.handle(Input::Answered(1), now);
        let elsewhere = HangupCause::AnsweredElsewhere;
        let off = |branch| Output::CallOff(branch, elsewhere);
        assert_eq!(drain(&mut ring), [off(0), off(2), Output::Won(1)]);
        ring.handle(Input::Answered(2), now);
        assert!(drain(&mut ring).is_empty() && ring.is_over());
    }

    #[test]
    fn a_busy_one_makes_room_for_the_next_in_turn() {
        let now = Instant::now();
        let mut ring = Ring::start(vec![vec![0], vec![], vec![1]], TEN, now);
        assert_eq!(drain(&mut ring), [Output::Invite(0)]);
        ring.handle(Input::Failed(0, HangupCause::Busy), now);
        assert_eq!(drain(&mut ring), [Output::Invite(1)]);
        ring.handle_timeout(now + TEN);
        let no_answer = HangupCause::NoAnswer;
        assert_eq!(
            drain(&mut ring),
            [Output::CallOff(1, no_answer), Output::Lost(HangupCause::Busy)]
        );
    }

    #[test]
    fn nobody_to_ring_is_unreachable_and_a_decline_is_final() {
        let now = Instant::now();
        let mut ring = Ring::start(vec![], TEN, now);
        assert_eq!(drain(&mut ring), [Output::Lost(HangupCause::Unreachable)]);
        let mut ring = Ring::start(vec![vec![0, 1], vec![2]], TEN, now);
        drain(&mut ring);
        ring.handle(Input::Declined(0), now);
        let elsewhere = HangupCause::AnsweredElsewhere;
        assert_eq!(
            drain(&mut ring),
            [Output::CallOff(1, elsewhere), Output::Lost(HangupCause::Rejected)]
        );
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            (0usize..6).prop_map(Input::Rings),
            (0usize..6).prop_map(Input::Answered),
            (0usize..6).prop_map(|branch| Input::Failed(branch, HangupCause::Busy)),
            (0usize..6).prop_map(Input::Declined),
            Just(Input::Abandoned),
        ]
    }

    proptest! {
        #[test]
        fn every_invited_branch_ends_once_and_the_end_comes_once(
            inputs in proptest::collection::vec((input(), 0u64..8), 0..60),
            split in 0usize..6,
        ) {
            let mut now = Instant::now();
            let mut ring = Ring::start(vec![(0..split).collect(), (split..6).collect()], TEN, now);
            let mut open = std::collections::BTreeSet::new();
            let mut ends = 0;
            let mut seen = drain(&mut ring);
            for (input, seconds) in inputs {
                now += Duration::from_secs(seconds);
                if ring.poll_timeout().is_some_and(|(at, _)| at <= now) {
                    ring.handle_timeout(now);
                    seen.extend(drain(&mut ring));
                }
                ring.handle(input, now);
                seen.extend(drain(&mut ring));
                for output in seen.drain(..) {
                    match output {
                        Output::Invite(branch) => prop_assert!(open.insert(branch)),
                        Output::CallOff(branch, _) => prop_assert!(open.remove(&branch)),
                        Output::Won(branch) => { prop_assert!(open.remove(&branch) && open.is_empty()); ends += 1; }
                        Output::Lost(_) => ends += 1,
                        Output::Rings => {}
                    }
                }
                if let Input::Failed(branch, _) | Input::Declined(branch) = input && !ring.ringing.contains(&branch) { open.remove(&branch); }
            }
            prop_assert!(ends <= 1);
            prop_assert_eq!(ends == 1, ring.is_over());
            if ring.is_over() { prop_assert!(open.is_empty()); prop_assert!(ring.poll_timeout().is_none()); }
        }
    }
}
