//! What is counted.

use std::collections::BTreeMap;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It cannot be read.
    BadRequest,
    /// It proves nothing, or what it proves is wrong or has ended.
    Unauthorized,
    /// The peer may not be reached.
    Forbidden,
    /// It has an attribute that must be understood and is not.
    UnknownAttribute,
    /// The client has a relay, or has none.
    Mismatch,
    /// Its nonce is too old.
    StaleNonce,
    /// No relay of this family.
    Family,
    /// Another user than the one who made the relay.
    WrongCredentials,
    /// No relay of this transport.
    Transport,
    /// The peer is of another family than the relay.
    PeerFamily,
    /// The member has enough relays.
    Quota,
    /// There are enough relays.
    Capacity,
}

impl Refusal {
    /// Its number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::UnknownAttribute => 420,
            Self::Mismatch => 437,
            Self::StaleNonce => 438,
            Self::Family => 440,
            Self::WrongCredentials => 441,
            Self::Transport => 442,
            Self::PeerFamily => 443,
            Self::Quota => 486,
            Self::Capacity => 508,
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden_peer",
            Self::UnknownAttribute => "unknown_attribute",
            Self::Mismatch => "mismatch",
            Self::StaleNonce => "stale_nonce",
            Self::Family => "family",
            Self::WrongCredentials => "wrong_credentials",
            Self::Transport => "transport",
            Self::PeerFamily => "peer_family",
            Self::Quota => "quota",
            Self::Capacity => "capacity",
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Relays open now.
    pub relays: usize,
    /// TCP and TLS connections open now.
    pub streams: usize,
    /// Relays opened.
    pub opened: u64,
    /// Binding requests answered.
    pub bindings: u64,
    /// Payload bytes clients sent to peers.
    pub bytes_to_peers: u64,
    /// Payload bytes peers sent to clients.
    pub bytes_to_clients: u64,
    /// Relayed datagrams, both ways.
    pub packets: u64,
    /// Datagrams dropped: no permission, over the rate, a peer that may not be reached.
    pub dropped: u64,
    /// Requests of strangers that were not answered because there were too many.
    pub unanswered: u64,
    /// Refused requests. The first request of every client is refused as unauthorized: it asks for the nonce.
    pub refused: BTreeMap<Refusal, u64>,
}

impl Figures {
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal).or_default() += 1;
    }

    /// Refusals of one kind.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused.get(&refusal).copied().unwrap_or(0)
    }
}
