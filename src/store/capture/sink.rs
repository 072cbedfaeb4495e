//! The media threads' end of the spool.

use super::writer::{Message, Shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use strowger_model::CaptureId;
use strowger_model::capture::{Chunk, Refusal, Sink};

/// How many chunks of a stream may wait for the disk: half a minute of a leg that hands over each 300 ms. Beyond that the writer is
/// stuck, and chunks are dropped and marked.
pub(super) const WAITING: usize = 100;

/// Takes one stream's chunks. Submitting neither blocks nor, once the writer keeps pace, allocates:
/// written chunks come back through a channel of their own.
pub struct StreamSink {
    pub(super) capture: CaptureId,
    pub(super) stream: u8,
    pub(super) to_writer: SyncSender<Message>,
    pub(super) back: Receiver<Chunk>,
    pub(super) give_back: SyncSender<Chunk>,
    pub(super) made: usize,
    pub(super) lost: Arc<AtomicBool>,
    pub(super) shared: Arc<Shared>,
}

impl StreamSink {
    fn refuse(&self, mut chunk: Chunk, why: Refusal) -> (Chunk, Refusal) {
        self.lost.store(true, Ordering::Relaxed);
        chunk.clear();
        (chunk, why)
    }

    /// An empty chunk: one that came back, or a new one while few are on their way.
    fn empty(&mut self, capacity: usize) -> Option<Chunk> {
        if let Ok(mut chunk) = self.back.try_recv() {
            chunk.clear();
            return Some(chunk);
        }
        if self.made >= WAITING {
            return None;
        }
        self.made += 1;
        Some(Chunk::with_capacity(capacity))
    }
}

impl Sink for StreamSink {
    fn submit(&mut self, chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)> {
        if self.shared.is_stopped() {
            return Err(self.refuse(chunk, Refusal::Stopped));
        }
        let Some(empty) = self.empty(chunk.capacity()) else {
            return Err(self.refuse(chunk, Refusal::Full));
        };
        let message = Message::Chunk {
            capture: self.capture,
            stream: self.stream,
            chunk,
            lost: Arc::clone(&self.lost),
            back: self.give_back.clone(),
        };
        match self.to_writer.try_send(message) {
            Ok(()) => Ok(empty),
            Err(problem) => {
                let why = match &problem {
                    TrySendError::Full(_) => Refusal::Full,
                    TrySendError::Disconnected(_) => Refusal::Stopped,
                };
                // `empty` is dropped: its place among those on their way is free again.
                self.made = self.made.saturating_sub(1);
                match problem {
                    TrySendError::Full(Message::Chunk { chunk, .. })
                    | TrySendError::Disconnected(Message::Chunk { chunk, .. }) => Err(self.refuse(chunk, why)),
                    TrySendError::Full(_) | TrySendError::Disconnected(_) => Err(self.refuse(empty, why)),
                }
            }
        }
    }
}
