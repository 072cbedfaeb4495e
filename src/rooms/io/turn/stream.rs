//! TCP and TLS connections: one task each, which reads frames and writes what waits in a bounded queue.

use super::task::Arrival;
use crate::turn::framing::next_frame;
use crate::turn::{Client, Path};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// What waits to be written to one connection: about five seconds of audio. See `Worker::send_to_client` for when it
/// is full.
const QUEUE: usize = 256;
/// How long a TLS handshake, or one write, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes gathered into one write.
const GATHERED: usize = 16 * 1024;

/// What all listeners share.
#[derive(Clone)]
pub(super) struct Doors {
    inbox: mpsc::Sender<Arrival>,
    most: (usize, usize),
    tasks: TaskTracker,
    end: CancellationToken,
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

impl Doors {
    pub(super) fn new(
        inbox: mpsc::Sender<Arrival>,
        most: (usize, usize),
        tasks: TaskTracker,
        end: CancellationToken,
    ) -> Self {
        Self {
            inbox,
            most,
            tasks,
            end,
            counts: Arc::default(),
            next: Arc::default(),
        }
    }

    fn seat(&self, source: IpAddr) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (most, most_of_one) = self.most;
        let (all, own) = (
            counts.values().sum::<usize>(),
            counts.get(&source).copied().unwrap_or(0),
        );
        if all >= most || own >= most_of_one {
            return None;
        }
        *counts.entry(source).or_default() += 1;
        Some(Seat {
            counts: Arc::clone(&self.counts),
            source,
        })
    }

    /// Accepts until told to end; over TLS when there is a certificate.
    pub(super) async fn listen(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let accepted = tokio::select! {
                () = self.end.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => match self.seat(address.ip()) {
                    Some(seat) => {
                        let doors = self.clone();
                        let tls = tls.clone();
                        self.tasks.spawn(doors.serve(stream, address, tls, seat));
                    }
                    None => debug!(%address, "too many connections; this one is closed"),
                },
                Err(error) => {
                    // Out of file descriptors, say: asking again at once would only spin.
                    warn!(%error, "cannot accept a connection");
                    let _ = tokio::time::timeout(Duration::from_millis(100), self.end.cancelled()).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>, _seat: Seat) {
        // A relayed voice packet must not wait for the next one.
        let _ = stream.set_nodelay(true);
        let client = Client {
            path: Path::Stream(self.next.fetch_add(1, Ordering::Relaxed)),
            address,
        };
        match tls {
            None => self.converse(stream, client).await,
            Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.converse(stream, client).await,
                Ok(Err(error)) => debug!(%address, %error, "no TLS came about"),
                Err(_) => debug!(%address, "no TLS came about in time"),
            },
        }
    }

    async fn converse(self, mut stream: impl AsyncRead + AsyncWrite + Unpin, client: Client) {
        let (writer, mut queue) = mpsc::channel(QUEUE);
        if self.inbox.send(Arrival::Opened(client, writer)).await.is_err() {
            return;
        }
        let (mut arrived, mut leaving) = (BytesMut::new(), Vec::with_capacity(QUEUE));
        loop {
            // All branches may be dropped half-way: reading and receiving lose nothing, writing is done below.
            let goes_on = tokio::select! {
                () = self.end.cancelled() => false,
                read = stream.read_buf(&mut arrived) => match read {
                    Ok(0) | Err(_) => false,
                    Ok(_) => self.hand_over(client, &mut arrived).await,
                },
                count = queue.recv_many(&mut leaving, QUEUE) => {
                    count > 0 && write(&mut stream, &mut leaving).await
                }
            };
            if !goes_on {
                break;
            }
        }
        let _ = self.inbox.send(Arrival::Gone(client)).await;
        let _ = tokio::time::timeout(PATIENCE, stream.shutdown()).await;
    }

    /// Hands over every whole frame; false when the stream carries something else.
    async fn hand_over(&self, client: Client, arrived: &mut BytesMut) -> bool {
        loop {
            match next_frame(arrived) {
                Ok(Some(frame)) => {
                    // A full inbox makes this connection wait, which makes its client send less.
                    if self.inbox.send(Arrival::FromClient(client, frame)).await.is_err() {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    debug!(client = %client.address, %error, "closed");
                    return false;
                }
            }
        }
    }
}

/// Writes what waits, gathered; false when it cannot.
async fn write(stream: &mut (impl AsyncWrite + Unpin), leaving: &mut Vec<Bytes>) -> bool {
    let mut gathered = BytesMut::with_capacity(GATHERED);
    for bytes in leaving.drain(..) {
        gathered.extend_from_slice(&bytes);
    }
    let written = async {
        stream.write_all(&gathered).await?;
        stream.flush().await
    };
    matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(())))
}
