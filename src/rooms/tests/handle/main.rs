//! Rooms as the rest of the product has them: by their handle.

#![cfg(test)]

mod ended;
mod lines;

use std::sync::Arc;
use strowger_model::TenantId;
use strowger_model::world::SeededWorld;
use strowger_rooms::{Limits, RoomsConfig, RoomsHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Rooms on a port of their own, and a tenant.
async fn rooms() -> (RoomsHandle, TenantId) {
    let world = Arc::new(SeededWorld::new(1, 1_700_000_000_000));
    let tenant = TenantId::generate(world.as_ref());
    let config = RoomsConfig {
        udp: "127.0.0.1:0".parse().unwrap(),
        tcp: None,
        advertised: Vec::new(),
        turn: None,
        limits: Limits::default(),
    };
    let tasks = TaskTracker::new();
    let rooms = RoomsHandle::start(config, world, &tasks, CancellationToken::new());
    (rooms.await.unwrap(), tenant)
}
