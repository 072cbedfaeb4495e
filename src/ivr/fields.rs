//! Reading a node's parameters, collecting every fault on the way.

use crate::action::Sound;
use crate::finding::{Code, Finding};
use crate::say::{DEFAULT_LANGUAGE, DEFAULT_VOICE, Say};
use serde_json::{Map, Value};
use std::{ops::RangeInclusive, time::Duration};

/// The longest text a node may hold, in characters.
const TEXT_LIMIT: usize = 2_000;

/// How texts are spoken that say nothing about it; written at the start node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Speech {
    pub(crate) voice: String,
    pub(crate) language: String,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            voice: DEFAULT_VOICE.to_owned(),
            language: DEFAULT_LANGUAGE.to_owned(),
        }
    }
}

/// A node's `data` object while it is being read.
pub(crate) struct Fields<'a> {
    node: &'a str,
    data: &'a Map<String, Value>,
    speech: &'a Speech,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(
        node: &'a str,
        data: &'a Map<String, Value>,
        speech: &'a Speech,
        findings: &'a mut Vec<Finding>,
    ) -> Self {
        Self {
            node,
            data,
            speech,
            findings,
        }
    }

    /// The voice and language of this node, else those of the flow.
    pub(crate) fn speech(&mut self) -> Speech {
        let voice = self.text(&["voice"]).unwrap_or_else(|| self.speech.voice.clone());
        let language = self.text(&["language"]).unwrap_or_else(|| self.speech.language.clone());
        Speech { voice, language }
    }

    /// The text of these fields as something to be spoken.
    pub(crate) fn spoken(&mut self, names: &[&str]) -> Option<Sound> {
        let text = self.text(names)?;
        let Speech { voice, language } = self.speech();
        Some(Sound::Say(Say { text, voice, language }))
    }

    /// The first of these fields that is there and not null.
    pub(crate) fn value(&self, names: &[&str]) -> Option<&'a Value> {
        names
            .iter()
            .filter_map(|name| self.data.get(*name))
            .find(|value| !value.is_null())
    }

    /// Notes a fault of this node.
    pub(crate) fn refuse(&mut self, code: Code, message: impl Into<String>) {
        self.findings.push(Finding::error(Some(self.node), code, message));
    }

    /// How many faults were noted so far.
    pub(crate) fn faults(&self) -> usize {
        self.findings.len()
    }

    /// A text without surrounding space; `None` when absent or empty. Numbers are taken as written.
    pub(crate) fn text(&mut self, names: &[&str]) -> Option<String> {
        let text = match self.value(names)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.refuse(Code::BadParameter, format!("“{}” must be a text.", self.written(names)));
                return None;
            }
        };
        if text.chars().count() > TEXT_LIMIT {
            let message = format!(
                "“{}” is longer than {TEXT_LIMIT} characters. Split it into several nodes.",
                self.written(names)
            );
            self.refuse(Code::TooLarge, message);
        }
        (!text.is_empty()).then_some(text)
    }

    /// A span of time written in seconds, whole or with decimals.
    pub(crate) fn seconds(&mut self, names: &[&str], default: u64, range: RangeInclusive<u64>) -> Duration {
        let default = Duration::from_secs(default);
        let Some(value) = self.value(names) else { return default };
        let seconds = value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let (least, most) = (*range.start(), *range.end());
        match span {
            Some(span) if (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&span) => span,
            Some(_) | None => {
                let message = format!(
                    "“{}” must be a number of seconds from {least} to {most}, not {value}.",
                    self.written(names)
                );
                self.refuse(Code::BadParameter, message);
                default
            }
        }
    }

    /// A whole number.
    pub(crate) fn count(&mut self, names: &[&str], default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.value(names) else { return default };
        let count = value
            .as_u64()
            .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        match count.and_then(|count| u32::try_from(count).ok()) {
            Some(count) if range.contains(&count) => count,
            Some(_) | None => {
                let (least, most) = (range.start(), range.end());
                let message = format!(
                    "“{}” must be a whole number from {least} to {most}, not {value}.",
                    self.written(names)
                );
                self.refuse(Code::BadParameter, message);
                default
            }
        }
    }

    /// A yes or no.
    pub(crate) fn flag(&mut self, names: &[&str], default: bool) -> bool {
        match self.value(names) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(word)) if word == "true" => true,
            Some(Value::String(word)) if word == "false" => false,
            Some(value) => {
                self.refuse(
                    Code::BadParameter,
                    format!("“{}” must be true or false, not {value}.", self.written(names)),
                );
                default
            }
        }
    }

    /// The name under which the field was written, for messages.
    fn written<'n>(&self, names: &[&'n str]) -> &'n str {
        names
            .iter()
            .find(|name| self.data.contains_key(**name))
            .or(names.first())
            .copied()
            .unwrap_or("")
    }
}
