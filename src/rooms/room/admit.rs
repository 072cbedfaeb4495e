//! The door: lock and waiting room.

use super::Room;
use crate::claims::Grants;
use crate::error::{JoinRefused, RoomError};
use crate::event::RoomEventKind;
use std::collections::{BTreeMap, BTreeSet};

/// The most who wait at once.
const WAITING: usize = 100;

/// Who was let in, and who waits.
#[derive(Debug, Default)]
pub(super) struct Door {
    admitted: BTreeSet<String>,
    waiting: BTreeMap<String, String>,
}

/// What the door says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Enter,
    Locked,
    Waits { is_new: bool },
}

impl Door {
    pub(super) fn judge(&mut self, grants: &Grants, is_locked: bool, has_waiting_room: bool) -> Verdict {
        let passes = grants.role.steers() || grants.recorder || grants.agent || grants.room_admin;
        if passes || self.admitted.contains(&grants.identity) {
            return Verdict::Enter;
        }
        if has_waiting_room {
            let has_space = self.waiting.len() < WAITING;
            if !has_space && !self.waiting.contains_key(&grants.identity) {
                return Verdict::Locked;
            }
            let before = self.waiting.insert(grants.identity.clone(), grants.name.clone());
            return Verdict::Waits {
                is_new: before.is_none(),
            };
        }
        if is_locked { Verdict::Locked } else { Verdict::Enter }
    }
}

impl Room {
    /// Whether somebody may come in now; if not yet, they wait.
    pub(crate) fn knock(&mut self, grants: &Grants) -> Result<(), JoinRefused> {
        match self
            .admitted
            .judge(grants, self.options.locked, self.options.waiting_room)
        {
            Verdict::Enter => self.check_space(self.member_of(&grants.identity), grants),
            Verdict::Locked => Err(JoinRefused::Locked),
            Verdict::Waits { is_new } => {
                if is_new {
                    self.tell(RoomEventKind::Knocked {
                        identity: grants.identity.clone(),
                        name: grants.name.clone(),
                    });
                }
                Err(JoinRefused::Waiting)
            }
        }
    }

    /// Who waits.
    pub(crate) fn waiting(&self) -> Vec<(String, String)> {
        let waiting = self.admitted.waiting.iter();
        waiting
            .map(|(identity, name)| (identity.clone(), name.clone()))
            .collect()
    }

    /// Admits somebody who waits.
    pub(crate) fn admit(&mut self, identity: &str) -> Result<(), RoomError> {
        let (identity, _) = self
            .admitted
            .waiting
            .remove_entry(identity)
            .ok_or(RoomError::NoParticipant)?;
        self.admitted.admitted.insert(identity);
        Ok(())
    }

    /// Turns away somebody who waits. They may knock again.
    pub(crate) fn turn_away(&mut self, identity: &str) -> Result<(), RoomError> {
        let known = self.admitted.waiting.remove(identity);
        known.map(|_| ()).ok_or(RoomError::NoParticipant)
    }

    /// Somebody was shown out: where others wait or the room is locked they are no longer expected.
    pub(super) fn no_longer_admit(&mut self, identity: &str) {
        self.admitted.admitted.remove(identity);
    }

    /// Locks the room or opens it.
    pub(crate) fn set_lock(&mut self, locked: bool) {
        self.options.locked = locked;
        if locked {
            // Those who are in may come back.
            let inside = self.members.values().map(|member| member.info.identity.clone());
            self.admitted.admitted.extend(inside.collect::<Vec<_>>());
        }
        self.room_changed();
    }

    /// Makes others wait, or admits all who do.
    pub(crate) fn set_waiting_room(&mut self, on: bool) {
        self.options.waiting_room = on;
        if on {
            let inside = self.members.values().map(|member| member.info.identity.clone());
            self.admitted.admitted.extend(inside.collect::<Vec<_>>());
        } else {
            let waiting = std::mem::take(&mut self.admitted.waiting);
            self.admitted.admitted.extend(waiting.into_keys());
        }
        self.room_changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Role;

    fn grants(identity: &str, role: Role) -> Grants {
        Grants {
            identity: identity.to_owned(),
            role,
            ..Grants::default()
        }
    }

    #[test]
    fn a_lock_stops_participants_and_lets_hosts_pass() {
        let mut door = Door::default();
        let guest = grants("guest", Role::Participant);
        assert_eq!(door.judge(&guest, false, false), Verdict::Enter);
        assert_eq!(door.judge(&guest, true, false), Verdict::Locked);
        assert_eq!(door.judge(&grants("host", Role::Host), true, true), Verdict::Enter);
    }

    #[test]
    fn who_waits_is_counted_once_and_the_line_has_an_end() {
        let mut door = Door::default();
        let guest = grants("guest", Role::Participant);
        assert_eq!(door.judge(&guest, false, true), Verdict::Waits { is_new: true });
        assert_eq!(door.judge(&guest, false, true), Verdict::Waits { is_new: false });
        for number in 1..WAITING {
            door.judge(&grants(&number.to_string(), Role::Participant), false, true);
        }
        assert_eq!(
            door.judge(&grants("late", Role::Participant), false, true),
            Verdict::Locked
        );
    }
}
