//! What every part of the endpoint sends, waits and asks through.

use super::flows::Flow;
use super::{Due, Output, Owner};
use crate::auth::nonce::Nonces;
use crate::event::SipEvent;
use crate::guard::Guard;
use crate::message::write::{Writer, host};
use crate::message::{Message, Method};
use crate::trace::{Packet, Tracer};
use crate::transaction::{Alarm, ClientKey, Clients, FlowId, Path, ServerKey, Servers, TimerId, Timers, Wire};
use crate::{Directory, SipConfig};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::World;
use strowger_model::trunk::Transport;

pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER";

/// For how long a far side that takes no connections is not asked again.
const NO_STREAM: Duration = Duration::from_secs(600);
/// Far sides that are remembered so.
const MOST_REMEMBERED: usize = 1_000;

pub(super) struct Core {
    pub(super) config: SipConfig,
    pub(super) interface: IpAddr,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) world: Arc<dyn World>,
    pub(super) now: Instant,
    pub(super) out: VecDeque<Output>,
    pub(super) timers: Timers<Due>,
    pub(super) servers: Servers,
    pub(super) clients: Clients<Owner>,
    pub(super) flows: HashMap<FlowId, Flow>,
    /// Connections by far end and, over TLS, the host its certificate was for.
    pub(super) flow_to: HashMap<(SocketAddr, Option<String>), FlowId>,
    pub(super) next_flow: u64,
    pub(super) has_flow_timer: bool,
    /// Who took no connection for a large request, and when.
    no_stream: HashMap<SocketAddr, Instant>,
    pub(super) guard: Guard,
    pub(super) nonces: Nonces,
    pub(super) tracer: Tracer,
}

/// The part of the core transactions write into, beside themselves.
pub(super) struct Outlet<'a> {
    out: &'a mut VecDeque<Output>,
    timers: &'a mut Timers<Due>,
    flows: &'a mut HashMap<FlowId, Flow>,
}

impl Wire for Outlet<'_> {
    fn transmit(&mut self, path: Path, bytes: Bytes) {
        let Path::Flow(id) = path else {
            self.out.push_back(Output::Transmit { path, bytes });
            return;
        };
        match self.flows.get_mut(&id) {
            Some(Flow {
                waiting: Some(waiting), ..
            }) => waiting.push(bytes),
            Some(Flow { waiting: None, .. }) => self.out.push_back(Output::Transmit { path, bytes }),
            None => {}
        }
    }

    fn wake(&mut self, at: Instant, alarm: Alarm) -> TimerId {
        self.timers.set(at, Due::Transaction(alarm))
    }

    fn forget(&mut self, timer: TimerId) {
        self.timers.cancel(timer);
    }
}

impl Core {
    pub(super) fn new(
        config: SipConfig,
        interface: IpAddr,
        directory: Arc<dyn Directory>,
        world: Arc<dyn World>,
        now: Instant,
    ) -> Self {
        let guard = Guard::new(config.limits.messages_per_second, config.limits.wrong_passwords, now);
        let nonces = Nonces::new(&*world, now);
        let tracer = Tracer::new(config.traces);
        Self {
            config,
            interface,
            directory,
            world,
            now,
            out: VecDeque::new(),
            timers: Timers::default(),
            servers: Servers::default(),
            clients: Clients::default(),
            flows: HashMap::new(),
            flow_to: HashMap::new(),
            next_flow: 1,
            has_flow_timer: false,
            no_stream: HashMap::new(),
            guard,
            nonces,
            tracer,
        }
    }

    pub(super) fn with_servers<T>(&mut self, act: impl FnOnce(&mut Servers, &mut Outlet<'_>) -> T) -> T {
        let mut outlet = Outlet {
            out: &mut self.out,
            timers: &mut self.timers,
            flows: &mut self.flows,
        };
        act(&mut self.servers, &mut outlet)
    }

    pub(super) fn with_clients<T>(&mut self, act: impl FnOnce(&mut Clients<Owner>, &mut Outlet<'_>) -> T) -> T {
        let mut outlet = Outlet {
            out: &mut self.out,
            timers: &mut self.timers,
            flows: &mut self.flows,
        };
        act(&mut self.clients, &mut outlet)
    }

    pub(super) fn transmit(&mut self, path: Path, bytes: Bytes) {
        Outlet {
            out: &mut self.out,
            timers: &mut self.timers,
            flows: &mut self.flows,
        }
        .transmit(path, bytes);
    }

    pub(super) fn tell(&mut self, event: SipEvent) {
        self.out.push_back(Output::Event(event));
    }

    pub(super) fn after(&mut self, pause: Duration, due: Due) -> TimerId {
        self.timers.set(self.now + pause, due)
    }

    pub(super) fn forget(&mut self, timer: Option<TimerId>) {
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
    }

    /// A random token for a tag, a branch or a Call-ID.
    pub(super) fn token(&self) -> String {
        let mut bytes = [0u8; 12];
        self.world.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// A random span up to `most`.
    pub(super) fn jitter(&self, most: Duration) -> Duration {
        let mut bytes = [0u8; 4];
        self.world.fill(&mut bytes);
        most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }

    /// The far end of a path.
    pub(super) fn remote_of(&self, path: Path) -> SocketAddr {
        match path {
            Path::Udp { remote, .. } => remote,
            Path::Flow(flow) => self.flows.get(&flow).map_or_else(unspecified, |flow| flow.remote),
        }
    }

    pub(super) fn transport_of(&self, path: Path) -> Transport {
        match path {
            Path::Udp { .. } => Transport::Udp,
            Path::Flow(flow) => self.flows.get(&flow).map_or(Transport::Tcp, |flow| flow.transport),
        }
    }

    /// How to reach an address: the UDP socket of its family, or a connection, opened when there is none. Over TLS the
    /// far side must prove to be `name`.
    pub(super) fn path_to(&mut self, remote: SocketAddr, transport: Transport, name: &str) -> Option<Path> {
        match transport {
            Transport::Udp => self.datagrams_to(remote),
            Transport::Tcp => Some(Path::Flow(self.flow_towards(remote, None))),
            Transport::Tls => Some(Path::Flow(self.flow_towards(remote, Some(name.to_owned())))),
        }
    }

    /// The UDP socket of an address' family.
    fn datagrams_to(&self, remote: SocketAddr) -> Option<Path> {
        let fits = |local: &&SocketAddr| local.is_ipv4() == remote.is_ipv4();
        let local = *self.config.udp.iter().find(fits)?;
        Some(Path::Udp { local, remote })
    }

    /// A connection in place of a datagram, where the far side has not refused one lately.
    pub(super) fn stream_instead(&mut self, path: Path) -> Option<Path> {
        let Path::Udp { remote, .. } = path else { return None };
        let refused = self.no_stream.get(&remote);
        let may_try = refused.is_none_or(|since| self.now.saturating_duration_since(*since) > NO_STREAM);
        if !may_try {
            return None;
        }
        self.path_to(remote, Transport::Tcp, "")
    }

    /// Remembers that a far side takes no connections.
    pub(super) fn no_stream_to(&mut self, remote: SocketAddr) {
        // Providers are few; whoever has more starts afresh.
        if self.no_stream.len() >= MOST_REMEMBERED {
            self.no_stream.clear();
        }
        self.no_stream.insert(remote, self.now);
    }

    /// Our address as a far side may use it. A public address is no use to a phone beside us, nor a loopback one to
    /// anybody else.
    pub(super) fn seen_by(&self, path: Path) -> SocketAddr {
        let (remote, local) = (self.remote_of(path).ip(), self.own_end(path));
        let is_near = remote.is_loopback() || (is_private(remote) && is_private(local.ip()));
        let address = self.config.advertised.filter(|_| !is_near).unwrap_or(local.ip());
        SocketAddr::new(address, local.port())
    }

    /// Our end of a path on this machine.
    fn own_end(&self, path: Path) -> SocketAddr {
        let remote = self.remote_of(path);
        let local = match path {
            Path::Udp { local, .. } => local,
            Path::Flow(flow) => {
                let own = self.flows.get(&flow).map_or_else(unspecified, |flow| flow.local);
                let fits = |address: &&SocketAddr| address.is_ipv4() == remote.is_ipv4();
                let transport = self.transport_of(path);
                let listeners = match transport {
                    Transport::Tls => &self.config.tls,
                    Transport::Udp | Transport::Tcp => &self.config.tcp,
                };
                let port = listeners.iter().find(fits).map_or(own.port(), SocketAddr::port);
                // Nobody listens and the connection is not there yet: whoever answers does so over it.
                let port = if port == 0 { transport.usual_port() } else { port };
                SocketAddr::new(own.ip(), port)
            }
        };
        let own = if local.ip().is_unspecified() {
            if remote.ip().is_loopback() {
                remote.ip()
            } else {
                self.interface
            }
        } else {
            local.ip()
        };
        SocketAddr::new(own, local.port())
    }

    /// Shows the tracer a message.
    pub(super) fn trace(&mut self, path: Path, bytes: &Bytes, is_sent: bool) {
        if !self.tracer.is_on() {
            return;
        }
        let packet = Packet {
            at: self.world.now(),
            is_sent,
            local: self.own_end(path),
            remote: self.remote_of(path),
            transport: self.transport_of(path),
            bytes: bytes.clone(),
        };
        if is_sent {
            self.tracer.sent(packet);
        } else {
            self.tracer.came(packet);
        }
    }

    /// `host:port` of ours for a path.
    pub(super) fn own_host(&self, path: Path) -> String {
        let own = self.seen_by(path);
        format!("{}:{}", host(own.ip()), own.port())
    }

    /// Our Contact for a path: where the far side begins requests of its own (RFC 3261 §8.1.1.8).
    pub(super) fn own_contact(&self, path: Path) -> String {
        let path = self.open_door(path);
        let transport = parameter(self.transport_of(path));
        format!("<sip:{}{transport}>", self.own_host(path))
    }

    /// A path by which the far side can reach us without a connection of ours that stands. Where we take no TCP
    /// connections that is a datagram: nobody has to send requests back over a connection that we made (RFC 5923 §1),
    /// and its port is another one after each break. What was begun over TLS stays there.
    fn open_door(&self, path: Path) -> Path {
        let remote = self.remote_of(path);
        let takes = |local: &SocketAddr| local.is_ipv4() == remote.is_ipv4();
        match self.transport_of(path) {
            Transport::Tcp if !self.config.tcp.iter().any(takes) => self.datagrams_to(remote).unwrap_or(path),
            Transport::Udp | Transport::Tcp | Transport::Tls => path,
        }
    }

    /// The Via of a new request, and its branch.
    pub(super) fn new_via(&self, path: Path) -> (String, String) {
        let branch = format!("z9hG4bK{}", self.token());
        let transport = match self.transport_of(path) {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        (
            format!("SIP/2.0/{transport} {};branch={branch};rport", self.own_host(path)),
            branch,
        )
    }

    /// Sends a request in a transaction of its own.
    pub(super) fn send_request(
        &mut self,
        branch: &str,
        method: Method,
        path: Path,
        bytes: Bytes,
        owner: Owner,
    ) -> ClientKey {
        let key = ClientKey::new(branch, &method);
        let (now, named) = (self.now, key.clone());
        self.with_clients(|clients, wire| clients.begin(named, method, path, bytes, owner, now, wire));
        if let Path::Flow(flow) = path
            && !self.flows.contains_key(&flow)
        {
            // The connection is gone: the transaction ends as if it had timed out, a moment later.
            self.timers
                .set(now, Due::Transaction(Alarm::ClientTimeout(key.clone())));
        }
        key
    }

    /// Begins the response to a request. Its To tag, when it has none, follows from `tag`.
    pub(super) fn reply(&self, request: &Message, status: u16, reason: &str, path: Path, tag: &str) -> Writer {
        Writer::reply(request, status, reason, self.remote_of(path), tag).header("Server", &self.config.user_agent)
    }

    /// Answers a request without any state; repeats get the same tag.
    pub(super) fn reply_stateless(
        &mut self,
        request: &Message,
        status: u16,
        reason: &str,
        path: Path,
        headers: &[(&str, String)],
    ) {
        let tag = stateless_tag(request);
        let mut writer = self.reply(request, status, reason, path, &tag);
        for (name, value) in headers {
            writer = writer.header(name, value);
        }
        self.transmit(path, writer.end());
    }

    /// Sends a response through its transaction.
    pub(super) fn respond(&mut self, key: &ServerKey, status: u16, response: Bytes) {
        let now = self.now;
        self.with_servers(|servers, wire| servers.respond(key, status, response, now, wire));
    }
}

/// The transport parameter of a URI (RFC 3261 §19.1.1). TLS is deprecated there and what every phone and provider writes;
/// a SIPS URI would promise what nobody keeps: TLS on every hop (RFC 5630 §3).
pub(super) const fn parameter(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}

/// `:port` as a URI has it: the usual one of the transport (RFC 3261 §19.1.2) is left out.
pub(super) fn written_port(port: u16, transport: Transport) -> String {
    if port == transport.usual_port() {
        String::new()
    } else {
        format!(":{port}")
    }
}

/// A tag that is the same for every repeat of a request.
fn stateless_tag(request: &Message) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    request.sip_call_id().hash(&mut hasher);
    request.via().and_then(|via| via.branch()).hash(&mut hasher);
    format!("s{:016x}", hasher.finish())
}

pub(super) const fn unspecified() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
}

/// Whether an address is of a private network, shared carrier space included.
pub(super) const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => is_private_v6(address),
    }
}

const fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}
