//! `voice_app`: connects the caller's audio, both ways, with a program that listens at a WebSocket URL.
//!
//! Parameters: `url` (`ws://` or `wss://`); `parameters`: names and texts handed to the program, in which `{caller}`
//! and `{called}` stand for the numbers; `timeout`: seconds it may take to connect (5); `key`: the room API key whose
//! secret signs the connection. Exits: `fallback`, taken when the program cannot be reached in time or is lost;
//! `next`, taken when it closes the connection in order, and without it the call ends.

use super::{NEXT, Next, Site, Step, Wait, Waits, plain};
use crate::action::{ActionId, AppOutcome, Event};
use crate::app_url::AppUrl;
use crate::execution::{Context, Run};
use crate::fields::Fields;
use crate::finding::Code;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_model::HangupCause;

/// The exit taken when the program is not there.
const FALLBACK: &str = "fallback";

/// How many parameters a program is handed, and how long name and text of one may be together, in characters.
const MOST_PARAMETERS: usize = 50;
const PARAMETER_LIMIT: usize = 500;

/// Connects with a program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VoiceApp {
    /// What was written, and what it says; it is `None` when nothing was.
    url: Option<(String, Option<AppUrl>)>,
    key: Option<String>,
    parameters: BTreeMap<String, String>,
    connects_within: Duration,
}

impl VoiceApp {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let url = fields.text(&["url", "streamUrl", "stream_url"]).map(|text| {
            let read = AppUrl::read(&text);
            if let Err(why) = &read {
                fields.refuse(
                    Code::BadAddress,
                    format!("“{text}” is no address of a voice app: {why}."),
                );
            }
            (text, read.ok())
        });
        Self {
            url,
            key: fields.text(&["key", "apiKey", "api_key"]),
            parameters: parameters(fields),
            connects_within: fields.seconds(&["timeout", "connectTimeout", "connect_timeout"], 5, 1..=60),
        }
    }
}

/// The parameters, as an object of texts or as a list of names and values.
fn parameters(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let Some(written) = fields.value(&["parameters", "customParameters", "custom_parameters"]) else {
        return BTreeMap::new();
    };
    let pairs: Option<Vec<(Option<&str>, &Value)>> = match written {
        Value::Object(map) => Some(map.iter().map(|(name, value)| (Some(name.as_str()), value)).collect()),
        Value::Array(list) => Some(
            list.iter()
                .map(|one| {
                    let name = one.get("name").and_then(Value::as_str);
                    (name, one.get("value").unwrap_or(&Value::Null))
                })
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    let Some(pairs) = pairs else {
        fields.refuse(Code::BadParameter, "“parameters” must be names with a text each.");
        return BTreeMap::new();
    };
    if pairs.len() > MOST_PARAMETERS {
        let message = format!("“parameters” holds more than {MOST_PARAMETERS} of them.");
        fields.refuse(Code::TooLarge, message);
    }
    let mut read = BTreeMap::new();
    for (name, value) in pairs.into_iter().take(MOST_PARAMETERS) {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let (Some(name), Some(text)) = (name, text) else {
            fields.refuse(
                Code::BadParameter,
                "Every one of the “parameters” needs a name and a text.",
            );
            continue;
        };
        if name.chars().count() + text.chars().count() > PARAMETER_LIMIT {
            let message = format!("The parameter “{name}” is longer than {PARAMETER_LIMIT} characters.");
            fields.refuse(Code::TooLarge, message);
        }
        read.insert(name.to_owned(), text);
    }
    read
}

/// A parameter's text with the numbers of the call in it.
fn filled(text: &str, context: &Context) -> String {
    // From left to right, so that a caller whose name is a placeholder cannot fill in another.
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let known = [("{caller}", &context.caller), ("{called}", &context.called)];
        match known.iter().find(|(name, _)| from.starts_with(name)) {
            Some((name, value)) => {
                out.push_str(value);
                rest = from.get(name.len()..).unwrap_or_default();
            }
            None => {
                out.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

impl Step for VoiceApp {
    fn exit(&self, written: &str) -> Option<&'static str> {
        match plain(written).as_str() {
            "next" | "done" | "completed" => Some(NEXT),
            "fallback" | "failed" | "noapp" | "timeout" | "lost" | "error" => Some(FALLBACK),
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
        match &self.url {
            None => site.refuse(
                Code::MissingAddress,
                "No voice app is named. Say at which “url” it listens, such as wss://voice.example/clerk.",
            ),
            Some((_, Some(url))) if !url.encrypted && !url.is_near() => site.warn(
                Code::BadAddress,
                format!("What is said travels to {url} unencrypted. Use wss:// for an app outside your network."),
            ),
            Some(_) => {}
        }
        // A program outside may be stopped at any time: a caller must have somewhere to go then.
        site.must_leave(
            FALLBACK,
            "It is not said what happens when the voice app is not there. Draw an edge from “fallback”.",
        );
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        let Some((url, Some(_))) = &self.url else {
            return fallback();
        };
        let context = run.context();
        let parameters = self.parameters.iter();
        let parameters = parameters
            .map(|(name, text)| (name.clone(), filled(text, context)))
            .collect();
        let id = run.voice_app(url.clone(), self.key.clone(), parameters);
        run.wake_in(self.connects_within);
        Next::Wait(Wait::Action(id))
    }

    fn handle(&self, wait: &Wait, event: Event, run: &mut Run<'_>) -> Next {
        let ours = |id: ActionId| *wait == Wait::Action(id);
        match event {
            Event::AppConnected { id } if ours(id) => {
                run.sleep();
                Next::Stay
            }
            Event::AppEnded { id, outcome } if ours(id) => match outcome {
                AppOutcome::Completed => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
                AppOutcome::Failed => fallback(),
            },
            Event::AppConnected { .. }
            | Event::AppEnded { .. }
            | Event::Agent { .. }
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
        run.leave_app();
        fallback()
    }
}

fn fallback() -> Next {
    Next::Leave(vec![FALLBACK, NEXT], HangupCause::Unreachable)
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow, run};
    use crate::{Action, ActionId, AppOutcome, Code, Event};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::time::Duration;

    const ID: ActionId = ActionId(0);

    fn nodes() -> Value {
        let data = json!({
            "url": "wss://voice.example/clerk",
            "parameters": {"from": "{caller}", "to": "<{called}>", "odd": "{{x}", "level": 3},
            "key": "key1",
            "timeout": 4
        });
        json!([
            ["start", "start", {}, "clerk"],
            ["clerk", "voice_app", data, {"fallback": "mail", "next": "bye"}],
            ["mail", "voicemail", {"mailbox": "ada"}, null],
            ["bye", "hangup", {}, null]
        ])
    }

    const fn ended(outcome: AppOutcome) -> Event {
        Event::AppEnded { id: ID, outcome }
    }

    #[test]
    fn the_caller_is_connected_and_goes_on_when_the_app_is_done() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        let parameters = [
            ("from", "+4942100001"),
            ("to", "<+4942100002>"),
            ("odd", "{{x}"),
            ("level", "3"),
        ];
        let asked = Action::VoiceApp {
            id: ID,
            url: "wss://voice.example/clerk".into(),
            key: Some("key1".into()),
            parameters: BTreeMap::from(parameters.map(|(name, text)| (name.to_owned(), text.to_owned()))),
        };
        assert_eq!(run.actions(), [Action::Answer, asked]);
        assert_eq!(run.wakes_in(), Some(Duration::from_secs(4)));
        run.tell(Event::AppConnected { id: ID });
        assert_eq!(run.wakes_in(), None, "it may talk as long as it likes");
        run.tell(Event::Digit('1'));
        run.tell(Event::AppEnded {
            id: ActionId(9),
            outcome: AppOutcome::Failed,
        });
        assert_eq!(
            run.path(),
            ["start", "clerk"],
            "keys and older apps are not its business"
        );
        run.tell(ended(AppOutcome::Completed));
        assert_eq!(run.path(), ["start", "clerk", "bye"]);
    }

    #[test]
    fn the_fallback_is_taken_when_the_app_does_not_connect_in_time() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        run.actions();
        run.sleep();
        assert_eq!(run.actions().first(), Some(&Action::LeaveApp));
        assert_eq!(run.path(), ["start", "clerk", "mail"]);
    }

    #[test]
    fn the_fallback_is_taken_when_the_app_is_refused_or_lost() {
        for connected in [false, true] {
            let mut run = run(nodes());
            run.tell(Event::Answered);
            if connected {
                run.tell(Event::AppConnected { id: ID });
            }
            run.tell(ended(AppOutcome::Failed));
            assert_eq!(run.path(), ["start", "clerk", "mail"]);
        }
    }

    fn codes(data: Value, exits: Value) -> Vec<Code> {
        let rows = json!([
            ["start", "start", {}, "a"],
            ["a", "voice_app", data, exits],
            ["end", "hangup", {}, null]
        ]);
        flow(rows).1.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_is_wrong_with_an_app_is_found() {
        let way = || json!({"fallback": "end"});
        assert_eq!(codes(json!({"url": "wss://a.example"}), way()), []);
        assert_eq!(codes(json!({"url": "ws://10.0.0.1:9000/x"}), way()), []);
        assert_eq!(codes(json!({}), way()), [Code::MissingAddress]);
        assert_eq!(codes(json!({"url": "wss://u:p@a.example"}), way()), [Code::BadAddress]);
        assert_eq!(codes(json!({"url": "ws://a.example"}), way()), [Code::BadAddress]);
        assert_eq!(codes(json!({"url": "wss://a.example"}), json!("end")), [Code::DeadEnd]);
        let with = |parameters: Value| codes(json!({"url": "wss://a.example", "parameters": parameters}), way());
        assert_eq!(with(json!([{"name": "a", "value": 1}])), []);
        for wrong in [
            json!("a"),
            json!({"a": null}),
            json!([{"value": "a"}]),
            json!({" ": "a"}),
        ] {
            assert_eq!(with(wrong), [Code::BadParameter]);
        }
        assert_eq!(with(json!({"a": "x".repeat(500)})), [Code::TooLarge]);
    }
}
