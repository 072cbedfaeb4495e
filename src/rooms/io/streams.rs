//! ICE over TCP: connections that browsers open to us where UDP is shut out, framed as RFC 4571 says.

use super::Shared;
use crate::peer::{Door, local_name};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::{debug, trace};

/// Connections at once.
const CONNECTIONS: usize = 4_096;

/// Datagrams that may wait for a slow connection; what comes then is lost, as on any network.
const BACKLOG: usize = 256;

/// How long a connection may take to say whose it is, and then to say anything at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest frame: no datagram of WebRTC is larger.
const FRAME: usize = 2_048;

/// The connections there are.
#[derive(Debug, Default)]
pub(super) struct Streams {
    writers: Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>,
}

impl Streams {
    /// Sends a datagram over the connection from there.
    pub(super) fn send(&self, destination: SocketAddr, bytes: Vec<u8>) {
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(&destination)
            && writer.try_send(bytes).is_err()
        {
            trace!("a slow connection loses a datagram");
        }
    }

    fn open(&self, source: SocketAddr) -> Option<mpsc::Receiver<Vec<u8>>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.len() >= CONNECTIONS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(BACKLOG);
        writers.insert(source, sender);
        Some(receiver)
    }

    fn close(&self, source: SocketAddr) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.remove(&source);
    }
}

/// Takes connections until the end.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, source)) = accepted else {
            // Out of descriptors, most likely: let others run before the next try.
            tokio::task::yield_now().await;
            continue;
        };
        let Some(outgoing) = shared.streams.open(source) else {
            debug!("too many connections");
            continue;
        };
        let task = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            if let Err(error) = serve(stream, source, &task, outgoing).await {
                debug!("a connection ended: {error}");
            }
            task.streams.close(source);
        });
    }
}

async fn serve(
    stream: TcpStream,
    source: SocketAddr,
    shared: &Shared,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let write = async {
        while let Some(bytes) = outgoing.recv().await {
            let Ok(length) = u16::try_from(bytes.len()) else {
                continue;
            };
            let mut frame = Vec::with_capacity(bytes.len() + 2);
            frame.extend(length.to_be_bytes());
            frame.extend(bytes);
            writer.write_all(&frame).await?;
        }
        Ok(())
    };
    let read = async {
        let mut buffer = vec![0_u8; FRAME];
        let mut is_known = false;
        loop {
            let frame = tokio::time::timeout(PATIENCE, next_frame(&mut reader, &mut buffer)).await;
            let Ok(length) = frame else { return Ok(()) };
            let Some(bytes) = buffer.get(..length?) else {
                return Ok(());
            };
            // The first word must be a check that somebody waits for.
            if !is_known && local_name(bytes).is_none() {
                return Ok(());
            }
            is_known |= shared.roads.carry(Door::Tcp, source, bytes, Instant::now());
            if !is_known {
                return Ok(());
            }
        }
    };
    // Either half may be dropped: the connection ends with it.
    tokio::select! {
        () = shared.end.cancelled() => Ok(()),
        ended = write => ended,
        ended = read => ended,
    }
}

async fn next_frame(reader: &mut (impl AsyncReadExt + Unpin), buffer: &mut [u8]) -> std::io::Result<usize> {
    let length = usize::from(reader.read_u16().await?);
    let Some(space) = buffer.get_mut(..length) else {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "a frame is too long",
        ));
    };
    reader.read_exact(space).await?;
    Ok(length)
}
