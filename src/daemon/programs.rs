//! What stands beside the rooms for programs: agents that are sent into them, and webhooks.

use strowger_access::Access;
use strowger_api::{Agents, ApiState, Reach, Webhooks};
use strowger_host::{Config, Shutdown};
use strowger_rooms::RoomsHandle;

/// Starts them, and lets the interface know.
pub(crate) fn attach(
    api: ApiState,
    config: &Config,
    access: &Access,
    rooms: &RoomsHandle,
    shutdown: &Shutdown,
) -> ApiState {
    let (tasks, end) = (shutdown.tasks(), shutdown.hard());
    let reach = Reach::new(config.rooms.webhooks_anywhere);
    let webhooks = Webhooks::start(access.clone(), rooms, reach, tasks, end.clone());
    strowger_api::watch_egresses(access.store().clone(), webhooks.clone(), tasks, end.clone());
    let agents = Agents::start(access.clone(), rooms, tasks, end.clone());
    api.with_rooms(rooms.clone())
        .with_agents(agents)
        .with_webhooks(webhooks)
}
