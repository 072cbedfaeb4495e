//! Captures that run: one task each, because a capture begins only once its key is durable, and its
//! end mark may be written only after the last chunk. Calls wait for neither.

use crate::call::{Tap, Tapped};
use crate::exchange::Input;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use strowger_media::MediaHandle;
use strowger_model::CaptureId;
use strowger_model::capture::{CaptureMeta, Chunk, Refusal, Sink, StreamMeta};
use strowger_store::capture::{Capture, CaptureSpool, StreamSink};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Taps of one capture that wait while it is being opened. A call has few legs; more are left out.
const TAPS: usize = 32;

/// How long the media threads may take to hand over the last chunk.
const LAST_CHUNK: Duration = Duration::from_secs(5);

/// The captures that run, as the exchange's task sees them.
pub(super) struct Captures {
    spool: CaptureSpool,
    media: MediaHandle,
    failures: mpsc::Sender<Input>,
    tasks: TaskTracker,
    running: HashMap<CaptureId, mpsc::Sender<Tap>>,
    /// Captures whose call is not written yet; each says once why it cannot be processed, if that is so.
    endings: HashMap<CaptureId, oneshot::Receiver<Option<String>>>,
}

impl Captures {
    pub(super) fn new(spool: CaptureSpool, media: MediaHandle, failures: mpsc::Sender<Input>) -> Self {
        Self {
            spool,
            media,
            failures,
            tasks: TaskTracker::new(),
            running: HashMap::new(),
            endings: HashMap::new(),
        }
    }

    pub(super) fn open(&mut self, meta: Box<CaptureMeta>, streams: Vec<StreamMeta>) {
        let (taps, tapped) = mpsc::channel(TAPS);
        let (ended, ending) = oneshot::channel();
        self.running.insert(meta.capture, taps);
        self.endings.insert(meta.capture, ending);
        let (spool, media, failures) = (self.spool.clone(), self.media.clone(), self.failures.clone());
        let began = Instant::now();
        self.tasks.spawn(async move {
            let failed = match spool.open(&meta, &streams).await {
                Ok(capture) => {
                    lead(capture, tapped, &media, began).await;
                    None
                }
                Err(problem) => {
                    warn!(call_id = %meta.call, problem = &problem as &dyn std::error::Error, "a call goes on unrecorded");
                    metrics::counter!("strowger_captures_refused_total").increment(1);
                    // When it is full the call shows as recording until its end; nothing else hangs on it.
                    let _ = failures.try_send(Input::CaptureFailed(meta.call, meta.capture));
                    Some(format!("nothing was recorded: {problem}"))
                }
            };
            // Nobody waits for it when the call broke.
            let _ = ended.send(failed);
        });
    }

    pub(super) fn tap(&self, capture: CaptureId, tap: Tap) {
        if let Some(taps) = self.running.get(&capture) {
            // The task has ended when the capture could not be opened.
            let _ = taps.try_send(tap);
        }
    }

    pub(super) fn end(&mut self, capture: CaptureId) {
        self.running.remove(&capture);
    }

    /// Waits until every capture has its end mark, and makes all of it durable.
    pub(super) async fn close(self) {
        let Self {
            spool, tasks, running, ..
        } = self;
        drop(running);
        tasks.close();
        if tokio::time::timeout(LAST_CHUNK * 2, tasks.wait()).await.is_err() {
            warn!("some captures have no end mark: the disk is slow");
        }
        spool.close().await;
    }

    /// What tells that a capture is complete, or why it never began, once.
    pub(super) fn ending(&mut self, capture: CaptureId) -> Option<oneshot::Receiver<Option<String>>> {
        self.endings.remove(&capture)
    }
}

/// Leads audio into a capture until nobody taps any more and every sink was given back.
async fn lead(capture: Capture, mut tapped: mpsc::Receiver<Tap>, media: &MediaHandle, began: Instant) {
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    while let Some(tap) = tapped.recv().await {
        let sink = Box::new(Counted {
            sink: capture.sink(tap.stream),
            _alive: alive.clone(),
        });
        match tap.what {
            Tapped::Heard => media.capture(tap.leg, tap.stream, began, sink),
            Tapped::Played => media.capture_played(tap.leg, tap.stream, began, sink),
        }
    }
    drop(alive);
    if tokio::time::timeout(LAST_CHUNK, all_gone.recv()).await.is_err() {
        warn!("the last second of a capture may be missing: its audio thread is late");
    }
    if let Err(problem) = capture.finish().await {
        warn!(
            problem = &problem as &dyn std::error::Error,
            "a capture has no end mark"
        );
    }
}

/// A sink whose end can be waited for.
struct Counted {
    sink: StreamSink,
    _alive: mpsc::Sender<()>,
}

impl Sink for Counted {
    fn submit(&mut self, chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)> {
        self.sink.submit(chunk)
    }
}
