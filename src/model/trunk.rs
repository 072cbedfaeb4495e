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
        /// TLS over TCP.
        Tls = "tls",
    }
}

impl Transport {
    /// The port where nobody names one (RFC 3261 §19.1.2).
    #[must_use]
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
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

/// Whether a text is an address or a network in CIDR form.
#[must_use]
pub fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let Ok(address) = address.parse::<std::net::IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_empty() || length.parse::<u8>().is_ok_and(|bits| bits <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_from_words() {
        assert!(is_network("192.0.2.0/24") && is_network("2001:db8::/48") && is_network("10.0.0.1"));
        assert!(!is_network("192.0.2.0/33") && !is_network("provider") && !is_network(""));
    }
}
