//! Somebody who is called into a room is seen there before they answer: dialing, ringing, active.

use super::leg::Leg;
use super::meeting::{ACTIVE, Stay};
use super::{Act, Call, MediaOrder, Output};
use crate::entrance::{IntoRoom, RoomOrder, RoomSaid};
use crate::live::{EventKind, LiveRoom};
use crate::scene::Scene;
use std::collections::BTreeMap;
use strowger_model::HangupCause;
use strowger_rooms::CALL_STATUS;

/// How somebody who has not answered yet is seen.
#[derive(Debug)]
pub(super) struct Ahead {
    room: String,
    identity: String,
    sid: Option<String>,
    rings: bool,
    /// Whether the room may record it without more.
    is_recordable: bool,
}

impl Call {
    /// Says that the called party of a placed call goes into a room.
    pub(crate) fn lead_into(&mut self, into: IntoRoom) {
        self.into = Some(Box::new(into));
    }

    /// The called party is about to be invited: the members of its room see that it is dialled.
    pub(super) fn is_seen_ahead(&mut self, scene: &Scene<'_>) {
        let Some(into) = &self.into else { return };
        let guest = self.guest(&into.way, None, scene);
        self.recorder.room = false;
        self.ahead = Some(Ahead {
            room: guest.room.clone(),
            identity: guest.identity.clone(),
            sid: None,
            rings: false,
            is_recordable: guest.is_recordable,
        });
        self.outputs.push_back(Output::Room(RoomOrder::Join(Box::new(guest))));
    }

    /// It rings at the called party.
    pub(super) fn rings_ahead(&mut self) {
        if let Some(ahead) = self.ahead.as_mut().filter(|ahead| !ahead.rings) {
            ahead.rings = true;
            self.tell_status("ringing");
        }
    }

    /// The called party of a placed call has answered: it speaks in the room, where it was called for one.
    pub(super) fn follow_into(&mut self, scene: &mut Scene<'_>) -> bool {
        let Some(into) = self.into.take() else {
            return false;
        };
        let (Some(ahead), Some(media)) = (self.ahead.take(), self.near_leg().and_then(Leg::media)) else {
            return false;
        };
        if let Some(longest) = into.max_duration {
            self.limit = Some(scene.now + longest.min(self.policy.max_duration));
        }
        self.order_media(MediaOrder::Stop(media));
        self.outputs.push_back(Output::Room(RoomOrder::Speak(media)));
        let line = self.line_of_near().into_iter().filter(|(_, value)| !value.is_empty());
        let mut changed: BTreeMap<String, String> = line.map(|(key, value)| (format!("sip.{key}"), value)).collect();
        changed.insert(CALL_STATUS.to_owned(), ACTIVE.to_owned());
        self.outputs.push_back(Output::Room(RoomOrder::Attributes(changed)));
        self.note("room", self.near, &into.way.room, scene);
        self.act = Act::Meeting {
            stay: Stay::Inside {
                way: Box::new(into.way),
                identity: ahead.identity,
                sid: ahead.sid,
            },
        };
        self.tell(EventKind::Changed);
        for digit in into.digits.chars() {
            self.order_media(MediaOrder::SendDigit(media, digit));
        }
        if !ahead.is_recordable {
            // It may have been told already, for the call's own recording.
            self.recordable_in_room();
        }
        self.tell_in_room(scene);
        true
    }

    /// The room said something about somebody who has not answered yet.
    pub(super) fn room_said_ahead(&mut self, said: RoomSaid, scene: &mut Scene<'_>) {
        let Some(ahead) = &mut self.ahead else { return };
        match said {
            RoomSaid::Joined { sid } => {
                ahead.sid = Some(sid);
                self.tell(EventKind::Changed);
            }
            RoomSaid::Refused(_) => {
                self.note("room", None, "refused", scene);
                self.end(HangupCause::Rejected, scene);
            }
            RoomSaid::Removed | RoomSaid::Ended => {
                self.note("room left", None, "before an answer", scene);
                self.end(HangupCause::Cancelled, scene);
            }
            RoomSaid::Recorded(is) => self.recorder.room = is,
            RoomSaid::Digits(_) | RoomSaid::Muted(_) | RoomSaid::Agent(_) => {}
        }
    }

    /// The call ends: nobody is seen in its room any more who has not answered; its members are told why.
    pub(super) fn is_called_no_more(&mut self, cause: HangupCause) {
        if self.ahead.take().is_some() {
            self.outputs.push_back(Output::Room(RoomOrder::Leave(Some(cause))));
        }
    }

    /// Where somebody who has not answered yet is seen.
    pub(super) fn live_ahead(&self) -> Option<LiveRoom> {
        let ahead = self.ahead.as_ref()?;
        Some(LiveRoom {
            name: ahead.room.clone(),
            identity: ahead.identity.clone(),
            participant: ahead.sid.clone(),
        })
    }
}
