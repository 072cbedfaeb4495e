//! Providers: registered or pinged as the directory says, their hosts found, their state shown.

use super::board::Board;
use super::directory::DirectoryCache;
use super::supply::LiveSupply;
use crate::directory::Directory;
use crate::live::{TrunkCondition, TrunkView};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::record::Trunk;
use strowger_model::trunk::TrunkKind;
use strowger_model::{TrunkId, World};
use strowger_sip::{Command, PingTrunk, RegisterTrunk, SipHandle, TrunkState};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// For how long a registration is asked.
const EXPIRES: Duration = Duration::from_secs(600);

/// How often hosts are looked up again.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Trunks {
    pub(super) sip: SipHandle,
    pub(super) supply: Arc<LiveSupply>,
    pub(super) board: Arc<Board>,
    pub(super) world: Arc<dyn World>,
}

struct Held {
    trunk: Trunk,
    address: SocketAddr,
}

impl Trunks {
    /// Keeps the SIP side told of what the directory says, until the shutdown's soft stage.
    pub(super) fn start(self, cache: &DirectoryCache, shutdown: &Shutdown) {
        let changes = cache.changes();
        shutdown.tasks().spawn(self.run(changes, shutdown.soft().clone()));
    }

    async fn run(self, mut changes: tokio::sync::watch::Receiver<Arc<Directory>>, ending: CancellationToken) {
        let mut held: HashMap<TrunkId, Held> = HashMap::new();
        let mut again = tokio::time::interval(LOOK_UP_EVERY);
        loop {
            let directory = changes.borrow_and_update().clone();
            self.follow(&directory, &mut held).await;
            // Nothing has begun in a branch that is dropped.
            tokio::select! {
                () = ending.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                _ = again.tick() => {}
            }
        }
    }

    async fn follow(&self, directory: &Directory, held: &mut HashMap<TrunkId, Held>) {
        let gone: Vec<TrunkId> = held
            .keys()
            .copied()
            .filter(|id| directory.trunk(*id).is_none())
            .collect();
        for id in gone {
            if let Some(gone) = held.remove(&id) {
                self.give_up(&gone.trunk).await;
                self.supply.forget_trunk(id);
                self.board.state().trunks.remove(&id);
            }
        }
        for trunk in directory.trunks() {
            let known = held.get(&trunk.id);
            let Some(address) = strowger_sip::io::resolve(&trunk.host, trunk.port).await else {
                if known.is_none() {
                    warn!(trunk = %trunk.id, host = trunk.host, "the provider's host is not found");
                    let reason = format!("host {} not found", trunk.host);
                    self.show(trunk, TrunkCondition::Down { reason });
                }
                continue;
            };
            if known.is_some_and(|known| known.trunk == *trunk && known.address == address) {
                continue;
            }
            if let Some(before) = held.remove(&trunk.id) {
                self.give_up(&before.trunk).await;
            }
            self.supply.found_trunk(trunk.id, address);
            self.show(trunk, TrunkCondition::Unknown);
            self.take_up(trunk, address).await;
            let trunk = trunk.clone();
            held.insert(trunk.id, Held { trunk, address });
        }
    }

    async fn take_up(&self, trunk: &Trunk, addr: SocketAddr) {
        let command = match trunk.kind {
            TrunkKind::Registration => Command::RegisterTrunk(Box::new(RegisterTrunk {
                trunk: trunk.id,
                addr,
                host: trunk.host.clone(),
                port: trunk.port,
                transport: trunk.transport,
                expires: EXPIRES,
            })),
            TrunkKind::Address => Command::PingTrunk(Box::new(PingTrunk {
                trunk: trunk.id,
                addr,
                host: trunk.host.clone(),
                transport: trunk.transport,
            })),
        };
        // The SIP side ends after us.
        let _ = self.sip.send(command).await;
    }

    async fn give_up(&self, trunk: &Trunk) {
        let command = match trunk.kind {
            TrunkKind::Registration => Command::UnregisterTrunk { trunk: trunk.id },
            TrunkKind::Address => Command::StopPing { trunk: trunk.id },
        };
        let _ = self.sip.send(command).await;
    }

    fn show(&self, trunk: &Trunk, condition: TrunkCondition) {
        let view = TrunkView {
            trunk: trunk.id,
            tenant: trunk.tenant,
            name: trunk.name.clone(),
            condition,
            since: self.world.now(),
            calls: 0,
        };
        self.board.state().trunks.insert(trunk.id, view);
    }
}

/// Shows what the SIP side learned about a provider.
pub(super) fn learned(board: &Board, world: &dyn World, trunk: TrunkId, state: TrunkState) {
    let now = world.now();
    let condition = match state {
        TrunkState::Registered { expires } => TrunkCondition::Registered { until: now + expires },
        TrunkState::Failed { status, reason, retry } => {
            let retry = retry.map_or_else(
                || "not tried again".to_owned(),
                |retry| format!("again in {} s", retry.as_secs()),
            );
            TrunkCondition::Down {
                reason: format!("{status} {reason}, {retry}"),
            }
        }
        TrunkState::Unregistered => TrunkCondition::Unknown,
        TrunkState::Up { .. } => TrunkCondition::Up,
        TrunkState::Unreachable => TrunkCondition::Down {
            reason: "it does not answer".to_owned(),
        },
    };
    let mut state = board.state();
    let Some(view) = state.trunks.get_mut(&trunk) else {
        return;
    };
    if std::mem::discriminant(&view.condition) != std::mem::discriminant(&condition) {
        view.since = now;
        info!(%trunk, state = ?condition, "the provider's state changed");
    }
    view.condition = condition;
}
