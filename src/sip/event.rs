//! What the SIP side tells: one event a step of a dialog, a binding or a trunk.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;
use strowger_model::{DeviceId, TenantId, TrunkId, UserId};

/// Our name of a dialog, unique in a run. Keys of incoming dialogs are odd, those made by
/// [`crate::io::SipHandle::new_dialog`] are even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DialogKey(pub u64);

impl std::fmt::Display for DialogKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

/// Who placed an incoming call. A caller that proved nothing is challenged and never gets this far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A device that proved its password.
    Device {
        /// The device.
        device: DeviceId,
        /// Its tenant.
        tenant: TenantId,
        /// Whose device it is.
        user: Option<UserId>,
        /// The user name it authenticated with.
        username: String,
    },
    /// A trunk, known by the address its packets come from.
    Trunk(TrunkId),
}

/// An incoming call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Our name of its dialog.
    pub dialog: DialogKey,
    /// Who placed it.
    pub origin: Origin,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// How it travelled.
    pub transport: Transport,
    /// Its Call-ID header.
    pub sip_call_id: String,
    /// The user part of the Request-URI, unescaped.
    pub request_user: String,
    /// The user part of To, unescaped.
    pub to_user: String,
    /// The user part of From, unescaped.
    pub from_user: String,
    /// The display name of From.
    pub from_display: Option<String>,
    /// The user part of P-Asserted-Identity; only kept when a trunk sent it.
    pub asserted: Option<String>,
    /// The caller's User-Agent.
    pub user_agent: Option<String>,
    /// The offer; empty when the caller wants ours (it then answers in [`SipEvent::Confirmed`]).
    pub offer: Bytes,
}

/// Why a dialog ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The far side hung up.
    Bye,
    /// We hung up.
    Local,
    /// Our answer was never acknowledged.
    NoAck,
    /// The far side let the session timer run out (RFC 4028).
    SessionExpired,
    /// The far side does not know the dialog any more, or cannot be reached.
    Lost,
}

/// What is known of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrunkState {
    /// The provider took our registration.
    Registered {
        /// For how long it did.
        expires: Duration,
    },
    /// The provider refused; `retry` says when we ask again, `None` that we do not.
    Failed {
        /// The status it answered, 408 when it did not answer.
        status: u16,
        /// Its reason phrase.
        reason: String,
        /// When we try again.
        retry: Option<Duration>,
    },
    /// We took our registration back.
    Unregistered,
    /// It answers our OPTIONS.
    Up {
        /// How long its answer took.
        latency: Duration,
    },
    /// It has not answered several OPTIONS in a row; told again for each further one.
    Unreachable {
        /// Why the last one could not be sent, such as a certificate that does not hold; empty when nothing came back.
        reason: String,
    },
}

/// What happened. Exactly one of `Failed`, `Cancelled` and `Ended` comes last for each dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SipEvent {
    /// Somebody calls.
    Incoming(Box<Incoming>),
    /// A provisional answer to our INVITE other than 100.
    Progress {
        /// The dialog.
        dialog: DialogKey,
        /// 101 to 199.
        status: u16,
        /// Early media, when not empty.
        body: Bytes,
    },
    /// The far side answered our INVITE.
    Answered {
        /// The dialog.
        dialog: DialogKey,
        /// Its answer.
        body: Bytes,
    },
    /// Our INVITE failed; the dialog is over.
    Failed {
        /// The dialog.
        dialog: DialogKey,
        /// The final status; 408 when nobody answered, 503 when it could not be sent.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
    /// The caller acknowledged our answer.
    Confirmed {
        /// The dialog.
        dialog: DialogKey,
        /// The caller's answer to our offer, when its INVITE had none.
        body: Bytes,
    },
    /// The far side wants to change the session: answer with [`crate::Command::AnswerReoffer`] or
    /// [`crate::Command::RefuseReoffer`].
    Reoffer {
        /// The dialog.
        dialog: DialogKey,
        /// The new offer; empty when the far side wants ours.
        body: Bytes,
    },
    /// The far side took our [`crate::Command::Reoffer`], or answered the offer we gave in
    /// [`crate::Command::AnswerReoffer`] to a re-INVITE without one.
    ReofferAnswered {
        /// The dialog.
        dialog: DialogKey,
        /// Its answer.
        body: Bytes,
    },
    /// The far side refused our [`crate::Command::Reoffer`]; the session stays as it was.
    ReofferFailed {
        /// The dialog.
        dialog: DialogKey,
        /// The final status.
        status: u16,
    },
    /// An INFO request, such as a digit; it was answered 200.
    Info {
        /// The dialog.
        dialog: DialogKey,
        /// The Content-Type, in lower case, without parameters.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// The far side hands the call over: whoever it talks with is to talk with somebody else. It was answered 202; say
    /// how it came out with [`crate::Command::Referred`].
    Refer {
        /// The dialog.
        dialog: DialogKey,
        /// The number or name it is handed to, unescaped.
        to: String,
    },
    /// The caller gave up before an answer; the INVITE was answered 487. The dialog is over.
    Cancelled {
        /// The dialog.
        dialog: DialogKey,
    },
    /// The dialog is over after its answer, or was refused by us.
    Ended {
        /// The dialog.
        dialog: DialogKey,
        /// Why.
        cause: EndReason,
    },
    /// A device can be reached at this binding; also sent for every refresh.
    Bound {
        /// The binding as it stands.
        binding: Box<Binding>,
    },
    /// A binding ended: taken back, run out, replaced, or its connection closed.
    Unbound {
        /// The device.
        device: DeviceId,
        /// The Contact URI of the binding.
        contact: String,
    },
    /// Something changed about a trunk.
    TrunkState {
        /// The trunk.
        trunk: TrunkId,
        /// What is known.
        state: TrunkState,
    },
}
