//! `play`: plays uploaded audio.
//!
//! Parameters: `prompt` (name or id; also `promptId`, `audio`). Exit: `next`. Keys pressed meanwhile
//! are kept for the next menu.

use super::say::{enter_playing, handle_playing};
use super::{NEXT, Next, Site, Step, Wait, Waits};
use crate::action::{Event, Sound};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;

/// The names under which a prompt may be written.
pub(super) const PROMPT_FIELDS: &[&str] = &["prompt", "promptId", "prompt_id", "audio"];

/// Plays uploaded audio.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Play {
    prompt: Option<Sound>,
}

impl Play {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            prompt: fields.text(PROMPT_FIELDS).map(Sound::Prompt),
        }
    }
}

impl Step for Play {
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
        self.prompt.iter().collect()
    }

    fn waits(&self) -> Waits {
        Waits::Not
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        if self.prompt.is_none() {
            site.refuse(Code::MissingPrompt, "There is nothing to play. Choose a “prompt”.");
        }
        site.must_have(&self.sounds());
        site.must_leave(
            NEXT,
            "Nothing follows what is played. Draw an edge to the next step, or to a hangup node.",
        );
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        enter_playing(self.prompt.iter().cloned().collect(), run)
    }

    fn handle(&self, wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
        handle_playing(wait, event, run)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow_in, run};
    use crate::{Action, ActionId, Catalogue, Code, Event, Sound};
    use serde_json::{Value, json};

    fn nodes() -> Value {
        json!([["start", "start", {}, "tune"], ["tune", "play", {"prompt": "welcome"}, "bye"], ["bye", "hangup", {}, null]])
    }

    #[test]
    fn the_caller_hears_the_prompt() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        let what = vec![Sound::Prompt("welcome".into())];
        assert_eq!(run.actions(), [Action::Answer, Action::Play { id: ActionId(0), what }]);
        run.tell(Event::PlayDone(ActionId(0)));
        assert!(run.is_over());
    }

    #[test]
    fn a_prompt_that_does_not_exist_is_refused_with_the_nearest_name() {
        let catalogue = Catalogue {
            prompts: Some(["welcom".to_owned()].into()),
            ..Catalogue::unknown()
        };
        let findings = flow_in(nodes(), &catalogue).1;
        assert_eq!(findings[0].code, Code::UnknownPrompt);
        assert_eq!(
            findings[0].message,
            "There is no prompt “welcome”. Did you mean “welcom”?"
        );
    }
}
