//! A listener that takes TLS and knows who came without: one task accepts, each connection shows in a task of its own
//! what it speaks, and what is ready waits in a bounded queue.

use super::Arrival;
use anyhow::Result;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use strowger_host::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How long a connection may take until it has shown what it speaks and, over TLS, shaken hands.
const PATIENCE: Duration = Duration::from_secs(15);
/// Connections at once that have not, or wait to be served, in all and from one address. One more is closed.
const MOST_UNREADY: (usize, usize) = (1024, 128);
/// Connections that are ready and not yet served. When it is full, those that follow wait in their tasks.
const READY: usize = 64;
/// What a TLS connection begins with: a record of the handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// The listener as axum sees it.
pub(super) struct Door {
    ready: mpsc::Receiver<(Stream, Arrival)>,
    local: SocketAddr,
}

impl axum::serve::Listener for Door {
    type Io = Stream;
    type Addr = Arrival;

    async fn accept(&mut self) -> (Stream, Arrival) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task ends with the process only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Arrival> {
        Ok(Arrival {
            remote: self.local,
            is_encrypted: true,
        })
    }
}

impl Door {
    pub(super) fn open(listener: TcpListener, tls: TlsAcceptor, shutdown: &Shutdown) -> Result<Self> {
        let (queue, ready) = mpsc::channel(READY);
        let local = listener.local_addr()?;
        let porter = Porter {
            tls,
            queue,
            tasks: shutdown.tasks().clone(),
            end: shutdown.hard().clone(),
            unready: Arc::default(),
        };
        shutdown.tasks().spawn(porter.run(listener));
        Ok(Self { ready, local })
    }
}

#[derive(Clone)]
struct Porter {
    tls: TlsAcceptor,
    queue: mpsc::Sender<(Stream, Arrival)>,
    tasks: TaskTracker,
    end: CancellationToken,
    unready: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Counts a connection for as long as it is not ready.
struct Seat {
    unready: Arc<Mutex<HashMap<IpAddr, usize>>>,
    source: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut unready = self.unready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = unready.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                unready.remove(&self.source);
            }
        }
    }
}

impl Porter {
    fn seat(&self, source: IpAddr) -> Option<Seat> {
        let mut unready = self.unready.lock().unwrap_or_else(PoisonError::into_inner);
        let own = unready.get(&source).copied().unwrap_or_default();
        if unready.values().sum::<usize>() >= MOST_UNREADY.0 || own >= MOST_UNREADY.1 {
            return None;
        }
        *unready.entry(source).or_default() += 1;
        Some(Seat {
            unready: Arc::clone(&self.unready),
            source,
        })
    }

    async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.end.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => match self.seat(remote.ip()) {
                    Some(seat) => {
                        self.tasks.spawn(self.clone().let_in(stream, remote, seat));
                    }
                    None => debug!(%remote, "too many connections that show nothing; this one is closed"),
                },
                Err(error) => {
                    // Out of file descriptors, say: asking again at once would only spin.
                    warn!(%error, "cannot accept a connection");
                    let _ = tokio::time::timeout(Duration::from_millis(100), self.end.cancelled()).await;
                }
            }
        }
    }

    async fn let_in(self, stream: TcpStream, remote: SocketAddr, seat: Seat) {
        let shown = tokio::select! {
            () = self.end.cancelled() => return,
            shown = tokio::time::timeout(PATIENCE, self.show(stream)) => shown,
        };
        let (stream, is_encrypted) = match shown {
            Ok(Ok(shown)) => shown,
            Ok(Err(error)) => return debug!(%remote, %error, "no handshake"),
            Err(_) => return debug!(%remote, "it showed nothing in time"),
        };
        let arrival = Arrival { remote, is_encrypted };
        // Fails only at the end.
        let _ = self.queue.send((stream, arrival)).await;
        // Not before: what waits for its place in the queue is bounded with what has shown nothing yet.
        drop(seat);
    }

    async fn show(&self, stream: TcpStream) -> io::Result<(Stream, bool)> {
        stream.set_nodelay(true)?;
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first == [HANDSHAKE] {
            Ok((Either::Right(self.tls.accept(stream).await?), true))
        } else {
            Ok((Either::Left(stream), false))
        }
    }
}
