//! The way in: the door's answer, and the token for whoever may pass.

use crate::fault::Page;
use crate::state::ConsoleState;
use serde_json::{Value, json};
use strowger_access::meeting::member_claims;
use strowger_model::meeting::{Door, Meeting, RoomAct, RoomRole, Shut, Visitor};
use strowger_rooms::{Grants, JoinRefused, RoomName, RoomOptions, RoomsHandle};

/// Somebody at the door.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// What they are.
    pub(super) visitor: Visitor,
    /// Who they are in the room.
    pub(super) identity: String,
    /// What others see.
    pub(super) name: String,
}

impl Caller {
    pub(super) const fn role(&self) -> RoomRole {
        match self.visitor {
            Visitor::Member(role) => role,
            Visitor::Guest => RoomRole::Participant,
        }
    }
}

/// What the door answered.
pub(super) enum Answer {
    /// Come in with this token.
    Open(String),
    /// Wait until somebody lets you in.
    Waits,
    /// Stay out: the code of the trouble and a sentence.
    Shut(&'static str, String),
}

/// The running room's name.
pub(crate) fn running(meeting: &Meeting) -> RoomName {
    RoomName::new(meeting.room.tenant, meeting.room.name.clone())
}

/// The rooms' own word for a role.
pub(super) const fn part(role: RoomRole) -> strowger_rooms::Role {
    match role {
        RoomRole::Host => strowger_rooms::Role::Host,
        RoomRole::Moderator => strowger_rooms::Role::Moderator,
        RoomRole::Participant => strowger_rooms::Role::Participant,
    }
}

/// What a room is told when the first comes.
fn options(meeting: &Meeting) -> RoomOptions {
    RoomOptions {
        max_participants: u32::try_from(meeting.max_participants).unwrap_or(0),
        locked: meeting.locked,
        waiting_room: meeting.waiting_room,
        ..RoomOptions::default()
    }
}

fn grants(caller: &Caller, meeting: &Meeting) -> Grants {
    Grants {
        identity: caller.identity.clone(),
        name: caller.name.clone(),
        room_join: Some(meeting.room.name.clone()),
        role: part(caller.role()),
        ..Grants::default()
    }
}

/// Asks at the door and, when it opens, at the running room.
pub(super) async fn ask(state: &ConsoleState, meeting: &Meeting, caller: &Caller) -> Page<Answer> {
    let Some(rooms) = state.rooms() else {
        return Ok(Answer::Shut("room_off", String::new()));
    };
    let name = running(meeting);
    let present = match rooms.participants(&name).await {
        Ok(people) => people
            .iter()
            .filter(|person| person.identity != caller.identity)
            .count(),
        Err(_) => 0,
    };
    let inside = i64::try_from(present).unwrap_or(i64::MAX);
    match meeting.door(caller.visitor, inside, state.now()) {
        Door::Shut(shut) => return Ok(Answer::Shut(shut.code(), because(state, meeting, shut))),
        Door::Open | Door::Waits => {}
    }
    if rooms.create(&name, options(meeting)).await.is_err() {
        return Ok(Answer::Shut("room_full", String::new()));
    }
    match knock(rooms, &name, meeting, caller).await {
        Ok(()) => {
            let claims = member_claims(&meeting.room.name, &caller.identity, &caller.name, caller.role());
            let (token, _) = state
                .access()
                .sign_room_token(meeting.room.tenant, &claims, None)
                .await?;
            Ok(Answer::Open(token))
        }
        Err(JoinRefused::Waiting) => Ok(Answer::Waits),
        Err(JoinRefused::Locked) => Ok(Answer::Shut("room_locked", String::new())),
        Err(JoinRefused::Full) => Ok(Answer::Shut("room_full", String::new())),
        Err(JoinRefused::NotRunning) => Ok(Answer::Shut("room_off", String::new())),
        Err(JoinRefused::NotAllowed | JoinRefused::Over | JoinRefused::UnknownSession | JoinRefused::Invalid(_)) => {
            Ok(Answer::Shut("not_allowed", String::new()))
        }
    }
}

/// Knocks at the running room. Whom the meeting's own door lets in without waiting is admitted at once.
async fn knock(rooms: &RoomsHandle, name: &RoomName, meeting: &Meeting, caller: &Caller) -> Result<(), JoinRefused> {
    let answer = rooms.knock(name, &grants(caller, meeting)).await;
    let waits = caller.visitor == Visitor::Guest && meeting.waiting_room;
    if answer == Err(JoinRefused::Waiting) && !waits && rooms.admit(name, &caller.identity).await.is_ok() {
        return Ok(());
    }
    answer
}

fn because(state: &ConsoleState, meeting: &Meeting, shut: Shut) -> String {
    match (shut, &meeting.schedule) {
        (Shut::Early { opens_at }, Some(schedule)) => {
            let clock = crate::show::Clock::new(state.now(), &schedule.zone);
            format!("It opens {} ({}).", clock.stamp(opens_at), clock.zone())
        }
        (Shut::Early { .. } | Shut::Locked | Shut::Full | Shut::Over, _) => String::new(),
    }
}

/// The answer as the page reads it.
pub(super) fn write(answer: &Answer, caller: &Caller) -> Value {
    let role = caller.role();
    match answer {
        Answer::Open(token) => {
            let acts: Vec<&str> = RoomAct::ALL
                .iter()
                .filter(|act| role.may(**act))
                .map(|act| act.code())
                .collect();
            json!({
                "state": "open", "token": token, "identity": caller.identity, "name": caller.name,
                "role": role.code(), "acts": acts,
            })
        }
        Answer::Waits => json!({"state": "waiting"}),
        Answer::Shut(code, why) => json!({"state": "shut", "code": code, "why": why}),
    }
}
