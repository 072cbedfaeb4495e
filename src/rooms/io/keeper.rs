//! The task of one room: waits for a datagram, an order or the deadline, and performs what comes out.

use super::roads::{Arrived, Road};
use super::{PhoneEvent, Shared};
use crate::RoomError;
use crate::peer::Door;
use crate::protocol as wire;
use crate::room::{MemberKey, Room, RoomOutput, SessionKey};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, trace};

/// Datagrams that are taken at once before anything leaves: enough to share the cost of waking up, few enough
/// that nobody's audio waits.
const AT_ONCE: usize = 32;

/// How often sessions are looked at whose reader went away without a word.
const LOOK: Duration = Duration::from_secs(1);

/// Something to do with a room, within its task.
pub(super) type Order = Box<dyn FnOnce(&mut Keeper, Instant) + Send>;

/// A room and those who wait for it.
pub(super) struct Keeper {
    pub(super) room: Room,
    /// Where responses go. Bounded: one that is full belongs to a client that does not read, which is cut off.
    pub(super) sessions: HashMap<SessionKey, mpsc::Sender<wire::SignalResponse>>,
    pub(super) phones: HashMap<MemberKey, mpsc::Sender<PhoneEvent>>,
    /// Where wishes for key frames of those go who are forwarded here.
    pub(super) relays: HashMap<MemberKey, mpsc::Sender<String>>,
    pub(super) answers: HashMap<u64, oneshot::Sender<Result<String, RoomError>>>,
    number: u64,
    shared: Arc<Shared>,
    datagrams: mpsc::Sender<Arrived>,
}

impl Keeper {
    pub(super) fn new(room: Room, number: u64, shared: Arc<Shared>, datagrams: mpsc::Sender<Arrived>) -> Self {
        Self {
            room,
            sessions: HashMap::new(),
            phones: HashMap::new(),
            relays: HashMap::new(),
            answers: HashMap::new(),
            number,
            shared,
            datagrams,
        }
    }

    /// Runs until the room is over.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, mut datagrams: mpsc::Receiver<Arrived>) {
        let end = self.shared.end.clone();
        let mut look = Instant::now() + LOOK;
        loop {
            let now = Instant::now();
            self.perform(now);
            if self.room.is_over() {
                break;
            }
            let due = self.room.poll_timeout().map_or(look, |due| due.min(look));
            if due <= now {
                if look <= now {
                    look = now + LOOK;
                    self.look_for_lost_sessions(now);
                }
                self.room.handle_timeout(now);
                continue;
            }
            // Every branch only receives; nothing is lost when another one wins.
            tokio::select! {
                biased;
                () = end.cancelled() => self.room.end(wire::DisconnectReason::ServerShutdown, Instant::now()),
                Some(arrived) = datagrams.recv() => {
                    self.receive(&arrived);
                    for _ in 0..AT_ONCE {
                        let Ok(arrived) = datagrams.try_recv() else { break };
                        self.receive(&arrived);
                    }
                    // Orders must not starve behind a flood.
                    if let Ok(order) = orders.try_recv() {
                        order(&mut self, Instant::now());
                    }
                }
                Some(order) = orders.recv() => order(&mut self, Instant::now()),
                () = tokio::time::sleep_until(due.into()) => self.room.handle_timeout(Instant::now()),
            }
        }
        self.shared.forget(self.room.name(), self.number);
        orders.close();
        // Whoever ordered something meanwhile finds the room over.
        while let Ok(order) = orders.try_recv() {
            order(&mut self, Instant::now());
        }
        self.perform(Instant::now());
        self.shared.roads.close_room(self.number);
    }

    fn receive(&mut self, arrived: &Arrived) {
        let now = Instant::now();
        let destination = self.shared.ours(arrived.door, arrived.source);
        let addresses = (arrived.source, destination);
        self.room
            .receive(arrived.peer, arrived.door, addresses, &arrived.bytes, now);
        self.perform(now);
    }

    fn look_for_lost_sessions(&mut self, now: Instant) {
        let lost: Vec<SessionKey> = self
            .sessions
            .iter()
            .filter(|(_, responses)| responses.is_closed())
            .map(|(session, _)| *session)
            .collect();
        for session in lost {
            self.sessions.remove(&session);
            self.room.session_lost(session, now);
        }
    }

    /// Performs everything that came out.
    fn perform(&mut self, now: Instant) {
        while let Some(output) = self.room.poll_output() {
            match output {
                RoomOutput::Transmit(transmit) => match transmit.door {
                    Door::Udp => self.shared.send(transmit.destination, &transmit.bytes),
                    Door::Tcp => self.shared.streams.send(transmit.destination, transmit.bytes),
                },
                RoomOutput::Signal(session, response) => self.signal(session, *response, now),
                RoomOutput::Close(session) => {
                    self.sessions.remove(&session);
                }
                // What happens on a line is its call's to tell.
                RoomOutput::Event(event) if event.room.is_line() => {}
                RoomOutput::Event(event) => {
                    // Nobody listening is no fault.
                    let _ = self.shared.events.send(event);
                }
                RoomOutput::Phone(member, event) => self.tell_phone(member, event),
                RoomOutput::Reachable(name, peer) => {
                    let road = Road {
                        room: self.number,
                        peer,
                        datagrams: self.datagrams.clone(),
                    };
                    self.shared.roads.open(&name, road);
                }
                RoomOutput::Unreachable(peer) => self.shared.roads.close(self.number, peer),
                RoomOutput::KeyFrameWanted(member, track) => {
                    if let Some(relay) = self.relays.get(&member)
                        && relay.try_send(track).is_err()
                    {
                        trace!("a forwarded picture's key frame is asked for already");
                    }
                }
                RoomOutput::Answer(number, answer) => {
                    if let Some(waiting) = self.answers.remove(&number) {
                        let _ = waiting.send(answer);
                    }
                }
            }
        }
    }

    fn tell_phone(&mut self, member: MemberKey, event: PhoneEvent) {
        let is_last = matches!(event, PhoneEvent::Removed { .. } | PhoneEvent::RoomEnded);
        if let Some(phone) = self.phones.get(&member)
            && phone.try_send(event).is_err()
        {
            debug!("a phone does not read its events");
        }
        if is_last {
            self.phones.remove(&member);
        }
    }

    fn signal(&mut self, session: SessionKey, response: wire::SignalResponse, now: Instant) {
        let Some(responses) = self.sessions.get(&session) else {
            trace!("a response for a session that is gone");
            return;
        };
        match responses.try_send(response) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                debug!("a client does not read its signalling: cut off");
                self.sessions.remove(&session);
                self.room.session_lost(session, now);
            }
            // Its last words may still wait to be heard, and behind them the word that it is gone.
            Err(TrySendError::Closed(_)) => trace!("a response for a client that went away"),
        }
    }
}
