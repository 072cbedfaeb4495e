//! What is kept of a dialog while it stands, so that whoever comes after a daemon that was killed can end it: without
//! this both phones would go on in silence until their people hang up.
//!
//! It holds no key, no password and no session description: those of before are of no use to anybody after.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
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
