//! The spool as the switch sees it.

use super::folder;
use super::index::{segments, survey};
use super::reader::{CaptureReader, Ending, find_from};
use super::record::{about, open_prefix};
use super::sink::{StreamSink, WAITING};
use super::writer::{Message, Opening, Rules, Shared, Writer};
use crate::keys::{CryptoError, Key};
use crate::{Error, Result, Store};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use strowger_model::capture::{CaptureMeta, StreamMeta};
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Messages on their way to the writer: what 400 legs say in half a minute. When it is full chunks are
/// dropped and marked, and captures do not begin.
const CHANNEL: usize = 40_960;

/// A capture begins without the disk's word after this: a call that lasts no longer than the disk stalls is recorded too.
const CERTAIN: Duration = Duration::from_millis(100);

/// How the spool is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolConfig {
    /// Free bytes on the disk below which recording stops.
    pub reserve_bytes: u64,
    /// The size at which a segment is closed.
    pub segment_bytes: u64,
    /// The age at which a segment is closed.
    pub segment_age: Duration,
    /// How often what was written is made durable.
    pub commit_every: Duration,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            reserve_bytes: 512 << 20,
            segment_bytes: 64 << 20,
            segment_age: Duration::from_mins(5),
            commit_every: Duration::from_millis(300),
        }
    }
}

/// What the health page shows of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolState {
    /// Whether recording has stopped: the disk's reserve is reached, or the log cannot be written.
    pub is_stopped: bool,
    /// Captures that are open.
    pub open: u64,
    /// Chunks that were lost since the start.
    pub lost: u64,
}

/// A capture that a daemon before this one left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What it is of.
    pub meta: CaptureMeta,
    /// Its streams.
    pub streams: Vec<StreamMeta>,
    /// Whether it had come to its end.
    pub ending: Ending,
    /// From its begin to the last sound in it.
    pub length: Duration,
}

/// The capture spool of this daemon. Cheap to clone.
#[derive(Clone)]
pub struct CaptureSpool {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    folder: PathBuf,
    shared: Arc<Shared>,
    to_writer: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl CaptureSpool {
    /// Starts the writer thread on a segment of its own.
    ///
    /// # Errors
    /// The folder cannot be made or the thread not started.
    pub fn start(store: &Store, config: &SpoolConfig) -> Result<Self> {
        let (spool, writer, messages) = Self::prepare(store, config)?;
        let thread = std::thread::Builder::new()
            .name("captures".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(Error::file("start the writer of", &spool.inner.folder))?;
        *spool.inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(spool)
    }

    /// The spool, and the writer that is to run for it.
    fn prepare(store: &Store, config: &SpoolConfig) -> Result<(Self, Writer, Receiver<Message>)> {
        let folder = folder(store.data_dir());
        std::fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        let last = segments(&folder)?
            .last()
            .and_then(|path| path.file_stem()?.to_str()?.parse::<u64>().ok());
        let shared = Arc::new(Shared::default());
        let rules = Rules {
            folder: folder.clone(),
            reserve_bytes: config.reserve_bytes,
            segment_bytes: config.segment_bytes,
            segment_age: config.segment_age,
            commit_every: config.commit_every,
        };
        let writer = Writer::new(rules, Arc::clone(&shared), last.map_or(1, |last| last + 1));
        let (to_writer, messages) = sync_channel(CHANNEL);
        let spool = Self {
            inner: Arc::new(Inner {
                store: store.clone(),
                folder,
                shared,
                to_writer,
                thread: Mutex::new(None),
            }),
        };
        Ok((spool, writer, messages))
    }

    /// A spool whose disk takes nothing until it is told to go on.
    #[cfg(test)]
    pub(super) fn stalled(store: &Store, config: &SpoolConfig) -> (Self, Stalled) {
        let (spool, writer, messages) = Self::prepare(store, config).expect("a spool");
        (spool, Stalled(writer, messages))
    }

    /// Begins a capture; once this returns, its key and owner are durable, or the disk has said nothing for a moment: then
    /// what is said waits in memory, after them.
    ///
    /// # Errors
    /// Recording has stopped, or the disk or database did not answer.
    pub async fn open(&self, meta: &CaptureMeta, streams: &[StreamMeta]) -> Result<Capture> {
        let store = &self.inner.store;
        if self.inner.shared.is_stopped() {
            return Err(Error::NoCapture);
        }
        let tenant_key = store.keyring().tenant(store.db(), meta.tenant).await?;
        let key = Key::generate(store.world())?;
        let wrapped = tenant_key.wrap(store.world(), &about(meta.capture), &key)?;
        let (done, durable) = oneshot::channel();
        self.send(Message::Open(Box::new(Opening {
            capture: meta.capture,
            key,
            clear: open_prefix(meta.tenant, &wrapped),
            meta: serde_json::to_vec(meta).map_err(|_| CryptoError::Cipher)?,
            done,
        })))?;
        let capture = Capture {
            spool: self.clone(),
            meta: meta.clone(),
            is_ended: false,
        };
        for stream in streams {
            capture.announce(stream)?;
        }
        match tokio::time::timeout(CERTAIN, durable).await {
            // A disk that stalls answers later, and takes what is said meanwhile after the capture's first record.
            Ok(Ok(true)) | Err(_) => Ok(capture),
            Ok(Ok(false) | Err(_)) => Err(Error::NoCapture),
        }
    }

    fn send(&self, message: Message) -> Result<()> {
        self.inner
            .to_writer
            .try_send(message)
            .map_err(|_| Error::Stopped("capture spool"))
    }

    /// The captures that daemons before this one left and nobody erased, complete or cut, save those of calls
    /// that were written as ended with their recording: what is to be done about these is known, and a worker that
    /// was away for long leaves many. Call it once at the start, before captures are opened.
    ///
    /// # Errors
    /// A segment cannot be read, or the database did not answer.
    pub async fn recover(&self) -> Result<Vec<Recovered>> {
        let folder = self.inner.folder.clone();
        let (known, _) = blocking(move || survey(&folder)).await?;
        let settled = self.inner.store.captures_settled().await?;
        let mut left: Vec<_> = known
            .into_iter()
            .filter(|(capture, known)| !known.is_erased && !settled.contains(capture))
            .filter_map(|(capture, known)| Some((capture, known.open?)))
            .collect();
        left.sort();
        let mut all = Vec::with_capacity(left.len());
        for (capture, place) in left {
            let folder = self.inner.folder.clone();
            let Some(opened) = blocking(move || find_from(&folder, capture, Some(&place))).await? else {
                continue;
            };
            let store = &self.inner.store;
            let reader = match store.keyring().tenant(store.db(), opened.tenant).await {
                Ok(key) => opened.unseal(&key),
                Err(problem) => Err(problem),
            };
            match reader {
                Ok(reader) => all.push(blocking(move || Ok(summary(reader))).await?),
                // Its tenant was removed, or it is damaged at its first record: nothing can be read.
                Err(problem) => {
                    warn!(%capture, problem = &problem as &dyn std::error::Error, "a capture cannot be opened")
                }
            }
        }
        Ok(all)
    }

    /// How the spool does.
    #[must_use]
    pub fn state(&self) -> SpoolState {
        let shared = &self.inner.shared;
        SpoolState {
            is_stopped: shared.is_stopped(),
            open: shared.open.load(Ordering::Relaxed),
            lost: shared.lost.load(Ordering::Relaxed),
        }
    }

    /// Makes everything durable and ends the writer.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let ended = tokio::task::spawn_blocking(move || {
            let _ = inner.to_writer.send(Message::Close);
            let thread = inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            thread.map_or(Ok(()), JoinHandle::join)
        });
        if !matches!(ended.await, Ok(Ok(()))) {
            error!("the writer of captures ended badly");
        }
    }
}

impl std::fmt::Debug for CaptureSpool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CaptureSpool")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Stopped("file worker")))
}

fn summary(mut reader: CaptureReader) -> Recovered {
    let mut last_us = 0;
    for chunk in reader.by_ref().flatten() {
        last_us = chunk.frames().map(|frame| frame.arrival_us).fold(last_us, u64::max);
    }
    Recovered {
        meta: reader.meta().clone(),
        streams: reader.streams().to_vec(),
        ending: reader.ending().unwrap_or(Ending::Cut),
        length: Duration::from_micros(last_us),
    }
}

/// A capture that runs. Dropping it ends it without waiting for the disk.
pub struct Capture {
    spool: CaptureSpool,
    meta: CaptureMeta,
    is_ended: bool,
}

impl Capture {
    /// What it is of.
    #[must_use]
    pub const fn meta(&self) -> &CaptureMeta {
        &self.meta
    }

    /// Announces a stream that was not known at the begin.
    ///
    /// # Errors
    /// The writer is behind or has ended.
    pub fn announce(&self, stream: &StreamMeta) -> Result<()> {
        self.spool.send(Message::Stream {
            capture: self.meta.capture,
            meta: serde_json::to_vec(stream).map_err(|_| CryptoError::Cipher)?,
        })
    }

    /// Where the chunks of an announced stream go.
    #[must_use]
    pub fn sink(&self, stream: u8) -> StreamSink {
        let (give_back, back) = sync_channel(WAITING);
        StreamSink {
            capture: self.meta.capture,
            stream,
            to_writer: self.spool.inner.to_writer.clone(),
            back,
            give_back,
            made: 0,
            lost: Arc::new(AtomicBool::new(false)),
            shared: Arc::clone(&self.spool.inner.shared),
        }
    }

    /// Writes the end mark, after all chunks submitted before, and waits until it is durable.
    ///
    /// # Errors
    /// The disk refused: the capture ends cut, what is on the disk stays readable.
    pub async fn finish(mut self) -> Result<()> {
        self.is_ended = true;
        let (done, durable) = oneshot::channel();
        self.spool.send(Message::End {
            capture: self.meta.capture,
            done: Some(done),
        })?;
        match durable.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::Stopped("capture spool")),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if !self.is_ended {
            // When the writer is behind the capture simply ends cut.
            let _ = self.spool.send(Message::End {
                capture: self.meta.capture,
                done: None,
            });
        }
    }
}

/// The writer of a spool whose disk stalls.
#[cfg(test)]
pub(super) struct Stalled(Writer, Receiver<Message>);

#[cfg(test)]
impl Stalled {
    /// Writes what waited.
    pub(super) fn go_on(self) {
        self.0.run(&self.1);
    }
}
