//! A call without a phone: what a caller would hear, and where they would end.

use crate::action::{Action, ActionId, AppOutcome, DialOutcome, Event, Sound, Target};
use crate::execution::{Context, Execution};
use crate::flow::Flow;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::HangupCause;

/// How long somebody talks, leaves a message or stays in a room.
const TALK: Duration = Duration::from_secs(10);
/// More events than any flow that ends can take.
const EVENT_LIMIT: usize = 10_000;

/// What the caller and the called do, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    moves: VecDeque<Move>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// The caller presses a key at a menu.
    Press(char),
    /// The caller lets a menu's time pass.
    Wait,
    /// Dialling ends so.
    Dial(DialOutcome),
    /// The caller hangs up at the next menu or conversation.
    Leave,
}

/// A word of a script that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no key (0–9, *, #) and none of wait, answered, busy, no-answer, failed, hangup")]
pub struct BadMove(String);

impl std::str::FromStr for Script {
    type Err = BadMove;

    /// Reads moves by comma: keys as they are, `wait`, how dialling ends (`answered`, `busy`,
    /// `no-answer`, `failed`), and `hangup`. Dialling that finds no word is answered.
    fn from_str(text: &str) -> Result<Self, BadMove> {
        let words = text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
        let mut moves = VecDeque::new();
        for word in words {
            match word.to_lowercase().as_str() {
                "wait" | "timeout" => moves.push_back(Move::Wait),
                "answered" | "completed" => moves.push_back(Move::Dial(DialOutcome::Completed)),
                "busy" => moves.push_back(Move::Dial(DialOutcome::Busy)),
                "no-answer" | "noanswer" => moves.push_back(Move::Dial(DialOutcome::NoAnswer)),
                "failed" => moves.push_back(Move::Dial(DialOutcome::Failed)),
                "hangup" => moves.push_back(Move::Leave),
                keys if keys.chars().all(|key| key.is_ascii_digit() || "*#abcd".contains(key)) => {
                    moves.extend(keys.chars().map(|key| Move::Press(key.to_ascii_uppercase())));
                }
                _ => return Err(BadMove(word.to_owned())),
            }
        }
        Ok(Self { moves })
    }
}

impl Script {
    /// The move, if the next one is of this sort.
    fn take<T>(&mut self, fits: impl FnOnce(Move) -> Option<T>) -> Option<T> {
        let fitting = fits(*self.moves.front()?)?;
        self.moves.pop_front();
        Some(fitting)
    }

    /// Whether somebody who is sent for does not come.
    fn nobody_answers(&mut self) -> bool {
        let failed = self.take(|next| match next {
            Move::Dial(DialOutcome::Failed | DialOutcome::NoAnswer) => Some(()),
            Move::Dial(_) | Move::Press(_) | Move::Wait | Move::Leave => None,
        });
        failed.is_some()
    }

    fn leaves(&mut self) -> bool {
        self.take(|next| (next == Move::Leave).then_some(())).is_some()
    }
}

/// One thing that happened at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The caller was answered.
    Answered,
    /// The caller heard this.
    Heard(Sound),
    /// The caller pressed a key.
    Pressed(char),
    /// The caller pressed nothing until the time was over.
    Waited,
    /// People were rung.
    Rang {
        /// Whom.
        targets: Vec<Target>,
        /// How it ended.
        outcome: DialOutcome,
    },
    /// The caller left a message.
    LeftMessage {
        /// In whose mailbox.
        mailbox: String,
    },
    /// The caller was in a room.
    Joined {
        /// Which.
        room: String,
    },
    /// The caller was with an agent.
    TalkedTo {
        /// Its name.
        agent: String,
    },
    /// No agent came.
    NoAgent {
        /// The name of the one that was sent for.
        agent: String,
    },
    /// The caller was with a voice app.
    SpokeWith {
        /// Its address.
        app: String,
    },
    /// The voice app could not be reached.
    NoApp {
        /// Its address.
        app: String,
    },
    /// The flow ended the call.
    HungUp {
        /// Why.
        cause: HangupCause,
    },
    /// The caller hung up.
    CallerGone,
}

impl Moment {
    fn sound(&self) -> Option<&Sound> {
        match self {
            Self::Heard(sound) => Some(sound),
            Self::Answered
            | Self::Pressed(_)
            | Self::Waited
            | Self::Rang { .. }
            | Self::LeftMessage { .. }
            | Self::Joined { .. }
            | Self::TalkedTo { .. }
            | Self::NoAgent { .. }
            | Self::SpokeWith { .. }
            | Self::NoApp { .. }
            | Self::HungUp { .. }
            | Self::CallerGone => None,
        }
    }
}

/// A node on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// When the caller came, since the start, with guesses for how long sounds last.
    pub at: Duration,
    /// The node's id.
    pub node: String,
    /// The exit of the node before.
    pub exit: Option<String>,
    /// What happened here.
    pub moments: Vec<Moment>,
}

/// A simulated call from start to end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The nodes on the way.
    pub stops: Vec<Stop>,
    /// Why the flow ended the call; `None` when the caller hung up.
    pub cause: Option<HangupCause>,
    /// How long it took.
    pub length: Duration,
    /// How many moves of the script were not needed.
    pub unused: usize,
}

impl Trace {
    /// The ids of the nodes on the way.
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        self.stops.iter().map(|stop| stop.node.as_str()).collect()
    }

    /// What the caller heard, in order.
    #[must_use]
    pub fn heard(&self) -> Vec<&Sound> {
        self.stops
            .iter()
            .flat_map(|stop| &stop.moments)
            .filter_map(Moment::sound)
            .collect()
    }

    fn note(&mut self, moment: Moment) {
        if let Some(stop) = self.stops.last_mut() {
            stop.moments.push(moment);
        }
    }
}

/// Runs a flow against a script in virtual time; `now` is any moment to count from.
#[must_use]
pub fn simulate(flow: &Arc<Flow>, script: Script, context: Context, now: Instant) -> Trace {
    let run = Execution::start(Arc::clone(flow), context, now);
    let mut simulation = Simulation {
        run,
        script,
        trace: Trace::default(),
        began: now,
        now,
    };
    // A callee's turn may begin another's, so events are worked off one by one.
    for _ in 0..EVENT_LIMIT {
        let event = simulation.perform();
        match event {
            Some(event) => simulation.run.handle(event, simulation.now),
            None if simulation.run.is_over() => break,
            None => simulation.idle(),
        }
    }
    simulation.trace.length = simulation.now.saturating_duration_since(simulation.began);
    simulation.trace.unused = simulation.script.moves.len();
    simulation.trace
}

struct Simulation {
    run: Execution,
    script: Script,
    trace: Trace,
    began: Instant,
    now: Instant,
}

impl Simulation {
    /// Performs actions up to the first that is told back, and gives what is told.
    fn perform(&mut self) -> Option<Event> {
        while let Some(action) = self.run.poll_action() {
            match action {
                Action::EnteredNode { node, exit } => {
                    let at = self.now.saturating_duration_since(self.began);
                    self.trace.stops.push(Stop {
                        at,
                        node,
                        exit,
                        moments: Vec::new(),
                    });
                }
                Action::StopPlay | Action::LeaveRoom | Action::LeaveApp => {}
                Action::Answer => {
                    self.trace.note(Moment::Answered);
                    return Some(Event::Answered);
                }
                Action::Play { id, what } => {
                    for sound in what {
                        self.now += lasts(&sound);
                        self.trace.note(Moment::Heard(sound));
                    }
                    return Some(Event::PlayDone(id));
                }
                Action::Dial {
                    id, targets, timeout, ..
                } => {
                    if self.script.leaves() {
                        return Some(self.leave());
                    }
                    let outcome = self.script.take(|next| match next {
                        Move::Dial(outcome) => Some(outcome),
                        Move::Press(_) | Move::Wait | Move::Leave => None,
                    });
                    let outcome = outcome.unwrap_or(DialOutcome::Completed);
                    self.now += if outcome == DialOutcome::NoAnswer {
                        timeout
                    } else {
                        TALK
                    };
                    self.trace.note(Moment::Rang { targets, outcome });
                    return Some(Event::DialEnded { id, outcome });
                }
                Action::Voicemail { id, mailbox } => {
                    self.now += TALK;
                    self.trace.note(Moment::LeftMessage { mailbox });
                    return Some(Event::VoicemailDone { id });
                }
                Action::Room { id, name, .. } => {
                    self.now += TALK;
                    self.trace.note(Moment::Joined { room: name });
                    return Some(Event::RoomLeft { id });
                }
                Action::Agent { id, agent, .. } => {
                    if let Some(event) = self.agent(id, agent) {
                        return Some(event);
                    }
                }
                Action::VoiceApp { id, url, .. } => return Some(self.voice_app(id, url)),
                Action::Hangup { cause } => {
                    self.trace.note(Moment::HungUp { cause });
                    self.trace.cause = Some(cause);
                }
            }
        }
        None
    }

    /// An agent is sent for: it comes unless the script says that nobody answers.
    fn agent(&mut self, id: ActionId, agent: String) -> Option<Event> {
        if self.script.leaves() {
            return Some(self.leave());
        }
        let fails = self.script.nobody_answers().then_some(());
        match (fails, self.run.poll_timeout()) {
            (Some(()), Some((deadline, _))) => {
                self.now = self.now.max(deadline);
                self.trace.note(Moment::NoAgent { agent });
                self.run.handle_timeout(self.now);
                None
            }
            (Some(()) | None, _) => {
                self.now += TALK;
                self.trace.note(Moment::TalkedTo { agent });
                Some(Event::RoomLeft { id })
            }
        }
    }

    /// A voice app is connected unless the script says that nobody answers.
    fn voice_app(&mut self, id: ActionId, app: String) -> Event {
        if self.script.leaves() {
            return self.leave();
        }
        let (moment, outcome) = if self.script.nobody_answers() {
            (Moment::NoApp { app }, AppOutcome::Failed)
        } else {
            self.now += TALK;
            (Moment::SpokeWith { app }, AppOutcome::Completed)
        };
        self.trace.note(moment);
        Event::AppEnded { id, outcome }
    }

    /// The flow waits for a key: the caller's move.
    fn idle(&mut self) {
        if self.script.leaves() {
            let gone = self.leave();
            return self.run.handle(gone, self.now);
        }
        let key = self.script.take(|next| match next {
            Move::Press(key) => Some(Some(key)),
            Move::Wait => Some(None),
            Move::Dial(_) | Move::Leave => None,
        });
        if let Some(key) = key.flatten() {
            self.now += Duration::from_secs(1);
            self.trace.note(Moment::Pressed(key));
            return self.run.handle(Event::Digit(key), self.now);
        }
        match self.run.poll_timeout() {
            Some((deadline, _)) => {
                self.now = self.now.max(deadline);
                self.trace.note(Moment::Waited);
                self.run.handle_timeout(self.now);
            }
            // Nothing is awaited that a simulation could bring: the caller gives up.
            None => {
                let gone = self.leave();
                self.run.handle(gone, self.now);
            }
        }
    }

    fn leave(&mut self) -> Event {
        self.trace.note(Moment::CallerGone);
        Event::CallerGone
    }
}

/// A guess: 150 words a minute, or three seconds for audio that was uploaded.
fn lasts(sound: &Sound) -> Duration {
    match sound {
        Sound::Say(say) => Duration::from_millis(400 * say.text.split_whitespace().count().max(1) as u64),
        Sound::Prompt(_) => Duration::from_secs(3),
        Sound::Beep => Duration::from_millis(500),
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => out.write_str("is answered"),
            Self::Heard(sound) => write!(out, "hears {sound}"),
            Self::Pressed(key) => write!(out, "presses {key}"),
            Self::Waited => out.write_str("presses nothing"),
            Self::Rang { targets, outcome } => {
                let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
                let outcome = match outcome {
                    DialOutcome::Completed => "answered",
                    DialOutcome::Busy => "busy",
                    DialOutcome::NoAnswer => "no answer",
                    DialOutcome::Failed => "cannot be reached",
                    DialOutcome::Rejected => "refused",
                    DialOutcome::Cancelled => "called off",
                };
                write!(out, "rings {}: {outcome}", targets.join(", "))
            }
            Self::LeftMessage { mailbox } => write!(out, "leaves a message for {mailbox}"),
            Self::Joined { room } => write!(out, "is in the room {room}"),
            Self::TalkedTo { agent } => write!(out, "talks to the agent {agent}"),
            Self::NoAgent { agent } => write!(out, "waits for the agent {agent}, who does not come"),
            Self::SpokeWith { app } => write!(out, "speaks with the voice app {app}"),
            Self::NoApp { app } => write!(out, "cannot be connected with the voice app {app}"),
            Self::HungUp { cause } => write!(out, "call ends: {cause}"),
            Self::CallerGone => out.write_str("caller hangs up"),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stop in &self.stops {
            let exit = stop
                .exit
                .as_ref()
                .map(|exit| format!("  (through {exit})"))
                .unwrap_or_default();
            writeln!(out, "{:>6.1} s  {}{exit}", stop.at.as_secs_f64(), stop.node)?;
            for moment in &stop.moments {
                writeln!(out, "            {moment}")?;
            }
        }
        if self.unused > 0 {
            writeln!(out, "{} of the script's moves were not needed", self.unused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, flow, said};
    use serde_json::{Value, json};
    use time::macros::datetime;

    fn call(rows: Value, script: &str) -> Trace {
        let flow = Arc::new(flow(rows).0.unwrap());
        simulate(
            &flow,
            script.parse().unwrap(),
            context(datetime!(2026-03-02 12:00 UTC)),
            crate::testing::instant(),
        )
    }

    fn nodes() -> Value {
        json!([
            ["start", "start", {}, "hello"],
            ["hello", "say", {"text": "Hello"}, "ask"],
            ["ask", "menu", {"message": "Press 1", "timeout": 5, "retries": 1}, {"1": "ring"}],
            ["ring", "dial", {"targets": ["ada", "101"]}, {"no-answer": "box"}],
            ["box", "voicemail", {"mailbox": "ada"}, null]
        ])
    }

    #[test]
    fn the_trace_tells_the_path_and_what_is_heard() {
        let trace = call(nodes(), "1,no-answer");
        assert_eq!(trace.path(), ["start", "hello", "ask", "ring", "box"]);
        assert_eq!(trace.heard(), [&said("Hello"), &said("Press 1")]);
        assert_eq!(trace.cause, Some(HangupCause::FlowEnded));
        let told = "   0.0 s  start
   0.0 s  hello  (through next)
            is answered
            hears “Hello”
   0.4 s  ask  (through next)
            hears “Press 1”
            presses 1
   2.2 s  ring  (through 1)
            rings user ada, extension 101: no answer
  32.2 s  box  (through no-answer)
            leaves a message for ada
            call ends: flow_ended
";
        assert_eq!(trace.to_string(), told);
    }

    #[test]
    fn a_caller_who_does_nothing_hears_the_question_again_and_is_let_go() {
        let trace = call(nodes(), "");
        assert_eq!(trace.heard(), [&said("Hello"), &said("Press 1"), &said("Press 1")]);
        assert_eq!(trace.path(), ["start", "hello", "ask"]);
    }

    #[test]
    fn moves_that_come_too_late_are_counted() {
        assert_eq!(call(nodes(), "1,answered,2,3").unused, 2);
    }

    #[test]
    fn a_caller_may_hang_up_on_the_way() {
        for (script, last) in [("hangup", "ask"), ("1,hangup", "ring")] {
            let trace = call(nodes(), script);
            assert_eq!(trace.cause, None);
            assert_eq!(trace.stops.last().unwrap().moments.last(), Some(&Moment::CallerGone));
            assert_eq!(trace.path().last(), Some(&last));
        }
    }

    #[test]
    fn a_script_is_keys_and_words() {
        assert_eq!("12,wait".parse::<Script>(), "1, 2, timeout".parse());
        assert_eq!("1,x".parse::<Script>(), Err(BadMove("x".into())));
    }
}
