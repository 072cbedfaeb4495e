//! The one task that owns the endpoint: waits for an input or the deadline, hands it over, performs every output.

use super::keep::Keeper;
use super::tcp::{Arrival, Hub};
use super::{SipHandle, socket};
use crate::endpoint::{Endpoint, Input, Output};
use crate::standing::Standing;
use crate::trace::Traced;
use crate::transaction::{FlowId, Path};
use crate::{Command, Directory, Error, SipConfig, SipEvent};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_host::Shutdown;
use strowger_model::World;
use strowger_model::record::Binding;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Datagrams waiting for the endpoint. When it is full they are dropped, as a network would: SIP repeats them.
const DATAGRAMS: usize = 4096;
/// Chunks of connections waiting for the endpoint. When it is full connections are not read from.
const ARRIVALS: usize = 1024;
/// How many inputs are handled before the outputs are looked at again.
const BATCH: usize = 64;
/// What fits into one packet nearly everywhere.
const MTU: usize = 1300;
/// Messages shown that nobody has taken yet. When it is full they are dropped and counted.
const TRACES: usize = 4096;
/// How long the far sides may take to answer our last BYEs.
const FAREWELL: Duration = Duration::from_secs(2);

struct Datagram {
    source: SocketAddr,
    local: SocketAddr,
    bytes: Bytes,
}

pub(super) async fn start(
    mut config: SipConfig,
    directory: Arc<dyn Directory>,
    world: Arc<dyn World>,
    bindings: Vec<Binding>,
    shutdown: &Shutdown,
) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), Error> {
    let mut sockets = HashMap::new();
    for address in &mut config.udp {
        let socket = Arc::new(socket::udp(*address)?);
        *address = socket.local_addr().unwrap_or(*address);
        sockets.insert(*address, socket);
    }
    let mut listeners = Vec::new();
    for address in &mut config.tcp {
        let listener = socket::tcp(*address)?;
        *address = listener.local_addr().unwrap_or(*address);
        listeners.push(listener);
    }
    let mut tls_listeners = Vec::new();
    for address in &mut config.tls {
        let listener = socket::tcp(*address)?;
        *address = listener.local_addr().unwrap_or(*address);
        tls_listeners.push(listener);
    }
    let acceptor = acceptor(&config)?;
    info!(udp = ?config.udp, tcp = ?config.tcp, tls = ?config.tls, "listening for SIP");
    let (commands, command_queue) = mpsc::channel(config.limits.queued_commands);
    let (events, receiver) = mpsc::channel(config.limits.queued_events);
    let (datagram_queue, datagrams) = mpsc::channel(DATAGRAMS);
    let (arrival_queue, arrivals) = mpsc::channel(ARRIVALS);
    let handle = SipHandle::new(commands, [config.udp.clone(), config.tcp.clone(), config.tls.clone()]);
    // Everything of this crate ends with the endpoint's task, which says its farewells first.
    let stop = CancellationToken::new();
    let hub = Hub::new(
        arrival_queue,
        (config.limits.clone(), config.ca_file.clone()),
        stop.clone(),
        shutdown.tasks().clone(),
    );
    for (local, socket) in &sockets {
        shutdown.tasks().spawn(receive(
            Arc::clone(socket),
            *local,
            datagram_queue.clone(),
            stop.clone(),
        ));
    }
    for listener in listeners {
        shutdown.tasks().spawn(hub.clone().listen(listener, None));
    }
    for listener in tls_listeners {
        shutdown.tasks().spawn(hub.clone().listen(listener, acceptor.clone()));
    }
    let now = Instant::now();
    let capacity = config.limits.queued_events;
    let (keeper, standing) = keeper(&mut config);
    let traces = config.traces.then(|| {
        let (traces, shown) = mpsc::channel(TRACES);
        handle.shows(shown);
        traces
    });
    let mut endpoint = Endpoint::new(config, socket::interface(), directory, world, now);
    for binding in &bindings {
        handle.bound(binding);
    }
    endpoint.restore(bindings, now);
    handle.takes_up(endpoint.take_up(standing, now));
    let (writers, backlog, is_congested) = (HashMap::new(), VecDeque::new(), false);
    let task = Task {
        endpoint,
        sockets,
        hub,
        writers,
        events,
        capacity,
        backlog,
        is_congested,
        keeper,
        traces,
        handle: handle.clone(),
    };
    let (soft, hard) = (shutdown.soft().clone(), shutdown.hard().clone());
    shutdown.tasks().spawn(async move {
        let _stop = stop.drop_guard();
        task.run(command_queue, datagrams, arrivals, soft, hard).await;
    });
    Ok((handle, receiver))
}

/// Where dialogs are kept, and those that a daemon before this one left standing. A file that cannot be had is no reason
/// not to take calls.
fn keeper(config: &mut SipConfig) -> (Option<Keeper>, Vec<Standing>) {
    let Some(path) = &config.kept_dialogs else {
        return (None, Vec::new());
    };
    match Keeper::open(path) {
        Ok((keeper, standing)) => {
            if !standing.is_empty() {
                info!(
                    dialogs = standing.len(),
                    "taking up or ending dialogs that the last run left open"
                );
            }
            (Some(keeper), standing)
        }
        Err(problem) => {
            warn!(path = %path.display(), %problem, "dialogs cannot be kept: were the daemon killed, phones would not be told");
            config.kept_dialogs = None;
            (None, Vec::new())
        }
    }
}

/// What the TLS listeners shake hands with.
fn acceptor(config: &SipConfig) -> Result<Option<TlsAcceptor>, Error> {
    if config.tls.is_empty() {
        return Ok(None);
    }
    let certificates = config.certificates.as_ref().ok_or(Error::NoCertificate)?;
    Ok(Some(TlsAcceptor::from(certificates.serving(&[])?)))
}

async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, queue: mpsc::Sender<Datagram>, stop: CancellationToken) {
    let mut buffer = vec![0; crate::message::MAX_MESSAGE + 1];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, source)) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                if queue.try_send(Datagram { source, local, bytes }).is_err() {
                    debug!(%source, "too busy; a datagram is dropped");
                }
            }
            Err(error) => {
                // An ICMP error of an earlier datagram, mostly.
                debug!(%error, "cannot receive");
                let _ = tokio::time::timeout(Duration::from_millis(1), stop.cancelled()).await;
            }
        }
    }
}

struct Task {
    endpoint: Endpoint,
    sockets: HashMap<SocketAddr, Arc<UdpSocket>>,
    hub: Hub,
    writers: HashMap<FlowId, mpsc::Sender<Bytes>>,
    events: mpsc::Sender<SipEvent>,
    capacity: usize,
    /// Events the switch has had no room for. Calls are refused by then, so it grows no further than those that stand.
    backlog: VecDeque<SipEvent>,
    is_congested: bool,
    keeper: Option<Keeper>,
    traces: Option<mpsc::Sender<Traced>>,
    handle: SipHandle,
}

impl Task {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut datagrams: mpsc::Receiver<Datagram>,
        mut arrivals: mpsc::Receiver<Arrival>,
        soft: CancellationToken,
        hard: CancellationToken,
    ) {
        self.perform();
        let events = self.events.clone();
        let (mut is_draining, mut end) = (false, None::<Instant>);
        loop {
            let deadline = self.endpoint.poll_timeout().map(|(at, _)| at);
            let wake = [deadline, end].into_iter().flatten().min();
            // Every branch is safe to drop: nothing is taken from a queue before its branch is chosen.
            tokio::select! {
                Some(command) = commands.recv() => {
                    self.handle(Input::Command(command));
                    for _ in 0..BATCH {
                        let Ok(command) = commands.try_recv() else { break };
                        self.handle(Input::Command(command));
                    }
                }
                Some(datagram) = datagrams.recv() => {
                    self.datagram(datagram);
                    for _ in 0..BATCH {
                        let Ok(datagram) = datagrams.try_recv() else { break };
                        self.datagram(datagram);
                    }
                }
                Some(arrival) = arrivals.recv() => self.arrived(arrival),
                Ok(permit) = events.reserve(), if !self.backlog.is_empty() => {
                    if let Some(event) = self.backlog.pop_front() {
                        permit.send(event);
                    }
                }
                () = until(wake) => self.endpoint.handle_timeout(Instant::now()),
                () = soft.cancelled(), if !is_draining => {
                    is_draining = true;
                    self.handle(Input::Drain);
                }
                () = hard.cancelled(), if end.is_none() => {
                    end = Some(Instant::now() + FAREWELL);
                    self.handle(Input::HangUpAll);
                }
            }
            self.perform();
            if end.is_some_and(|end| self.endpoint.is_over() || Instant::now() >= end) {
                return;
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.endpoint.handle(input, Instant::now());
    }

    fn datagram(&mut self, Datagram { source, local, bytes }: Datagram) {
        self.handle(Input::Datagram { source, local, bytes });
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Opened {
                flow,
                remote,
                local,
                transport,
                writer,
            } => {
                self.writers.insert(flow, writer);
                self.handle(Input::FlowOpened {
                    flow,
                    remote,
                    local,
                    transport,
                });
            }
            Arrival::Bytes { flow, bytes } => self.handle(Input::StreamBytes { flow, bytes }),
            Arrival::Closed { flow, reason } => {
                self.writers.remove(&flow);
                self.handle(Input::FlowClosed { flow, reason });
            }
        }
    }

    fn perform(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit {
                    path: Path::Udp { local, remote },
                    bytes,
                } => self.send(local, remote, &bytes),
                Output::Transmit {
                    path: Path::Flow(flow),
                    bytes,
                } => self.write(flow, bytes),
                Output::OpenFlow { flow, remote, tls } => self.hub.connect(flow, remote, tls),
                // Dropping the queue lets the writer finish what is in it and close.
                Output::CloseFlow { flow } => drop(self.writers.remove(&flow)),
                Output::Event(event) => self.tell(event),
                Output::Keep(dialog, standing) => {
                    if let Some(keeper) = &mut self.keeper {
                        keeper.keep(dialog, standing);
                    }
                }
            }
        }
        self.show();
        if let Some(keeper) = &mut self.keeper {
            keeper.catch_up();
        }
        let is_congested = !self.backlog.is_empty() || self.events.capacity() < self.capacity / 4;
        if is_congested != self.is_congested {
            self.is_congested = is_congested;
            self.handle(Input::Congested(is_congested));
        }
    }

    fn show(&mut self) {
        let Some(traces) = &self.traces else { return };
        while let Some(traced) = self.endpoint.poll_trace() {
            if traces.try_send(traced).is_err() {
                metrics::counter!("strowger_signalling_dropped_total").increment(1);
            }
        }
    }

    fn send(&self, local: SocketAddr, remote: SocketAddr, bytes: &Bytes) {
        let Some(socket) = self.sockets.get(&local) else { return };
        // What can go over a connection does so by now; phones and answers stay, and fragments arrive.
        if bytes.len() > MTU {
            debug!(%remote, size_bytes = bytes.len(), "a datagram that will be fragmented");
        }
        // A full socket buffer loses the datagram, as the network may: SIP repeats it.
        if let Err(error) = socket.try_send_to(bytes, remote) {
            debug!(%remote, %error, size_bytes = bytes.len(), "datagram not sent");
        }
    }

    fn write(&mut self, flow: FlowId, bytes: Bytes) {
        let Some(writer) = self.writers.get(&flow) else { return };
        if writer.try_send(bytes).is_err() {
            debug!(flow = flow.0, "a connection is not read by its far side; it is closed");
            self.writers.remove(&flow);
            let reason = String::new();
            self.handle(Input::FlowClosed { flow, reason });
        }
    }

    fn tell(&mut self, event: SipEvent) {
        self.handle.observe(&event);
        if !self.backlog.is_empty() {
            self.backlog.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.backlog.push_back(event);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
