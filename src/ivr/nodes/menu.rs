//! `menu`: asks the caller for a key.
//!
//! Parameters: `message` (text) or `prompt` (audio); `options` (key → caption, or key → node id, or a
//! list of keys; edges alone do as well); `timeout` seconds to wait after the question (5);
//! `retries`, how often the question is repeated (2); `bargeIn`, whether a key stops the question
//! (true); `invalidMessage` and `timeoutMessage`, said before the question is repeated.
//!
//! Exits: the keys `0`–`9`, `*`, `#`; `invalid` and `timeout`, taken when the last try failed. Where
//! one of the two has no edge the unlabelled edge is taken, then the other's, then the call ends.

use super::play::PROMPT_FIELDS;
use super::{NEXT, Next, Site, Step, Wait, Waits, plain};
use crate::action::{ActionId, Event, Sound};
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use strowger_model::HangupCause;

const KEYS: [&str; 12] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"];
const INVALID: &str = "invalid";
const TIMEOUT: &str = "timeout";

/// Asks the caller for a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Menu {
    question: Option<Sound>,
    options: Vec<Choice>,
    timeout: Duration,
    retries: u32,
    barge_in: bool,
    after_invalid: Option<Sound>,
    after_timeout: Option<Sound>,
}

/// A key that the parameters name, and what they say about it.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    key: &'static str,
    caption: String,
}

/// What a menu remembers: which try this is, and whether the question still plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asking {
    failures: u32,
    question: Option<ActionId>,
}

impl Menu {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let audio = fields.text(PROMPT_FIELDS).map(Sound::Prompt);
        let text = fields.spoken(&["message", "text"]);
        Self {
            question: audio.or(text),
            options: read_options(fields),
            timeout: fields.seconds(&["timeout", "timeoutSeconds", "timeout_seconds"], 5, 1..=120),
            retries: fields.count(&["retries", "maxRetries", "max_retries"], 2, 0..=20),
            barge_in: fields.flag(&["bargeIn", "barge_in"], true),
            after_invalid: fields.spoken(&["invalidMessage", "invalid_message"]),
            after_timeout: fields.spoken(&["timeoutMessage", "timeout_message"]),
        }
    }

    fn ask(&self, failures: u32, before: Option<&Sound>, run: &mut Run<'_>) -> Next {
        let what: Vec<Sound> = before.into_iter().chain(&self.question).cloned().collect();
        if what.is_empty() {
            run.wake_in(self.timeout);
            return Next::Wait(Wait::Menu(Asking {
                failures,
                question: None,
            }));
        }
        let question = Some(run.play(what));
        Next::Wait(Wait::Menu(Asking { failures, question }))
    }

    fn pressed(&self, digit: char, failures: u32, run: &mut Run<'_>) -> Next {
        match key(&digit.to_string()) {
            Some(key) if run.has_exit(key) => Next::Leave(vec![key], HangupCause::FlowEnded),
            Some(_) | None if failures < self.retries => self.ask(failures + 1, self.after_invalid.as_ref(), run),
            Some(_) | None => Next::Leave(vec![INVALID, NEXT, TIMEOUT], HangupCause::FlowEnded),
        }
    }
}

impl Step for Menu {
    fn exit(&self, written: &str) -> Option<&'static str> {
        match plain(written).as_str() {
            "invalid" | "error" | "wrong" => Some(INVALID),
            "timeout" | "noinput" => Some(TIMEOUT),
            "next" | "default" | "else" | "otherwise" | "fallback" => Some(NEXT),
            _ => key(written).or_else(|| key_of_label(written)),
        }
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        KEYS.into_iter().chain([INVALID, TIMEOUT, NEXT]).collect()
    }

    fn links(&self) -> Vec<(&'static str, &str)> {
        self.options
            .iter()
            .map(|choice| (choice.key, choice.caption.as_str()))
            .collect()
    }

    fn sounds(&self) -> Vec<&Sound> {
        self.question
            .iter()
            .chain(&self.after_invalid)
            .chain(&self.after_timeout)
            .collect()
    }

    fn waits(&self) -> Waits {
        Waits::ForCaller
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        if self.question.is_none() {
            site.refuse(
                Code::MissingPrompt,
                "The menu asks nothing. Write a “message” or choose a “prompt”.",
            );
        }
        site.must_have(&self.sounds());
        for Choice { key, caption } in &self.options {
            let of = if caption.is_empty() {
                String::new()
            } else {
                format!(" ({caption})")
            };
            site.must_leave(
                key,
                format!("Key {key}{of} leads nowhere. Draw an edge from it, labelled “{key}”."),
            );
        }
        let keys = KEYS.iter().any(|key| site.exits.contains(key));
        if !keys && !site.misread && self.options.is_empty() {
            site.refuse(
                Code::NoOptions,
                "The menu has no keys. Draw an edge labelled with a key (0–9, * or #) for each choice.",
            );
        }
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        match run.typed() {
            Some(digit) => self.pressed(digit, 0, run),
            None => self.ask(0, None, run),
        }
    }

    fn handle(&self, wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
        let Wait::Menu(asking) = wait else { return Next::Stay };
        match event {
            Event::Digit(_) if asking.question.is_some() && !self.barge_in => Next::Stay,
            Event::Digit(digit) => {
                if asking.question.is_some() {
                    run.stop_play();
                }
                self.pressed(digit, asking.failures, run)
            }
            Event::PlayDone(id) if asking.question == Some(id) => {
                run.wake_in(self.timeout);
                Next::Wait(Wait::Menu(Asking {
                    question: None,
                    ..asking.clone()
                }))
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

    fn handle_timeout(&self, wait: &Wait, run: &mut Run<'_>) -> Next {
        match wait {
            Wait::Menu(asking) if asking.failures < self.retries => {
                self.ask(asking.failures + 1, self.after_timeout.as_ref(), run)
            }
            Wait::Menu(_) => Next::Leave(vec![TIMEOUT, NEXT, INVALID], HangupCause::FlowEnded),
            Wait::Action(_) => Next::Stay,
        }
    }
}

/// The key of exactly this name.
fn key(written: &str) -> Option<&'static str> {
    let written = written.trim();
    KEYS.into_iter().find(|key| *key == written)
}

/// The key within “Press 1”, “1 - Sales”, “option-1” and the like.
fn key_of_label(label: &str) -> Option<&'static str> {
    let mut words = label
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '*' || letter == '#'))
        .filter(|word| !word.is_empty());
    let first = words.next()?;
    match first.to_lowercase().as_str() {
        "press" | "key" | "option" | "digit" | "dtmf" => key(words.next()?),
        _ => key(first),
    }
}

/// `options` as an object from key to caption (or to an object with one), or as a list of keys.
fn read_options(fields: &mut Fields<'_>) -> Vec<Choice> {
    let written: Vec<(String, String)> = match fields.value(&["options"]) {
        None => return Vec::new(),
        Some(Value::Object(options)) => options
            .iter()
            .map(|(key, value)| (key.clone(), caption(value)))
            .collect(),
        Some(Value::Array(options)) => options
            .iter()
            .map(|option| (key_field(option), caption(option)))
            .collect(),
        Some(_) => {
            fields.refuse(Code::BadParameter, "“options” must be an object from key to caption.");
            return Vec::new();
        }
    };
    let mut options: Vec<Choice> = Vec::new();
    for (written, caption) in written {
        match key(&written) {
            Some(key) if options.iter().any(|choice| choice.key == key) => {
                fields.refuse(Code::BadOption, format!("Key {key} stands twice in “options”."));
            }
            Some(key) => options.push(Choice { key, caption }),
            None => fields.refuse(
                Code::BadOption,
                format!("“{written}” is no key. A menu takes one key: 0–9, * or #."),
            ),
        }
    }
    options
}

fn caption(value: &Value) -> String {
    let text = match value {
        Value::Object(object) => ["target", "node", "label", "caption"]
            .iter()
            .find_map(|name| object.get(*name)),
        Value::String(_) => Some(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    text.and_then(Value::as_str).unwrap_or("").to_owned()
}

fn key_field(option: &Value) -> String {
    let value = match option {
        Value::Object(object) => ["key", "digit", "value"].iter().find_map(|name| object.get(*name)),
        Value::String(_) | Value::Number(_) => Some(option),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    };
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, flow, run, said};
    use crate::{Action, ActionId, Code, Event};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn nodes(data: Value) -> Value {
        json!([
            ["start", "start", {}, "ask"],
            ["ask", "menu", data, {"1": "one", "invalid": "wrong", "timeout": "late"}],
            ["one", "hangup", {}, null], ["wrong", "hangup", {}, null], ["late", "hangup", {}, null]
        ])
    }

    /// A menu whose question plays.
    fn asking(data: Value) -> Case {
        let mut run = run(nodes(data));
        run.tell(Event::Answered);
        run.actions();
        run
    }

    fn question(id: u64) -> Action {
        Action::Play {
            id: ActionId(id),
            what: vec![said("Press 1")],
        }
    }

    #[test]
    fn a_key_stops_the_question_and_takes_its_exit() {
        let mut run = asking(json!({"message": "Press 1"}));
        run.tell(Event::Digit('1'));
        assert_eq!(run.actions()[0], Action::StopPlay);
        assert_eq!(run.path(), ["start", "ask", "one"]);
    }

    #[test]
    fn without_barge_in_a_key_during_the_question_does_nothing() {
        let mut run = asking(json!({"message": "Press 1", "bargeIn": false}));
        run.tell(Event::Digit('1'));
        assert_eq!(run.actions(), []);
        run.tell(Event::PlayDone(ActionId(0)));
        run.tell(Event::Digit('1'));
        assert_eq!(run.path(), ["start", "ask", "one"]);
    }

    #[test]
    fn the_third_wrong_key_takes_the_invalid_exit() {
        let mut run = asking(json!({"message": "Press 1"}));
        for id in 1..=2 {
            run.tell(Event::Digit('7'));
            assert_eq!(run.actions(), [Action::StopPlay, question(id)]);
        }
        run.tell(Event::Digit('7'));
        assert_eq!(run.path(), ["start", "ask", "wrong"]);
    }

    #[test]
    fn the_time_runs_from_the_end_of_the_question_and_then_takes_the_timeout_exit() {
        let mut run = asking(json!({"message": "Press 1", "timeout": 3, "retries": 1}));
        assert_eq!(run.wakes_in(), None);
        run.tell(Event::PlayDone(ActionId(0)));
        assert_eq!(run.wakes_in(), Some(Duration::from_secs(3)));
        run.sleep();
        assert_eq!(run.actions(), [question(1)]);
        run.tell(Event::PlayDone(ActionId(1)));
        run.sleep();
        assert_eq!(run.path(), ["start", "ask", "late"]);
    }

    #[test]
    fn what_went_wrong_is_said_before_the_question_is_repeated() {
        let mut run = asking(json!({"message": "Press 1", "invalidMessage": "Sorry"}));
        run.tell(Event::Digit('*'));
        let repeated = Action::Play {
            id: ActionId(1),
            what: vec![said("Sorry"), said("Press 1")],
        };
        assert_eq!(run.actions(), [Action::StopPlay, repeated]);
    }

    #[test]
    fn a_key_typed_ahead_answers_the_question_before_it_is_asked() {
        let mut run = run(json!([
            ["start", "start", {}, "hello"],
            ["hello", "say", {"text": "Hello"}, "ask"],
            ["ask", "menu", {"message": "Press 1"}, {"1": "one"}],
            ["one", "hangup", {}, null]
        ]));
        run.tell(Event::Answered);
        run.tell(Event::Digit('1'));
        run.tell(Event::PlayDone(ActionId(0)));
        assert_eq!(run.path(), ["start", "hello", "ask", "one"]);
    }

    #[test]
    fn labels_may_be_longer_than_a_key() {
        for (label, target) in [
            ("1", true),
            ("Press 1", true),
            ("1 - Sales", true),
            ("option-1", true),
            ("10", false),
        ] {
            let (flow, findings) = flow(json!([
                ["start", "start", {}, "ask"],
                ["ask", "menu", {"message": "?"}, {label: "one"}],
                ["one", "hangup", {}, null]
            ]));
            assert_eq!(flow.is_some(), target, "{label}: {findings:?}");
        }
    }

    #[test]
    fn options_may_name_the_next_node_themselves() {
        let mut run = run(json!([
            ["start", "start", {}, "ask"],
            ["ask", "menu", {"message": "?", "options": {"2": "two"}}, null],
            ["two", "hangup", {}, null]
        ]));
        run.tell(Event::Answered);
        run.tell(Event::Digit('2'));
        assert_eq!(run.path(), ["start", "ask", "two"]);
    }

    #[test]
    fn menus_that_ask_nothing_or_lead_nowhere_are_refused() {
        for (data, exits, code) in [
            (json!({}), json!({"1": "bye"}), Code::MissingPrompt),
            (json!({"message": "?"}), json!("bye"), Code::NoOptions),
            (
                json!({"message": "?", "options": {"1": "Sales", "2": "Help"}}),
                json!({"1": "bye"}),
                Code::DeadEnd,
            ),
            (
                json!({"message": "?", "options": {"12": "Sales"}}),
                json!({"1": "bye"}),
                Code::BadOption,
            ),
            (
                json!({"message": "?", "timeout": 5000}),
                json!({"1": "bye"}),
                Code::BadParameter,
            ),
        ] {
            let (flow, findings) = flow(json!([
                ["start", "start", {}, "ask"],
                ["ask", "menu", data, exits],
                ["bye", "hangup", {}, null]
            ]));
            assert!(flow.is_none(), "{data}");
            assert_eq!(
                findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
                [code],
                "{data}"
            );
            assert_eq!(findings[0].node.as_deref(), Some("ask"));
        }
    }
}
