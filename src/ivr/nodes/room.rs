//! `room`: leads the caller into a room.
//!
//! Parameters: `room` (also `name`); `pin`, which the caller types first, if it is set. Exit: `next`, taken when the caller leaves the room by a key or
//! the room closes; without it the call ends.

use super::{NEXT, Next, Site, Step, Wait, Waits};
use crate::action::Event;
use crate::execution::Run;
use crate::fields::Fields;
use crate::finding::Code;
use strowger_model::HangupCause;

/// Leads into a room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Room {
    name: Option<String>,
    pin: Option<String>,
}

impl Room {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.text(&["room", "name", "roomName", "room_name"]),
            pin: fields.text(&["pin", "roomPin", "room_pin"]),
        }
    }
}

impl Step for Room {
    fn exit(&self, _written: &str) -> Option<&'static str> {
        Some(NEXT)
    }

    fn unlabelled(&self) -> Option<&'static str> {
        Some(NEXT)
    }

    fn exits(&self) -> Vec<&'static str> {
        vec![NEXT]
    }

    fn waits(&self) -> Waits {
        Waits::ForOthers
    }

    fn needs_answer(&self) -> bool {
        true
    }

    fn check(&self, site: &mut Site<'_>) {
        let Some(name) = &self.name else {
            site.refuse(
                Code::MissingRoom,
                "No room is named. Say into which “room” the caller is led.",
            );
            return;
        };
        let catalogue = site.catalogue;
        site.must_know(catalogue.rooms.as_ref(), name, Code::UnknownRoom, "room");
    }

    fn enter(&self, run: &mut Run<'_>) -> Next {
        match &self.name {
            Some(name) => Next::Wait(Wait::Action(run.room(name.clone(), self.pin.clone()))),
            None => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
        }
    }

    fn handle(&self, wait: &Wait, event: Event, _run: &mut Run<'_>) -> Next {
        match event {
            Event::RoomLeft { id } if *wait == Wait::Action(id) => Next::Leave(vec![NEXT], HangupCause::FlowEnded),
            Event::RoomLeft { .. }
            | Event::Agent { .. }
            | Event::AppConnected { .. }
            | Event::AppEnded { .. }
            | Event::Digit(_)
            | Event::PlayDone(_)
            | Event::Answered
            | Event::DialEnded { .. }
            | Event::VoicemailDone { .. }
            | Event::CallerGone => Next::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{flow_in, run};
    use crate::{Action, ActionId, Catalogue, Code, Event};
    use serde_json::{Value, json};

    fn nodes() -> Value {
        json!([
            ["start", "start", {}, "meet"],
            ["meet", "room", {"room": "weekly"}, "thanks"],
            ["thanks", "hangup", {}, null]
        ])
    }

    #[test]
    fn the_caller_joins_and_goes_on_when_the_room_is_left() {
        let mut run = run(nodes());
        run.tell(Event::Answered);
        assert_eq!(
            run.actions(),
            [
                Action::Answer,
                Action::Room {
                    id: ActionId(0),
                    name: "weekly".into(),
                    pin: None
                }
            ]
        );
        run.tell(Event::RoomLeft { id: ActionId(0) });
        assert_eq!(run.path(), ["start", "meet", "thanks"]);
    }

    #[test]
    fn a_room_is_looked_up_only_where_rooms_are_listed() {
        assert_eq!(flow_in(nodes(), &Catalogue::unknown()).1, []);
        let catalogue = Catalogue {
            rooms: Some(["weekly2".to_owned()].into()),
            ..Catalogue::unknown()
        };
        assert_eq!(flow_in(nodes(), &catalogue).1[0].code, Code::UnknownRoom);
    }
}
