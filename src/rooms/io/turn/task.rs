//! The task that owns the machine: waits, hands over, performs.

use super::relay::Ports;
use crate::turn::{Client, Figures, Input, Output, Path, PeerPolicy, RelayId, TurnServer};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::World;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Arrivals handled before anything else is looked at.
const BATCH: usize = 64;
/// How often figures are published and the wall clock is asked.
const PUBLISH: Duration = Duration::from_secs(1);
/// Room for one datagram. A longer one is cut and then refused.
const DATAGRAM: usize = 4096;

/// What readers hand over.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A connection, and where its writer waits.
    Opened(Client, mpsc::Sender<Bytes>),
    /// A datagram or a frame.
    FromClient(Client, Bytes),
    /// A connection ended.
    Gone(Client),
    /// A datagram at a relay socket.
    FromPeer(RelayId, SocketAddr, Bytes),
    /// What may be reached changed.
    Policy(PeerPolicy),
}

struct Relay {
    socket: Arc<UdpSocket>,
    end: CancellationToken,
}

pub(super) struct Worker {
    server: TurnServer,
    world: Arc<dyn World>,
    udp: Vec<Arc<UdpSocket>>,
    ports: Ports,
    publish: watch::Sender<Figures>,
    published: Figures,
    streams: HashMap<Client, mpsc::Sender<Bytes>>,
    relays: BTreeMap<RelayId, Relay>,
}

impl Worker {
    pub(super) fn new(
        server: TurnServer,
        world: Arc<dyn World>,
        udp: Vec<Arc<UdpSocket>>,
        ports: Ports,
        publish: watch::Sender<Figures>,
    ) -> Self {
        Self {
            server,
            world,
            udp,
            ports,
            publish,
            published: Figures::default(),
            streams: HashMap::new(),
            relays: BTreeMap::new(),
        }
    }

    pub(super) async fn run(
        mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        inbox: mpsc::Sender<Arrival>,
        tasks: TaskTracker,
        end: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut publish = tokio::time::interval(PUBLISH);
        publish.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let deadline = self.server.poll_timeout().map(|(at, _)| at.into());
            let timeout = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // All branches may be dropped half-way: each waits only.
            tokio::select! {
                () = end.cancelled() => return,
                _ = arrivals.recv_many(&mut batch, BATCH) => {}
                () = timeout => self.server.handle_timeout(Instant::now()),
                _ = publish.tick() => self.publish(),
            }
            let now = Instant::now();
            for arrival in batch.drain(..) {
                self.take(arrival, now);
                self.perform(&inbox, &tasks, &end).await;
            }
            self.perform(&inbox, &tasks, &end).await;
        }
    }

    fn take(&mut self, arrival: Arrival, now: Instant) {
        let input = match arrival {
            Arrival::Opened(client, writer) => {
                self.streams.insert(client, writer);
                Input::Connected(client)
            }
            Arrival::FromClient(client, bytes) => Input::FromClient(client, bytes),
            Arrival::Gone(client) => {
                self.streams.remove(&client);
                Input::Gone(client)
            }
            Arrival::FromPeer(relay, peer, bytes) => Input::FromPeer(relay, peer, bytes),
            Arrival::Policy(policy) => Input::Policy(policy),
        };
        self.server.handle(input, now);
    }

    async fn perform(&mut self, inbox: &mpsc::Sender<Arrival>, tasks: &TaskTracker, end: &CancellationToken) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::ToClient(client, bytes) => self.send_to_client(client, bytes),
                Output::ToPeer(relay, peer, bytes) => {
                    if let Some(relay) = self.relays.get(&relay) {
                        // A full socket drops, as a network does.
                        let _ = relay.socket.try_send_to(&bytes, peer);
                    }
                }
                Output::OpenRelay { relay, is_v6, is_even } => {
                    let opened = self.ports.open(is_v6, is_even).await;
                    let told = opened.as_ref().map(|(_, told)| *told);
                    if let Some((socket, _)) = opened {
                        let socket = Arc::new(socket);
                        let end = end.child_token();
                        tasks.spawn(read_relay(relay, Arc::clone(&socket), inbox.clone(), end.clone()));
                        self.relays.insert(relay, Relay { socket, end });
                    } else {
                        warn!("no relay port is free");
                    }
                    self.server.handle(Input::Relay(relay, told), Instant::now());
                }
                Output::CloseRelay(relay) => {
                    if let Some(relay) = self.relays.remove(&relay) {
                        relay.end.cancel();
                    }
                }
                Output::Close(client) => {
                    // The writer's queue ends, which ends the connection.
                    self.streams.remove(&client);
                }
            }
        }
    }

    fn send_to_client(&mut self, client: Client, bytes: Bytes) {
        match client.path {
            Path::Udp(number) => {
                if let Some(socket) = self.udp.get(usize::from(number)) {
                    let _ = socket.try_send_to(&bytes, client.address);
                }
            }
            Path::Stream(_) => {
                let is_answer = bytes.first() == Some(&0x01);
                let is_full = self
                    .streams
                    .get(&client)
                    .is_some_and(|writer| writer.try_send(bytes).is_err());
                // A client that does not read loses relayed datagrams; when it would lose an answer, which nobody
                // repeats over a stream, it loses the connection.
                if is_full && is_answer {
                    debug!(client = %client.address, "it does not read; its connection is closed");
                    self.streams.remove(&client);
                }
            }
        }
    }

    /// Publishes what was counted. Also looks at the wall clock, which may have been set.
    fn publish(&mut self) {
        self.server.set_clock(self.world.as_ref(), Instant::now());
        let figures = self.server.figures();
        if figures == self.published {
            return;
        }
        count(&self.published, &figures);
        self.publish.send_replace(figures.clone());
        self.published = figures;
    }
}

fn count(before: &Figures, after: &Figures) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; these are small")]
    {
        metrics::gauge!("strowger_turn_relays").set(after.relays as f64);
        metrics::gauge!("strowger_turn_connections").set(after.streams as f64);
    }
    metrics::counter!("strowger_turn_relays_total").increment(after.opened - before.opened);
    metrics::counter!("strowger_turn_bindings_total").increment(after.bindings - before.bindings);
    metrics::counter!("strowger_turn_packets_total").increment(after.packets - before.packets);
    let (up, down) = (
        after.bytes_to_peers - before.bytes_to_peers,
        after.bytes_to_clients - before.bytes_to_clients,
    );
    metrics::counter!("strowger_turn_bytes_total", "direction" => "to_peers").increment(up);
    metrics::counter!("strowger_turn_bytes_total", "direction" => "to_clients").increment(down);
    metrics::counter!("strowger_turn_dropped_total").increment(after.dropped - before.dropped);
    metrics::counter!("strowger_turn_unanswered_total").increment(after.unanswered - before.unanswered);
    for (refusal, total) in &after.refused {
        let new = total - before.refused(*refusal);
        metrics::counter!("strowger_turn_refused_total", "reason" => refusal.name()).increment(new);
    }
}

/// Reads a listener's datagrams until told to end.
pub(super) async fn read_datagrams(
    number: u8,
    socket: Arc<UdpSocket>,
    inbox: mpsc::Sender<Arrival>,
    end: CancellationToken,
) {
    let path = Path::Udp(number);
    read(&socket, &end, |address, bytes| {
        // A full inbox drops, as a network does.
        let _ = inbox.try_send(Arrival::FromClient(Client { path, address }, bytes));
    })
    .await;
}

async fn read_relay(relay: RelayId, socket: Arc<UdpSocket>, inbox: mpsc::Sender<Arrival>, end: CancellationToken) {
    read(&socket, &end, |peer, bytes| {
        let _ = inbox.try_send(Arrival::FromPeer(relay, peer, bytes));
    })
    .await;
}

async fn read(socket: &UdpSocket, end: &CancellationToken, mut took: impl FnMut(SocketAddr, Bytes)) {
    let mut room = BytesMut::new();
    loop {
        room.reserve(DATAGRAM);
        let received = tokio::select! {
            () = end.cancelled() => return,
            received = socket.recv_buf_from(&mut room) => received,
        };
        match received {
            Ok((_, from)) => took(from, room.split().freeze()),
            // An unreachable port, told by ICMP: the socket goes on.
            Err(error) => debug!(%error, "a datagram could not be read"),
        }
    }
}
