//! Programs that stand by to be sent into rooms, as others see them.

use std::sync::Arc;
use strowger_model::TenantId;
use time::OffsetDateTime;
use tokio::sync::watch;

/// A worker of agents that is registered.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentWorker {
    /// Whose.
    pub tenant: TenantId,
    /// Its id: `AW_…`.
    pub id: String,
    /// The name by which its agents are sent for; empty: they come into every room by themselves.
    pub agent_name: String,
    /// The release of the library it is made with; empty when it does not say.
    pub version: String,
    /// What its agents come for: `room`, `publisher` or `participant`.
    pub kind: &'static str,
    /// Whether it takes further jobs: it is neither full nor about to end.
    pub is_available: bool,
    /// How busy it says it is: 0 idle, 1 full.
    pub load: f32,
    /// Its jobs that go on.
    pub jobs: usize,
    /// Since when it stands by.
    pub since: OffsetDateTime,
}

/// The workers of all tenants as they stand, oldest first.
#[derive(Debug, Clone)]
pub struct AgentBoard(watch::Receiver<Arc<[AgentWorker]>>);

impl AgentBoard {
    /// A board and the end that writes on it.
    #[must_use]
    pub fn new() -> (watch::Sender<Arc<[AgentWorker]>>, Self) {
        let (sender, receiver) = watch::channel(Arc::from([]));
        (sender, Self(receiver))
    }

    /// A tenant's workers.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> Vec<AgentWorker> {
        let all = self.0.borrow();
        all.iter().filter(|worker| worker.tenant == tenant).cloned().collect()
    }
}
