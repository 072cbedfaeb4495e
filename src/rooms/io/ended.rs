//! Which meetings were ended for everybody.

use crate::RoomName;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The most that are remembered; the oldest is forgotten first, and may rise again as it could before.
const REMEMBERED: usize = 4_096;

/// The rooms that were ended and not opened again since.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    known: HashSet<RoomName>,
    in_order: VecDeque<RoomName>,
}

impl Ended {
    /// This one was ended.
    pub(super) fn note(&self, room: &RoomName) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.known.insert(room.clone()) {
            return;
        }
        names.in_order.push_back(room.clone());
        if names.in_order.len() > REMEMBERED
            && let Some(oldest) = names.in_order.pop_front()
        {
            names.known.remove(&oldest);
        }
    }

    /// This one was opened again.
    pub(super) fn forget(&self, room: &RoomName) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.known.remove(room) {
            names.in_order.retain(|name| name != room);
        }
    }

    /// Whether it was ended and not opened again.
    pub(super) fn has(&self, room: &RoomName) -> bool {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.known.contains(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::TenantId;
    use strowger_model::world::SeededWorld;

    #[test]
    fn what_was_ended_is_known_until_it_is_opened_again_and_no_more_than_so_many() {
        let tenant = TenantId::generate(&SeededWorld::new(1, 1_700_000_000_000));
        let name = |number: usize| RoomName::new(tenant, number.to_string());
        let ended = Ended::default();
        for number in 0..=REMEMBERED {
            ended.note(&name(number));
            ended.note(&name(number));
        }
        assert!(!ended.has(&name(0)) && ended.has(&name(1)) && ended.has(&name(REMEMBERED)));
        ended.forget(&name(1));
        assert!(!ended.has(&name(1)) && ended.has(&name(2)));
        ended.forget(&name(1));
        ended.note(&name(1));
        assert!(ended.has(&name(1)) && ended.has(&name(2)));
    }
}
