//! `start`: where calls begin. Sets voice and language of the flow.
//!
//! Parameters: `voice`, `language`. Exit: `next`.

use super::{NEXT, Next, Site, Step, Waits};
use crate::execution::Run;
use crate::fields::{Fields, Speech};
use strowger_model::HangupCause;

/// Where calls begin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    speech: Speech,
}

impl Start {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            speech: fields.speech(),
        }
    }
}

impl Step for Start {
    fn exit(&self, _written: &str) -> Option<&'static str> {
        Some(NEXT)
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![NEXT]
    }

    fn waits(&self) -> Waits {
        Waits::Not
    }

    fn needs_answer(&self) -> bool {
        false
    }

    fn check(&self, site: &mut Site<'_>) {
        site.must_leave(NEXT, "The start leads nowhere. Draw an edge to the first step.");
    }

    fn enter(&self, _run: &mut Run<'_>) -> Next {
        Next::Leave(vec![NEXT], HangupCause::FlowEnded)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run};
    use crate::{Action, Code};
    use serde_json::json;
    use strowger_model::HangupCause;

    #[test]
    fn the_caller_passes_through_at_once_and_unanswered() {
        let mut run = run(json!([["start", "start", {}, "bye"], ["bye", "hangup", {"cause": "busy"}, null]]));
        assert_eq!(
            run.actions(),
            [Action::Hangup {
                cause: HangupCause::Busy
            }]
        );
        assert_eq!(run.path(), ["start", "bye"]);
        assert!(run.is_over());
    }

    #[test]
    fn a_start_that_leads_nowhere_is_refused() {
        let findings = flow(json!([["start", "start", {}, null]])).1;
        assert_eq!(findings[0].code, Code::DeadEnd);
        assert_eq!(findings[0].node.as_deref(), Some("start"));
    }
}
