//! Calls and rooms: how a call is led into a room, what it asks of it and what it is told.
//!
//! A room is reached through the switch's own shell: the call says what it wants as a [`RoomOrder`]
//! and hears of it as [`RoomSaid`], later. Which room a caller means may hang on the PIN they type;
//! that question is answered by [`crate::directory::Directory::entrance`].

use crate::live::PlaceCall;
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_media::MediaLegId;
use strowger_model::{CallId, HangupCause, TrunkId};

/// Where a caller goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// Into this room.
    Room(Box<WayIn>),
    /// Where a dispatch rule says.
    ByRule,
    /// Into the room whose PIN the caller types.
    ByPin,
}

/// The way into one room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WayIn {
    /// The room's name.
    pub room: String,
    /// What is to be typed first.
    pub pin: Option<String>,
    /// Who the phone is within the room; made from its number when not said.
    pub identity: Option<String>,
    /// What is shown of it; its own name or number when not said.
    pub name: Option<String>,
    /// Free text that members see.
    pub metadata: String,
    /// Pairs that members see, beside those of the call itself.
    pub attributes: BTreeMap<String, String>,
    /// The agent that is to come as well; `*`: one without a name.
    pub agent: Option<String>,
    /// The dispatch rule that led here; empty: none.
    pub rule: String,
    /// Whether the phone's number stays hidden from members.
    pub hides_number: bool,
}

impl WayIn {
    /// The way into a room of that name, with nothing else said.
    #[must_use]
    pub fn to(room: impl Into<String>) -> Self {
        Self {
            room: room.into(),
            ..Self::default()
        }
    }
}

/// Where the called party of a placed call goes once it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntoRoom {
    /// Which room, and as whom.
    pub way: WayIn,
    /// The trunk to call through; `None` leaves it to the prefixes.
    pub trunk: Option<TrunkId>,
    /// Keys pressed for it once it has answered.
    pub digits: String,
    /// The longest stay, where it is shorter than the longest call.
    pub max_duration: Option<Duration>,
}

/// An order to call somebody into a room.
#[derive(Debug, Clone, PartialEq)]
pub struct DialIntoRoom {
    /// Whom to call, for whom, and as whom; `flow` is not looked at.
    pub order: PlaceCall,
    /// Where they go and what they are called there.
    pub into: IntoRoom,
    /// Whether to wait for their answer.
    pub wait_until_answered: bool,
}

/// Somebody who was called into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// The call.
    pub call: CallId,
    /// Who they are within the room.
    pub identity: String,
    /// Their participant sid, once they are in.
    pub participant: Option<String>,
}

impl DialIntoRoom {
    /// Who they will be within the room.
    #[must_use]
    pub fn identity(&self) -> String {
        let said = self.into.way.identity.clone();
        said.unwrap_or_else(|| format!("sip_{}", self.order.to))
    }

    pub(crate) fn split(self, identity: &str) -> (PlaceCall, IntoRoom) {
        let mut into = self.into;
        into.way.identity = Some(identity.to_owned());
        (self.order, into)
    }
}

/// A phone as a room is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Guest {
    pub room: String,
    pub identity: String,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    /// Its audio; `None`: it is still being called.
    pub media: Option<MediaLegId>,
    /// Whether it may be recorded without being told, or was told already.
    pub is_recordable: bool,
}

/// What a call asks of rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomOrder {
    /// Let its near party in.
    Join(Box<Guest>),
    /// It was called, has answered, and this is its audio.
    Speak(MediaLegId),
    /// Tell the members that it pressed a key.
    Digit(char),
    /// Tell the members what changed about it.
    Attributes(BTreeMap<String, String>),
    /// It was told that the room is recorded and may be recorded from now on.
    Recordable,
    /// It leaves, or is no longer to be let in; why, where it was called and never came.
    Leave(Option<HangupCause>),
}

/// What a room says to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomSaid {
    /// It is in.
    Joined {
        /// Its participant sid.
        sid: String,
    },
    /// It may not come in.
    Refused(Refusal),
    /// A member removed it.
    Removed,
    /// The room ended.
    Ended,
    /// A member presses keys for it.
    Digits(String),
    /// A member muted it, or lets it speak again.
    Muted(bool),
    /// Whether an agent is there and in touch.
    Agent(bool),
    /// Whether the room is recorded.
    Recorded(bool),
}

/// Why a phone may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The room is locked, or somebody would have to admit it.
    Locked,
    /// The room or the machine is full, or rooms are switched off.
    Full,
}
