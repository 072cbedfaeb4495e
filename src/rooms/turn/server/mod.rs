//! The machine: what clients send in, what goes to peers and back, and what ends when.
//!
//! One value for all clients. [`requests`] answers what clients ask for, [`relaying`] moves what they send and are
//! sent, [`allocation`] is one client's relay, [`gate`] keeps strangers cheap.

mod allocation;
mod figures;
mod gate;
mod relaying;
mod requests;

pub use figures::{Figures, Refusal};

use super::credentials::Secret;
use super::policy::PeerPolicy;
use allocation::{Allocation, Opening};
use bytes::Bytes;
use gate::{Floodgate, Nonces};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::World;

/// How often ends are looked for. Nothing lives longer than a second past its end; no packet waits for it.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a connection may be open without a relay of its own.
const IDLE_STREAM: Duration = Duration::from_secs(30);

/// The way a client's bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Datagrams at the listener of this number.
    Udp(u8),
    /// A TCP or TLS connection of this number; numbers are never used again.
    Stream(u64),
}

/// One client: what RFC 8656 calls a 5-tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// The way its bytes come.
    pub path: Path,
    /// Its address as we see it.
    pub address: SocketAddr,
}

/// Names a relay socket; numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A stream was opened.
    Connected(Client),
    /// A datagram, or one frame of a stream, came from a client.
    FromClient(Client, Bytes),
    /// A stream ended.
    Gone(Client),
    /// A relay socket is open under an address that clients are told, or could not be opened.
    Relay(RelayId, Option<SocketAddr>),
    /// A datagram came from a peer to a relay socket.
    FromPeer(RelayId, SocketAddr, Bytes),
    /// What may be reached changed.
    Policy(PeerPolicy),
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send to a client.
    ToClient(Client, Bytes),
    /// Send from a relay socket to a peer.
    ToPeer(RelayId, SocketAddr, Bytes),
    /// Open a relay socket and say [`Input::Relay`].
    OpenRelay {
        /// Its name.
        relay: RelayId,
        /// Of IPv6, not of IPv4.
        is_v6: bool,
        /// At an even port.
        is_even: bool,
    },
    /// Close a relay socket.
    CloseRelay(RelayId),
    /// Close a stream.
    Close(Client),
}

/// What nobody may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Relays at once.
    pub relays: usize,
    /// Relays at once of one member. A browser opens one for each server address, network and connection.
    pub relays_of_member: usize,
    /// Peers, and channels, of one relay.
    pub peers: usize,
    /// Bytes a second through one relay, both ways together.
    pub bytes_per_second: u32,
    /// Answers a second to one address that has proved nothing.
    pub unproved_per_second: u16,
    /// How long one relay may live, however often it is refreshed.
    pub longest_life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            relays: 2000,
            relays_of_member: 16,
            peers: 16,
            bytes_per_second: 1_250_000,
            unproved_per_second: 100,
            longest_life: Duration::from_secs(24 * 3600),
        }
    }
}

/// What the machine is told at start.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The realm clients are asked for.
    pub realm: String,
    /// What passwords are checked with.
    pub secret: Secret,
    /// Where relays may send.
    pub policy: PeerPolicy,
    /// What nobody may exceed.
    pub limits: Limits,
    /// Whether relays can be opened for IPv4 and for IPv6.
    pub families: (bool, bool),
}

/// A STUN and TURN server.
#[derive(Debug)]
pub struct TurnServer {
    config: ServerConfig,
    /// An instant and the wall time it was, in Unix seconds.
    clock: (Instant, u64),
    nonces: Nonces,
    flood: Floodgate,
    opening: HashMap<RelayId, Opening>,
    open: HashMap<Client, Allocation>,
    relays: HashMap<RelayId, Client>,
    /// Streams and when they were opened.
    streams: HashMap<Client, Instant>,
    outputs: VecDeque<Output>,
    named: u64,
    indications: u128,
    next_sweep: Option<Instant>,
    figures: Figures,
}

impl TurnServer {
    /// A server at an instant whose wall time `world` knows.
    #[must_use]
    pub fn new(config: ServerConfig, world: &dyn World, now: Instant) -> Self {
        Self {
            clock: (now, unix_s(world)),
            nonces: Nonces::new(world),
            flood: Floodgate::new(config.limits.unproved_per_second),
            config,
            opening: HashMap::new(),
            open: HashMap::new(),
            relays: HashMap::new(),
            streams: HashMap::new(),
            outputs: VecDeque::new(),
            named: 0,
            indications: 0,
            next_sweep: None,
            figures: Figures::default(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected(client) => {
                self.streams.insert(client, now);
                self.next_sweep.get_or_insert(now + SWEEP);
            }
            Input::FromClient(client, bytes) => self.take_from_client(client, &bytes, now),
            Input::Gone(client) => {
                self.streams.remove(&client);
                self.close_relays_of(client);
            }
            Input::Relay(relay, address) => self.relay_opened(relay, address, now),
            Input::FromPeer(relay, source, bytes) => self.take_from_peer(relay, source, &bytes, now),
            Input::Policy(policy) => self.config.policy = policy,
        }
    }

    fn take_from_client(&mut self, client: Client, bytes: &Bytes, now: Instant) {
        // RFC 8656 §12: the first two bits tell a message from ChannelData.
        match bytes.first() {
            Some(0x40..=0x7f) => self.take_channel_data(client, bytes, now),
            Some(_) | None => self.take_message(client, bytes, now),
        }
    }

    /// Ends what has lived long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|sweep| now < sweep) {
            return;
        }
        let ended: Vec<Client> = self
            .open
            .iter()
            .filter(|(_, allocation)| allocation.ends_at <= now)
            .map(|(client, _)| *client)
            .collect();
        for client in ended {
            self.close_relays_of(client);
        }
        let idle: Vec<Client> = self
            .streams
            .iter()
            .filter(|(client, opened)| now.duration_since(**opened) >= IDLE_STREAM && !self.open.contains_key(client))
            .map(|(client, _)| *client)
            .collect();
        for client in idle {
            self.streams.remove(&client);
            self.outputs.push_back(Output::Close(client));
        }
        let is_idle = self.open.is_empty() && self.streams.is_empty();
        self.next_sweep = (!is_idle).then(|| now + SWEEP);
    }

    /// What to do next; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.next_sweep.map(|sweep| (sweep, "ends of relays and idle streams"))
    }

    /// Whether it ended: never, a server serves until it is dropped.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        false
    }

    /// Tells the wall time anew, for a clock that was set.
    pub fn set_clock(&mut self, world: &dyn World, now: Instant) {
        self.clock = (now, unix_s(world));
    }

    /// What was counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            relays: self.open.len(),
            streams: self.streams.len(),
            ..self.figures.clone()
        }
    }

    fn unix_s(&self, now: Instant) -> u64 {
        self.clock.1 + now.saturating_duration_since(self.clock.0).as_secs()
    }

    /// How many relays a member holds. Relays are few and this is asked for each new one only.
    fn relays_of_member(&self, member: &str) -> usize {
        let open = self.open.values().map(|allocation| allocation.member());
        let opening = self.opening.values().map(Opening::member);
        open.chain(opening).filter(|other| *other == member).count()
    }

    fn close_relays_of(&mut self, client: Client) {
        if let Some(allocation) = self.open.remove(&client) {
            self.relays.remove(&allocation.relay);
            self.outputs.push_back(Output::CloseRelay(allocation.relay));
        }
        // A relay still being opened is closed when it is.
        self.opening.retain(|_, opening| opening.client != client);
    }

    fn send_to_client(&mut self, client: Client, bytes: Vec<u8>) {
        self.outputs.push_back(Output::ToClient(client, bytes.into()));
    }
}

fn unix_s(world: &dyn World) -> u64 {
    u64::try_from(world.now().unix_timestamp()).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests;
