//! Rooms: being led into one, being there, leaving. A PIN is asked for where one is needed.

use super::leg::Leg;
use super::{Act, Call, MediaOrder, Output, Then};
use crate::entrance::{Entrance, Guest, Refusal, RoomOrder, RoomSaid, WayIn};
use crate::live::{EventKind, LiveRoom};
use crate::scene::Scene;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use strowger_ivr::{Phrase, Sound};
use strowger_media::sdp::Preference;
use strowger_media::{PlayId, tone};
use strowger_model::HangupCause;
use strowger_model::dispatch::{Asking as Question, Dispatch};
use strowger_rooms::{CALL_STATUS, UNRECORDED, WANTS_AGENT};

/// The keys of the longest PIN.
const MOST_KEYS: usize = 16;
/// How often a caller may type a PIN.
const TRIES: u32 = 3;
/// How long a caller may think between two keys.
const PATIENCE: Duration = Duration::from_secs(15);

/// Its first value for somebody who is called.
const DIALING: &str = "dialing";
/// Its value for a phone that can be talked with.
pub(super) const ACTIVE: &str = "active";

/// What the near party does about a room.
#[derive(Debug)]
pub(super) enum Stay {
    /// It types a PIN.
    Asking {
        /// Where the PIN of one room is asked for.
        way: Option<Box<WayIn>>,
        typed: String,
        failures: u32,
        until: Instant,
    },
    /// It hears why it may not come in, and then the call ends.
    Turned { play: PlayId, why: HangupCause },
    /// It is on its way in, or there.
    Inside {
        way: Box<WayIn>,
        identity: String,
        sid: Option<String>,
    },
}

impl Stay {
    pub(super) const fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self {
            Self::Asking { until, .. } => Some((*until, "the caller types no PIN")),
            Self::Turned { .. } | Self::Inside { .. } => None,
        }
    }
}

impl Call {
    /// Answers the near party and leads it into a room.
    pub(super) fn enter(&mut self, entrance: Entrance, scene: &mut Scene<'_>) {
        let then = match entrance {
            Entrance::Room(way) if way.pin.is_none() => Then::Meet(way),
            Entrance::Room(way) => Then::AskPin(Some(way)),
            Entrance::ByPin => Then::AskPin(None),
            Entrance::ByRule => match self.way_by_rule(None, scene) {
                Some(way) => Then::Meet(Box::new(way)),
                None => return self.end(HangupCause::NotFound, scene),
            },
        };
        self.answer_then(then, scene);
    }

    /// Asks the near party, who is up, for a PIN.
    pub(super) fn ask_pin(&mut self, way: Option<Box<WayIn>>, failures: u32, scene: &mut Scene<'_>) {
        let phrase = if failures == 0 {
            Phrase::AskPin
        } else {
            Phrase::WrongPin
        };
        self.say(phrase, scene);
        self.act = Act::Meeting {
            stay: Stay::Asking {
                way,
                typed: String::new(),
                failures,
                until: scene.now + PATIENCE,
            },
        };
        self.tell(EventKind::Changed);
    }

    /// Leads the near party, who is up, into a room.
    pub(super) fn meet(&mut self, way: Box<WayIn>, scene: &mut Scene<'_>) {
        let Some(media) = self.near_leg().and_then(Leg::media) else {
            return;
        };
        let guest = self.guest(&way, Some(media), scene);
        self.recorder.room = false;
        self.order_media(MediaOrder::Stop(media));
        self.note("room", self.near, &way.room, scene);
        self.act = Act::Meeting {
            stay: Stay::Inside {
                way,
                identity: guest.identity.clone(),
                sid: None,
            },
        };
        self.outputs.push_back(Output::Room(RoomOrder::Join(Box::new(guest))));
        self.tell(EventKind::Changed);
    }

    /// The near party, or whoever is being called for the room, as the room is told of it.
    pub(super) fn guest(&self, way: &WayIn, media: Option<strowger_media::MediaLegId>, scene: &Scene<'_>) -> Guest {
        let near = self.near_leg();
        let is_caller = near.is_some_and(|near| near.side == super::leg::Side::Caller);
        let row = &self.row;
        let (number, ours) = if is_caller {
            (&row.from_number, &row.to_number)
        } else {
            (&row.to_number, &row.from_number)
        };
        let is_number = |text: &str| text.chars().any(|letter| letter.is_ascii_digit());
        let known = !way.hides_number && is_number(number);
        let identity = way.identity.clone().unwrap_or_else(|| {
            // Several people may call from one number.
            let chance = chance(scene);
            if known {
                format!("sip_{number}_{}", chance.get(..4).unwrap_or_default())
            } else {
                format!("sip_{chance}")
            }
        });
        let own = if is_caller { row.from_name.clone() } else { None };
        let name = way
            .name
            .clone()
            .or(own)
            .unwrap_or_else(|| if known { number.clone() } else { "Phone".to_owned() });
        let mut attributes = way.attributes.clone();
        attributes.extend(way.agent.clone().map(|agent| (WANTS_AGENT.to_owned(), agent)));
        if let Some(why) = self.recorder.refused {
            attributes.insert(UNRECORDED.to_owned(), why.to_string());
        }
        let mut say = |key: &str, value: String| {
            if !value.is_empty() {
                attributes.insert(format!("sip.{key}"), value);
            }
        };
        say("callID", row.id.to_string());
        say("callStatus", if near.is_some() { ACTIVE } else { DIALING }.to_owned());
        say("ruleID", way.rule.clone());
        for (key, value) in self.line_of_near() {
            say(key, value);
        }
        if !way.hides_number {
            say("phoneNumber", number.clone());
            say(
                "trunkPhoneNumber",
                Some(ours).filter(|ours| is_number(ours)).cloned().unwrap_or_default(),
            );
        }
        Guest {
            room: way.room.clone(),
            identity,
            name,
            metadata: way.metadata.clone(),
            attributes,
            media,
            is_recordable: self.may_room_record(),
        }
    }

    /// What is known of the near party's line, once there is one.
    pub(super) fn line_of_near(&self) -> Vec<(&'static str, String)> {
        let Some(near) = self.near_leg() else {
            return Vec::new();
        };
        vec![
            ("callIDFull", near.sip_call_id.clone()),
            ("trunkID", near.trunk.map(|trunk| trunk.to_string()).unwrap_or_default()),
            ("hostname", near.toward.map(|host| host.to_string()).unwrap_or_default()),
        ]
    }

    fn way_by_rule(&self, typed: Option<&str>, scene: &Scene<'_>) -> Option<WayIn> {
        let asking = Question {
            trunk: self.near_leg().and_then(|near| near.trunk),
            caller: &self.row.from_number,
            called: &self.row.to_number,
        };
        // Rules are about calls from outside alone.
        asking.trunk?;
        match scene.directory.dispatch(self.row.tenant, asking, typed) {
            Dispatch::By(rule) => Some(WayIn {
                room: rule.room_name(asking, &chance(scene)),
                rule: rule.id.clone(),
                metadata: rule.metadata.clone(),
                attributes: rule.attributes.clone(),
                hides_number: rule.hide_number,
                ..WayIn::default()
            }),
            Dispatch::Nowhere | Dispatch::AskPin => None,
        }
    }

    /// The near party pressed a key while it is led into a room or is there.
    pub(super) fn meeting_digit(&mut self, digit: char, scene: &mut Scene<'_>) {
        let Act::Meeting { stay } = &mut self.act else {
            return;
        };
        match stay {
            Stay::Inside { .. } => self.outputs.push_back(Output::Room(RoomOrder::Digit(digit))),
            Stay::Turned { .. } => {}
            Stay::Asking { typed, until, .. } => {
                *until = scene.now + PATIENCE;
                if digit != '#' {
                    typed.push(digit);
                }
                let is_complete = digit == '#' || typed.len() >= MOST_KEYS;
                let is_first = typed.len() == 1 && !is_complete;
                if let Some(media) = self.near_leg().and_then(Leg::media).filter(|_| is_first) {
                    // Who knows what to do need not hear the question to its end.
                    self.order_media(MediaOrder::Stop(media));
                }
                if is_complete {
                    self.try_pin(scene);
                }
            }
        }
    }

    fn try_pin(&mut self, scene: &mut Scene<'_>) {
        if !matches!(
            self.act,
            Act::Meeting {
                stay: Stay::Asking { .. }
            }
        ) {
            return;
        }
        let act = std::mem::replace(&mut self.act, Act::Waiting);
        let Act::Meeting {
            stay: Stay::Asking {
                way, typed, failures, ..
            },
        } = act
        else {
            return;
        };
        let found = match &way {
            Some(way) => (way.pin.as_deref() == Some(typed.as_str())).then(|| way.clone()),
            None => self.way_by_pin(&typed, scene).map(Box::new),
        };
        match found {
            Some(way) => self.meet(way, scene),
            None => {
                self.note("pin", self.near, "wrong", scene);
                if failures + 1 < TRIES {
                    self.ask_pin(way, failures + 1, scene);
                } else {
                    self.turn_away(Phrase::NoPin, HangupCause::Forbidden, scene);
                }
            }
        }
    }

    fn way_by_pin(&self, typed: &str, scene: &Scene<'_>) -> Option<WayIn> {
        if let Some(way) = self.way_by_rule(Some(typed), scene) {
            return Some(way);
        }
        let room = scene.directory.room_of_pin(self.row.tenant, typed)?;
        Some(WayIn::to(room.name.clone()))
    }

    fn turn_away(&mut self, phrase: Phrase, why: HangupCause, scene: &mut Scene<'_>) {
        let play = self.say(phrase, scene);
        self.act = Act::Meeting {
            stay: Stay::Turned { play, why },
        };
    }

    /// Speaks to the near party, instead of whatever it hears.
    fn say(&mut self, phrase: Phrase, scene: &Scene<'_>) -> PlayId {
        let say = phrase.say(&self.policy.language);
        let samples = scene.directory.sound(self.row.tenant, &Sound::Say(say));
        let samples = samples.unwrap_or_else(|| {
            tracing::warn!(call_id = %self.row.id, ?phrase, "a text of rooms has no audio; a beep stands in");
            tone::beep()
        });
        let play = self.next_play();
        if let Some(leg) = self.near_leg().and_then(Leg::media) {
            self.order_media(MediaOrder::Stop(leg));
            self.order_media(MediaOrder::Play {
                leg,
                play,
                samples,
                repeat: false,
            });
        }
        play
    }

    /// Something was played to its end.
    pub(super) fn meeting_played(&mut self, ended: PlayId, scene: &mut Scene<'_>) {
        if let Act::Meeting {
            stay: Stay::Turned { play, why },
        } = &self.act
            && *play == ended
        {
            let why = *why;
            self.end(why, scene);
        }
    }

    pub(super) fn meeting_timeout(&mut self, scene: &mut Scene<'_>) {
        if let Act::Meeting { stay } = &self.act
            && stay.poll_timeout().is_some_and(|(until, _)| scene.now >= until)
        {
            self.try_pin(scene);
        }
    }

    /// A room said something.
    pub(super) fn room_said(&mut self, said: RoomSaid, scene: &mut Scene<'_>) {
        let media = self.near_leg().and_then(Leg::media);
        let Act::Meeting {
            stay: Stay::Inside { sid, way, .. },
        } = &mut self.act
        else {
            return self.room_said_ahead(said, scene);
        };
        let wants_agent = way.agent.is_some();
        match said {
            RoomSaid::Joined { sid: given } => {
                *sid = Some(given);
                self.tell(EventKind::Changed);
            }
            RoomSaid::Digits(digits) => {
                for digit in digits.chars() {
                    self.order_media_of(media, |media| MediaOrder::SendDigit(media, digit));
                }
            }
            RoomSaid::Muted(muted) => {
                self.note(if muted { "muted" } else { "unmuted" }, self.near, "by the room", scene);
            }
            RoomSaid::Refused(why) => {
                self.note("room", self.near, "refused", scene);
                self.outputs.push_back(Output::Room(RoomOrder::Leave(None)));
                if wants_agent && self.run.is_some() {
                    // No agent comes into a room that is not; the flow takes its fallback when it has waited.
                    self.act = Act::Waiting;
                    return;
                }
                let phrase = match why {
                    Refusal::Locked => Phrase::Locked,
                    Refusal::Full => Phrase::Full,
                };
                self.turn_away(phrase, HangupCause::Rejected, scene);
            }
            RoomSaid::Recorded(is) => self.room_recorded(is, scene),
            RoomSaid::Agent(is_there) => self.flow_agent(is_there, scene),
            RoomSaid::Removed => self.shown_out("removed", scene),
            RoomSaid::Ended => self.shown_out("the room ended", scene),
        }
    }

    /// The room is left, not by the near party's wish.
    fn shown_out(&mut self, why: &str, scene: &mut Scene<'_>) {
        self.note("room left", self.near, why, scene);
        self.leave_act(scene);
        if !self.flow_room_left(scene) {
            self.end(HangupCause::Normal, scene);
        }
    }

    /// Where the near party is, or is seen before it answers.
    pub(super) fn live_room(&self) -> Option<LiveRoom> {
        match &self.act {
            Act::Meeting {
                stay: Stay::Inside { way, identity, sid },
            } => Some(LiveRoom {
                name: way.room.clone(),
                identity: identity.clone(),
                participant: sid.clone(),
            }),
            Act::Meeting {
                stay: Stay::Asking { .. } | Stay::Turned { .. },
            }
            | Act::Waiting
            | Act::Ringing(_)
            | Act::Talking { .. }
            | Act::Reattaching(_)
            | Act::Mailbox(_)
            | Act::App(_)
            | Act::Staying
            | Act::Ending { .. }
            | Act::Over => self.live_ahead(),
        }
    }

    /// Takes the near party out of its room and rings somebody for it; it comes back when nobody answers.
    /// Whether it is in a room.
    pub(crate) fn transfer_out(&mut self, to: &str, ring_timeout: Option<Duration>, scene: &mut Scene<'_>) -> bool {
        let way = match &self.act {
            Act::Meeting {
                stay: Stay::Inside { way, .. },
            } => way.clone(),
            Act::Meeting { .. }
            | Act::Waiting
            | Act::Ringing(_)
            | Act::Talking { .. }
            | Act::Reattaching(_)
            | Act::Mailbox(_)
            | Act::App(_)
            | Act::Staying
            | Act::Ending { .. }
            | Act::Over => return false,
        };
        let callees = self.callees_of(&strowger_ivr::Target::Number(to.to_owned()), scene);
        if callees.is_empty() {
            return false;
        }
        self.note("transfer", self.near, to, scene);
        self.leave_act(scene);
        self.back_to = Some(way);
        let timeout = ring_timeout.unwrap_or(self.policy.ring_timeout);
        self.ring(vec![callees], timeout, None, None, scene);
        true
    }

    /// Nobody was found for a party that came out of a room: it goes back. Whether it did.
    pub(super) fn goes_back(&mut self, scene: &mut Scene<'_>) -> bool {
        match self.back_to.take() {
            Some(way) => {
                self.answer_near(Preference::TheirOrder, scene);
                self.meet(way, scene);
                true
            }
            None => false,
        }
    }

    fn order_media_of(
        &mut self,
        media: Option<strowger_media::MediaLegId>,
        order: impl FnOnce(strowger_media::MediaLegId) -> MediaOrder,
    ) {
        if let Some(media) = media {
            self.order_media(order(media));
        }
    }

    /// Puts away a stay that ends.
    pub(super) fn stay_ends(&mut self, stay: &Stay) {
        match stay {
            Stay::Inside { .. } => self.outputs.push_back(Output::Room(RoomOrder::Leave(None))),
            Stay::Asking { .. } | Stay::Turned { .. } => {}
        }
    }

    /// Tells the room that the near party holds, or is back.
    pub(super) fn meeting_held(&mut self, held: bool) {
        if matches!(
            self.act,
            Act::Meeting {
                stay: Stay::Inside { .. }
            }
        ) {
            self.tell_status(if held { "hold" } else { ACTIVE });
        }
    }

    /// Tells the room's members how the near party's call stands.
    pub(super) fn tell_status(&mut self, status: &str) {
        let changed = BTreeMap::from([(CALL_STATUS.to_owned(), status.to_owned())]);
        self.outputs.push_back(Output::Room(RoomOrder::Attributes(changed)));
    }
}

/// Twelve letters that nobody can guess.
pub(super) fn chance(scene: &Scene<'_>) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 12];
    scene.world.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}
