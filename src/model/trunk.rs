//! What kinds of trunk, number target and device there are.

use crate::call::coded;
use crate::{FlowId, RoomId, UserId};
use serde::{Deserialize, Serialize};

coded! {
    /// How a trunk and we know each other.
    TrunkKind {
        /// By the provider's address; nobody registers.
        Address = "address",
        /// We register at the provider with a user name and password.
        Registration = "registration",
    }
}

coded! {
    /// The digest algorithm a device is known to take (RFC 8760).
    DigestAlgorithm {
        /// MD5, what every phone takes.
        Md5 = "MD5",
        /// SHA-256.
        Sha256 = "SHA-256",
    }
}

coded! {
    /// How SIP travels.
    Transport {
        /// UDP.
        Udp = "udp",
        /// TCP.
        Tcp = "tcp",
    }
}

/// What happens to a caller of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum NumberTarget {
    /// The published version of a flow runs.
    Flow(FlowId),
    /// A user's devices ring.
    User(UserId),
    /// The caller joins a room.
    Room(RoomId),
    /// The caller leaves a message for a user.
    Voicemail(UserId),
    /// The caller types the PIN of the room they mean.
    Conference,
    /// The call goes out again through the tenant's trunks to the dialled number.
    Trunk,
}
