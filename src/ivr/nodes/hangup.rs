//! `hangup`: ends the call.
//!
//! Parameters: `cause` (a cause's code, such as `normal`, `busy` or `rejected`; default
//! `flow_ended`). An unanswered caller hears it as the phone network's own signal. No exit.

use super::{Next, Step, Waits};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use crate::nearest::hint;
use strowger_model::HangupCause;

/// The causes a flow may give; the others tell of faults and belong to the machine.
const CAUSES: [HangupCause; 9] = [
    HangupCause::Normal,
    HangupCause::FlowEnded,
    HangupCause::Busy,
    HangupCause::NoAnswer,
    HangupCause::Rejected,
    HangupCause::NotFound,
    HangupCause::Unreachable,
    HangupCause::Forbidden,
    HangupCause::Congestion,
];

/// Ends the call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hangup {
    cause: HangupCause,
}

impl Hangup {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let Some(written) = fields.text(&["cause", "reason"]) else {
            return Self {
                cause: HangupCause::FlowEnded,
            };
        };
        let code = written.trim().to_lowercase().replace(['-', ' '], "_");
        let cause = CAUSES
            .into_iter()
            .find(|cause| cause.code() == code)
            .unwrap_or_else(|| {
                let known: Vec<&str> = CAUSES.iter().map(|cause| cause.code()).collect();
                let (list, hint) = (known.join(", "), hint(&code, known.iter().copied()));
                fields.refuse(
                    Code::BadCause,
                    format!("A call cannot be ended with “{written}” (only with {list}).{hint}"),
                );
                HangupCause::FlowEnded
            });
        Self { cause }
    }
}

impl Step for Hangup {
    fn exit(&self, _written: &str) -> Option<&'static str> {
        None
    }

    fn unlabelled(&self) -> Option<&'static str> {
        None
    }

    fn exits(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn waits(&self) -> Waits {
        Waits::Not
    }

    fn needs_answer(&self) -> bool {
        false
    }

    fn enter(&self, _run: &mut Run<'_>) -> Next {
        Next::End(self.cause)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run};
    use crate::{Action, Code};
    use serde_json::{Value, json};
    use strowger_model::HangupCause;

    fn nodes(cause: &str) -> Value {
        json!([["start", "start", {}, "bye"], ["bye", "hangup", {"cause": cause}, null]])
    }

    #[test]
    fn the_call_ends_with_the_cause_that_was_written() {
        for (written, cause) in [
            ("", HangupCause::FlowEnded),
            ("normal", HangupCause::Normal),
            ("no-answer", HangupCause::NoAnswer),
            ("Rejected", HangupCause::Rejected),
        ] {
            assert_eq!(run(nodes(written)).actions(), [Action::Hangup { cause }], "{written}");
        }
    }

    #[test]
    fn a_cause_that_belongs_to_the_machine_is_refused() {
        for cause in ["daemon_restart", "bussy"] {
            assert_eq!(flow(nodes(cause)).1[0].code, Code::BadCause, "{cause}");
        }
    }
}
