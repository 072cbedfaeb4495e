//! Voice apps: programs that hear a caller and speak to them over a WebSocket that we open.
//!
//! The protocol is that of Twilio's bidirectional Media Streams, so that programs written for it run unchanged.
//! [`wire`] reads and writes its messages, [`playout`] holds what the program says until it is played, and
//! [`line`] is one connection as a value: told what both sides do, it says what each is to be given. Sockets
//! and the clock are in `io/apps`.

pub mod line;
pub mod playout;
pub mod wire;

use std::collections::BTreeMap;
use strowger_ivr::{ActionId, AppOutcome};
use strowger_media::MediaLegId;

/// What a call asks of voice apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppOrder {
    /// Connect its near party.
    Join(Box<AppCall>),
    /// It pressed a key.
    Digit(char),
    /// It is no longer to be connected.
    Leave(MediaLegId),
}

/// A party that is to be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCall {
    /// Names this connection, so that what it says is told apart from what an older one said.
    pub id: ActionId,
    /// The party's audio.
    pub media: MediaLegId,
    /// Where the program listens.
    pub url: String,
    /// The room API key that signs the connection.
    pub key: Option<String>,
    /// What is handed to the program.
    pub parameters: BTreeMap<String, String>,
}

/// What a voice app's connection says to its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSaid {
    /// Which connection.
    pub id: ActionId,
    /// What happened.
    pub what: AppNews,
}

/// What happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppNews {
    /// It stands.
    Connected,
    /// It ended, or did not come about.
    Ended {
        /// What the flow makes of it.
        outcome: AppOutcome,
        /// Why, for people.
        why: String,
    },
}
