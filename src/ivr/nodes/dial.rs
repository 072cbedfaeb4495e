//! `dial`: rings people and connects the first who answers.
//!
//! Parameters: `number`, `user` or `extension`; or several as `targets` (also `numbers`, `users`,
//! `group`): each a text (`+4942112`, `101`, `ada`, `user:ada`, `ext:101`) or an object with one of
//! the three. `strategy`: `simultaneous` (default) or `in-turn`; `timeout` seconds to ring (30; for
//! each when in turn); `callerId`, the number to show.
//!
//! Exits: `completed` when a conversation is over and the caller is still there; `busy`,
//! `no-answer`, `failed` when there was none. Where one of these three has no edge the unlabelled
//! edge is taken, then that of `no-answer`, then the call ends.

use super::{NEXT, Next, Site, Step, Wait, Waits, plain};
use crate::action::{DialOutcome, Event, Strategy, Target};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use crate::nearest::hint;
use serde_json::Value;
use std::time::Duration;
use strowger_model::{HangupCause, number};

const COMPLETED: &str = "completed";
const BUSY: &str = "busy";
const NO_ANSWER: &str = "no-answer";
const FAILED: &str = "failed";

/// The most targets one node may ring.
const TARGET_LIMIT: usize = 50;
/// The longest internal extension; longer digits are a number.
const EXTENSION_DIGITS: usize = 6;

/// Rings people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dial {
    targets: Vec<Target>,
    strategy: Strategy,
    timeout: Duration,
    caller_id: Option<String>,
}

impl Dial {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let targets = read_targets(fields);
        let strategy = read_strategy(fields);
        let timeout = fields.seconds(
            &["timeout", "timeoutSeconds", "timeout_seconds", "ringTimeout"],
            30,
            1..=600,
        );
        let caller_id = fields.text(&["callerId", "caller_id"]).and_then(|written| {
            let number = number::normalise(&written);
            if number.is_none() {
                fields.refuse(
                    Code::BadNumber,
                    format!("The caller id “{written}” is no telephone number."),
                );
            }
            number
        });
        Self {
            targets,
            strategy,
            timeout,
            caller_id,
        }
    }
}

impl Step for Dial {
    fn exit(&self, written: &str) -> Option<&'static str> {
        match plain(written).as_str() {
            "completed" | "complete" | "answered" | "answeredend" | "ended" | "done" => Some(COMPLETED),
            "busy" => Some(BUSY),
            "noanswer" | "unanswered" | "timeout" => Some(NO_ANSWER),
            "failed" | "fail" | "error" | "unreachable" | "offline" => Some(FAILED),
            "next" | "default" | "else" | "otherwise" | "fallback" => Some(NEXT),
            _ => None,
        }
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![COMPLETED, BUSY, NO_ANSWER, FAILED, NEXT]
    }

    fn waits(&self) -> Waits {
        Waits::ForOthers
    }

    fn needs_answer(&self) -> bool {
        false
    }

    fn check(&self, site: &mut Site<'_>) {
        let catalogue = site.catalogue;
        for target in &self.targets {
            match target {
                Target::User(user) => site.must_know(catalogue.users.as_ref(), user, Code::UnknownUser, "user"),
                Target::Extension(extension) => {
                    site.must_know(catalogue.extensions.as_ref(), extension, Code::UnknownUser, "extension");
                }
                Target::Number(_) => {}
            }
        }
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        if self.targets.is_empty() {
            return leave(DialOutcome::Failed);
        }
        let id = run.dial(
            self.targets.clone(),
            self.strategy,
            self.timeout,
            self.caller_id.clone(),
        );
        Next::Wait(Wait::Action(id))
    }

    fn handle(&self, wait: &Wait, event: Event, _run: &mut Run<'_>) -> Next {
        match event {
            Event::DialEnded { id, outcome } if *wait == Wait::Action(id) => leave(outcome),
            Event::DialEnded { .. }
            | Event::Digit(_)
            | Event::PlayDone(_)
            | Event::Answered
            | Event::VoicemailDone { .. }
            | Event::RoomLeft { .. }
            | Event::Agent { .. }
            | Event::AppConnected { .. }
            | Event::AppEnded { .. }
            | Event::CallerGone => Next::Stay,
        }
    }
}

fn leave(outcome: DialOutcome) -> Next {
    match outcome {
        DialOutcome::Completed => Next::Leave(vec![COMPLETED], HangupCause::Normal),
        DialOutcome::Busy => Next::Leave(vec![BUSY, NEXT, NO_ANSWER], HangupCause::Busy),
        DialOutcome::Rejected => Next::Leave(vec![BUSY, NEXT, NO_ANSWER], HangupCause::Rejected),
        DialOutcome::NoAnswer => Next::Leave(vec![NO_ANSWER, NEXT], HangupCause::NoAnswer),
        DialOutcome::Failed => Next::Leave(vec![FAILED, NEXT, NO_ANSWER], HangupCause::Unreachable),
        DialOutcome::Cancelled => Next::Leave(vec![FAILED, NEXT, NO_ANSWER], HangupCause::Cancelled),
    }
}

fn read_strategy(fields: &mut Fields<'_>) -> Strategy {
    let Some(written) = fields.text(&["strategy"]) else {
        return Strategy::Simultaneous;
    };
    match plain(&written).as_str() {
        "simultaneous" | "all" | "parallel" | "ringall" => Strategy::Simultaneous,
        "inturn" | "sequential" | "hunt" | "linear" => Strategy::InTurn,
        other => {
            let hint = hint(other, ["simultaneous", "in-turn", "sequential"]);
            let message = format!("“{written}” is no order of ringing: “simultaneous” or “in-turn”.{hint}");
            fields.refuse(Code::BadParameter, message);
            Strategy::Simultaneous
        }
    }
}

fn read_targets(fields: &mut Fields<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    let before = fields.faults();
    for (names, make) in SINGLE {
        if let Some(text) = fields.text(names) {
            targets.extend(make(&text, fields));
        }
    }
    for (names, make) in LISTS {
        match fields.value(names) {
            None => {}
            Some(Value::Array(list)) => {
                for entry in list {
                    targets.extend(read_entry(entry, *make, fields));
                }
            }
            Some(Value::String(list)) => {
                let entries = list
                    .split([',', ';', '\n'])
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                targets.extend(entries.filter_map(|entry| make(entry, fields)));
            }
            Some(_) => fields.refuse(Code::BadParameter, format!("“{}” must be a list.", names[0])),
        }
    }
    if targets.is_empty() && fields.faults() == before {
        fields.refuse(
            Code::MissingTarget,
            "Nobody is to be rung. Name a “number”, a “user”, an “extension” or several “targets”.",
        );
    }
    if targets.len() > TARGET_LIMIT {
        fields.refuse(
            Code::TooLarge,
            format!("A dial node rings at most {TARGET_LIMIT} targets."),
        );
    }
    targets
}

type Make = fn(&str, &mut Fields<'_>) -> Option<Target>;

const SINGLE: &[(&[&str], Make)] = &[
    (&["number", "phoneNumber", "phone_number"], dialled),
    (&["user", "userId", "user_id"], user),
    (&["extension"], extension),
];

const LISTS: &[(&[&str], Make)] = &[
    (&["targets", "group", "members"], guessed),
    (&["numbers"], dialled),
    (&["users"], user),
    (&["extensions"], extension),
];

fn read_entry(entry: &Value, make: Make, fields: &mut Fields<'_>) -> Option<Target> {
    match entry {
        Value::String(text) if !text.trim().is_empty() => make(text.trim(), fields),
        Value::Number(number) => make(&number.to_string(), fields),
        Value::Object(object) => {
            let named = SINGLE.iter().find_map(|(names, make)| {
                let value = names.iter().find_map(|name| object.get(*name))?;
                Some((
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), |text| text.trim().to_owned()),
                    make,
                ))
            });
            let Some((text, make)) = named.filter(|(text, _)| !text.is_empty()) else {
                let message =
                    format!("The target {entry} names nobody: it needs a “number”, a “user” or an “extension”.");
                fields.refuse(Code::MissingTarget, message);
                return None;
            };
            make(&text, fields)
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) => {
            fields.refuse(Code::MissingTarget, format!("The target {entry} names nobody."));
            None
        }
    }
}

fn dialled(written: &str, fields: &mut Fields<'_>) -> Option<Target> {
    let number = number::normalise(written);
    if number.is_none() {
        fields.refuse(
            Code::BadNumber,
            format!("“{written}” is no telephone number. Write it like +4942112345."),
        );
    }
    number.map(Target::Number)
}

fn user(written: &str, _fields: &mut Fields<'_>) -> Option<Target> {
    Some(Target::User(written.to_owned()))
}

fn extension(written: &str, fields: &mut Fields<'_>) -> Option<Target> {
    let fits = written.len() <= 16
        && written
            .chars()
            .all(|letter| letter.is_ascii_digit() || "*#".contains(letter));
    if !fits {
        fields.refuse(
            Code::BadNumber,
            format!("“{written}” is no extension. Extensions are digits."),
        );
    }
    fits.then(|| Target::Extension(written.to_owned()))
}

/// A target that does not say what it is: by its look.
fn guessed(written: &str, fields: &mut Fields<'_>) -> Option<Target> {
    if let Some((kind, rest)) = written.split_once(':') {
        match plain(kind).as_str() {
            "user" => return user(rest.trim(), fields),
            "ext" | "extension" => return extension(rest.trim(), fields),
            "number" | "tel" => return dialled(rest.trim(), fields),
            _ => {}
        }
    }
    if written.chars().any(char::is_alphabetic) {
        return user(written, fields);
    }
    if written.len() <= EXTENSION_DIGITS && written.chars().all(|letter| letter.is_ascii_digit()) {
        return extension(written, fields);
    }
    dialled(written, fields)
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, flow_in, run};
    use crate::{Action, ActionId, Catalogue, Code, DialOutcome, Event, Strategy, Target};
    use serde_json::{Value, json};
    use std::time::Duration;
    use strowger_model::HangupCause;

    fn nodes(data: Value, exits: Value) -> Value {
        json!([
            ["start", "start", {}, "ring"],
            ["ring", "dial", data, exits],
            ["a", "hangup", {}, null],
            ["b", "hangup", {}, null],
            ["c", "hangup", {}, null],
            ["d", "hangup", {}, null]
        ])
    }

    fn targets(data: Value) -> Vec<Target> {
        let actions = run(nodes(data, json!(null))).actions();
        let Some(Action::Dial { targets, .. }) = actions.first() else {
            panic!("{actions:?}")
        };
        targets.clone()
    }

    #[test]
    fn an_unanswered_caller_is_rung_through_without_being_answered() {
        let data = json!({"number": "+1 (234) 567-890", "timeout": 20, "callerId": "+49421"});
        let dial = Action::Dial {
            id: ActionId(0),
            targets: vec![Target::Number("+1234567890".into())],
            strategy: Strategy::Simultaneous,
            timeout: Duration::from_secs(20),
            caller_id: Some("+49421".into()),
        };
        assert_eq!(run(nodes(data, json!(null))).actions(), [dial]);
    }

    #[test]
    fn targets_are_told_apart_by_their_look_or_their_word() {
        let (number, user, extension) = (
            |text: &str| Target::Number(text.into()),
            |text: &str| Target::User(text.into()),
            |text: &str| Target::Extension(text.into()),
        );
        let mixed = json!(["+4942112345", "101", "ada", "ext:7", {"user": "12"}, {"number": "110"}, 102]);
        assert_eq!(
            targets(json!({"targets": mixed})),
            [
                number("+4942112345"),
                extension("101"),
                user("ada"),
                extension("7"),
                user("12"),
                number("110"),
                extension("102")
            ]
        );
        assert_eq!(
            targets(json!({"group": "ada, 0421 123456"})),
            [user("ada"), number("0421123456")]
        );
        assert_eq!(targets(json!({"extension": 101})), [extension("101")]);
    }

    #[test]
    fn every_outcome_takes_its_exit() {
        let exits = json!({"completed": "a", "busy": "b", "no-answer": "c", "failed": "d"});
        for (outcome, end) in [
            (DialOutcome::Completed, "a"),
            (DialOutcome::Busy, "b"),
            (DialOutcome::Rejected, "b"),
            (DialOutcome::NoAnswer, "c"),
            (DialOutcome::Failed, "d"),
            (DialOutcome::Cancelled, "d"),
        ] {
            let mut run = run(nodes(json!({"user": "ada"}), exits.clone()));
            run.tell(Event::DialEnded {
                id: ActionId(0),
                outcome,
            });
            assert_eq!(run.path(), ["start", "ring", end]);
        }
    }

    #[test]
    fn outcomes_without_an_edge_fall_through_or_end_the_call_with_their_cause() {
        for (exits, outcome, end, cause) in [
            (json!("a"), DialOutcome::Busy, "a", HangupCause::FlowEnded),
            (json!("a"), DialOutcome::NoAnswer, "a", HangupCause::FlowEnded),
            (json!("a"), DialOutcome::Completed, "ring", HangupCause::Normal),
            (
                json!({"no-answer": "c"}),
                DialOutcome::Busy,
                "c",
                HangupCause::FlowEnded,
            ),
            (json!(null), DialOutcome::Busy, "ring", HangupCause::Busy),
            (json!(null), DialOutcome::NoAnswer, "ring", HangupCause::NoAnswer),
            (json!(null), DialOutcome::Failed, "ring", HangupCause::Unreachable),
        ] {
            let mut run = run(nodes(json!({"user": "ada"}), exits.clone()));
            run.tell(Event::DialEnded {
                id: ActionId(0),
                outcome,
            });
            assert_eq!(run.path().last().map(String::as_str), Some(end), "{exits} {outcome:?}");
            assert_eq!(
                run.actions().last(),
                Some(&Action::Hangup { cause }),
                "{exits} {outcome:?}"
            );
        }
    }

    #[test]
    fn faults_are_refused_with_a_reason() {
        for (data, code) in [
            (json!({}), Code::MissingTarget),
            (json!({"number": "call me"}), Code::BadNumber),
            (json!({"targets": []}), Code::MissingTarget),
            (json!({"targets": [{}]}), Code::MissingTarget),
            (json!({"user": "ada", "strategy": "inturm"}), Code::BadParameter),
            (json!({"user": "ada", "timeout": 0}), Code::BadParameter),
            (json!({"user": "ada", "callerId": "me"}), Code::BadNumber),
        ] {
            let findings = flow(json!([["start", "start", {}, "ring"], ["ring", "dial", data, null]])).1;
            assert_eq!(
                findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
                [code],
                "{data}"
            );
        }
        let catalogue = Catalogue {
            users: Some(["ada".to_owned()].into()),
            ..Catalogue::unknown()
        };
        let findings = flow_in(
            json!([["start", "start", {}, "ring"], ["ring", "dial", {"user": "adda"}, null]]),
            &catalogue,
        )
        .1;
        assert_eq!(findings[0].message, "There is no user “adda”. Did you mean “ada”?");
    }
}
