//! The relay's sockets, connections and clock around [`crate::turn::TurnServer`].
//!
//! One task owns the machine. Every listener, connection and relay socket has a reader that hands over what
//! came; what goes out is sent by the task itself. [`TurnHandle::start`] opens everything.

mod relay;
mod stream;
mod task;

use crate::config::IceServers;
use crate::protocol as wire;
use crate::turn::{Directory, Figures, Limits, MediaAddress, Network, PeerPolicy, Secret, ServerConfig, TurnServer};
use relay::Ports;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;
use strowger_host::tls::{Certificates, TlsError};
use strowger_model::World;
use task::{Arrival, Worker};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

/// What came in and was not looked at yet. When it is full datagrams are dropped, as a network would, and
/// streams wait.
const INBOX: usize = 4096;

/// What the relay is told at start.
#[derive(Debug, Clone)]
pub struct TurnSetup {
    /// Where datagrams are taken.
    pub udp: Vec<SocketAddr>,
    /// Where TCP connections are taken.
    pub tcp: Vec<SocketAddr>,
    /// Where TLS connections are taken.
    pub tls: Vec<SocketAddr>,
    /// The name or address clients are told; `None`: the first advertised address.
    pub host: Option<String>,
    /// The addresses relays are told under, at most one of each family; empty: this machine's own.
    pub advertised: Vec<IpAddr>,
    /// What `tls` serves; must be there when `tls` names a listener.
    pub certificates: Option<Certificates>,
    /// The realm clients are asked for.
    pub realm: String,
    /// The ports of relay sockets; 0 to 0: any.
    pub ports: RangeInclusive<u16>,
    /// Ranges relays may reach besides the rooms.
    pub allowed_peers: Vec<Network>,
    /// Whether relays may reach any public address.
    pub public_peers: bool,
    /// What nobody may exceed.
    pub limits: Limits,
    /// Connections at once, in all and from one address.
    pub connections: (usize, usize),
    /// Outside relays and STUN servers that stand in when ours cannot be reached.
    pub backups: Vec<String>,
    /// The secret shared with the outside relays.
    pub backup_secret: Option<String>,
}

impl Default for TurnSetup {
    fn default() -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            host: None,
            advertised: Vec::new(),
            certificates: None,
            realm: "strowger".to_owned(),
            ports: 0..=0,
            allowed_peers: Vec::new(),
            public_peers: false,
            limits: Limits::default(),
            connections: (2000, 64),
            backups: Vec::new(),
            backup_secret: None,
        }
    }
}

/// The relay could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// A port is taken, say.
    #[error("cannot listen on {address} for TURN")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS is asked for without a certificate.
    #[error("TURN over TLS needs a certificate")]
    NoCertificate,
    /// The certificate cannot be served.
    #[error("cannot serve TURN over TLS")]
    Certificate(#[from] TlsError),
}

/// The running relay. Cheap to clone.
#[derive(Clone)]
pub struct TurnHandle {
    directory: Arc<Directory>,
    world: Arc<dyn World>,
    policy: Arc<PeerPolicy>,
    inbox: mpsc::Sender<Arrival>,
    figures: watch::Receiver<Figures>,
    listeners: Arc<Vec<(&'static str, SocketAddr)>>,
}

impl std::fmt::Debug for TurnHandle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TurnHandle")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl TurnHandle {
    /// Opens the listeners and starts. `tasks` owns every task, `end` ends them. Until [`Self::reach_rooms`] is
    /// called relays reach what `setup` lists and nothing else.
    ///
    /// # Errors
    /// A listener that cannot be opened, a certificate that cannot be used.
    pub async fn start(
        setup: TurnSetup,
        world: Arc<dyn World>,
        tasks: &TaskTracker,
        end: CancellationToken,
    ) -> Result<Self, TurnError> {
        let (inbox, arrivals) = mpsc::channel(INBOX);
        let (publish, figures) = watch::channel(Figures::default());
        let bound = Bound::open(&setup).await?;
        let advertised = told_addresses(&setup);
        let secret = Secret::random(world.as_ref());
        let policy = PeerPolicy {
            allowed: setup.allowed_peers.clone(),
            public: setup.public_peers,
            own: advertised.clone(),
            media: Vec::new(),
        };
        let server = ServerConfig {
            realm: setup.realm.clone(),
            secret: secret.clone(),
            policy: policy.clone(),
            limits: setup.limits,
            families: (
                advertised.iter().any(IpAddr::is_ipv4),
                advertised.iter().any(IpAddr::is_ipv6),
            ),
        };
        let listeners = bound.listeners();
        let directory = Directory {
            built_in: urls(&listeners, setup.host.as_deref(), &advertised),
            secret,
            backups: setup.backups.clone(),
            backup_secret: setup.backup_secret.as_deref().map(Secret::from_text),
        };
        let worker = Worker::new(
            TurnServer::new(server, world.as_ref(), Instant::now()),
            Arc::clone(&world),
            bound.udp.iter().map(Arc::clone).collect(),
            Ports::new(setup.ports.clone(), advertised, Arc::clone(&world)),
            publish,
        );
        for (number, socket) in (0_u8..).zip(&bound.udp) {
            tasks.spawn(task::read_datagrams(
                number,
                Arc::clone(socket),
                inbox.clone(),
                end.clone(),
            ));
        }
        let doors = stream::Doors::new(inbox.clone(), setup.connections, tasks.clone(), end.clone());
        for listener in bound.tcp {
            tasks.spawn(doors.clone().listen(listener, None));
        }
        if !bound.tls.is_empty() {
            let certificates = setup.certificates.as_ref().ok_or(TurnError::NoCertificate)?;
            let tls = TlsAcceptor::from(certificates.serving(&[])?);
            for listener in bound.tls {
                tasks.spawn(doors.clone().listen(listener, Some(tls.clone())));
            }
        }
        tasks.spawn(worker.run(arrivals, inbox.clone(), tasks.clone(), end));
        for (kind, address) in &listeners {
            info!(%address, "TURN over {kind}");
        }
        Ok(Self {
            directory: Arc::new(directory),
            world,
            policy: Arc::new(policy),
            inbox,
            figures,
            listeners: Arc::new(listeners),
        })
    }

    /// Lets relays reach the rooms, wherever those take media.
    pub async fn reach_rooms(&self, media: Vec<MediaAddress>) {
        let policy = PeerPolicy {
            media,
            ..(*self.policy).clone()
        };
        // Fails only when the relay has ended, and then nothing is to be reached.
        let _ = self.inbox.send(Arrival::Policy(policy)).await;
    }

    /// The servers a participant is told, ours first, with credentials of its own.
    #[must_use]
    pub fn ice_servers(&self, sid: &str) -> Vec<wire::IceServer> {
        let unix_now = u64::try_from(self.world.now().unix_timestamp()).unwrap_or(0);
        self.directory.for_participant(sid, unix_now)
    }

    /// What was counted, at most a second ago.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.figures.borrow().clone()
    }

    /// Where it listens: `udp`, `tcp` or `tls`, and the address.
    #[must_use]
    pub fn listeners(&self) -> &[(&'static str, SocketAddr)] {
        &self.listeners
    }
}

impl IceServers for TurnHandle {
    fn for_participant(&self, sid: &str) -> Vec<wire::IceServer> {
        self.ice_servers(sid)
    }
}

/// Everything that listens.
struct Bound {
    udp: Vec<Arc<UdpSocket>>,
    tcp: Vec<TcpListener>,
    tls: Vec<TcpListener>,
}

impl Bound {
    async fn open(setup: &TurnSetup) -> Result<Self, TurnError> {
        let mut bound = Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
        };
        for address in setup.udp.iter().copied() {
            let socket = UdpSocket::bind(address).await;
            bound.udp.push(Arc::new(
                socket.map_err(|source| TurnError::Listen { address, source })?,
            ));
        }
        for (addresses, listeners) in [(&setup.tcp, &mut bound.tcp), (&setup.tls, &mut bound.tls)] {
            for address in addresses.iter().copied() {
                let listener = TcpListener::bind(address).await;
                listeners.push(listener.map_err(|source| TurnError::Listen { address, source })?);
            }
        }
        Ok(bound)
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let udp = self
            .udp
            .iter()
            .filter_map(|socket| Some(("udp", socket.local_addr().ok()?)));
        let tcp = self
            .tcp
            .iter()
            .filter_map(|listener| Some(("tcp", listener.local_addr().ok()?)));
        let tls = self
            .tls
            .iter()
            .filter_map(|listener| Some(("tls", listener.local_addr().ok()?)));
        udp.chain(tcp).chain(tls).collect()
    }
}

/// The addresses relays are told under: those configured, else those listened on, else this machine's own.
fn told_addresses(setup: &TurnSetup) -> Vec<IpAddr> {
    let mut wanted = setup.advertised.clone();
    if wanted.is_empty() {
        let listened = setup.udp.iter().chain(&setup.tcp).chain(&setup.tls);
        wanted = listened
            .map(SocketAddr::ip)
            .filter(|address| !address.is_unspecified())
            .collect();
    }
    if wanted.is_empty() {
        wanted.push(own_address());
    }
    let v4 = wanted.iter().find(|address| address.is_ipv4());
    let v6 = wanted.iter().find(|address| address.is_ipv6());
    v4.into_iter().chain(v6).copied().collect()
}

/// The address this machine would reach the outside from. The kernel is asked for the route; nothing is sent.
fn own_address() -> IpAddr {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let asked = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // An address of the documentation range (RFC 5737): it is routed like any other and is nobody's.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    asked.map_or(loopback, |address| address.ip())
}

/// What clients are told, the cheapest way first.
fn urls(listeners: &[(&'static str, SocketAddr)], host: Option<&str>, advertised: &[IpAddr]) -> Vec<String> {
    let told = |address: &SocketAddr| match (host, address.ip()) {
        (Some(host), _) => host.to_owned(),
        (None, ip) if !ip.is_unspecified() => bracketed(ip),
        (None, _) => advertised.first().copied().map_or_else(String::new, bracketed),
    };
    listeners
        .iter()
        .map(|(kind, address)| match *kind {
            "udp" => format!("turn:{}:{}?transport=udp", told(address), address.port()),
            "tls" => format!("turns:{}:{}?transport=tcp", told(address), address.port()),
            _ => format!("turn:{}:{}?transport=tcp", told(address), address.port()),
        })
        .collect()
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests;
