//! Which thread a call lives on. All legs of a call share one thread, and a thread is filled before
//! the next one is used: fewer threads wake up for the same packets.

use super::thread::leg_id;
use crate::MediaLegId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use strowger_model::CallId;

/// The register of open legs; touched when a leg opens or closes, never for a packet.
#[derive(Debug)]
pub(super) struct Placement {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_leg: u64,
    /// A thread with this many legs leaves new calls to the next one.
    full: u32,
    /// Open legs of each thread.
    loads: Vec<u32>,
    /// A call's thread and its open legs.
    calls: HashMap<CallId, (usize, u32)>,
    legs: HashMap<MediaLegId, CallId>,
}

impl Placement {
    pub(super) fn new(threads: usize, full: u32) -> Self {
        Self {
            state: Mutex::new(State {
                next_leg: 1,
                full,
                loads: vec![0; threads],
                calls: HashMap::new(),
                legs: HashMap::new(),
            }),
        }
    }

    /// Names a new leg of a call; the name holds its thread.
    pub(super) fn place(&self, call: CallId) -> MediaLegId {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = match state.calls.get(&call) {
            Some((thread, _)) => *thread,
            None => state.emptiest(),
        };
        let leg = leg_id(state.next_leg, thread);
        state.next_leg += 1;
        state.calls.entry(call).or_insert((thread, 0)).1 += 1;
        state.legs.insert(leg, call);
        if let Some(load) = state.loads.get_mut(thread) {
            *load += 1;
        }
        leg
    }

    /// Forgets a leg; a second time does nothing.
    pub(super) fn leave(&self, leg: MediaLegId) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(call) = state.legs.remove(&leg) else {
            return;
        };
        let Some((thread, legs)) = state.calls.get_mut(&call) else {
            return;
        };
        let thread = *thread;
        *legs -= 1;
        if *legs == 0 {
            state.calls.remove(&call);
        }
        if let Some(load) = state.loads.get_mut(thread) {
            *load -= 1;
        }
    }
}

impl State {
    /// The first thread that is not full, or the one with the fewest legs.
    fn emptiest(&self) -> usize {
        let first = self.loads.iter().position(|load| *load < self.full);
        let least = || self.loads.iter().enumerate().min_by_key(|(_, load)| **load);
        first.or_else(|| Some(least()?.0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::thread::index_of_leg;
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn calls_fill_a_thread_before_the_next_and_stay_whole() {
        let world = SeededWorld::new(1, 0);
        let placement = Placement::new(3, 400);
        let calls: Vec<CallId> = (0..500).map(|_| CallId::generate(&world)).collect();
        let first: Vec<MediaLegId> = calls.iter().map(|call| placement.place(*call)).collect();
        assert_eq!(first.iter().filter(|leg| index_of_leg(**leg) == 0).count(), 400);
        assert_eq!(first.iter().filter(|leg| index_of_leg(**leg) == 1).count(), 100);
        let second: Vec<MediaLegId> = calls.iter().map(|call| placement.place(*call)).collect();
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(index_of_leg(*a), index_of_leg(*b));
        }
        for leg in first.iter().chain(&second).chain(&first) {
            placement.leave(*leg);
        }
        let state = placement.state.lock().unwrap();
        assert!(state.legs.is_empty() && state.calls.is_empty());
        assert_eq!(state.loads, [0, 0, 0]);
    }
}
