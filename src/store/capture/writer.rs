//! The writer thread: one log, one group commit for all captures.

use super::contents::{self, Gathering};
use super::disk::free_bytes;
use super::record::{self, Kind, Label};
use crate::keys::{CryptoError, Key};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use strowger_model::CaptureId;
use strowger_model::capture::{Chunk, Codec, Frame, Mark};
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

/// What the writer is told.
pub(super) enum Message {
    /// Begin a capture; answered once its record is durable.
    Open(Box<Opening>),
    /// Announce a stream.
    Stream { capture: CaptureId, meta: Vec<u8> },
    /// Keep frames.
    Chunk {
        capture: CaptureId,
        stream: u8,
        chunk: Chunk,
        lost: Arc<AtomicBool>,
        back: SyncSender<Chunk>,
    },
    /// End a capture; answered once its end mark is durable.
    End {
        capture: CaptureId,
        done: Option<oneshot::Sender<bool>>,
    },
    /// Commit and end the thread.
    Close,
}

/// A capture that is to begin. It is rare and large; the places of the channel are many and small.
pub(super) struct Opening {
    pub(super) capture: CaptureId,
    pub(super) key: Key,
    pub(super) clear: Vec<u8>,
    pub(super) meta: Vec<u8>,
    pub(super) done: oneshot::Sender<bool>,
}

/// What the writer's thread and everybody else look at.
#[derive(Default)]
pub(super) struct Shared {
    /// Set while nothing is taken: the disk's reserve is reached, or the log cannot be written.
    stopped: AtomicBool,
    /// Chunks that were lost since the start.
    pub(super) lost: AtomicU64,
    /// Captures that are open.
    pub(super) open: AtomicU64,
}

impl Shared {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// How the log is written.
pub(super) struct Rules {
    pub(super) folder: PathBuf,
    pub(super) reserve_bytes: u64,
    pub(super) segment_bytes: u64,
    pub(super) segment_age: Duration,
    pub(super) commit_every: Duration,
}

struct Open {
    key: Key,
    number: u64,
}

struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    since: Instant,
    gathered: Gathering,
}

/// The thread's state.
pub(super) struct Writer {
    rules: Rules,
    shared: Arc<Shared>,
    next_segment: u64,
    segment: Option<Segment>,
    captures: HashMap<CaptureId, Open>,
    /// Sealed records not yet given to the file.
    pending: Vec<u8>,
    /// Where each of them begins there.
    pending_places: Vec<(CaptureId, Kind, usize)>,
    /// Whether the file holds what the disk may not.
    dirty: bool,
    waiting: Vec<oneshot::Sender<bool>>,
}

/// Records kept in memory while the disk refuses them; beyond that they are lost.
const PENDING_MOST: usize = 64 << 20;

impl Writer {
    pub(super) fn new(rules: Rules, shared: Arc<Shared>, next_segment: u64) -> Self {
        Self {
            rules,
            shared,
            next_segment,
            segment: None,
            captures: HashMap::new(),
            pending: Vec::new(),
            pending_places: Vec::new(),
            dirty: false,
            waiting: Vec::new(),
        }
    }

    /// Runs until told to close or nobody is left who could tell.
    #[expect(
        clippy::disallowed_methods,
        reason = "this thread's own clock: when the next group commit is due"
    )]
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        self.look_at_disk();
        let mut next_commit = Instant::now() + self.rules.commit_every;
        loop {
            let wait = next_commit.saturating_duration_since(Instant::now());
            let mut open = match messages.recv_timeout(wait) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            // What has gathered meanwhile shares one write.
            while open && let Ok(message) = messages.try_recv() {
                open = self.take(message);
            }
            let now = Instant::now();
            self.write(now);
            // Somebody who waits is told at once: a call's answer hangs on it.
            if now >= next_commit || !self.waiting.is_empty() || !open {
                self.commit(now);
                self.look_at_disk();
                next_commit = now + self.rules.commit_every;
            }
            if !open {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Open(opening) => {
                let Opening {
                    capture,
                    key,
                    clear,
                    meta,
                    done,
                } = *opening;
                // Whoever did not wait for this captures already: that is a capture which recording has stopped for.
                if self.shared.is_stopped() && !done.is_closed() {
                    let _ = done.send(false);
                    return true;
                }
                self.captures.insert(capture, Open { key, number: 0 });
                self.shared.open.fetch_add(1, Ordering::Relaxed);
                self.append(capture, Kind::Open, &clear, &meta);
                self.waiting.push(done);
            }
            Message::Stream { capture, meta } => self.append(capture, Kind::Stream, &[], &meta),
            Message::Chunk {
                capture,
                stream,
                chunk,
                lost,
                back,
            } => {
                if lost.swap(false, Ordering::Relaxed) {
                    self.shared.lost.fetch_add(1, Ordering::Relaxed);
                    self.append(capture, Kind::Chunk, &[], lost_mark(stream, &chunk).bytes());
                }
                self.append(capture, Kind::Chunk, &[], chunk.bytes());
                // The stream may have ended: then the memory is simply freed.
                let _ = back.try_send(chunk);
            }
            Message::End { capture, done } => {
                if let Some(open) = self.captures.get(&capture) {
                    let count = open.number.to_le_bytes();
                    self.append(capture, Kind::End, &[], &count);
                    self.captures.remove(&capture);
                    self.shared.open.fetch_sub(1, Ordering::Relaxed);
                }
                self.waiting.extend(done);
            }
            Message::Close => return false,
        }
        true
    }

    fn append(&mut self, capture: CaptureId, kind: Kind, clear: &[u8], text: &[u8]) {
        let Some(open) = self.captures.get_mut(&capture) else {
            return;
        };
        if self.pending.len() > PENDING_MOST {
            // The number is used up: a reader sees that something is missing here.
            open.number += 1;
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let label = Label {
            capture,
            number: open.number,
            kind,
        };
        let begin = self.pending.len();
        match record::append(&mut self.pending, &open.key, label, clear, text) {
            Ok(()) => {
                open.number += 1;
                self.pending_places.push((capture, kind, begin));
            }
            Err(CryptoError::Cipher) => error!("the cipher refused a capture's record"),
            Err(problem) => error!(%problem, "a capture's record was not sealed"),
        }
    }

    /// Gives what is sealed to the file: from here a kill of this process loses nothing of it.
    fn write(&mut self, now: Instant) {
        if self.pending.is_empty() {
            return;
        }
        let result = self.segment(now);
        let result = result.and_then(|mut segment| {
            let written = segment.file.write_all(&self.pending);
            if written.is_ok() {
                for (capture, kind, begin) in self.pending_places.drain(..) {
                    segment.gathered.add(capture, kind, segment.length + begin as u64);
                }
                segment.length += self.pending.len() as u64;
                self.pending.clear();
            }
            self.segment = Some(segment);
            written
        });
        match result {
            Ok(()) => self.dirty = true,
            Err(problem) => self.broken(&problem),
        }
    }

    /// Makes what was written durable: from here a power cut loses nothing of it.
    fn commit(&mut self, now: Instant) {
        if self.dirty
            && let Some(segment) = &self.segment
        {
            if let Err(problem) = segment.file.sync_data() {
                self.broken(&problem);
            } else {
                self.dirty = false;
            }
        }
        let is_durable = !self.dirty && self.pending.is_empty();
        for done in self.waiting.drain(..) {
            let _ = done.send(is_durable);
        }
        let rules = &self.rules;
        let is_due = |segment: &mut Segment| {
            segment.length >= rules.segment_bytes || now.saturating_duration_since(segment.since) >= rules.segment_age
        };
        if let Some(closed) = self.segment.take_if(is_due)
            && let Err(problem) = closed.gathered.keep(&closed.path, closed.length)
        {
            // Whoever reads makes it from the segment.
            debug!(%problem, "what stands in a segment was not kept");
        }
    }

    /// The disk refused. What is pending is tried again on a fresh segment; a record that stands twice
    /// is read once.
    fn broken(&mut self, problem: &std::io::Error) {
        if !self.shared.stopped.swap(true, Ordering::Relaxed) {
            error!(%problem, "captures cannot be written: recording stops, calls go on");
        }
        self.segment = None;
        self.dirty = false;
    }

    /// The segment that is written to, or a new one.
    fn segment(&mut self, now: Instant) -> std::io::Result<Segment> {
        if let Some(segment) = self.segment.take() {
            return Ok(segment);
        }
        let path = self.rules.folder.join(format!("{:016}.seg", self.next_segment));
        self.next_segment += 1;
        let file = File::options().append(true).create_new(true).open(&path)?;
        File::open(&self.rules.folder)?.sync_all()?;
        // One of that number may have been removed by hand.
        contents::remove(&path);
        Ok(Segment {
            path,
            file,
            length: 0,
            since: now,
            gathered: Gathering::default(),
        })
    }

    /// Stops taking sound when the disk's reserve is reached, and takes it again when there is room.
    fn look_at_disk(&mut self) {
        let is_low = free_bytes(&self.rules.folder).is_some_and(|free| free < self.rules.reserve_bytes);
        let must_stop = is_low || !self.pending.is_empty();
        let was = self.shared.stopped.swap(must_stop, Ordering::Relaxed);
        if must_stop && !was {
            warn!("the disk's reserve is reached: recording stops, calls go on");
        } else if was && !must_stop {
            info!("there is room on the disk: recording goes on");
        }
    }
}

fn lost_mark(stream: u8, chunk: &Chunk) -> Chunk {
    let arrival_us = chunk.frames().next().map_or(0, |frame| frame.arrival_us);
    let mut mark = Chunk::with_capacity(64);
    mark.push(&Frame {
        stream,
        codec: Codec::Mark,
        arrival_us,
        rtp_timestamp: 0,
        sequence: 0,
        payload: &[Mark::Lost.byte()],
    });
    mark
}
