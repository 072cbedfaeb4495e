//! The directory cache: what the store knows, kept in memory and read again when it changed.

use super::Error;
use super::audio::{self, Loaded};
use super::known::Known;
use crate::directory::{Directory, Parts, Published};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_ivr::Flow;
use strowger_model::{FlowVersionId, TrunkId};
use strowger_sip::{DeviceAuth, TrunkAuth};
use strowger_store::{DirectorySnapshot, Store};
use tokio::sync::{Notify, watch};
use tracing::{debug, warn};

/// How often the store is asked whether something changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is kept in memory of the store. The SIP side asks it who may speak, the switch where calls go.
pub struct DirectoryCache {
    now: ArcSwap<Held>,
    changes: watch::Sender<Arc<Directory>>,
    look: Notify,
}

struct Held {
    known: Known,
    directory: Arc<Directory>,
}

/// What is taken over from one reading to the next.
#[derive(Default)]
struct Kept {
    sounds: Loaded,
    graphs: HashMap<FlowVersionId, Arc<Flow>>,
}

impl DirectoryCache {
    /// Reads the store and keeps reading it as it changes, until the shutdown's hard stage.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn start(store: &Store, shutdown: &Shutdown) -> Result<Arc<Self>, Error> {
        let mut kept = Kept::default();
        let held = read(store, &mut kept).await.map_err(Error::Directory)?;
        let (changes, _) = watch::channel(Arc::clone(&held.directory));
        let cache = Arc::new(Self {
            now: ArcSwap::from_pointee(held),
            changes,
            look: Notify::new(),
        });
        let keeper = Arc::clone(&cache).keep(store.clone(), kept, shutdown.hard().clone());
        shutdown.tasks().spawn(keeper);
        Ok(cache)
    }

    /// What is known now.
    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        Arc::clone(&self.now.load().directory)
    }

    /// Lets it look at once whether something changed.
    pub fn reload(&self) {
        self.look.notify_one();
    }

    pub(super) fn changes(&self) -> watch::Receiver<Arc<Directory>> {
        self.changes.subscribe()
    }

    async fn keep(self: Arc<Self>, store: Store, mut kept: Kept, ended: tokio_util::sync::CancellationToken) {
        let mut silent = false;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Each branch may be dropped half-way: nothing has begun in it.
            tokio::select! {
                () = ended.cancelled() => return,
                () = self.look.notified() => {}
                _ = look.tick() => {}
            }
            let version = match store.directory().version().await {
                Ok(version) => version,
                Err(problem) => {
                    if !std::mem::replace(&mut silent, true) {
                        warn!(
                            problem = &problem as &dyn std::error::Error,
                            "the database is silent; calls go on by what is known"
                        );
                    }
                    continue;
                }
            };
            if std::mem::take(&mut silent) {
                warn!("the database answers again");
            }
            if version == self.now.load().directory.version() {
                continue;
            }
            match read(&store, &mut kept).await {
                Ok(held) => {
                    debug!(version = held.directory.version(), "the directory was read anew");
                    let directory = Arc::clone(&held.directory);
                    self.now.store(Arc::new(held));
                    self.changes.send_replace(directory);
                }
                Err(problem) => warn!(
                    problem = &problem as &dyn std::error::Error,
                    "cannot read the directory anew"
                ),
            }
        }
    }
}

async fn read(store: &Store, kept: &mut Kept) -> strowger_store::Result<Held> {
    let snapshot = store.directory().snapshot().await?;
    let (audio, sounds) = audio::load(store, &snapshot, &kept.sounds).await;
    kept.sounds = sounds;
    let flows = flows(&snapshot, &mut kept.graphs);
    let known = Known::of(&snapshot);
    let directory = Directory::new(Parts {
        version: snapshot.version,
        tenants: snapshot.tenants,
        users: snapshot.users,
        devices: snapshot.devices.into_iter().map(|known| known.device).collect(),
        trunks: snapshot.trunks.into_iter().map(|known| known.trunk).collect(),
        numbers: snapshot.numbers,
        rooms: snapshot.rooms,
        room_pins: snapshot.room_pins,
        rules: snapshot.rules,
        flows,
        platform_settings: snapshot.platform,
        tenant_settings: snapshot.tenant_layers,
        user_settings: snapshot.user_layers,
        audio,
    });
    Ok(Held {
        known,
        directory: Arc::new(directory),
    })
}

fn flows(snapshot: &DirectorySnapshot, graphs: &mut HashMap<FlowVersionId, Arc<Flow>>) -> Vec<Published> {
    let published: Vec<Published> = snapshot
        .flows
        .iter()
        .filter_map(|known| {
            let graph = match graphs.get(&known.version) {
                Some(graph) => Arc::clone(graph),
                None => match Flow::parse(&known.definition).0 {
                    Some(graph) => Arc::new(graph),
                    None => {
                        warn!(flow = %known.flow, "a published flow cannot be read; its calls are refused");
                        return None;
                    }
                },
            };
            Some(Published {
                flow: known.flow,
                tenant: known.tenant,
                version: known.version,
                graph,
            })
        })
        .collect();
    *graphs = published
        .iter()
        .map(|flow| (flow.version, Arc::clone(&flow.graph)))
        .collect();
    published
}

impl strowger_sip::Directory for DirectoryCache {
    fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth> {
        self.now.load().known.device(username, realm)
    }

    fn realm_of(&self, request_host: &str, from_host: &str, username: &str) -> String {
        self.now.load().known.realm_of(request_host, from_host, username)
    }

    fn trunk_of(&self, source: SocketAddr) -> Option<TrunkId> {
        self.now.load().directory.trunk_of(source)
    }

    fn trunk_auth(&self, trunk: TrunkId) -> Option<TrunkAuth> {
        self.now.load().known.trunk_auth(trunk)
    }
}

impl std::fmt::Debug for DirectoryCache {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DirectoryCache")
            .field("version", &self.now.load().directory.version())
            .finish()
    }
}
