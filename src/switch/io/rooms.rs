//! Phones in rooms: one small task a stay lets the phone in, passes on what it and the room say to each
//! other, and takes it out again. A call never waits for a room.

use crate::entrance::{Guest, Refusal, RoomOrder, RoomSaid};
use crate::exchange::Input;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use strowger_media::port::Popped;
use strowger_media::{AudioPort, MediaHandle, MediaLegId};
use strowger_model::{CallId, TenantId};
use strowger_rooms::protocol::DisconnectReason;
use strowger_rooms::{Grants, JoinPhone, JoinRefused, PhoneEvent, PhoneSession, RoomName, RoomsHandle};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

/// Words of a call to its room that wait. When it is full a key is dropped: nobody presses 64 keys while
/// one is told.
const WORDS: usize = 64;

/// Words of rooms to all calls that wait. When it is full a stay's task waits, and its room's bound counts.
pub(super) const SAID: usize = 1_024;

enum Word {
    Digit(char),
    Attributes(BTreeMap<String, String>),
    Recordable,
    /// It was called and does not come.
    Unreached(DisconnectReason),
}

/// The stays of all calls.
pub(super) struct Stays {
    rooms: Option<RoomsHandle>,
    media: MediaHandle,
    said: mpsc::Sender<Input>,
    tasks: TaskTracker,
    /// Dropping one takes the phone out of its room.
    running: HashMap<CallId, Running>,
}

struct Running {
    words: mpsc::Sender<Word>,
    /// The audio of a phone that was called and has not answered.
    silent: Option<AudioPort>,
    /// The audio of one that speaks.
    leg: Arc<OnceLock<MediaLegId>>,
}

impl Stays {
    pub(super) fn new(
        rooms: Option<RoomsHandle>,
        media: MediaHandle,
        said: mpsc::Sender<Input>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            rooms,
            media,
            said,
            tasks,
            running: HashMap::new(),
        }
    }

    /// Does what a call asks of a room.
    pub(super) fn perform(&mut self, tenant: TenantId, call: CallId, order: RoomOrder) {
        match order {
            RoomOrder::Join(guest) => self.join(tenant, call, *guest),
            RoomOrder::Speak(leg) => self.speak(call, leg),
            RoomOrder::Digit(digit) => self.tell(call, Word::Digit(digit)),
            RoomOrder::Attributes(attributes) => self.tell(call, Word::Attributes(attributes)),
            RoomOrder::Recordable => self.tell(call, Word::Recordable),
            RoomOrder::Leave(why) => {
                if let Some(why) = why {
                    self.tell(call, Word::Unreached(crate::cause::disconnect(why)));
                }
                self.running.remove(&call);
            }
        }
    }

    fn tell(&self, call: CallId, word: Word) {
        if let Some(running) = self.running.get(&call)
            && running.words.try_send(word).is_err()
        {
            debug!(call_id = %call, "a room is behind; a key is not told");
        }
    }

    /// A phone that was called has answered.
    fn speak(&mut self, call: CallId, leg: MediaLegId) {
        let Some(running) = self.running.get_mut(&call) else {
            return;
        };
        let Some(port) = running.silent.take() else { return };
        // What was said while it rang is not for it.
        while matches!(port.pop(), Popped::Frame(_)) {}
        let _ = running.leg.set(leg);
        self.media.attach(leg, port);
    }

    fn join(&mut self, tenant: TenantId, call: CallId, guest: Guest) {
        let (words, told) = mpsc::channel(WORDS);
        let (ours, theirs) = AudioPort::pair();
        let leg = Arc::new(OnceLock::new());
        let silent = match guest.media {
            None => Some(ours),
            Some(media) => {
                let _ = leg.set(media);
                self.media.attach(media, ours);
                None
            }
        };
        let running = Running {
            words,
            silent,
            leg: Arc::clone(&leg),
        };
        self.running.insert(call, running);
        let said = self.said.clone();
        let Some(rooms) = self.rooms.clone() else {
            warn!(call_id = %call, "rooms are switched off; a caller is turned away");
            self.tasks.spawn(async move {
                let refused = RoomSaid::Refused(Refusal::Full);
                let _ = said.send(Input::Room(call, refused)).await;
            });
            return;
        };
        let media = self.media.clone();
        let stay = Stay {
            room: RoomName::new(tenant, guest.room.clone()),
            rooms,
            call,
            said,
        };
        self.tasks.spawn(async move {
            let mute = |muted| {
                // A phone that rings is muted in the room alone.
                if let Some(leg) = leg.get() {
                    media.mute(*leg, muted);
                }
            };
            stay.run(guest, theirs, told, mute).await;
        });
    }
}

struct Stay {
    room: RoomName,
    rooms: RoomsHandle,
    call: CallId,
    said: mpsc::Sender<Input>,
}

impl Stay {
    async fn run(self, guest: Guest, port: AudioPort, mut told: mpsc::Receiver<Word>, mute: impl Fn(bool)) {
        let join = JoinPhone {
            room: self.room.clone(),
            identity: guest.identity,
            name: guest.name,
            metadata: guest.metadata,
            attributes: guest.attributes,
            grants: Grants::default(),
            port,
            is_recordable: guest.is_recordable,
        };
        let mut session = match self.rooms.join_phone(join).await {
            Ok(session) => session,
            Err(why) => {
                info!(call_id = %self.call, %why, "a phone may not come into its room");
                return self.say(RoomSaid::Refused(refusal(why))).await;
            }
        };
        let sid = session.sid.clone();
        self.say(RoomSaid::Joined { sid: sid.clone() }).await;
        if let Some(reason) = self.stay(&mut session, &mut told, mute).await {
            self.rooms.leave_phone(&self.room, &sid, reason).await;
        }
    }

    /// Until one of them ends it; why the phone goes, where it is still in.
    async fn stay(
        &self,
        session: &mut PhoneSession,
        told: &mut mpsc::Receiver<Word>,
        mute: impl Fn(bool),
    ) -> Option<DisconnectReason> {
        loop {
            // Both branches wait on a channel: dropping one loses nothing.
            tokio::select! {
                word = told.recv() => match word {
                    None => return Some(DisconnectReason::ClientInitiated),
                    Some(Word::Unreached(why)) => return Some(why),
                    Some(word) => self.pass(&session.sid, word).await,
                },
                event = session.events.recv() => match event {
                    Some(PhoneEvent::Removed { .. }) => {
                        self.say(RoomSaid::Removed).await;
                        return None;
                    }
                    Some(PhoneEvent::RoomEnded) | None => {
                        self.say(RoomSaid::Ended).await;
                        return None;
                    }
                    Some(PhoneEvent::Muted(muted)) => {
                        mute(muted);
                        self.say(RoomSaid::Muted(muted)).await;
                    }
                    Some(PhoneEvent::Digits(digits)) => self.say(RoomSaid::Digits(digits)).await,
                    Some(PhoneEvent::Agent(is_there)) => self.say(RoomSaid::Agent(is_there)).await,
                    Some(PhoneEvent::Recorded(is)) => self.say(RoomSaid::Recorded(is)).await,
                    // A phone may wait in a meeting for others to come.
                    Some(PhoneEvent::Alone) => {}
                },
            }
        }
    }

    async fn pass(&self, sid: &str, word: Word) {
        let passed = match word {
            Word::Digit(digit) => {
                let digits = digit.to_string();
                self.rooms.phone_digits(&self.room, sid, &digits).await
            }
            Word::Recordable => self.rooms.phone_recordable(&self.room, sid).await,
            Word::Unreached(_) => Ok(()),
            Word::Attributes(attributes) => self.rooms.phone_attributes(&self.room, sid, attributes).await,
        };
        if let Err(why) = passed {
            debug!(call_id = %self.call, %why, "a room does not take what its phone says");
        }
    }

    async fn say(&self, said: RoomSaid) {
        // The exchange ends after the stays.
        let _ = self.said.send(Input::Room(self.call, said)).await;
    }
}

const fn refusal(why: JoinRefused) -> Refusal {
    match why {
        JoinRefused::Locked | JoinRefused::Waiting | JoinRefused::NotAllowed => Refusal::Locked,
        JoinRefused::Full
        | JoinRefused::Over
        | JoinRefused::UnknownSession
        | JoinRefused::Invalid(_)
        | JoinRefused::NotRunning => Refusal::Full,
    }
}
