//! What the SIP side is told at start.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use strowger_host::tls::Certificates;

/// Listeners, limits and times. [`SipConfig::default`] suits an appliance.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// Where to listen on UDP.
    pub udp: Vec<SocketAddr>,
    /// Where to listen on TCP.
    pub tcp: Vec<SocketAddr>,
    /// Where to listen on TLS.
    pub tls: Vec<SocketAddr>,
    /// What the TLS listeners serve; must be there when `tls` names one.
    pub certificates: Option<Certificates>,
    /// A PEM file with authorities that providers' certificates may be from, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The address written into Via and Contact for far sides that are not on a private network.
    pub advertised: Option<IpAddr>,
    /// The User-Agent and Server header.
    pub user_agent: String,
    /// Limits.
    pub limits: Limits,
    /// How long a binding may live at most.
    pub max_expires: Duration,
    /// How long a binding lives at least; less is answered 423.
    pub min_expires: Duration,
    /// How often a trunk is sent OPTIONS.
    pub ping_interval: Duration,
    /// The file in which dialogs that stand are kept, so that the next daemon ends those of one that was killed. With
    /// `None` nothing is kept.
    pub kept_dialogs: Option<PathBuf>,
    /// Whether messages of dialogs are shown to [`crate::SipHandle::traces`].
    pub traces: bool,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            certificates: None,
            ca_file: None,
            advertised: None,
            user_agent: "Strowger".to_owned(),
            limits: Limits::default(),
            max_expires: Duration::from_secs(3600),
            min_expires: Duration::from_secs(60),
            ping_interval: Duration::from_secs(10),
            kept_dialogs: None,
            traces: false,
        }
    }
}

/// How much is too much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls at once; the next is answered 503.
    pub dialogs: usize,
    /// Transactions at once; the next request is answered 503.
    pub transactions: usize,
    /// Contacts a device.
    pub contacts: usize,
    /// Messages a second from one address that is no trunk, before they are parsed.
    pub messages_per_second: u32,
    /// TCP and TLS connections at once.
    pub connections: usize,
    /// TCP connections at once from one address.
    pub connections_per_source: usize,
    /// Messages waiting to be written to one TCP connection; one more closes it.
    pub queued_per_connection: usize,
    /// How long the handshake of a TLS connection may take.
    pub handshake: Duration,
    /// How long one write may take before the connection is closed.
    pub write_timeout: Duration,
    /// How long a message may take to arrive once it began.
    pub slow_message: Duration,
    /// How long a connection that carries no binding and no dialog may be silent.
    pub idle_connection: Duration,
    /// Wrong passwords in a minute from one address, or for one user, until they are no longer looked at.
    pub wrong_passwords: u32,
    /// Events waiting for the switch; when three quarters are taken, new calls are answered 503.
    pub queued_events: usize,
    /// Commands waiting for the SIP side; a sender then waits.
    pub queued_commands: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dialogs: 4_000,
            transactions: 50_000,
            contacts: 10,
            messages_per_second: 2_000,
            connections: 2_000,
            connections_per_source: 500,
            queued_per_connection: 64,
            handshake: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            slow_message: Duration::from_secs(5),
            idle_connection: Duration::from_secs(600),
            wrong_passwords: 10,
            queued_events: 4_096,
            queued_commands: 4_096,
        }
    }
}
