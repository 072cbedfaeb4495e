//! From the configuration to the running rooms.

use anyhow::{Context as _, Result};
use std::sync::Arc;
use strowger_host::{Config, Shutdown};
use strowger_model::World;
use strowger_rooms::io::turn::TurnHandle;
use strowger_rooms::turn::MediaAddress;
use strowger_rooms::{IceServers, Limits, RoomsConfig, RoomsHandle};

/// Starts the rooms, unless they are turned off. Participants are told of the relay, and the relay of where
/// the rooms' media arrives.
pub(crate) async fn start(
    config: &Config,
    relay: Option<&TurnHandle>,
    world: Arc<dyn World>,
    shutdown: &Shutdown,
) -> Result<Option<RoomsHandle>> {
    if !config.rooms.enabled {
        return Ok(None);
    }
    let given = RoomsConfig {
        udp: config.rooms.udp,
        tcp: config.rooms.tcp,
        advertised: config.rooms.advertised.clone(),
        turn: relay.map(|relay| Arc::new(relay.clone()) as Arc<dyn IceServers>),
        limits: Limits {
            rooms: config.rooms.max_rooms,
            participants: config.rooms.max_participants,
            resume: config.rooms.resume,
            ..Limits::default()
        },
    };
    let end = shutdown.hard().clone();
    let rooms = RoomsHandle::start(given, world, shutdown.tasks(), end)
        .await
        .context("cannot start the rooms (rooms.*)")?;
    if let Some(relay) = relay {
        let media = rooms.media_addresses().into_iter().map(MediaAddress::plain).collect();
        relay.reach_rooms(media).await;
    }
    Ok(Some(rooms))
}
