//! The kinds of steps. One file each: parameters, check, exits, behaviour, tests.
//!
//! A node is read once from its JSON ([`Node::read`]) and does not change. What it does for one
//! caller happens in [`Step::enter`], [`Step::handle`] and [`Step::handle_timeout`], against the
//! [`Run`] of that caller; what must be remembered between two events is in [`Wait`].

mod agent;
mod dial;
mod hangup;
mod hours;
mod menu;
mod play;
mod room;
mod say;
mod start;
mod voice_app;
mod voicemail;

use crate::action::{ActionId, Event, Sound};
use crate::catalogue::Catalogue;
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::{Code, Finding};
use crate::nearest::hint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strowger_model::HangupCause;

/// The one exit of a node that has only one.
pub(crate) const NEXT: &str = "next";

/// What a step is, from its parameters to its behaviour.
pub(crate) trait Step {
    /// The exit that an edge's label or handle names.
    fn exit(&self, written: &str) -> Option<&'static str>;
    /// The exit of an edge that names none.
    fn unlabelled(&self) -> Option<&'static str>;
    /// Every exit, for messages.
    fn exits(&self) -> Vec<&'static str>;
    /// What the parameters themselves name as the next node: exit and node id.
    fn links(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
    /// What it may play.
    fn sounds(&self) -> Vec<&Sound> {
        Vec::new()
    }
    /// What holds a caller here.
    fn waits(&self) -> Waits;
    /// Whether the caller must be answered first.
    fn needs_answer(&self) -> bool;
    /// Looks for faults that need the node's surroundings.
    fn check(&self, _site: &mut Site<'_>) {}
    /// The caller arrives.
    fn enter(&self, run: &mut Run<'_>) -> Next;
    /// Something happened while the caller is here.
    fn handle(&self, _wait: &Wait, _event: Event, _run: &mut Run<'_>) -> Next {
        Next::Stay
    }
    /// The time set by [`Run::wake_in`] came.
    fn handle_timeout(&self, _wait: &Wait, _run: &mut Run<'_>) -> Next {
        Next::Stay
    }
}

/// What holds a caller at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Nothing, or only the end of a prompt.
    Not,
    /// Other people: a callee, the end of a message or a meeting.
    ForOthers,
    /// The caller's keys.
    ForCaller,
}

/// Where a caller goes from a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Stays as it is.
    Stay,
    /// Waits here, remembering this.
    Wait(Wait),
    /// Leaves through the first of these exits that leads somewhere; the call ends if none does.
    Leave(Vec<&'static str>, HangupCause),
    /// The call ends.
    End(HangupCause),
}

/// What a step remembers between two events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// For one action to end.
    Action(ActionId),
    /// For a key.
    Menu(menu::Asking),
}

/// A node's surroundings while it is checked.
pub(crate) struct Site<'a> {
    pub(crate) node: &'a str,
    pub(crate) exits: BTreeSet<&'static str>,
    pub(crate) misread: bool,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) findings: &'a mut Vec<Finding>,
}

impl Site<'_> {
    pub(crate) fn refuse(&mut self, code: Code, message: impl Into<String>) {
        self.findings.push(Finding::error(Some(self.node), code, message));
    }

    pub(crate) fn warn(&mut self, code: Code, message: impl Into<String>) {
        self.findings.push(Finding::warning(Some(self.node), code, message));
    }

    /// Refuses a node whose exit leads nowhere.
    pub(crate) fn must_leave(&mut self, exit: &str, message: impl Into<String>) {
        // An edge whose label could not be read is a finding already, and is probably the one.
        if !self.misread && !self.exits.contains(exit) {
            self.refuse(Code::DeadEnd, message);
        }
    }

    /// Refuses a name that is not in the list, if there is a list.
    pub(crate) fn must_know(&mut self, list: Option<&BTreeSet<String>>, name: &str, code: Code, what: &str) {
        if let Some(list) = list
            && !list.contains(name)
        {
            let hint = hint(name, list.iter().map(String::as_str));
            self.refuse(code, format!("There is no {what} “{name}”.{hint}"));
        }
    }

    /// Refuses prompts that do not exist.
    pub(crate) fn must_have(&mut self, sounds: &[&Sound]) {
        let catalogue = self.catalogue;
        for sound in sounds {
            match sound {
                Sound::Prompt(name) => {
                    self.must_know(catalogue.prompts.as_ref(), name, Code::UnknownPrompt, "prompt");
                }
                Sound::Say(_) | Sound::Beep => {}
            }
        }
    }
}

macro_rules! nodes {
    ($($(#[$doc:meta])* $name:ident in $module:ident: $kind:literal $(or $alias:literal)*;)*) => {
        /// A step of a flow.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Node {
            $($(#[$doc])* $name($module::$name),)*
            /// A kind nobody knows; kept so that the rest of the graph can be checked.
            Unknown(String),
        }

        impl Node {
            /// Reads a node of this kind, or `None` for an unknown one.
            pub(crate) fn read(kind: &str, fields: &mut Fields<'_>) -> Option<Self> {
                match kind {
                    $($kind $(| $alias)* => Some(Self::$name($module::$name::read(fields))),)*
                    _ => None,
                }
            }

            /// The kind's proper name.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                    Self::Unknown(_) => "unknown",
                }
            }

            pub(crate) fn step(&self) -> &dyn Step {
                match self {
                    $(Self::$name(step) => step,)*
                    Self::Unknown(_) => &Unknown,
                }
            }
        }

        /// The kinds of nodes there are.
        pub fn kinds() -> impl Iterator<Item = &'static str> {
            [$($kind),*].into_iter()
        }
    };
}

nodes! {
    /// Where calls begin.
    Start in start: "start";
    /// Speaks a text.
    Say in say: "say";
    /// Plays uploaded audio.
    Play in play: "play";
    /// Asks the caller for a key.
    Menu in menu: "menu";
    /// Chooses by the time of day.
    Hours in hours: "hours";
    /// Rings people.
    Dial in dial: "dial" or "forward";
    /// Takes a message.
    Voicemail in voicemail: "voicemail";
    /// Connects with a program that speaks.
    Agent in agent: "agent";
    /// Connects with a program at a WebSocket URL.
    VoiceApp in voice_app: "voice_app" or "voiceApp" or "voice-app" or "stream";
    /// Leads into a room.
    Room in room: "room" or "conference";
    /// Ends the call.
    Hangup in hangup: "hangup";
}

/// Stands for a node of an unknown kind.
struct Unknown;

impl Step for Unknown {
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
        Next::End(HangupCause::InternalError)
    }
}

/// Lower case without spaces, underscores and hyphens: how labels and words of a choice are compared.
pub(crate) fn plain(written: &str) -> String {
    written
        .chars()
        .filter(|letter| letter.is_alphanumeric() || "*#".contains(*letter))
        .flat_map(char::to_lowercase)
        .collect()
}
