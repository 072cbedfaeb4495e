//! Phones in rooms: coming in, keys, attributes, mute, hanging up.

use super::handle::{RoomsHandle, options_of, refused};
use crate::claims::Grants;
use crate::protocol as wire;
use crate::room::PhoneArrival;
use crate::{JoinRefused, RoomError, RoomName};
use std::collections::BTreeMap;
use strowger_media::AudioPort;
use tokio::sync::mpsc;
use tracing::debug;

/// Events that may wait for a phone.
const PHONE_EVENTS: usize = 32;

/// A phone comes in.
#[derive(Debug)]
pub struct JoinPhone {
    /// Where to.
    pub room: RoomName,
    /// Who it is within the room.
    pub identity: String,
    /// What to show.
    pub name: String,
    /// Free text others see.
    pub metadata: String,
    /// Pairs others see, `sip.*` among them.
    pub attributes: BTreeMap<String, String>,
    /// What it may do; identity, name, metadata and attributes are taken from above.
    pub grants: Grants,
    /// Its audio.
    pub port: AudioPort,
    /// Whether it may be recorded from the first word; [`RoomsHandle::phone_recordable`] says it later.
    pub is_recordable: bool,
}

/// A phone that is in a room. Dropping `events` does not end it; [`RoomsHandle::leave_phone`] does.
#[derive(Debug)]
pub struct PhoneSession {
    /// Its participant sid.
    pub sid: String,
    /// Its track's sid.
    pub track_sid: String,
    /// What happens to it. Bounded: when the reader is that far behind the newest is dropped.
    pub events: mpsc::Receiver<PhoneEvent>,
}

/// What happens to a phone in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhoneEvent {
    /// It was removed: hang up.
    Removed {
        /// Why.
        reason: wire::DisconnectReason,
    },
    /// The room ended: hang up.
    RoomEnded,
    /// The room muted it, or lets it speak again.
    Muted(bool),
    /// Somebody pressed keys for it.
    Digits(String),
    /// Whether an agent is in the room and in touch. Told when the phone comes in and whenever it changes.
    Agent(bool),
    /// The last of all others left.
    Alone,
    /// Whether the room is recorded. Told when it begins and ends, and to who comes in meanwhile.
    Recorded(bool),
}

impl RoomsHandle {
    /// Lets a phone in. The first makes the room.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn join_phone(&self, join: JoinPhone) -> Result<PhoneSession, JoinRefused> {
        self.may_make(&join.room).map_err(refused)?;
        let options = options_of(&join.grants);
        let arrival = PhoneArrival {
            identity: join.identity,
            name: join.name,
            metadata: join.metadata,
            attributes: join.attributes,
            grants: join.grants,
            port: join.port,
            is_recordable: join.is_recordable,
        };
        let (sender, events) = mpsc::channel(PHONE_EVENTS);
        let (joined, _) = self
            .with_made(&join.room, options, move |keeper, now| {
                let (key, sid, track_sid) = keeper.room.join_phone(arrival, now)?;
                keeper.phones.insert(key, sender);
                Ok::<_, JoinRefused>((sid, track_sid))
            })
            .await
            .map_err(refused)?;
        let (sid, track_sid) = joined?;
        Ok(PhoneSession { sid, track_sid, events })
    }

    /// A phone pressed keys: the room's members are told.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_digits(&self, room: &RoomName, sid: &str, digits: &str) -> Result<(), RoomError> {
        let (sid, digits) = (sid.to_owned(), digits.to_owned());
        self.with(room, move |keeper, now| keeper.room.phone_digits(&sid, &digits, now))
            .await?
    }

    /// A phone's attributes changed; an empty value removes one.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_attributes(
        &self,
        room: &RoomName,
        sid: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), RoomError> {
        let sid = sid.to_owned();
        self.with(room, move |keeper, _| keeper.room.phone_attributes(&sid, attributes))
            .await?
    }

    /// A phone muted itself, or speaks again.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_mute(&self, room: &RoomName, sid: &str, muted: bool) -> Result<(), RoomError> {
        let sid = sid.to_owned();
        self.with(room, move |keeper, now| keeper.room.phone_mute(&sid, muted, now))
            .await?
    }

    /// A phone may be recorded from now on.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_recordable(&self, room: &RoomName, sid: &str) -> Result<(), RoomError> {
        let sid = sid.to_owned();
        self.with(room, move |keeper, now| keeper.room.phone_recordable(&sid, now))
            .await?
    }

    /// A phone hung up.
    pub async fn leave_phone(&self, room: &RoomName, sid: &str, reason: wire::DisconnectReason) {
        let sid = sid.to_owned();
        let left = self.with(room, move |keeper, now| keeper.room.leave_phone(&sid, reason, now));
        if left.await.is_err() {
            debug!("a phone left a room that is over");
        }
    }
}
