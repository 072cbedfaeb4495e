//! Connections: one reading and one writing task each, a bounded queue between the endpoint and the writer.

use crate::config::Limits;
use crate::transaction::FlowId;
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// What connections tell the endpoint's task.
pub(super) enum Arrival {
    Opened {
        flow: FlowId,
        remote: SocketAddr,
        local: SocketAddr,
        writer: mpsc::Sender<Bytes>,
    },
    Bytes {
        flow: FlowId,
        bytes: Bytes,
    },
    Closed {
        flow: FlowId,
    },
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Hub {
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) limits: Arc<Limits>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
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
        limits: Limits,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let (limits, counts, next) = (Arc::new(limits), Arc::default(), Arc::new(AtomicU64::new(2)));
        Self {
            arrivals,
            limits,
            stop,
            tasks,
            counts,
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

    /// Accepts until told to stop.
    pub(super) async fn listen(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => match self.seat(remote.ip()) {
                    Some(seat) => {
                        let flow = FlowId(self.next.fetch_add(2, Ordering::Relaxed));
                        self.run(flow, stream, seat);
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

    /// Connects; the endpoint hears of it either way.
    pub(super) fn connect(&self, flow: FlowId, remote: SocketAddr) {
        let hub = self.clone();
        self.tasks.spawn(async move {
            let patience = Duration::from_secs(10);
            let connected = tokio::select! {
                () = hub.stop.cancelled() => return,
                connected = tokio::time::timeout(patience, TcpStream::connect(remote)) => connected,
            };
            // A connection of ours is not counted against the far side's share.
            let seat = Seat {
                counts: Arc::default(),
                source: remote.ip(),
            };
            if let Ok(Ok(stream)) = connected {
                hub.run(flow, stream, seat);
            } else {
                debug!(%remote, "cannot connect");
                let _ = hub.arrivals.send(Arrival::Closed { flow }).await;
            }
        });
    }

    fn run(&self, flow: FlowId, stream: TcpStream, seat: Seat) {
        let _ = stream.set_nodelay(true);
        let (Ok(remote), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
            return;
        };
        // A queue that is full belongs to a far side that does not read: the endpoint's task closes it.
        let (writer, queue) = mpsc::channel(self.limits.queued_per_connection);
        let (reading, writing) = stream.into_split();
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
                writer,
            };
            if hub.arrivals.send(opened).await.is_ok() {
                hub.read(flow, reading, &over).await;
                let _ = hub.arrivals.send(Arrival::Closed { flow }).await;
            }
            over.cancel();
        });
    }

    async fn read(&self, flow: FlowId, mut reading: OwnedReadHalf, over: &CancellationToken) {
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

/// Writes what is queued; a write that takes too long ends the connection.
async fn write(
    mut writing: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Bytes>,
    patience: Duration,
    over: CancellationToken,
) {
    loop {
        let bytes = tokio::select! {
            () = over.cancelled() => break,
            bytes = queue.recv() => bytes,
        };
        let Some(bytes) = bytes else { break };
        let written = tokio::select! {
            () = over.cancelled() => break,
            written = tokio::time::timeout(patience, writing.write_all(&bytes)) => written,
        };
        if !matches!(written, Ok(Ok(()))) {
            debug!("a connection does not take what is written; it is closed");
            break;
        }
    }
    let _ = tokio::time::timeout(patience, writing.shutdown()).await;
    over.cancel();
}
