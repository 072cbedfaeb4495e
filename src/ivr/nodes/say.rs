//! `say`: speaks a text.
//!
//! Parameters: `text` (or `message`), `voice`, `language`. Exit: `next`. Keys pressed meanwhile are
//! kept for the next menu.

use super::{NEXT, Next, Site, Step, Wait, Waits};
use crate::action::{Event, Sound};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use strowger_model::HangupCause;

/// Speaks a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Say {
    text: Option<Sound>,
}

impl Say {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            text: fields.spoken(&["text", "message"]),
        }
    }
}

impl Step for Say {
    fn exit(&self, _written: &str) -> Option<&'static str> {
        Some(NEXT)
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![NEXT]
    }

    fn sounds(&self) -> Vec<&Sound> {
        self.text.iter().collect()
    }

    fn waits(&self) -> Waits {
        Waits::Not
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        if self.text.is_none() {
            site.refuse(Code::MissingPrompt, "There is nothing to say. Write a “text”.");
        }
        site.must_leave(
            NEXT,
            "Nothing follows what is said. Draw an edge to the next step, or to a hangup node.",
        );
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        enter_playing(self.text.iter().cloned().collect(), run)
    }

    fn handle(&self, wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
        handle_playing(wait, event, run)
    }
}

/// Begins to play, for the steps that only play.
pub(super) fn enter_playing(what: Vec<Sound>, run: &mut Run<'_>) -> Next {
    if what.is_empty() {
        return Next::Leave(vec![NEXT], HangupCause::FlowEnded);
    }
    Next::Wait(Wait::Action(run.play(what)))
}

/// Waits for the end of what plays and keeps keys for the next menu.
pub(super) fn handle_playing(wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
    match event {
        Event::PlayDone(id) if *wait == Wait::Action(id) => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
        Event::Digit(digit) => {
            run.type_ahead(digit);
            Next::Stay
        }
        Event::PlayDone(_)
        | Event::Answered
        | Event::DialEnded { .. }
        | Event::VoicemailDone { .. }
        | Event::RoomLeft { .. }
        | Event::Agent { .. }
        | Event::AppConnected { .. }
        | Event::AppEnded { .. }
        | Event::CallerGone => Next::Stay,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run, said};
    use crate::{Action, ActionId, Code, Event};
    use serde_json::{Value, json};

    fn nodes() -> Value {
        json!([["start", "start", {}, "hello"], ["hello", "say", {"text": "Hello"}, "bye"], ["bye", "hangup", {}, null]])
    }

    #[test]
    fn the_caller_is_answered_once_and_hears_the_text() {
        let mut run = run(nodes());
        assert_eq!(run.actions(), [Action::Answer]);
        run.tell(Event::Answered);
        assert_eq!(
            run.actions(),
            [Action::Play {
                id: ActionId(0),
                what: vec![said("Hello")]
            }]
        );
        run.tell(Event::PlayDone(ActionId(0)));
        assert!(run.is_over());
    }

    #[test]
    fn the_end_of_an_older_playing_is_ignored() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.tell(Event::PlayDone(ActionId(7)));
        assert!(!run.is_over());
    }

    #[test]
    fn silence_and_dead_ends_are_refused() {
        let (_, findings) = flow(json!([["start", "start", {}, "hello"], ["hello", "say", {"text": " "}, null]]));
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::MissingPrompt, Code::DeadEnd]);
    }
}
