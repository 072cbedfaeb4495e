//! What those who steer a meeting do to others. The role is asked here, whatever the page showed.

use super::{Seat, entry};
use crate::fault::Page;
use crate::state::ConsoleState;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use strowger_access::Posted;
use strowger_model::RoomId;
use strowger_model::meeting::RoomAct;
use strowger_rooms::{RoomError, RoomName, RoomsHandle};
use strowger_store::Actor;

pub(super) async fn act(
    State(state): State<ConsoleState>,
    Path(room): Path<RoomId>,
    posted: Posted<Vec<(String, String)>>,
) -> Page {
    let seat = Seat::take(&state, &posted.who, room).await?;
    let form = &posted.form;
    let field = |name: &str| {
        form.iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.trim())
    };
    let (who, track) = (field("who"), field("track"));
    let Some(order) = order(field("act"), who, track, field("number")) else {
        return Ok(answer("our_fault"));
    };
    if !seat.caller.role().may(order.needs()) {
        return Ok(answer("not_allowed"));
    }
    let Some(rooms) = state.rooms() else {
        return Ok(answer("room_off"));
    };
    let actor = Actor::named(posted.who.principal().actor());
    let name = entry::running(&seat.meeting);
    let done = carry_out(&state, &seat, rooms, &name, &actor, order).await?;
    Ok(match done {
        Ok(said) => Json(json!({ "said": said })).into_response(),
        Err(code) => answer(code),
    })
}

fn answer(code: &str) -> axum::response::Response {
    Json(json!({ "code": code })).into_response()
}

/// Something to be done.
enum Order<'a> {
    Mute { who: &'a str, track: &'a str },
    MuteAll,
    Remove(&'a str),
    Admit(&'a str),
    Deny(&'a str),
    Lock(bool),
    Record(bool),
    Dial(&'a str),
    End,
}

fn order<'a>(act: &str, who: &'a str, track: &'a str, number: &'a str) -> Option<Order<'a>> {
    Some(match act {
        "mute" => Order::Mute { who, track },
        "mute_all" => Order::MuteAll,
        "remove" => Order::Remove(who),
        "admit" => Order::Admit(who),
        "deny" => Order::Deny(who),
        "lock" => Order::Lock(true),
        "unlock" => Order::Lock(false),
        "record" => Order::Record(true),
        "record_stop" => Order::Record(false),
        "dial" => Order::Dial(number),
        "end" => Order::End,
        _ => return None,
    })
}

impl Order<'_> {
    const fn needs(&self) -> RoomAct {
        match self {
            Self::Mute { .. } | Self::MuteAll => RoomAct::Mute,
            Self::Remove(_) => RoomAct::Remove,
            Self::Admit(_) | Self::Deny(_) => RoomAct::Admit,
            Self::Lock(_) => RoomAct::Lock,
            Self::Record(_) => RoomAct::Record,
            Self::Dial(_) => RoomAct::Dial,
            Self::End => RoomAct::End,
        }
    }
}

/// What was done, in words, or the code of what went wrong.
type Done = Result<&'static str, &'static str>;

async fn carry_out(
    state: &ConsoleState,
    seat: &Seat,
    rooms: &RoomsHandle,
    name: &RoomName,
    actor: &Actor,
    order: Order<'_>,
) -> Page<Done> {
    let done = match order {
        Order::Mute { who, track } => told(rooms.mute_track(name, who, track, true).await, "Muted."),
        Order::MuteAll => told(rooms.mute_all(name, &seat.caller.identity).await, "Everybody is muted."),
        Order::Remove(who) => told(rooms.remove(name, who).await, "Shown out."),
        Order::Admit(who) => told(rooms.admit(name, who).await, "Let in."),
        Order::Deny(who) => told(rooms.turn_away(name, who).await, "Turned away."),
        Order::Lock(locked) => {
            seat.scope
                .meetings()
                .set_locked(actor, seat.meeting.id(), locked)
                .await?;
            let said = if locked {
                "The room is locked."
            } else {
                "The room is open."
            };
            told(rooms.set_lock(name, locked).await, said)
        }
        Order::Record(on) => {
            let said = if on {
                "The recording begins."
            } else {
                "The recording ends."
            };
            if state.desk().record(name.clone(), on).await {
                Ok(said)
            } else {
                Err("no_record")
            }
        }
        Order::Dial(number) => {
            if state.desk().dial(name.clone(), number.to_owned(), actor.clone()).await {
                Ok("The phone rings.")
            } else {
                Err("no_dial")
            }
        }
        Order::End => {
            seat.scope
                .audit()
                .write(actor, "room.end", &seat.meeting.id().to_string(), "")
                .await?;
            told(rooms.delete(name).await, "The meeting is over.")
        }
    };
    Ok(done)
}

fn told<T>(result: Result<T, RoomError>, said: &'static str) -> Done {
    match result {
        Ok(_) => Ok(said),
        Err(RoomError::NoRoom | RoomError::NoParticipant | RoomError::NoTrack) => Err("gone"),
        Err(RoomError::NotAllowed) => Err("not_allowed"),
        Err(RoomError::NotRunning) => Err("room_off"),
        Err(RoomError::Invalid(_) | RoomError::Full | RoomError::TimedOut | RoomError::Answered { .. }) => {
            Err("our_fault")
        }
    }
}

/// Who waits and whether the door is locked, as the page reads it.
pub(super) fn standing(waiting: Vec<(String, String)>, locked: bool) -> Value {
    let waiting: Vec<Value> = waiting
        .into_iter()
        .map(|(identity, name)| json!({"identity": identity, "name": name}))
        .collect();
    json!({"waiting": waiting, "locked": locked})
}
