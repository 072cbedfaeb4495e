//! What stands beside the rooms: agents that are sent into them, webhooks, and the hosts' appointments.

use std::time::Duration;
use strowger_access::Access;
use strowger_api::{Agents, ApiState, Reach, Webhooks};
use strowger_host::{Config, Shutdown};
use strowger_rooms::{AgentBoard, RoomsHandle};
use strowger_store::Store;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often it is looked whether a scheduled meeting opens.
const LOOK: Duration = Duration::from_secs(20);

/// Starts them, and lets the interface know; the agents that stand by come back for whoever shows them.
pub(crate) fn attach(
    api: ApiState,
    config: &Config,
    access: &Access,
    rooms: &RoomsHandle,
    shutdown: &Shutdown,
) -> (ApiState, AgentBoard) {
    let (tasks, end) = (shutdown.tasks(), shutdown.hard());
    let reach = Reach::new(config.rooms.webhooks_anywhere);
    let webhooks = Webhooks::start(access.clone(), rooms, reach, tasks, end.clone());
    tasks.spawn(watch_appointments(access.store().clone(), end.clone()));
    let agents = Agents::start(access.clone(), rooms, tasks, end.clone());
    let board = agents.board().clone();
    let api = api
        .with_rooms(rooms.clone())
        .with_agents(agents)
        .with_public_url(config.http.public_url.as_deref())
        .with_webhooks(webhooks);
    strowger_api::watch_egresses(&api, tasks, end.clone());
    (api, board)
}

/// Tells hosts that their scheduled meetings open.
async fn watch_appointments(store: Store, end: CancellationToken) {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        // Both branches only wait.
        tokio::select! {
            () = end.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(problem) = store.tell_of_due_meetings().await {
            warn!(%problem, "cannot see which meetings open");
        }
    }
}
