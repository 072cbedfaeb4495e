//! The board: what runs now and what happened lately, for those who watch. Written by the exchange's
//! task alone; readers take a short lock and copy.

use crate::live::{LiveCall, SwitchEvent, TrunkCondition, TrunkView};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use strowger_model::{CallId, TenantId, TrunkId};
use tokio::sync::broadcast;

/// Events remembered for clients that come back. When it is full the oldest is forgotten, and a
/// client that asks for it is told to look at the whole list again.
const REMEMBERED: usize = 2_048;

/// Events a slow subscriber may be behind. Beyond that it is told that it lags and goes on from there.
const BEHIND: usize = 1_024;

#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    events: broadcast::Sender<SwitchEvent>,
}

/// What was learned of a trunk: how its registration stands, where it has one, and whether it answers.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) registration: Option<TrunkCondition>,
    pub(super) answers: Option<bool>,
    /// Why it does not, where that is known.
    pub(super) problem: String,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) calls: HashMap<CallId, LiveCall>,
    pub(super) trunks: HashMap<TrunkId, TrunkView>,
    pub(super) standings: HashMap<TrunkId, Standing>,
    pub(super) recent: VecDeque<SwitchEvent>,
    /// When the exchange's task last went round.
    pub(super) beat: Option<Instant>,
}

impl Board {
    pub(super) fn new() -> Self {
        let (events, _) = broadcast::channel(BEHIND);
        Self {
            state: Mutex::default(),
            events,
        }
    }

    /// The state. A writer that panicked left whole values behind, so poison is no reason to stop.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call's event up and tells the subscribers.
    pub(super) fn tell(&self, event: SwitchEvent) {
        let mut state = self.state();
        if event.call.state.is_final() {
            state.calls.remove(&event.call.id);
        } else {
            state.calls.insert(event.call.id, event.call.clone());
        }
        if state.recent.len() == REMEMBERED {
            state.recent.pop_front();
        }
        state.recent.push_back(event.clone());
        drop(state);
        // Nobody listening is no fault.
        let _ = self.events.send(event);
    }

    /// Notes that the exchange's task lives.
    pub(super) fn beat(&self, now: Instant) {
        self.state().beat = Some(now);
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        self.events.subscribe()
    }

    /// What happened to a tenant's calls after `sequence`; `None` when some of it is forgotten.
    pub(super) fn since(&self, tenant: TenantId, sequence: u64) -> Option<Vec<SwitchEvent>> {
        let state = self.state();
        let oldest = state.recent.front().map_or(1, |event| event.sequence);
        let newest = state.recent.back().map_or(0, |event| event.sequence);
        if sequence + 1 < oldest || sequence > newest {
            return None;
        }
        let of_tenant = |event: &&SwitchEvent| event.sequence > sequence && event.call.tenant == tenant;
        Some(state.recent.iter().filter(of_tenant).cloned().collect())
    }
}
