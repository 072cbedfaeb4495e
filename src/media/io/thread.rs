//! A media thread: owns whole calls, waits for packets, commands and the clock, and lets each leg decide.
//!
//! Waking up is what costs, not the system calls (docs/decisions/0003-media-threads.md). So a thread
//! with many legs rests until the next step of a 2 ms grid after each round and then finds several
//! packets at once; a command ends the rest at once. Per packet nothing is allocated, locked or logged.

use super::command::{Command, Inbox, Mailbox, Side, mailbox};
use super::wheel::Wheel;
use super::{MAILBOX, MediaConfig};
use crate::leg::{Early, Events, Leg, LegSetup, PACKET_BYTES, Play, Tap, Transmit};
use crate::{MediaEvent, MediaLegId, rtcp};
use mio::net::UdpSocket;
use mio::{Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use strowger_model::World;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// A leg's name holds its thread in the lowest byte.
pub(super) const MOST_THREADS: usize = 256;

/// Events kept aside while the switch is behind; beyond, all but the ends of legs are dropped.
const KEPT_EVENTS: usize = 65_536;
/// From this many legs on a thread rests between rounds.
const CROWD: usize = 8;
/// Datagrams taken from one socket before the others have their turn.
const TURN: usize = 32;
const HOUSEKEEPING: Duration = Duration::from_secs(1);
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

/// Where a thread's unpredictable numbers come from: drawn once, then stirred.
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn draw(world: &dyn World) -> Self {
        let mut bytes = [0; 8];
        world.fill(&mut bytes);
        Self(u64::from_le_bytes(bytes))
    }

    /// The keyed hash of std is the mixer: nobody outside knows the key.
    fn next(&mut self) -> u64 {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        self.0.hash(&mut hasher);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        hasher.finish()
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
    let worker = Worker {
        poll,
        inbox,
        outbox: Outbox {
            sender: events,
            waiting: Events::new(),
        },
        seed,
        silence_after: config.silence_after,
        inband_digits: config.inband_digits,
        slots: Vec::new(),
        free: Vec::new(),
        names: HashMap::new(),
        wheel: Wheel::new(now),
        unfinished: Vec::new(),
        next_housekeeping: now + HOUSEKEEPING,
        buffer: Box::new([0; PACKET_BYTES]),
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
    outbox: Outbox,
    seed: Seed,
    silence_after: Duration,
    inband_digits: bool,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// For commands only; a packet finds its slot by its token.
    names: HashMap<MediaLegId, usize>,
    wheel: Wheel,
    /// Sockets that had more than their turn.
    unfinished: Vec<usize>,
    next_housekeeping: Instant,
    buffer: Box<[u8; PACKET_BYTES]>,
    ending: bool,
}

struct Slot {
    name: MediaLegId,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    peer: Option<usize>,
    /// Its place in the wheel while it needs the clock.
    phase: Option<usize>,
    leg: Leg,
}

struct Outbox {
    sender: mpsc::Sender<MediaEvent>,
    waiting: Events,
}

impl Outbox {
    fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
                // Nobody listens any more; the daemon is going down.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        if self.waiting.len() > KEPT_EVENTS {
            self.waiting.retain(|event| matches!(event, MediaEvent::Closed { .. }));
        }
    }
}

impl Worker {
    fn run(mut self) {
        let mut ready = mio::Events::with_capacity(POLL_EVENTS);
        while !self.ending {
            let mut now = Instant::now();
            self.take_commands(now);
            self.run_clock(now);
            self.outbox.flush();
            self.inbox.waits.store(true, Ordering::SeqCst);
            // The flag is up: whoever speaks from here on wakes the poll. Whoever spoke before is heard now.
            let wait = if self.inbox.told.load(Ordering::SeqCst) || self.ending || !self.unfinished.is_empty() {
                Some(Duration::ZERO)
            } else {
                self.wait(now)
            };
            if let Err(error) = self.poll.poll(&mut ready, wait)
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot wait for packets; the media thread ends");
                break;
            }
            self.inbox.waits.store(false, Ordering::SeqCst);
            now = Instant::now();
            self.take_commands(now);
            for slot in std::mem::take(&mut self.unfinished) {
                self.drain(slot, now);
            }
            for event in &ready {
                let token = event.token();
                if token == WAKE {
                    continue;
                }
                if token.0 % 2 == 0 {
                    self.drain(token.0 / 2, now);
                } else {
                    self.drain_reports(token.0 / 2, now);
                }
            }
            self.rest(now);
        }
        self.close_all();
    }

    /// How long the poll may wait; for ever when no leg is open.
    fn wait(&self, now: Instant) -> Option<Duration> {
        if self.names.is_empty() && self.outbox.waiting.is_empty() {
            return None;
        }
        let next = self
            .wheel
            .next()
            .map_or(self.next_housekeeping, |tick| tick.min(self.next_housekeeping));
        Some(next.saturating_duration_since(now))
    }

    /// Lets packets gather until the grid's next step; commands are obeyed meanwhile.
    fn rest(&mut self, now: Instant) {
        self.outbox.flush();
        if self.names.len() < CROWD || !self.unfinished.is_empty() {
            return;
        }
        let until = self.wheel.rest_after(now);
        while !self.ending {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            match self.inbox.receiver.recv_timeout(left) {
                Ok(command) => {
                    self.obey(command, Instant::now());
                    self.outbox.flush();
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
        while let Some((phase, due)) = self.wheel.due(now) {
            let mut index = 0;
            while let Some(slot) = self.wheel.member(phase, index) {
                if self.tick(slot, due) {
                    index += 1;
                } else {
                    self.wheel.leave(phase, slot);
                }
            }
        }
        if now >= self.next_housekeeping {
            self.next_housekeeping = now + HOUSEKEEPING;
            for slot in self.slots.iter_mut().flatten() {
                slot.leg.housekeeping(now, &mut self.outbox.waiting);
                slot.report(false, now);
            }
        }
    }

    /// One leg's 20 ms; `false` when it does not need the clock any more.
    fn tick(&mut self, index: usize, now: Instant) -> bool {
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return false;
        };
        if let Some(transmit) = slot.leg.tick(&mut self.buffer, now, &mut self.outbox.waiting) {
            slot.send(&self.buffer[..], &transmit);
        }
        let goes_on = slot.leg.needs_clock();
        if !goes_on {
            slot.phase = None;
        }
        goes_on
    }

    /// Everything that waits in a leg's RTP socket.
    fn drain(&mut self, index: usize, now: Instant) {
        for _ in 0..TURN {
            let Some(Some(slot)) = self.slots.get_mut(index) else {
                return;
            };
            match slot.rtp.recv_from(&mut self.buffer[..]) {
                Ok((length, from)) => {
                    // What was said before a packet was sent is done before it is heard.
                    if self.inbox.told.load(Ordering::SeqCst) {
                        self.obey_before(length, now);
                    }
                    self.packet(index, length, from, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A port that is closed over there comes back as an error here; the next packet may fare better.
                Err(_) => {}
            }
        }
        self.unfinished.push(index);
    }

    /// Obeys what waits while a packet stands in the buffer, which a play or a kept packet would overwrite.
    #[cold]
    fn obey_before(&mut self, length: usize, now: Instant) {
        let packet = self.buffer.get(..length).unwrap_or_default().to_vec();
        self.take_commands(now);
        if let Some(room) = self.buffer.get_mut(..packet.len()) {
            room.copy_from_slice(&packet);
        }
    }

    /// One datagram in the buffer.
    fn packet(&mut self, index: usize, length: usize, from: SocketAddr, now: Instant) {
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return;
        };
        let Some(packet) = self.buffer.get_mut(..length) else {
            return;
        };
        let Some(accepted) = slot.leg.receive(packet, from, now, &mut self.outbox.waiting) else {
            return;
        };
        if !slot.leg.is_heard_by_others() {
            return;
        }
        let Some(Some(peer)) = slot.peer.and_then(|peer| self.slots.get_mut(peer)) else {
            return;
        };
        if let Some(transmit) = peer.leg.relay(packet, &accepted, now) {
            peer.send(packet, &transmit);
        }
    }

    fn drain_reports(&mut self, index: usize, now: Instant) {
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return;
        };
        // A flood of reports is cut off here; what is left is read with the next one.
        for _ in 0..TURN {
            match slot.rtcp.recv_from(&mut self.buffer[..]) {
                Ok((length, from)) => {
                    let packet = self.buffer.get(..length).unwrap_or_default();
                    slot.leg.receive_report(packet, from, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// Does what a command says.
    fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::End => self.ending = true,
            Command::Open { leg, rtp, rtcp } => self.open(leg, rtp, rtcp, now),
            Command::Close { leg } => {
                if let Some(index) = self.names.get(&leg).copied() {
                    self.close(index, now);
                }
            }
            Command::Connect { leg, negotiated } => {
                let kept = self.with(leg, |slot| slot.leg.connect(negotiated, now)).flatten();
                if let (Some(kept), Some(index)) = (kept, self.names.get(&leg).copied()) {
                    self.hear_kept(index, *kept, now);
                }
            }
            Command::Bridge { a, b } => self.bridge(a, b, now),
            Command::Unbridge { leg } => self.unbridge(leg),
            Command::Attach { leg, port } => {
                self.unbridge(leg);
                self.with(leg, |slot| slot.leg.attach(port));
                self.clock(leg, now);
            }
            Command::Detach { leg } => {
                self.with(leg, |slot| slot.leg.detach());
            }
            Command::Play {
                leg,
                play,
                samples,
                repeat,
            } => {
                let id = Some(play);
                self.with(leg, |slot| slot.leg.play(Play { id, samples, repeat }));
                self.clock(leg, now);
            }
            Command::Stop { leg } => {
                self.with(leg, |slot| slot.leg.stop());
            }
            Command::SendDigits { leg, digits } => {
                self.with(leg, |slot| slot.leg.send_digits(&digits));
                self.clock(leg, now);
            }
            Command::Hold { leg, held } => {
                self.with(leg, |slot| slot.leg.hold(held, now));
            }
            Command::Mute { leg, muted } => {
                self.with(leg, |slot| slot.leg.mute(muted));
            }
            Command::Capture {
                leg,
                side,
                stream,
                began,
                sink,
            } => {
                let tap = Tap::new(stream, began, sink);
                self.with(leg, |slot| match side {
                    Side::Heard => slot.leg.tap(tap, now),
                    Side::Played => slot.leg.tap_played(tap),
                });
            }
            Command::CapturePause { leg, paused } => {
                self.with(leg, |slot| slot.leg.pause_taps(paused, now));
            }
            Command::CaptureStop { leg } => {
                self.with(leg, |slot| slot.leg.stop_taps());
            }
        }
    }

    fn with<T>(&mut self, leg: MediaLegId, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let index = self.names.get(&leg)?;
        self.slots.get_mut(*index)?.as_mut().map(act)
    }

    fn open(&mut self, name: MediaLegId, mut rtp: UdpSocket, mut rtcp: UdpSocket, now: Instant) {
        let index = self.free.pop().unwrap_or(self.slots.len());
        let registry = self.poll.registry();
        let registered = registry
            .register(&mut rtp, Token(index * 2), Interest::READABLE)
            .and_then(|()| registry.register(&mut rtcp, Token(index * 2 + 1), Interest::READABLE));
        if let Err(error) = registered {
            // The leg stays deaf; the switch sees its silence and its end.
            tracing::error!(%error, leg = %name, "cannot listen to a leg");
        }
        let leg = Leg::new(LegSetup {
            leg: name,
            seed: self.seed.next(),
            opened: now,
            silence_after: self.silence_after,
            inband_digits: self.inband_digits,
        });
        let slot = Slot {
            name,
            rtp,
            rtcp,
            peer: None,
            phase: None,
            leg,
        };
        if self.names.is_empty() {
            self.next_housekeeping = now + HOUSEKEEPING;
        }
        self.names.insert(name, index);
        if index == self.slots.len() {
            self.slots.push(Some(slot));
        } else if let Some(place) = self.slots.get_mut(index) {
            *place = Some(slot);
        }
        // Packets may have come before the socket was registered; the poll tells of them all the same.
    }

    fn close(&mut self, index: usize, now: Instant) {
        let Some(mut slot) = self.slots.get_mut(index).and_then(Option::take) else {
            return;
        };
        if let Some(Some(peer)) = slot.peer.and_then(|peer| self.slots.get_mut(peer)) {
            peer.peer = None;
            peer.leg.unbridge();
        }
        if let Some(phase) = slot.phase {
            self.wheel.leave(phase, index);
        }
        self.unfinished.retain(|unfinished| *unfinished != index);
        self.names.remove(&slot.name);
        self.free.push(index);
        slot.leg.stop_taps();
        slot.report(true, now);
        let leg = slot.name;
        let quality = slot.leg.quality();
        // Closed sockets leave the poll by themselves; the ports are free before the event is seen.
        drop(slot);
        self.outbox.waiting.push_back(MediaEvent::Closed { leg, quality });
    }

    fn close_all(&mut self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            self.close(index, now);
        }
        self.outbox.flush();
    }

    fn bridge(&mut self, a: MediaLegId, b: MediaLegId, now: Instant) {
        let (Some(first), Some(second)) = (self.names.get(&a).copied(), self.names.get(&b).copied()) else {
            return;
        };
        if first == second {
            return;
        }
        self.unbridge(a);
        self.unbridge(b);
        for (index, peer) in [(first, second), (second, first)] {
            if let Some(Some(slot)) = self.slots.get_mut(index) {
                slot.peer = Some(peer);
            }
        }
        let mut early = [None, None];
        for (kept, leg) in early.iter_mut().zip([a, b]) {
            *kept = self.with(leg, |slot| slot.leg.bridge()).flatten();
        }
        for (kept, to) in early.into_iter().zip([second, first]) {
            let Some(kept) = kept else { continue };
            for mut packet in kept.fresh(now) {
                let Some(Some(slot)) = self.slots.get_mut(to) else {
                    break;
                };
                if let Some(accepted) = &packet.accepted
                    && let Some(transmit) = slot.leg.relay(&mut packet.bytes, accepted, now)
                {
                    slot.send(&packet.bytes, &transmit);
                }
            }
        }
    }

    fn unbridge(&mut self, leg: MediaLegId) {
        let peer = self
            .with(leg, |slot| {
                slot.leg.unbridge();
                slot.peer.take()
            })
            .flatten();
        if let Some(Some(peer)) = peer.and_then(|peer| self.slots.get_mut(peer)) {
            peer.peer = None;
            peer.leg.unbridge();
        }
    }

    /// Hears the packets that came before the far end was known.
    fn hear_kept(&mut self, index: usize, kept: Early, now: Instant) {
        for packet in kept.fresh(now) {
            if packet.accepted.is_some() {
                // Heard already under the former description; kept only for a bridge.
                continue;
            }
            if let Some(room) = self.buffer.get_mut(..packet.bytes.len()) {
                room.copy_from_slice(&packet.bytes);
                self.packet(index, packet.bytes.len(), packet.from, packet.at);
            }
        }
    }

    /// Gives a leg its 20 ms, the first of them at once.
    fn clock(&mut self, leg: MediaLegId, now: Instant) {
        let Some(index) = self.names.get(&leg).copied() else {
            return;
        };
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return;
        };
        if slot.phase.is_none() && slot.leg.needs_clock() {
            slot.phase = Some(self.wheel.join(index, now));
        }
    }
}

impl Slot {
    fn send(&self, buffer: &[u8], transmit: &Transmit) {
        if let Some(packet) = buffer.get(transmit.bytes.clone()) {
            // A full socket buffer or an unreachable host loses this packet, as the network would.
            let _ = self.rtp.send_to(packet, transmit.to);
        }
    }

    fn report(&mut self, goodbye: bool, now: Instant) {
        let mut packet = [0; rtcp::PACKET_BYTES];
        if let Some((length, to)) = self.leg.report(&mut packet, goodbye, now) {
            let _ = self.rtcp.send_to(packet.get(..length).unwrap_or_default(), to);
        }
    }
}
