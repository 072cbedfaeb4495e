//! What a call is told and what it asks for.

use crate::app::{AppOrder, AppSaid};
use crate::entrance::{RoomOrder, RoomSaid};
use crate::journal::Entry;
use crate::live::{EventKind, LiveCall, Steer};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use strowger_media::{MediaEvent, MediaLegId, Negotiated, PlayId};
use strowger_model::capture::{CaptureMeta, StreamMeta};
use strowger_model::record::Binding;
use strowger_model::{CaptureId, HangupCause, TenantId, TrunkId, UserId};
use strowger_sip::DialogKey;

/// What happened to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A far end said something.
    Said(DialogKey, Said),
    /// A media thread said something.
    Media(MediaEvent),
    /// Somebody outside wants something done.
    Steer(Steer),
    /// A room said something.
    Room(RoomSaid),
    /// A voice app's connection said something.
    App(AppSaid),
    /// A capture could not be opened, or broke before anything was written.
    CaptureFailed(CaptureId),
    /// The daemon ends now.
    Shutdown,
}

/// What a far end said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A provisional answer to our INVITE.
    Progress {
        /// 100–199.
        status: u16,
        /// A session description, if one came.
        body: Bytes,
    },
    /// Our INVITE was answered.
    Answered {
        /// The session description.
        body: Bytes,
    },
    /// Our INVITE was refused.
    Failed {
        /// 300–699, or 408 when nothing came.
        status: u16,
    },
    /// Our answer was acknowledged.
    Confirmed {
        /// The session description, when ours was an offer.
        body: Bytes,
    },
    /// A new offer within the call; empty when ours is wanted.
    Reoffer {
        /// The session description.
        body: Bytes,
    },
    /// It answered an offer of ours: the one it asked for, or the one that takes up a talk.
    ReofferAnswered {
        /// The session description.
        body: Bytes,
    },
    /// It refused an offer of ours; what was agreed stands.
    ReofferFailed {
        /// 300–699.
        status: u16,
    },
    /// INFO.
    Info {
        /// Of the body.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// It hands the call over.
    Refer {
        /// Whom the other party is to talk with: a number or name.
        to: String,
    },
    /// The caller gave up; the INVITE is answered already.
    Cancelled,
    /// The far end is gone.
    Ended(HangupCause),
}

/// What a call asks for. Performed in order.
#[derive(Debug)]
pub enum Output {
    /// Say something to a far end.
    Signal(DialogKey, Signal),
    /// A dialog of ours was called off: should it be answered all the same, it is to be ended.
    CalledOff(DialogKey),
    /// From here on what this dialog says concerns this call.
    OwnDialog(DialogKey),
    /// From here on what this leg's audio says concerns this call.
    OwnMedia(MediaLegId),
    /// Do something with audio.
    Media(MediaOrder),
    /// Ask something of a room.
    Room(RoomOrder),
    /// Ask something of voice apps.
    App(AppOrder),
    /// Open a capture; its streams follow as [`Output::Tap`].
    Capture(Box<CaptureMeta>, Vec<StreamMeta>),
    /// Lead audio into a capture.
    Tap(CaptureId, Tap),
    /// Nothing more comes into a capture.
    CaptureEnd(CaptureId),
    /// Write to the journal.
    Journal(TenantId, Entry),
    /// Tell those who watch: what happened, and how the call stood then.
    Tell(EventKind, Option<HangupCause>, Box<LiveCall>),
}

/// What is said to a far end.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// Invite it.
    Invite(Box<Invite>),
    /// It rings, or hears something early.
    Ring {
        /// 180 or 183.
        status: u16,
        /// A session description, if it is to hear something.
        body: Bytes,
    },
    /// Answer its INVITE.
    Answer {
        /// The session description.
        body: Bytes,
    },
    /// Refuse its INVITE.
    Reject(HangupCause),
    /// Call our INVITE off.
    Cancel,
    /// Hang up.
    Bye(HangupCause),
    /// Agree to its new offer.
    AnswerReoffer {
        /// The session description.
        body: Bytes,
    },
    /// Offer it the session anew.
    Reoffer {
        /// The session description.
        body: Bytes,
    },
    /// Say nothing, but keep what the next daemon needs to go on with it; `None`: it is to be ended by then.
    Remember(Option<Box<serde_json::Value>>),
    /// Refuse its new offer; what was agreed stands.
    RefuseReoffer(u16),
    /// Tell it how the handing over came out that it asked for: a SIP status.
    Referred(u16),
}

/// An invitation.
#[derive(Debug, Clone, PartialEq)]
pub struct Invite {
    /// The Call-ID header of the new dialog.
    pub sip_call_id: String,
    /// Whom.
    pub target: InviteTarget,
    /// The caller's number.
    pub from_user: String,
    /// The caller's name.
    pub from_display: Option<String>,
    /// The dialled number.
    pub to_user: String,
    /// The session description.
    pub offer: Bytes,
    /// How long it may be silent, where somebody else can be asked.
    pub patience: Option<Duration>,
}

/// Where an invitation goes.
#[derive(Debug, Clone, PartialEq)]
pub enum InviteTarget {
    /// To a phone.
    Phone(Binding),
    /// To the phone pages of a user.
    Browser(UserId),
    /// To a provider.
    Trunk(TrunkId),
}

/// What is done with audio.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "each does what the function of the same name of MediaHandle does"
)]
pub enum MediaOrder {
    Connect(MediaLegId, Negotiated),
    Bridge(MediaLegId, MediaLegId),
    Unbridge(MediaLegId),
    Play {
        leg: MediaLegId,
        play: PlayId,
        samples: Arc<[i16]>,
        repeat: bool,
    },
    Stop(MediaLegId),
    SendDigit(MediaLegId, char),
    Hold(MediaLegId, bool),
    CapturePause(MediaLegId, bool),
    CaptureStop(MediaLegId),
    Close(MediaLegId),
}

/// Audio that is led into a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Into which stream.
    pub stream: u8,
    /// Whose audio.
    pub leg: MediaLegId,
    /// Which audio of that leg.
    pub what: Tapped,
}

/// Which audio of a leg is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tapped {
    /// What the far end says.
    Heard,
    /// What we play to it.
    Played,
}
