//! Connections over TCP and TLS: one reading and one writing task each, a bounded queue between the endpoint and the writer.

use crate::config::Limits;
use crate::transaction::FlowId;
use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use strowger_host::tls::trust;
use strowger_model::trunk::Transport;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How long a connection we ask for may take, its handshake included.
const CONNECT: Duration = Duration::from_secs(10);

/// Far sides whose refusal is remembered. Providers are few; whoever has more starts afresh.
const MOST_REMEMBERED: usize = 1_000;

type Reading = Box<dyn AsyncRead + Send + Unpin>;
type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection, before it is cut into its halves.
enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream.get_ref().0,
        }
    }

    const fn transport(&self) -> Transport {
        match self {
            Self::Plain(_) => Transport::Tcp,
            Self::Encrypted(_) => Transport::Tls,
        }
    }

    fn split(self) -> (Reading, Writing) {
        match self {
            Self::Plain(stream) => {
                let (reading, writing) = stream.into_split();
                (Box::new(reading), Box::new(writing))
            }
            Self::Encrypted(stream) => {
                let (reading, writing) = tokio::io::split(*stream);
                (Box::new(reading), Box::new(writing))
            }
        }
    }
}

/// What connections tell the endpoint's task.
pub(super) enum Arrival {
    Opened {
        flow: FlowId,
        remote: SocketAddr,
        local: SocketAddr,
        transport: Transport,
        writer: mpsc::Sender<Bytes>,
    },
    Bytes {
        flow: FlowId,
        bytes: Bytes,
    },
    Closed {
        flow: FlowId,
        /// Why one that was asked for could not be made.
        reason: String,
    },
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Hub {
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) limits: Arc<Limits>,
    /// Further authorities for the certificates of those we connect to.
    ca_file: Option<PathBuf>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    /// Why those we connect to could not be reached, as it was last said.
    said: Arc<Mutex<HashMap<SocketAddr, String>>>,
    next: Arc<AtomicU64>,
}

/// Counts a connection for as long as it lives.
struct Seat {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    source: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

impl Hub {
    pub(super) fn new(
        arrivals: mpsc::Sender<Arrival>,
        (limits, ca_file): (Limits, Option<PathBuf>),
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let (limits, counts, next) = (Arc::new(limits), Arc::default(), Arc::new(AtomicU64::new(2)));
        Self {
            arrivals,
            limits,
            ca_file,
            stop,
            tasks,
            counts,
            said: Arc::default(),
            next,
        }
    }

    fn seat(&self, source: IpAddr) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, own) = (
            counts.values().sum::<usize>(),
            counts.get(&source).copied().unwrap_or_default(),
        );
        if total >= self.limits.connections || own >= self.limits.connections_per_source {
            return None;
        }
        *counts.entry(source).or_default() += 1;
        let counts = Arc::clone(&self.counts);
        Some(Seat { counts, source })
    }

    /// Accepts until told to stop; over TLS when there is something to shake hands with.
    pub(super) async fn listen(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => match self.seat(remote.ip()) {
                    Some(seat) => {
                        let flow = FlowId(self.next.fetch_add(2, Ordering::Relaxed));
                        match tls.clone() {
                            None => self.run(flow, Stream::Plain(stream), seat),
                            Some(tls) => {
                                self.tasks.spawn(self.clone().shake(flow, stream, tls, seat));
                            }
                        }
                    }
                    None => debug!(%remote, "too many connections; this one is closed"),
                },
                Err(error) => {
                    // Out of file descriptors, say: asking again at once would only spin.
                    warn!(%error, "cannot accept a connection");
                    let _ = tokio::time::timeout(Duration::from_millis(100), self.stop.cancelled()).await;
                }
            }
        }
    }

    /// The endpoint hears of a connection over TLS when its handshake is over; one that dawdles holds its seat and is
    /// closed.
    async fn shake(self, flow: FlowId, stream: TcpStream, tls: TlsAcceptor, seat: Seat) {
        let shaken = tokio::select! {
            () = self.stop.cancelled() => return,
            shaken = tokio::time::timeout(self.limits.handshake, tls.accept(stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.run(flow, Stream::Encrypted(Box::new(stream.into())), seat),
            Ok(Err(error)) => debug!(source = %seat.source, %error, "no handshake"),
            Err(_) => debug!(source = %seat.source, "a handshake took too long"),
        }
    }

    /// Connects, over TLS to the host named; the endpoint hears of it either way.
    pub(super) fn connect(&self, flow: FlowId, remote: SocketAddr, name: Option<String>) {
        let hub = self.clone();
        self.tasks.spawn(async move {
            let connected = tokio::select! {
                () = hub.stop.cancelled() => return,
                connected = tokio::time::timeout(CONNECT, hub.reach(remote, name.clone())) => connected,
            };
            // A connection of ours is not counted against the far side's share.
            let seat = Seat {
                counts: Arc::default(),
                source: remote.ip(),
            };
            let reason = match connected {
                Ok(Ok(stream)) => {
                    hub.said.lock().unwrap_or_else(PoisonError::into_inner).remove(&remote);
                    return hub.run(flow, stream, seat);
                }
                Ok(Err(reason)) => reason,
                Err(_) => "it takes no connection in time".to_owned(),
            };
            match name {
                Some(name) if hub.is_news(remote, &reason) => warn!(%remote, name, reason, "no connection over TLS"),
                Some(_) | None => debug!(%remote, reason, "cannot connect"),
            }
            let _ = hub.arrivals.send(Arrival::Closed { flow, reason }).await;
        });
    }

    /// A provider is asked every few seconds; why it cannot be is said when it changes.
    fn is_news(&self, remote: SocketAddr, reason: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MOST_REMEMBERED {
            said.clear();
        }
        said.insert(remote, reason.to_owned()).as_deref() != Some(reason)
    }

    async fn reach(&self, remote: SocketAddr, name: Option<String>) -> Result<Stream, String> {
        let stream = TcpStream::connect(remote).await.map_err(|error| error.to_string())?;
        let Some(name) = name else {
            return Ok(Stream::Plain(stream));
        };
        let bare = name.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
        let ca_file = self.ca_file.clone();
        // Read anew each time: connections to providers are few, and authorities change.
        let config = tokio::task::spawn_blocking(move || trust::connecting(ca_file.as_deref()));
        let config = config.await.map_err(|error| error.to_string())?;
        let config = config.map_err(|error| error.to_string())?;
        let shaken = TlsConnector::from(config).connect(name, stream).await;
        let stream = shaken.map_err(|error| trust::refusal(&error))?;
        Ok(Stream::Encrypted(Box::new(stream.into())))
    }

    fn run(&self, flow: FlowId, stream: Stream, seat: Seat) {
        let socket = stream.socket();
        let _ = socket.set_nodelay(true);
        let (Ok(remote), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else {
            return;
        };
        let transport = stream.transport();
        // A queue that is full belongs to a far side that does not read: the endpoint's task closes it.
        let (writer, queue) = mpsc::channel(self.limits.queued_per_connection);
        let (reading, writing) = stream.split();
        let over = self.stop.child_token();
        let hub = self.clone();
        self.tasks
            .spawn(write(writing, queue, hub.limits.write_timeout, over.clone()));
        self.tasks.spawn(async move {
            let _seat = seat;
            let opened = Arrival::Opened {
                flow,
                remote,
                local,
                transport,
                writer,
            };
            if hub.arrivals.send(opened).await.is_ok() {
                hub.read(flow, reading, &over).await;
                let reason = String::new();
                let _ = hub.arrivals.send(Arrival::Closed { flow, reason }).await;
            }
            over.cancel();
        });
    }

    async fn read(&self, flow: FlowId, mut reading: Reading, over: &CancellationToken) {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(4096);
            // `read_buf` is safe to drop: bytes are in the buffer or still in the socket.
            let count = tokio::select! {
                () = over.cancelled() => return,
                count = reading.read_buf(&mut buffer) => count,
            };
            match count {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            // When the endpoint lags, the far side waits: nothing more is read from it.
            let bytes = buffer.split().freeze();
            if self.arrivals.send(Arrival::Bytes { flow, bytes }).await.is_err() {
                return;
            }
        }
    }
}

/// Over TLS what was written may still lie in our own buffers.
async fn put(writing: &mut Writing, bytes: &[u8]) -> std::io::Result<()> {
    writing.write_all(bytes).await?;
    writing.flush().await
}

/// Writes what is queued; a write that takes too long ends the connection.
async fn write(mut writing: Writing, mut queue: mpsc::Receiver<Bytes>, patience: Duration, over: CancellationToken) {
    loop {
        let bytes = tokio::select! {
            () = over.cancelled() => break,
            bytes = queue.recv() => bytes,
        };
        let Some(bytes) = bytes else { break };
        let written = tokio::select! {
            () = over.cancelled() => break,
            written = tokio::time::timeout(patience, put(&mut writing, &bytes)) => written,
        };
        if !matches!(written, Ok(Ok(()))) {
            debug!("a connection does not take what is written; it is closed");
            break;
        }
    }
    let _ = tokio::time::timeout(patience, writing.shutdown()).await;
    over.cancel();
}
