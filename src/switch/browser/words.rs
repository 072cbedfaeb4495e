//! What pages, programs, calls and the rooms' shell say to each other about browsers.

use crate::call::Said;
use bytes::Bytes;
use strowger_media::MediaLegId;
use strowger_model::{CallId, HangupCause, TenantId, UserId};
use strowger_rooms::RoomName;
use strowger_sip::DialogKey;
use time::OffsetDateTime;

/// An open phone page, or a program in its place; unique within a run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TabId(pub u64);

/// Whose browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
}

/// Lets its bearer into the room where their side of a call is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The call.
    pub call: CallId,
    /// Whose side.
    pub owner: Owner,
    /// The room's secret.
    pub(crate) room: String,
}

impl Ticket {
    /// The room.
    #[must_use]
    pub fn room(&self) -> RoomName {
        RoomName::of_line(self.owner.tenant, &self.room)
    }

    /// Who its bearer is within the room.
    #[must_use]
    pub fn identity(&self) -> String {
        self.owner.user.to_string()
    }
}

/// What a user asks of one of their calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Take it.
    Accept,
    /// Refuse it, for all devices.
    Reject,
    /// End it.
    HangUp,
    /// A page that lost its channel says that it still has the call; a client that comes back wants its ticket.
    Claim,
    /// Let the other side wait with music, or go on.
    Hold(bool),
    /// Press keys: `0`–`9`, `*`, `#`, `A`–`D`.
    Digits(String),
}

/// Why something cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The tenant's settings do not let browsers call.
    #[error("calls in the browser are switched off")]
    SwitchedOff,
    /// Rooms, which carry the audio, are not running.
    #[error("rooms are not running")]
    NoRooms,
    /// Nobody of the tenant, or somebody who may not call.
    #[error("there is no such user")]
    NoUser,
    /// The user has no such call in a browser.
    #[error("there is no such call")]
    NoCall,
    /// The call is not at the point where that can be done.
    #[error("the call is not at the point where that can be done")]
    NotNow,
    /// The user has another conversation in a browser.
    #[error("another call is going on")]
    Busy,
    /// What is to be pressed are no keys.
    #[error("these are no keys")]
    NoKeys,
    /// Nothing leads to the number a call is to be handed to.
    #[error("nothing leads to that number")]
    NoRoute,
    /// Too many phone pages of one user are open.
    #[error("too many phone pages are open")]
    TooManyPages,
    /// The most calls at once are running.
    #[error("the most calls at once are running")]
    Full,
    /// The daemon is ending.
    #[error("the daemon is ending and takes no new calls")]
    ShuttingDown,
}

impl Refused {
    /// The stable code, for pages and programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SwitchedOff => "browser_calls_off",
            Self::NoRooms => "rooms_off",
            Self::NoUser => "no_user",
            Self::NoCall => "no_call",
            Self::NotNow => "not_now",
            Self::Busy => "busy_here",
            Self::NoKeys => "no_keys",
            Self::NoRoute => "no_route",
            Self::TooManyPages => "too_many_pages",
            Self::Full => "machine_full",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// Where a browser's side of a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// Somebody calls.
    Incoming,
    /// It calls somebody, who does not ring yet.
    Calling,
    /// The called one rings: the page makes the sound.
    Ringing,
    /// The called one is heard before it answers.
    Early,
    /// Both talk.
    Active,
    /// The other side waits.
    Held,
}

impl LineState {
    /// The word for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Early => "early",
            Self::Active => "active",
            Self::Held => "held",
        }
    }
}

/// A call as a phone page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The call.
    pub call: CallId,
    /// The other side's number, or what was dialled.
    pub number: String,
    /// The other side's name, where known.
    pub name: Option<String>,
    /// Where it stands.
    pub state: LineState,
    /// Whether this page has it; otherwise another device of the same user, or all ring.
    pub is_here: bool,
    /// When it was answered.
    pub answered_at: Option<OffsetDateTime>,
}

/// What a phone page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// How things stand: everything, each time.
    Lines(Vec<Line>),
    /// A call is over for this user's browsers, and why.
    Ended(CallId, HangupCause),
}

/// Somebody calls a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Invited {
    pub owner: Owner,
    pub call: CallId,
    /// The leg's audio.
    pub media: MediaLegId,
    pub from_number: String,
    pub from_name: Option<String>,
    /// The session description.
    pub offer: Bytes,
}

/// What a call asks of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ring its owner's pages.
    Invite(Box<Invited>),
    /// Whom it called rings; with audio, is heard.
    Ring {
        /// The leg's audio.
        media: Option<MediaLegId>,
    },
    /// Whom it called has answered.
    Answer {
        /// The leg's audio.
        media: Option<MediaLegId>,
    },
    /// It was refused, called off or hung up.
    Over {
        /// Why.
        cause: HangupCause,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Tell the call what the browser says.
    Say(DialogKey, Said),
    /// Tell a page.
    Tell(TabId, Word),
    /// Let the leg's audio into the room.
    Open {
        /// Whose.
        key: DialogKey,
        /// The room.
        ticket: Ticket,
        /// The leg's audio.
        media: MediaLegId,
        /// What the browser calls the other side.
        name: String,
    },
    /// The room is over.
    Shut {
        /// Whose.
        key: DialogKey,
        /// The room.
        ticket: Ticket,
    },
}
