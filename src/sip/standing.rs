//! What is kept of a dialog while it stands, so that whoever comes after a daemon that was killed can take it up again or
//! end it: without this both phones would go on in silence until their people hang up.
//!
//! It holds no key and no password, and of the session what the dialog's owner gave along ([`Standing::memo`]).

use crate::event::DialogKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::trunk::Transport;
use strowger_model::{DeviceId, TrunkId};

/// A dialog as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How far it was, and what that takes to end it.
    pub stage: Stage,
    /// How its messages travelled.
    pub transport: Transport,
    /// Where they went.
    pub far: SocketAddr,
    /// Over TLS, the host a new connection must be to; empty where nobody can be connected to.
    #[serde(default)]
    pub far_name: Option<String>,
    /// The device at the far side.
    pub device: Option<DeviceId>,
    /// Whose password answers challenges.
    pub auth: Option<TrunkId>,
    /// Our tag.
    pub local_tag: String,
    /// Whether we made the Call-ID, which decides who waits longer after glare.
    #[serde(default = "ours")]
    pub is_ours: bool,
    /// The session timer (RFC 4028), where one runs.
    #[serde(default)]
    pub refresh: Option<Refresh>,
    /// What its owner needs to take it up again ([`crate::Command::Remember`]); without it the dialog is ended.
    #[serde(default)]
    pub memo: Option<Value>,
}

const fn ours() -> bool {
    true
}

/// A session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// How long the session lasts without a refresh, seconds.
    pub interval_s: u64,
    /// Whether it is us who refresh.
    pub we_refresh: bool,
}

/// How long a phone whose connection ended with the daemon before may take to connect again.
pub const RETURN: Duration = Duration::from_secs(5);

/// A dialog of before that stands again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenUp {
    /// Our name of it in this run.
    pub dialog: DialogKey,
    /// What its owner gave along.
    pub memo: Value,
    /// Whether its phone has to connect again before it can be offered anything, for [`RETURN`] at most.
    pub is_absent: bool,
}

/// How far a dialog was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// They invited us and had no final answer: their request, as far as an answer repeats it.
    Offered {
        /// The request without a body.
        request: String,
    },
    /// We invited them and had no final answer: our request, as far as a CANCEL repeats it.
    Inviting {
        /// The request without a body.
        request: String,
    },
    /// It was answered.
    Up {
        /// The Call-ID header.
        sip_call_id: String,
        /// Our From or To value, tag included.
        local: String,
        /// Theirs.
        remote: String,
        /// The number of our last request.
        number: u32,
        /// The Request-URI of our requests.
        target: String,
        /// The route set.
        route: Vec<String>,
    },
}
