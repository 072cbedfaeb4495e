//! `agent`: connects the caller with a program that speaks for itself, in a room made for this call.
//!
//! Parameters: `agent` (also `agentName`): its name, `*` for one that registered without a name; `timeout`: seconds to
//! wait for it to come (10); `lostTimeout`: seconds another may take its place when it is lost (5); `metadata`: text handed to
//! it; `room`: how the name of the room begins. Exits: `fallback`, taken when no agent comes in time or it is
//! lost and no other comes; `next`, taken when the agent shows the caller out or closes the room, and without
//! it the call ends.

use super::{NEXT, Next, Site, Step, Wait, Waits, plain};
use crate::action::{ActionId, Event};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use std::time::Duration;
use strowger_model::HangupCause;

/// The exit taken when no agent is there.
const FALLBACK: &str = "fallback";

/// Connects with an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agent {
    name: Option<String>,
    room: Option<String>,
    metadata: String,
    comes_within: Duration,
    replaced_within: Duration,
}

impl Agent {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.text(&["agent", "agentName", "agent_name"]),
            room: fields.text(&["room", "roomPrefix", "room_prefix"]),
            metadata: fields.text(&["metadata"]).unwrap_or_default(),
            comes_within: fields.seconds(&["timeout"], 10, 1..=120),
            replaced_within: fields.seconds(&["lostTimeout", "lost_timeout"], 5, 0..=120),
        }
    }
}

impl Step for Agent {
    fn exit(&self, written: &str) -> Option<&'static str> {
        match plain(written).as_str() {
            "next" | "done" | "completed" => Some(NEXT),
            "fallback" | "noagent" | "failed" | "timeout" | "lost" => Some(FALLBACK),
            _ => None,
        }
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![NEXT, FALLBACK]
    }

    fn waits(&self) -> Waits {
        Waits::ForOthers
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        if self.name.is_none() {
            site.refuse(
                Code::MissingAgent,
                "No agent is named. Say which “agent” takes the call, or “*” for one without a name.",
            );
        }
        // A program outside may be stopped at any time: a caller must have somewhere to go then.
        site.must_leave(
            FALLBACK,
            "It is not said what happens when no agent is there. Draw an edge from “fallback”.",
        );
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        let Some(name) = &self.name else {
            return fallback();
        };
        let room = self.room.clone().unwrap_or_else(|| match name.as_str() {
            "*" => "agent".to_owned(),
            name => name.to_owned(),
        });
        let id = run.agent(name.clone(), room, self.metadata.clone());
        run.wake_in(self.comes_within);
        Next::Wait(Wait::Action(id))
    }

    fn handle(&self, wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
        let ours = |id: ActionId| *wait == Wait::Action(id);
        match event {
            Event::RoomLeft { id } if ours(id) => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
            Event::Agent { id, is_there: true } if ours(id) => {
                run.sleep();
                Next::Stay
            }
            Event::Agent { id, is_there: false } if ours(id) => {
                // While it is waited for already, that nobody is there is no news.
                if !run.is_waking() {
                    run.wake_in(self.replaced_within);
                }
                Next::Stay
            }
            Event::Agent { .. }
            | Event::AppConnected { .. }
            | Event::AppEnded { .. }
            | Event::RoomLeft { .. }
            | Event::VoicemailDone { .. }
            | Event::Digit(_)
            | Event::PlayDone(_)
            | Event::Answered
            | Event::DialEnded { .. }
            | Event::CallerGone => Next::Stay,
        }
    }

    fn handle_timeout(&self, _wait: &Wait, run: &mut Run<'_>) -> Next {
        run.leave_room();
        fallback()
    }
}

fn fallback() -> Next {
    Next::Leave(vec![FALLBACK, NEXT], HangupCause::Unreachable)
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run};
    use crate::{Action, ActionId, Code, Event};
    use serde_json::{Value, json};
    use std::time::Duration;

    const ID: ActionId = ActionId(0);

    fn nodes() -> Value {
        json!([
            ["start", "start", {}, "clerk"],
            ["clerk", "agent", {"agent": "clerk", "timeout": 8, "lostTimeout": 3, "metadata": "de"}, {"fallback": "mail", "next": "bye"}],
            ["mail", "voicemail", {"mailbox": "ada"}, null],
            ["bye", "hangup", {}, null]
        ])
    }

    const fn there(is_there: bool) -> Event {
        Event::Agent { id: ID, is_there }
    }

    #[test]
    fn the_caller_waits_for_the_agent_and_goes_on_when_it_shows_them_out() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        let asked = Action::Agent {
            id: ID,
            agent: "clerk".into(),
            room: "clerk".into(),
            metadata: "de".into(),
        };
        assert_eq!(run.actions(), [Action::Answer, asked]);
        assert_eq!(run.wakes_in(), Some(Duration::from_secs(8)));
        run.tell(there(false));
        assert!(
            run.wakes_in() > Some(Duration::from_secs(7)),
            "nobody being there yet is no news"
        );
        run.tell(there(true));
        assert_eq!(run.wakes_in(), None, "it may talk as long as it likes");
        run.tell(Event::RoomLeft { id: ID });
        assert_eq!(run.path(), ["start", "clerk", "bye"]);
    }

    #[test]
    fn the_fallback_is_taken_when_no_agent_comes() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.actions();
        run.sleep();
        assert_eq!(run.actions().first(), Some(&Action::LeaveRoom));
        assert_eq!(run.path(), ["start", "clerk", "mail"]);
    }

    #[test]
    fn the_fallback_is_taken_when_the_agent_is_lost_and_no_other_takes_its_place() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.tell(there(true));
        run.tell(there(false));
        assert_eq!(run.wakes_in(), Some(Duration::from_secs(3)));
        run.tell(there(true));
        assert_eq!(run.wakes_in(), None, "another took its place");
        run.tell(there(false));
        run.sleep();
        assert_eq!(run.path(), ["start", "clerk", "mail"]);
    }

    #[test]
    fn an_agent_without_a_way_out_is_refused() {
        let rows = json!([["start", "start", {}, "a"], ["a", "agent", {"agent": "x"}, null]]);
        assert_eq!(flow(rows).1[0].code, Code::DeadEnd);
    }
}
