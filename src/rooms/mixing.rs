//! Who is in which meeting of phones alone, and under which key its audio is mixed.

use std::collections::HashMap;
use strowger_media::RoomKey;
use strowger_model::{LegId, RoomId};

/// One meeting that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    key: RoomKey,
    members: Vec<LegId>,
}

impl Room {
    /// The key of its mix.
    #[must_use]
    pub const fn key(&self) -> RoomKey {
        self.key
    }

    /// Its members in the order they came.
    #[must_use]
    pub fn members(&self) -> &[LegId] {
        &self.members
    }
}

/// The meetings that run.
#[derive(Debug, Default)]
pub struct Rooms {
    running: HashMap<RoomId, Room>,
    last_key: u64,
}

impl Rooms {
    /// Lets a leg join; the first member opens the meeting. Joining twice is joining once.
    pub fn join(&mut self, room: RoomId, member: LegId) -> RoomKey {
        let last_key = &mut self.last_key;
        let room = self.running.entry(room).or_insert_with(|| {
            *last_key += 1;
            Room {
                key: RoomKey(*last_key),
                members: Vec::new(),
            }
        });
        if !room.members.contains(&member) {
            room.members.push(member);
        }
        room.key
    }

    /// Lets a leg leave; the last member closes the meeting. Whether it was a member.
    pub fn leave(&mut self, room: RoomId, member: LegId) -> bool {
        let Some(running) = self.running.get_mut(&room) else {
            return false;
        };
        let before = running.members.len();
        running.members.retain(|other| *other != member);
        let was_member = running.members.len() < before;
        if running.members.is_empty() {
            self.running.remove(&room);
        }
        was_member
    }

    /// A meeting that runs.
    #[must_use]
    pub fn running(&self, room: RoomId) -> Option<&Room> {
        self.running.get(&room)
    }

    /// How many meetings run.
    #[must_use]
    pub fn count(&self) -> usize {
        self.running.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn the_first_opens_and_the_last_closes_a_meeting_with_a_key_of_its_own() {
        let world = SeededWorld::new(1, 0);
        let (room, other) = (RoomId::generate(&world), RoomId::generate(&world));
        let (ada, bob) = (LegId::generate(&world), LegId::generate(&world));
        let mut rooms = Rooms::default();
        let key = rooms.join(room, ada);
        assert_eq!(rooms.join(room, bob), key);
        assert_eq!(rooms.join(room, bob), key);
        assert_ne!(rooms.join(other, ada), key);
        assert_eq!(rooms.running(room).unwrap().members(), [ada, bob]);
        assert!(rooms.leave(room, ada) && rooms.leave(room, bob));
        assert!(!rooms.leave(room, bob));
        assert_eq!(rooms.count(), 1);
        assert_ne!(rooms.join(room, ada), key);
    }
}
