//! From the configuration to the running relay.

use anyhow::{Context as _, Result};
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_host::config::{Config, Turn};
use strowger_host::tls::Certificates;
use strowger_model::World;
use strowger_rooms::io::turn::{TurnHandle, TurnSetup};
use strowger_rooms::turn::{Limits, Network};

/// Starts the relay, unless it is turned off.
pub(crate) async fn start(
    config: &Config,
    certificates: Option<Certificates>,
    world: Arc<dyn World>,
    shutdown: &Shutdown,
) -> Result<Option<TurnHandle>> {
    if !config.turn.enabled {
        return Ok(None);
    }
    let end = shutdown.hard().clone();
    let started = TurnHandle::start(setup(&config.turn, certificates), world, shutdown.tasks(), end).await;
    started.context("cannot start TURN (turn.*)").map(Some)
}

fn setup(turn: &Turn, certificates: Option<Certificates>) -> TurnSetup {
    TurnSetup {
        udp: turn.udp.clone(),
        tcp: turn.tcp.clone(),
        tls: turn.tls.clone(),
        host: turn.host.clone(),
        advertised: turn.advertised.into_iter().collect(),
        certificates,
        realm: turn.realm.clone(),
        ports: turn.ports.0..=turn.ports.1,
        allowed_peers: turn
            .allowed_peers
            .iter()
            .filter_map(|(address, prefix)| Network::new(*address, *prefix))
            .collect(),
        public_peers: turn.public_peers,
        limits: Limits {
            relays: turn.relays,
            relays_of_member: turn.relays_per_participant,
            bytes_per_second: turn.kbit_per_second.saturating_mul(125),
            ..Limits::default()
        },
        backups: turn.backups.clone(),
        backup_secret: turn.backup_secret.clone(),
        ..TurnSetup::default()
    }
}
