//! The legs of a media thread: what becomes of a packet, of a command and of 20 ms. No waiting here;
//! [`super::thread`] does that.

use super::command::{Command, Side};
use super::outbox::Outbox;
use super::wheel::Wheel;
use super::wire::{self, Wire};
use super::{MediaConfig, Seed};
use crate::leg::{Accepted, Early, Kind, Leg, LegSetup, PACKET_BYTES, Play, Tap, Transmit};
use crate::{AudioPort, MediaEvent, MediaLegId, rtcp};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Reports read from one socket before the others have their turn.
const REPORTS: usize = 8;

/// Every leg of one thread.
pub(super) struct Board {
    registry: Registry,
    pub(super) outbox: Outbox,
    seed: Seed,
    silence_after: Duration,
    inband_digits: bool,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// For commands only; a packet finds its slot by its token.
    names: HashMap<MediaLegId, usize>,
    pub(super) wheel: Wheel,
    buffer: Box<[u8; PACKET_BYTES]>,
}

struct Slot {
    name: MediaLegId,
    wire: Wire,
    peer: Option<usize>,
    /// Its place in the wheel while it needs the clock.
    phase: Option<usize>,
    leg: Leg,
}

/// What a socket had.
pub(super) enum Taken {
    /// A packet of this length, now in the buffer.
    Packet(usize, SocketAddr),
    /// Nothing more.
    Dry,
    /// An error of an earlier packet; the next one may fare better.
    Failed,
}

impl Board {
    pub(super) fn new(registry: Registry, outbox: Outbox, seed: Seed, config: &MediaConfig, now: Instant) -> Self {
        Self {
            registry,
            outbox,
            seed,
            silence_after: config.silence_after,
            inband_digits: config.inband_digits,
            slots: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            wheel: Wheel::new(now),
            buffer: Box::new([0; PACKET_BYTES]),
        }
    }

    /// Open legs.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Reads one packet of a leg into the buffer.
    pub(super) fn take(&mut self, index: usize) -> Taken {
        let Some(Some(Slot {
            wire: Wire::Udp { rtp, .. },
            ..
        })) = self.slots.get(index)
        else {
            return Taken::Dry;
        };
        match rtp.recv_from(&mut self.buffer[..]) {
            Ok((length, from)) => Taken::Packet(length, from),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Taken::Dry,
            Err(_) => Taken::Failed,
        }
    }

    /// One datagram in the buffer.
    pub(super) fn packet(&mut self, index: usize, length: usize, from: SocketAddr, now: Instant) {
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
        if let Kind::Event(Some(digit)) = accepted.kind
            && !peer.leg.takes_events()
        {
            // The far end would never know of the key; it hears the key's tones.
            peer.leg.send_digits(digit.encode_utf8(&mut [0; 4]));
            let peer = peer.name;
            self.clock(peer, now);
            return;
        }
        peer.relay(packet, accepted, now);
    }

    /// The packet in the buffer, for whoever must put it aside.
    pub(super) fn packet_aside(&self, length: usize) -> Vec<u8> {
        self.buffer.get(..length).unwrap_or_default().to_vec()
    }

    /// Puts a packet back into the buffer.
    pub(super) fn packet_back(&mut self, packet: &[u8]) {
        if let Some(room) = self.buffer.get_mut(..packet.len()) {
            room.copy_from_slice(packet);
        }
    }

    /// Reads what waits in a leg's RTCP socket; a flood is left for its next packet.
    pub(super) fn take_reports(&mut self, index: usize, now: Instant) {
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return;
        };
        let Wire::Udp { rtcp, .. } = &slot.wire else {
            return;
        };
        for _ in 0..REPORTS {
            match rtcp.recv_from(&mut self.buffer[..]) {
                Ok((length, from)) => {
                    let packet = self.buffer.get(..length).unwrap_or_default();
                    slot.leg.receive_report(packet, from, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// Serves every leg whose 20 ms have come.
    pub(super) fn run_clock(&mut self, now: Instant) {
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
    }

    /// What is due a few times a second, for all legs at once: the writer of captures is woken once for them.
    pub(super) fn housekeeping(&mut self, now: Instant) {
        for slot in self.slots.iter_mut().flatten() {
            slot.leg.housekeeping(now, &mut self.outbox.waiting);
            slot.report(false, now);
        }
    }

    /// One leg's 20 ms; `false` when it does not need the clock any more.
    fn tick(&mut self, index: usize, now: Instant) -> bool {
        while let Some(length) = self.take_ported(index) {
            self.packet(index, length, wire::NOWHERE, now);
        }
        let Some(Some(slot)) = self.slots.get_mut(index) else {
            return false;
        };
        if let Some(transmit) = slot.leg.tick(&mut self.buffer, now, &mut self.outbox.waiting) {
            slot.send(&self.buffer[..], &transmit);
        }
        let goes_on = slot.needs_clock();
        if !goes_on {
            slot.phase = None;
        }
        goes_on
    }

    /// Takes a packet of a leg's port into the buffer.
    fn take_ported(&mut self, index: usize) -> Option<usize> {
        let slot = self.slots.get_mut(index)?.as_mut()?;
        let codec = slot.leg.codec()?;
        match &mut slot.wire {
            Wire::Udp { .. } => None,
            Wire::Port(port) => port.hear(codec, &mut self.buffer),
        }
    }

    /// Does what a command says; [`Command::End`] is for the thread itself.
    pub(super) fn obey(&mut self, command: Command, now: Instant) {
        match command {
            Command::End => {}
            Command::Open { leg, rtp, rtcp } => self.open(leg, rtp, rtcp, now),
            Command::OpenPorted { leg } => self.put(leg, Wire::Port(Box::default()), now),
            Command::Face { leg, port } => {
                self.with(leg, |slot| slot.face(port));
                self.clock(leg, now);
            }
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
                    Side::Played => slot.leg.tap_played(tap, now),
                });
            }
            Command::CapturePause { leg, paused } => {
                self.with(leg, |slot| slot.leg.pause_taps(paused, now));
            }
            Command::CaptureStop { leg } => {
                self.with(leg, |slot| slot.leg.stop_taps(now));
            }
        }
    }

    fn with<T>(&mut self, leg: MediaLegId, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let index = self.names.get(&leg)?;
        self.slots.get_mut(*index)?.as_mut().map(act)
    }

    fn open(&mut self, name: MediaLegId, mut rtp: UdpSocket, mut rtcp: UdpSocket, now: Instant) {
        let index = self.free.last().copied().unwrap_or(self.slots.len());
        let registry = &self.registry;
        let registered = registry
            .register(&mut rtp, Token(index * 2), Interest::READABLE)
            .and_then(|()| registry.register(&mut rtcp, Token(index * 2 + 1), Interest::READABLE));
        if let Err(error) = registered {
            // The leg stays deaf; the switch sees its silence and its end.
            tracing::error!(%error, leg = %name, "cannot listen to a leg");
        }
        self.put(name, Wire::Udp { rtp, rtcp }, now);
        // Packets may have come before the socket was registered; the poll tells of them all the same.
    }

    fn put(&mut self, name: MediaLegId, wire: Wire, now: Instant) {
        let index = self.free.pop().unwrap_or(self.slots.len());
        let leg = Leg::new(LegSetup {
            leg: name,
            seed: self.seed.next(),
            opened: now,
            silence_after: self.silence_after,
            inband_digits: self.inband_digits,
        });
        let slot = Slot {
            name,
            wire,
            peer: None,
            phase: None,
            leg,
        };
        self.names.insert(name, index);
        if index == self.slots.len() {
            self.slots.push(Some(slot));
        } else if let Some(place) = self.slots.get_mut(index) {
            *place = Some(slot);
        }
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
        self.names.remove(&slot.name);
        self.free.push(index);
        slot.leg.stop_taps(now);
        slot.report(true, now);
        let leg = slot.name;
        let quality = slot.leg.quality();
        // Closed sockets leave the poll by themselves; the ports are free before the event is seen.
        drop(slot);
        self.outbox.waiting.push_back(MediaEvent::Closed { leg, quality });
    }

    /// Closes every leg.
    pub(super) fn close_all(&mut self, now: Instant) {
        for index in 0..self.slots.len() {
            self.close(index, now);
        }
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
        let early = [a, b].map(|leg| self.with(leg, |slot| slot.leg.bridge(now)).unwrap_or_default());
        for (kept, to) in early.into_iter().zip([second, first]) {
            let Some(Some(slot)) = self.slots.get_mut(to) else {
                continue;
            };
            for mut packet in kept {
                if let Some(accepted) = packet.accepted {
                    slot.relay(&mut packet.bytes, accepted, now);
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
        if slot.phase.is_none() && slot.needs_clock() {
            slot.phase = Some(self.wheel.join(index, now));
        }
    }
}

impl Slot {
    /// Sends a packet of the bridged leg on, in pieces where it is too long for the far end.
    fn relay(&mut self, packet: &mut [u8], accepted: Accepted, now: Instant) {
        if self.leg.is_foreign(&accepted) {
            let wire = &mut self.wire;
            self.leg
                .transcode(packet, &accepted, now, |bytes, transmit| wire.send(bytes, transmit));
            return;
        }
        let most = self.leg.most_payload();
        if accepted.header.payload.len() <= most {
            if let Some(transmit) = self.leg.relay(packet, &accepted, now) {
                self.send(packet, &transmit);
            }
            return;
        }
        // Each header is written over the piece before, which has been sent by then.
        for (number, piece) in accepted.pieces(most).enumerate() {
            if number > 0 {
                self.leg.next_piece();
            }
            if let Some(transmit) = self.leg.relay(packet, &piece, now) {
                self.send(packet, &transmit);
            }
        }
    }

    fn face(&mut self, port: AudioPort) {
        if let Wire::Port(wire) = &mut self.wire {
            wire.face(port);
        }
    }

    /// A port is read at every tick.
    fn needs_clock(&self) -> bool {
        matches!(self.wire, Wire::Port(_)) || self.leg.needs_clock()
    }

    fn send(&mut self, buffer: &[u8], transmit: &Transmit) {
        self.wire.send(buffer, transmit);
    }

    fn report(&mut self, goodbye: bool, now: Instant) {
        let mut packet = [0; rtcp::PACKET_BYTES];
        if let Some((length, to)) = self.leg.report(&mut packet, goodbye, now) {
            self.wire.report(packet.get(..length).unwrap_or_default(), to);
        }
    }
}
