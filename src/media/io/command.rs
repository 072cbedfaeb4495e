//! What a media thread is told, and the mailbox it is told through.

use crate::{AudioPort, MediaLegId, Negotiated, PlayId};
use mio::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;
use strowger_model::capture::Sink;

/// Whose audio a capture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The far end's.
    Heard,
    /// Ours: what was played.
    Played,
}

/// One thing to do.
pub(super) enum Command {
    Open {
        leg: MediaLegId,
        rtp: UdpSocket,
        rtcp: UdpSocket,
    },
    /// A leg whose far end is reached through a port, once one is given by [`Command::Face`].
    OpenPorted {
        leg: MediaLegId,
    },
    Face {
        leg: MediaLegId,
        port: AudioPort,
    },
    Connect {
        leg: MediaLegId,
        negotiated: Negotiated,
    },
    Bridge {
        a: MediaLegId,
        b: MediaLegId,
    },
    Unbridge {
        leg: MediaLegId,
    },
    Play {
        leg: MediaLegId,
        play: PlayId,
        samples: Arc<[i16]>,
        repeat: bool,
    },
    Stop {
        leg: MediaLegId,
    },
    SendDigits {
        leg: MediaLegId,
        digits: String,
    },
    Hold {
        leg: MediaLegId,
        held: bool,
    },
    Mute {
        leg: MediaLegId,
        muted: bool,
    },
    Capture {
        leg: MediaLegId,
        side: Side,
        stream: u8,
        began: Instant,
        sink: Box<dyn Sink>,
    },
    CapturePause {
        leg: MediaLegId,
        paused: bool,
    },
    CaptureStop {
        leg: MediaLegId,
    },
    Attach {
        leg: MediaLegId,
        port: AudioPort,
    },
    Detach {
        leg: MediaLegId,
    },
    Close {
        leg: MediaLegId,
    },
    /// End the thread: every leg is closed first.
    End,
}

/// The sending side of a thread's mailbox.
pub(super) struct Mailbox {
    sender: SyncSender<Command>,
    waker: mio::Waker,
    /// Whether the thread waits, or is about to wait, in its poll and must be woken.
    waits: Arc<AtomicBool>,
    told: Arc<AtomicBool>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

/// The thread's side of its mailbox.
pub(super) struct Inbox {
    pub(super) receiver: Receiver<Command>,
    pub(super) waits: Arc<AtomicBool>,
    /// Whether something came since the flag was taken down: one load instead of a look into the queue.
    pub(super) told: Arc<AtomicBool>,
}

/// A mailbox for `bound` commands.
pub(super) fn mailbox(bound: usize, waker: mio::Waker) -> (Mailbox, Inbox) {
    let (sender, receiver) = sync_channel(bound);
    let waits = Arc::new(AtomicBool::new(false));
    let told = Arc::new(AtomicBool::new(false));
    let mailbox = Mailbox {
        sender,
        waker,
        waits: Arc::clone(&waits),
        told: Arc::clone(&told),
    };
    (mailbox, Inbox { receiver, waits, told })
}

impl Mailbox {
    /// Hands a command over; waits while the mailbox is full. `false` when the thread has ended.
    pub(super) fn send(&self, command: Command) -> bool {
        if self.sender.send(command).is_err() {
            return false;
        }
        self.told.store(true, Ordering::SeqCst);
        // The thread raises the flag, looks into the mailbox once more and only then waits, so either it
        // sees the command or we see the flag.
        if self.waits.swap(false, Ordering::SeqCst) {
            let _ = self.waker.wake();
        }
        true
    }
}
