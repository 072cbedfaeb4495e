//! What the SIP side is asked to do. A command that is wrong for the state of its dialog is ignored.

use crate::DialogKey;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::TrunkId;
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;

/// Where an INVITE goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a device, at the source its registration came from.
    Binding(Box<Binding>),
    /// To a number behind a trunk.
    Trunk(TrunkTarget),
    /// To a user at an address: tests and fixed peers.
    Address {
        /// Where to send.
        addr: SocketAddr,
        /// How.
        transport: Transport,
        /// The user part of the Request-URI.
        user: String,
    },
}

/// A number behind a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkTarget {
    /// The trunk.
    pub trunk: TrunkId,
    /// Where to send; [`crate::io::resolve`] finds it.
    pub addr: SocketAddr,
    /// The host written into the Request-URI.
    pub host: String,
    /// The port written into the Request-URI; 5060 is left out.
    pub port: u16,
    /// How.
    pub transport: Transport,
    /// The dialled number, not escaped.
    pub user: String,
}

/// A call to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Our name of its dialog, from [`crate::io::SipHandle::new_dialog`].
    pub dialog: DialogKey,
    /// Its Call-ID header; unpredictable.
    pub sip_call_id: String,
    /// Where it goes.
    pub target: Target,
    /// The user part of From, not escaped.
    pub from_user: String,
    /// The display name of From.
    pub from_display: Option<String>,
    /// The host of From; our own address when `None`.
    pub from_host: Option<String>,
    /// The user part of To, not escaped.
    pub to_user: String,
    /// The offer.
    pub offer: Bytes,
    /// Whose user name and password answer a challenge.
    pub auth: Option<TrunkId>,
    /// More headers, such as P-Asserted-Identity; line breaks are removed.
    pub headers: Vec<(String, String)>,
    /// How long the far side may say nothing at all, not even 100, before the call fails with 408; `None`
    /// leaves it to timer B. For callers who know somebody else to ask.
    pub patience: Option<Duration>,
}

/// A registration to hold at a provider. The user name and password come from the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterTrunk {
    /// The trunk.
    pub trunk: TrunkId,
    /// Where to send; [`crate::io::resolve`] finds it.
    pub addr: SocketAddr,
    /// The provider's host, as in its URIs.
    pub host: String,
    /// The provider's port, as in its URIs; 5060 is left out.
    pub port: u16,
    /// How.
    pub transport: Transport,
    /// For how long we ask.
    pub expires: Duration,
}

/// An OPTIONS to send regularly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingTrunk {
    /// The trunk.
    pub trunk: TrunkId,
    /// Where to send.
    pub addr: SocketAddr,
    /// The provider's host, as in its URIs.
    pub host: String,
    /// How.
    pub transport: Transport,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Places a call; its events carry the dialog given.
    Invite(Box<Invite>),
    /// Tells the caller that it rings (180) or gives early media (183).
    Ring {
        /// The dialog.
        dialog: DialogKey,
        /// 180 to 189.
        status: u16,
        /// Early media, when not empty.
        body: Bytes,
    },
    /// Answers the caller.
    Answer {
        /// The dialog.
        dialog: DialogKey,
        /// Our answer, or our offer when the INVITE had none.
        body: Bytes,
    },
    /// Refuses the caller; [`crate::SipEvent::Ended`] follows.
    Reject {
        /// The dialog.
        dialog: DialogKey,
        /// 300 to 699.
        status: u16,
        /// The reason phrase; the usual one when empty.
        reason: String,
        /// The Retry-After header.
        retry_after_s: Option<u32>,
    },
    /// Gives up on a call we placed; [`crate::SipEvent::Failed`] with 487 follows unless it failed otherwise.
    Cancel {
        /// The dialog.
        dialog: DialogKey,
    },
    /// Hangs up, in whatever state the dialog is: rejects, cancels or says BYE. The dialog's last event follows.
    Bye {
        /// The dialog.
        dialog: DialogKey,
        /// The value of a Reason header (RFC 3326).
        reason: Option<String>,
    },
    /// Offers a changed session.
    Reoffer {
        /// The dialog.
        dialog: DialogKey,
        /// The offer.
        body: Bytes,
    },
    /// Answers [`crate::SipEvent::Reoffer`].
    AnswerReoffer {
        /// The dialog.
        dialog: DialogKey,
        /// The answer, or our offer when theirs was empty.
        body: Bytes,
    },
    /// Refuses [`crate::SipEvent::Reoffer`]; the session stays as it was.
    RefuseReoffer {
        /// The dialog.
        dialog: DialogKey,
        /// Usually 488.
        status: u16,
    },
    /// Sends an INFO, such as a digit to a phone that wants it so.
    Info {
        /// The dialog.
        dialog: DialogKey,
        /// The Content-Type.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// Tells the far side how the handing over came out that it asked for in [`crate::SipEvent::Refer`]. After a 2xx the
    /// dialog ends.
    Referred {
        /// The dialog.
        dialog: DialogKey,
        /// 200 when somebody else has answered, otherwise why nobody has.
        status: u16,
    },
    /// Keeps with the dialog what its owner needs to take it up again, should this process be killed; in place of what was
    /// given before. With `None`, as for a dialog of which nothing was said, the next process ends it.
    Remember {
        /// The dialog.
        dialog: DialogKey,
        /// What it needs; two kilobytes are sure to fit.
        memo: Option<Box<serde_json::Value>>,
    },
    /// Holds a registration from now on; the same trunk again replaces it.
    RegisterTrunk(Box<RegisterTrunk>),
    /// Takes a registration back.
    UnregisterTrunk {
        /// The trunk.
        trunk: TrunkId,
    },
    /// Sends OPTIONS regularly from now on; the same trunk again replaces it.
    PingTrunk(Box<PingTrunk>),
    /// Sends no more OPTIONS.
    StopPing {
        /// The trunk.
        trunk: TrunkId,
    },
    /// Forgets every binding of a device that was removed or disabled.
    Unbind {
        /// The device.
        device: strowger_model::DeviceId,
    },
}
