//! What a token lets its bearer do. Whoever verified the token fills this in; nothing here looks at a key.

use crate::protocol as wire;
use std::collections::BTreeMap;

/// The part a member plays in a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Speaks and listens.
    #[default]
    Participant,
    /// May also mute, remove, admit and lock.
    Moderator,
    /// May also end the meeting and make moderators.
    Host,
}

impl Role {
    /// Whether this role steers the meeting: passes a lock, skips the waiting room, mutes others.
    #[must_use]
    pub const fn steers(self) -> bool {
        match self {
            Self::Participant => false,
            Self::Moderator | Self::Host => true,
        }
    }

    /// The word for it, as it stands in tokens and attributes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Moderator => "moderator",
            Self::Host => "host",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "participant" => Some(Self::Participant),
            "moderator" => Some(Self::Moderator),
            "host" => Some(Self::Host),
            _ => None,
        }
    }
}

/// What a bearer is called and may do, in the words of `LiveKit`'s access tokens.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a grant of the token format, independent of the others"
)]
pub struct Grants {
    /// Who they are within a room; unique there.
    pub identity: String,
    /// What to show.
    pub name: String,
    /// Free text others see.
    pub metadata: String,
    /// Free pairs others see.
    pub attributes: BTreeMap<String, String>,
    /// What sort of member.
    pub kind: wire::participant_info::Kind,
    /// The room they may join; `None`: none.
    pub room_join: Option<String>,
    /// The room the other room grants are bound to; empty: none.
    pub room: String,
    /// May make and end rooms.
    pub room_create: bool,
    /// May list rooms.
    pub room_list: bool,
    /// May steer the room named in `room`.
    pub room_admin: bool,
    /// May record.
    pub room_record: bool,
    /// May publish tracks.
    pub can_publish: bool,
    /// May receive tracks.
    pub can_subscribe: bool,
    /// May send data.
    pub can_publish_data: bool,
    /// Sources they may publish; empty: all.
    pub can_publish_sources: Vec<wire::TrackSource>,
    /// May change their own name, metadata and attributes.
    pub can_update_own_metadata: bool,
    /// Is not shown to others.
    pub hidden: bool,
    /// Records the room.
    pub recorder: bool,
    /// Is an agent.
    pub agent: bool,
    /// The room a forwarded or moved participant may go to; empty: none.
    pub destination_room: String,
    /// May manage trunks and dispatch rules.
    pub sip_admin: bool,
    /// May place calls.
    pub sip_call: bool,
    /// How the room is made when the bearer is the first to come.
    pub room_config: Option<Box<wire::RoomConfiguration>>,
    /// The name of a stored configuration; empty: none.
    pub room_preset: String,
    /// The part they play.
    pub role: Role,
    /// The token was given at the product's own door, where a meeting is opened before anybody comes in.
    pub by_door: bool,
}

impl Default for Grants {
    /// Nobody, who may join nothing, but who could publish and subscribe: as in a token that says nothing.
    fn default() -> Self {
        Self {
            identity: String::new(),
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            kind: wire::participant_info::Kind::Standard,
            room_join: None,
            room: String::new(),
            room_create: false,
            room_list: false,
            room_admin: false,
            room_record: false,
            can_publish: true,
            can_subscribe: true,
            can_publish_data: true,
            can_publish_sources: Vec::new(),
            can_update_own_metadata: false,
            hidden: false,
            recorder: false,
            agent: false,
            destination_room: String::new(),
            sip_admin: false,
            sip_call: false,
            room_config: None,
            room_preset: String::new(),
            role: Role::Participant,
            by_door: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_round_trip_through_their_words_and_only_two_steer() {
        for role in [Role::Participant, Role::Moderator, Role::Host] {
            assert_eq!(Role::of(role.word()), Some(role));
            assert_eq!(role.steers(), role > Role::Participant);
        }
        assert_eq!(Role::of("king"), None);
    }
}
