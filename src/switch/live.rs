//! What others see of running calls: snapshots, events and orders. Plain values.

use serde::Serialize;
use std::time::Duration;
use strowger_model::trunk::Transport;
use strowger_model::{
    CallId, CallState, CallType, DeviceId, Direction, FlowId, FlowVersionId, HangupCause, TenantId, TrunkId, UserId,
};
use time::OffsetDateTime;

/// A call as it stands at this moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveCall {
    /// The call.
    pub id: CallId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The user it belongs to: who is called, or who calls.
    pub user: Option<UserId>,
    /// The user who calls, where it is one of the tenant's.
    pub caller: Option<UserId>,
    /// The user who is called or was reached, where it is one of the tenant's.
    pub callee: Option<UserId>,
    /// Every user of the tenant whose devices were rung or who called.
    pub users: Vec<UserId>,
    /// Which way it goes.
    pub direction: Direction,
    /// Who with whom.
    pub call_type: CallType,
    /// Where it stands.
    pub state: CallState,
    /// The caller's number.
    pub from_number: String,
    /// The caller's name, where known.
    pub from_name: Option<String>,
    /// The dialled number.
    pub to_number: String,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was answered.
    pub answered_at: Option<OffsetDateTime>,
    /// What is going on, in a word: `ringing`, `talking`, `flow`, `voicemail`, `room`, `held`, `ending`;
    /// with a voice app `connecting` and then `app`.
    pub doing: &'static str,
    /// The room its caller, or called party, is in.
    pub room: Option<LiveRoom>,
    /// The flow's node it stands at, while a flow runs.
    pub node: Option<String>,
    /// The flow version that runs or ran.
    pub flow_version: Option<FlowVersionId>,
    /// Whether it is being captured now.
    pub recording: bool,
    /// Whether its capture is paused.
    pub recording_paused: bool,
    /// Why nothing starts a recording of this call, in a sentence; none where something may.
    pub unrecordable: Option<&'static str>,
    /// Its legs that are not over, caller first.
    pub legs: Vec<LiveLeg>,
}

/// Where in which room the near party of a call is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveRoom {
    /// The room's name.
    pub name: String,
    /// Who it is within the room.
    pub identity: String,
    /// Its participant sid, once it is in.
    pub participant: Option<String>,
}

/// A leg as it stands at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveLeg {
    /// `caller` or `callee`.
    pub side: &'static str,
    /// Who is at the other end: user's name, trunk's name, or number.
    pub party: String,
    /// The device, if it is one of ours.
    pub device: Option<DeviceId>,
    /// The trunk, if it goes through one.
    pub trunk: Option<TrunkId>,
    /// Whether it is a browser.
    pub browser: bool,
    /// `ringing` or `up`.
    pub state: &'static str,
    /// Whether the far end has put us on hold.
    pub held: bool,
}

/// What happened to a call (the seeds' event names).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EventKind {
    /// The call exists.
    #[serde(rename = "CALL_STARTED")]
    Started,
    /// Somebody is being rung.
    #[serde(rename = "CALL_RINGING")]
    Ringing,
    /// It was answered, by a person, a flow or a mailbox.
    #[serde(rename = "CALL_ACCEPTED")]
    Accepted,
    /// The callee refused or was busy.
    #[serde(rename = "CALL_REJECTED")]
    Rejected,
    /// Something else about it changed: who talks, hold, recording, the flow's node.
    #[serde(rename = "CALL_CHANGED")]
    Changed,
    /// An answered call is over, or an unanswered one was given up or failed.
    #[serde(rename = "CALL_ENDED")]
    Ended,
    /// Nobody answered it.
    #[serde(rename = "CALL_MISSED")]
    Missed,
}

impl EventKind {
    /// The word sent to programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Started => "CALL_STARTED",
            Self::Ringing => "CALL_RINGING",
            Self::Accepted => "CALL_ACCEPTED",
            Self::Rejected => "CALL_REJECTED",
            Self::Changed => "CALL_CHANGED",
            Self::Ended => "CALL_ENDED",
            Self::Missed => "CALL_MISSED",
        }
    }
}

/// One event of one call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwitchEvent {
    /// 1, 2, 3 … over all tenants in this run of the daemon; what a client resumes from.
    pub sequence: u64,
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub kind: EventKind,
    /// The call as it stood then.
    pub call: LiveCall,
    /// Why it ended, once it has.
    pub cause: Option<HangupCause>,
}

/// An order to call somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceCall {
    /// For whom.
    pub tenant: TenantId,
    /// The user it belongs to, where it is somebody's.
    pub user: Option<UserId>,
    /// Who calls: a user's extension (their devices are rung once `to` has answered), or a number of the
    /// tenant to show; `None` shows the tenant's default number.
    pub from: Option<String>,
    /// Whom to call: an extension, a device's user name, or an outside number.
    pub to: String,
    /// Says `record` or not; `None` leaves it to the settings.
    pub record: Option<bool>,
    /// Whether a transcript is wanted.
    pub transcribe: bool,
    /// How long to ring; `None` takes the setting.
    pub ring_timeout: Option<Duration>,
    /// Given along, kept as it came.
    pub metadata: strowger_model::Metadata,
    /// The flow that talks to the called party once it has answered.
    pub flow: Option<FlowId>,
}

/// Why a call was not placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// `from` is neither an extension nor a number of the tenant.
    #[error("the caller's number does not belong to the tenant")]
    ForeignCaller,
    /// Nothing of the tenant leads to `to`, or no such flow is published.
    #[error("nothing leads to the dialled number")]
    NoRoute,
    /// `to` is a user without a phone that can be reached now.
    #[error("the called user has no phone that can be reached now")]
    Unreachable,
    /// The most calls at once are running, or no port is free.
    #[error("the most calls at once are running")]
    Busy,
    /// The daemon is ending.
    #[error("the daemon is ending and takes no new calls")]
    ShuttingDown,
}

/// What may be done to a running call from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Ends it: BYE to every leg.
    HangUp,
    /// Starts to record it, whatever the settings say (unless recording is not allowed at all).
    StartRecording,
    /// Ends its recording; the call goes on.
    StopRecording,
    /// Leaves out what is said until resumed.
    PauseRecording,
    /// Goes on recording.
    ResumeRecording,
}

/// Whether a trunk can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TrunkCondition {
    /// Not tried yet, or nothing has been heard.
    Unknown,
    /// It answers our pings.
    Up,
    /// Registered until then.
    Registered {
        /// When the registration ends unless refreshed.
        until: OffsetDateTime,
    },
    /// It refuses us or does not answer.
    Down {
        /// What it said, or that it said nothing.
        reason: String,
    },
}

/// A trunk as it stands at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrunkView {
    /// The trunk.
    pub trunk: TrunkId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Whether it can be used.
    pub condition: TrunkCondition,
    /// Since when.
    pub since: OffsetDateTime,
    /// Legs that go through it now.
    pub calls: usize,
}

impl TrunkView {
    /// Whether calls can go through it now, as far as is known.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !matches!(self.condition, TrunkCondition::Down { .. })
    }
}

/// A place where a device can be reached now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceOnline {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// Where its packets come from, `address:port`.
    pub source: String,
    /// How they travel.
    pub transport: Transport,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// When the binding ends unless refreshed.
    pub expires_at: OffsetDateTime,
}
