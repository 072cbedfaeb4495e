//! A media thread: owns whole calls, waits for packets, commands and the clock, and lets each leg decide.
//!
//! Waking up is what costs, not the system calls (docs/decisions/0003-media-threads.md). So a thread
//! with many legs rests until the next step of a 2 ms grid after each round and then finds several
//! packets at once; a command ends the rest at once. Per packet nothing is allocated, locked or logged.

use super::board::{Board, Taken};
use super::command::{Command, Inbox, Mailbox, mailbox};
use super::outbox::Outbox;
use super::seed::Seed;
use super::{MAILBOX, MediaConfig};
use crate::leg::Events;
use crate::{MediaEvent, MediaLegId};
use mio::{Poll, Token, Waker};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A leg's name holds its thread in the lowest byte.
pub(super) const MOST_THREADS: usize = 256;

/// From this many legs on a thread rests between rounds.
const CROWD: usize = 8;
/// Datagrams taken from one socket before the others have their turn.
const TURN: usize = 32;
/// What is captured is handed over with it: so much of a call's sound a kill may take.
const HOUSEKEEPING: Duration = Duration::from_millis(300);
const POLL_EVENTS: usize = 1_024;
const WAKE: Token = Token(usize::MAX);

/// A running thread.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) mailbox: Mailbox,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.mailbox.send(Command::End);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

pub(super) fn leg_id(number: u64, index: usize) -> MediaLegId {
    MediaLegId((number << 8) | index as u64)
}

pub(super) fn index_of_leg(leg: MediaLegId) -> usize {
    (leg.0 & 0xFF) as usize
}

pub(super) fn start(
    index: usize,
    config: &MediaConfig,
    seed: Seed,
    events: mpsc::Sender<MediaEvent>,
) -> std::io::Result<Running> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    let (mailbox, inbox) = mailbox(MAILBOX, waker);
    let now = Instant::now();
    let outbox = Outbox {
        sender: events,
        waiting: Events::new(),
    };
    let board = Board::new(poll.registry().try_clone()?, outbox, seed, config, now);
    let worker = Worker {
        poll,
        inbox,
        board,
        unfinished: Vec::new(),
        next_housekeeping: now + HOUSEKEEPING,
        ending: false,
    };
    let thread = std::thread::Builder::new()
        .name(format!("media-{index}"))
        .spawn(move || worker.run())?;
    Ok(Running {
        mailbox,
        thread: Some(thread),
    })
}

struct Worker {
    poll: Poll,
    inbox: Inbox,
    board: Board,
    /// Sockets that had more than their turn.
    unfinished: Vec<usize>,
    next_housekeeping: Instant,
    ending: bool,
}

impl Worker {
    fn run(mut self) {
        let mut ready = mio::Events::with_capacity(POLL_EVENTS);
        while !self.ending {
            // A fault in one leg must not take the thread: its calls end, and the next ones find it at work.
            let rounds = catch_unwind(AssertUnwindSafe(|| {
                while !self.ending {
                    self.round(&mut ready);
                }
            }));
            if rounds.is_err() {
                tracing::error!("a media thread stumbled over a leg; all its legs are closed");
                self.board.close_all(Instant::now());
            }
        }
        self.board.close_all(Instant::now());
        self.board.outbox.flush();
    }

    fn round(&mut self, ready: &mut mio::Events) {
        let mut now = Instant::now();
        self.take_commands(now);
        self.run_clock(now);
        self.board.outbox.flush();
        self.inbox.waits.store(true, Ordering::SeqCst);
        // The flag is up: whoever speaks from here on wakes the poll. Whoever spoke before is heard now.
        let wait = if self.inbox.told.load(Ordering::SeqCst) || self.ending || !self.unfinished.is_empty() {
            Some(Duration::ZERO)
        } else {
            self.wait(now)
        };
        let polled = self.poll.poll(ready, wait);
        self.inbox.waits.store(false, Ordering::SeqCst);
        if let Err(error) = polled
            && error.kind() != ErrorKind::Interrupted
        {
            tracing::error!(%error, "cannot wait for packets; the media thread ends");
            self.ending = true;
            return;
        }
        now = Instant::now();
        self.take_commands(now);
        for slot in std::mem::take(&mut self.unfinished) {
            self.drain(slot);
        }
        for event in &*ready {
            let token = event.token();
            if token == WAKE {
                continue;
            }
            if token.0 % 2 == 0 {
                self.drain(token.0 / 2);
            } else {
                self.board.take_reports(token.0 / 2, now);
            }
        }
        self.rest(now);
    }

    /// How long the poll may wait; for ever when no leg is open.
    fn wait(&self, now: Instant) -> Option<Duration> {
        if self.board.len() == 0 && self.board.outbox.waiting.is_empty() {
            return None;
        }
        let next = self
            .board
            .wheel
            .next()
            .map_or(self.next_housekeeping, |tick| tick.min(self.next_housekeeping));
        Some(next.saturating_duration_since(now))
    }

    /// Lets packets gather until the grid's next step; commands are obeyed meanwhile.
    fn rest(&mut self, now: Instant) {
        self.board.outbox.flush();
        if self.board.len() < CROWD || !self.unfinished.is_empty() {
            return;
        }
        let until = self.board.wheel.rest_after(now);
        while !self.ending {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            match self.inbox.receiver.recv_timeout(left) {
                Ok(command) => {
                    self.obey(command, Instant::now());
                    self.board.outbox.flush();
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.ending = true,
            }
        }
    }

    fn take_commands(&mut self, now: Instant) {
        // Down before the look: who speaks after it raises the flag again.
        self.inbox.told.store(false, Ordering::SeqCst);
        loop {
            match self.inbox.receiver.try_recv() {
                Ok(command) => self.obey(command, now),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ending = true;
                    return;
                }
            }
        }
    }

    fn run_clock(&mut self, now: Instant) {
        self.board.run_clock(now);
        if now >= self.next_housekeeping {
            self.next_housekeeping = now + HOUSEKEEPING;
            self.board.housekeeping(now);
        }
    }

    /// Everything that waits in a leg's RTP socket.
    fn drain(&mut self, index: usize) {
        let mut more = true;
        for _ in 0..TURN {
            match self.board.take(index) {
                Taken::Packet(length, from) => {
                    // Not before the packet was taken: it may have come while others were served, or this thread was not,
                    // and one that seems to have come before its time moves the recording's clock for seconds.
                    let now = Instant::now();
                    // What was said before a packet was sent is done before it is heard.
                    if self.inbox.told.load(Ordering::SeqCst) {
                        self.obey_before(length, now);
                    }
                    self.board.packet(index, length, from, now);
                    more = true;
                }
                Taken::Dry => return,
                Taken::Failed => more = false,
            }
        }
        if more {
            self.unfinished.push(index);
        }
    }

    /// Obeys what waits while a packet stands in the buffer, which a kept packet would overwrite.
    #[cold]
    fn obey_before(&mut self, length: usize, now: Instant) {
        let packet = self.board.packet_aside(length);
        self.take_commands(now);
        self.board.packet_back(&packet);
    }

    fn obey(&mut self, command: Command, now: Instant) {
        if matches!(command, Command::End) {
            self.ending = true;
        } else {
            self.board.obey(command, now);
        }
    }
}
