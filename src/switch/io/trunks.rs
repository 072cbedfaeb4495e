//! Providers: registered or pinged as the directory says, their hosts found, their state shown.

use super::board::{Board, Standing};
use super::directory::DirectoryCache;
use super::supply::LiveSupply;
use crate::directory::Directory;
use crate::live::{TrunkCondition, TrunkView};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::job::NoticeKind;
use strowger_model::record::Trunk;
use strowger_model::trunk::TrunkKind;
use strowger_model::{TenantId, TrunkId, World};
use strowger_sip::{Command, Directory as _, PingTrunk, RegisterTrunk, SipHandle, TrunkAuth, TrunkState};
use time::OffsetDateTime;
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
    pub(super) cache: Arc<DirectoryCache>,
}

struct Held {
    trunk: Trunk,
    address: SocketAddr,
    auth: Option<TrunkAuth>,
}

impl Trunks {
    /// Keeps the SIP side told of what the directory says, until the shutdown's soft stage.
    pub(super) fn start(self, shutdown: &Shutdown) {
        let changes = self.cache.changes();
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
                let mut state = self.board.state();
                state.trunks.remove(&id);
                state.standings.remove(&id);
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
            // A provider that has refused us for good is asked again once its account was changed.
            let auth = self.cache.trunk_auth(trunk.id);
            if known.is_some_and(|known| known.trunk == *trunk && known.address == address && known.auth == auth) {
                continue;
            }
            if let Some(before) = held.remove(&trunk.id) {
                self.give_up(&before.trunk).await;
            }
            self.supply.found_trunk(trunk.id, address);
            self.show(trunk, TrunkCondition::Unknown);
            self.take_up(trunk, address).await;
            let trunk = trunk.clone();
            held.insert(trunk.id, Held { trunk, address, auth });
        }
    }

    /// Every provider is pinged, so that one that falls silent is known before its registration runs out.
    async fn take_up(&self, trunk: &Trunk, addr: SocketAddr) {
        let register = Command::RegisterTrunk(Box::new(RegisterTrunk {
            trunk: trunk.id,
            addr,
            host: trunk.host.clone(),
            port: trunk.port,
            transport: trunk.transport,
            expires: EXPIRES,
        }));
        let ping = Command::PingTrunk(Box::new(PingTrunk {
            trunk: trunk.id,
            addr,
            host: trunk.host.clone(),
            transport: trunk.transport,
        }));
        if trunk.kind == TrunkKind::Registration {
            // The SIP side ends after us.
            let _ = self.sip.send(register).await;
        }
        let _ = self.sip.send(ping).await;
    }

    async fn give_up(&self, trunk: &Trunk) {
        let _ = self.sip.send(Command::StopPing { trunk: trunk.id }).await;
        if trunk.kind == TrunkKind::Registration {
            let _ = self.sip.send(Command::UnregisterTrunk { trunk: trunk.id }).await;
        }
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
        let mut state = self.board.state();
        state.standings.remove(&trunk.id);
        state.trunks.insert(trunk.id, view);
    }
}

/// A change that is worth telling the tenant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) tenant: TenantId,
    pub(super) kind: NoticeKind,
    pub(super) detail: String,
}

/// Shows what the SIP side learned about a provider. What comes back is to be noted: it went down, or came back.
pub(super) fn learned(board: &Board, world: &dyn World, trunk: TrunkId, learned: TrunkState) -> Option<Turn> {
    let now = world.now();
    let mut state = board.state();
    let state = &mut *state;
    let view = state.trunks.get_mut(&trunk)?;
    let standing = state.standings.entry(trunk).or_default();
    standing.learn(learned, now);
    let condition = standing.condition();
    let was_usable = view.is_usable();
    if std::mem::discriminant(&view.condition) != std::mem::discriminant(&condition) {
        view.since = now;
        info!(%trunk, state = ?condition, "the provider's state changed");
    }
    view.condition = condition;
    let kind = match (was_usable, view.is_usable()) {
        (true, false) => NoticeKind::TrunkDown,
        (false, true) => NoticeKind::TrunkUp,
        (true, true) | (false, false) => return None,
    };
    let detail = match &view.condition {
        TrunkCondition::Down { reason } => format!("{}: {reason}", view.name),
        TrunkCondition::Unknown | TrunkCondition::Up | TrunkCondition::Registered { .. } => view.name.clone(),
    };
    Some(Turn {
        tenant: view.tenant,
        kind,
        detail,
    })
}

impl Standing {
    fn learn(&mut self, state: TrunkState, now: OffsetDateTime) {
        match state {
            TrunkState::Registered { expires } => {
                self.registration = Some(TrunkCondition::Registered { until: now + expires });
            }
            TrunkState::Failed { status, reason, retry } => {
                let retry = retry.map_or_else(
                    || "not tried again until its account is changed".to_owned(),
                    |retry| format!("again in {} s", retry.as_secs()),
                );
                let reason = format!("{status} {reason}, {retry}");
                self.registration = Some(TrunkCondition::Down { reason });
            }
            TrunkState::Unregistered => self.registration = None,
            TrunkState::Up { .. } => self.answers = Some(true),
            TrunkState::Unreachable { reason } => {
                self.answers = Some(false);
                self.problem = reason;
            }
        }
    }

    /// Who does not answer is down whatever was registered; who answers is as its registration stands.
    fn condition(&self) -> TrunkCondition {
        match (self.answers, &self.registration) {
            (Some(false), _) => TrunkCondition::Down {
                reason: match self.problem.as_str() {
                    "" => "it does not answer".to_owned(),
                    why => format!("it cannot be asked: {why}"),
                },
            },
            (_, Some(registration)) => registration.clone(),
            (Some(true), None) => TrunkCondition::Up,
            (None, None) => TrunkCondition::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(states: &[TrunkState]) -> TrunkCondition {
        let mut standing = Standing::default();
        for state in states {
            standing.learn(state.clone(), OffsetDateTime::UNIX_EPOCH);
        }
        standing.condition()
    }

    #[test]
    fn a_registered_trunk_that_falls_silent_is_down_and_comes_back_as_it_was() {
        let registered = TrunkState::Registered {
            expires: Duration::from_secs(60),
        };
        let up = TrunkState::Up {
            latency: Duration::from_millis(1),
        };
        let refused = TrunkState::Failed {
            status: 403,
            reason: "Forbidden".to_owned(),
            retry: None,
        };
        let unreachable = |reason: &str| TrunkState::Unreachable {
            reason: reason.to_owned(),
        };
        let is_down = |condition: &TrunkCondition| matches!(condition, TrunkCondition::Down { .. });
        assert_eq!(after(&[]), TrunkCondition::Unknown);
        assert_eq!(after(std::slice::from_ref(&up)), TrunkCondition::Up);
        assert!(matches!(
            after(&[registered.clone(), up.clone()]),
            TrunkCondition::Registered { .. }
        ));
        assert!(is_down(&after(&[registered.clone(), up.clone(), unreachable("")])));
        assert!(matches!(
            after(&[registered, unreachable(""), up.clone()]),
            TrunkCondition::Registered { .. }
        ));
        assert!(is_down(&after(&[refused, up])), "who answers and refuses is no use");
    }

    #[test]
    fn why_a_trunk_that_is_only_pinged_cannot_be_reached_stands_in_its_state() {
        let said = |states: &[&str]| {
            let states = states.iter().map(|reason| TrunkState::Unreachable {
                reason: (*reason).to_owned(),
            });
            let TrunkCondition::Down { reason } = after(&states.collect::<Vec<_>>()) else {
                panic!("it is not down");
            };
            reason
        };
        assert_eq!(said(&["it has expired"]), "it cannot be asked: it has expired");
        assert_eq!(said(&["it has expired", ""]), "it does not answer");
    }
}
