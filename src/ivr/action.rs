//! What a running flow asks for and what it is told.

use crate::say::Say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_model::HangupCause;

/// Names one action of one execution, so that its end can be told apart from an older one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u64);

/// Something to be played to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// Text spoken by the machine.
    Say(Say),
    /// Uploaded audio, by its name or id as the flow wrote it.
    Prompt(String),
    /// A short tone.
    Beep,
}

impl std::fmt::Display for Sound {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Say(say) => write!(out, "“{}”", say.text),
            Self::Prompt(name) => write!(out, "[{name}]"),
            Self::Beep => out.write_str("[beep]"),
        }
    }
}

/// Who is to be rung.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A number as dialled: public, or internal if the tenant has such a one.
    Number(String),
    /// A user by name, e-mail or id: all of their devices ring.
    User(String),
    /// An internal extension.
    Extension(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => out.write_str(number),
            Self::User(user) => write!(out, "user {user}"),
            Self::Extension(extension) => write!(out, "extension {extension}"),
        }
    }
}

/// In which order several targets ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All at once; the first to answer wins. The timeout is for all.
    Simultaneous,
    /// One after another. The timeout is for each.
    InTurn,
}

/// How dialling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// Somebody answered, and the conversation is over while the caller is still there.
    Completed,
    /// Everybody was busy.
    Busy,
    /// Nobody answered in time.
    NoAnswer,
    /// Nobody could be reached.
    Failed,
    /// The callee refused.
    Rejected,
    /// The attempt was called off by somebody else than the flow.
    Cancelled,
}

/// How the connection with a voice app ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppOutcome {
    /// The app closed it in order.
    Completed,
    /// It could not be reached, refused, broke the protocol or was lost.
    Failed,
}

/// What the flow asks of the call. Performed in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The flow went into `node`, through `exit` of the node before (`None` at the start).
    EnteredNode {
        /// The node's id in the flow.
        node: String,
        /// The exit of the node before.
        exit: Option<String>,
    },
    /// Answer the caller; told back by [`Event::Answered`].
    Answer,
    /// Play one after the other; told back by [`Event::PlayDone`].
    Play {
        /// This playing.
        id: ActionId,
        /// What to play.
        what: Vec<Sound>,
    },
    /// Stop what plays, at once. No [`Event::PlayDone`] is expected for it.
    StopPlay,
    /// Ring the targets and connect the caller with the first to answer; told back by
    /// [`Event::DialEnded`] when nobody did, or when the conversation is over.
    Dial {
        /// This attempt.
        id: ActionId,
        /// Whom to ring, in the order of the flow.
        targets: Vec<Target>,
        /// In which order.
        strategy: Strategy,
        /// How long to ring.
        timeout: Duration,
        /// The caller's number to show, when it is not to be the caller's own.
        caller_id: Option<String>,
    },
    /// Greet, beep and take a message; told back by [`Event::VoicemailDone`].
    Voicemail {
        /// This message.
        id: ActionId,
        /// Whose mailbox: a user's name, extension or id.
        mailbox: String,
    },
    /// Put the caller into a room; told back by [`Event::RoomLeft`].
    Room {
        /// This stay.
        id: ActionId,
        /// The room's name.
        name: String,
        /// What the caller types first.
        #[serde(default)]
        pin: Option<String>,
    },
    /// Put the caller into a room of their own and send for an agent; told back by [`Event::Agent`] when one
    /// comes or is lost, and by [`Event::RoomLeft`].
    Agent {
        /// This stay.
        id: ActionId,
        /// The agent's name; `*`: one without a name.
        agent: String,
        /// How the room's name begins.
        room: String,
        /// What is handed to the agent.
        metadata: String,
    },
    /// Take the caller out of the room. No [`Event::RoomLeft`] is expected for it.
    LeaveRoom,
    /// Connect the caller's audio, both ways, with a program at a WebSocket URL; told back by
    /// [`Event::AppConnected`] and [`Event::AppEnded`].
    VoiceApp {
        /// This connection.
        id: ActionId,
        /// Where the program listens, as [`crate::AppUrl`] reads it.
        url: String,
        /// The key that signs the connection.
        key: Option<String>,
        /// What is handed to the program.
        parameters: BTreeMap<String, String>,
    },
    /// Take the caller off the voice app. No [`Event::AppEnded`] is expected for it.
    LeaveApp,
    /// End the call. Nothing follows.
    Hangup {
        /// Why.
        cause: HangupCause,
    },
}

/// What happened, told to the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The caller's leg is answered and audio can flow.
    Answered,
    /// Everything of that playing was played.
    PlayDone(ActionId),
    /// The caller pressed a key: `0`–`9`, `*`, `#`, `A`–`D`.
    Digit(char),
    /// Dialling ended.
    DialEnded {
        /// Which attempt.
        id: ActionId,
        /// How.
        outcome: DialOutcome,
    },
    /// The message was taken, or could not be, and the caller is still there.
    VoicemailDone {
        /// Which message.
        id: ActionId,
    },
    /// The caller left the room or it closed, and the caller is still there.
    RoomLeft {
        /// Which stay.
        id: ActionId,
    },
    /// Whether an agent is in the room with the caller. Told when the caller comes in and whenever it changes.
    Agent {
        /// Which stay.
        id: ActionId,
        /// Whether one is.
        is_there: bool,
    },
    /// The voice app is there and hears the caller.
    AppConnected {
        /// Which connection.
        id: ActionId,
    },
    /// The voice app is gone, or did not come, and the caller is still there.
    AppEnded {
        /// Which connection.
        id: ActionId,
        /// How.
        outcome: AppOutcome,
    },
    /// The caller hung up.
    CallerGone,
}
