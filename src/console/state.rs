//! What the console is given by whoever starts it.

use axum::extract::FromRef;
use axum::response::Response;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use strowger_access::Access;
use strowger_model::compliance::Machine;
use strowger_model::{CallId, TenantId, World};
use strowger_rooms::io::turn::TurnHandle;
use strowger_rooms::{AgentBoard, AgentWorker, RoomName, RoomsHandle};
use strowger_store::{Actor, Store};
use strowger_switch::io::SwitchHandle;
use strowger_switch::live::{DeviceOnline, LiveCall, PlaceCall, PlaceError, Steer, SwitchEvent, TrunkView};
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// What the console asks of the switch. A trait, so that pages are tested without one.
pub trait Exchange: Send + Sync {
    /// The running calls of a tenant, oldest first.
    fn live_calls(&self, tenant: TenantId) -> Vec<LiveCall>;
    /// Where the tenant's phones can be reached now.
    fn devices_online(&self, tenant: TenantId) -> Vec<DeviceOnline>;
    /// The tenant's trunks.
    fn trunk_states(&self, tenant: TenantId) -> Vec<TrunkView>;
    /// What happens from here on, of all tenants.
    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent>;
    /// Does something to a running call; `false` when it is not running.
    fn steer(&self, tenant: TenantId, call: CallId, steer: Steer) -> Soon<'_, bool>;
    /// Places a call; it begins at once and is written a moment later.
    fn place(&self, order: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>>;
    /// Lets the switch read what it keeps in memory anew.
    fn reload(&self);
}

impl Exchange for SwitchHandle {
    fn live_calls(&self, tenant: TenantId) -> Vec<LiveCall> {
        Self::live_calls(self, Some(tenant))
    }

    fn devices_online(&self, tenant: TenantId) -> Vec<DeviceOnline> {
        Self::devices_online(self, tenant)
    }

    fn trunk_states(&self, tenant: TenantId) -> Vec<TrunkView> {
        Self::trunk_states(self, Some(tenant))
    }

    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        Self::subscribe(self)
    }

    fn steer(&self, tenant: TenantId, call: CallId, steer: Steer) -> Soon<'_, bool> {
        Box::pin(Self::steer(self, tenant, call, steer))
    }

    fn place(&self, order: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>> {
        Box::pin(Self::place_call(self, order))
    }

    fn reload(&self) {
        Self::reload(self);
    }
}

/// A switch without calls: for tests of pages, and for a console that runs without one.
#[derive(Debug, Clone)]
pub struct NoExchange {
    events: broadcast::Sender<SwitchEvent>,
}

impl Default for NoExchange {
    fn default() -> Self {
        // Nobody ever sends, so it never fills.
        let (events, _) = broadcast::channel(1);
        Self { events }
    }
}

impl Exchange for NoExchange {
    fn live_calls(&self, _: TenantId) -> Vec<LiveCall> {
        Vec::new()
    }

    fn devices_online(&self, _: TenantId) -> Vec<DeviceOnline> {
        Vec::new()
    }

    fn trunk_states(&self, _: TenantId) -> Vec<TrunkView> {
        Vec::new()
    }

    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        self.events.subscribe()
    }

    fn steer(&self, _: TenantId, _: CallId, _: Steer) -> Soon<'_, bool> {
        Box::pin(async { false })
    }

    fn place(&self, _: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>> {
        Box::pin(async { Err(PlaceError::ShuttingDown) })
    }

    fn reload(&self) {}
}

/// Something that is awaited.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a meeting's host asks of other parts of the machine.
pub trait RoomDesk: Send + Sync {
    /// Starts or ends the recording of a running room; `false` when that cannot be.
    fn record(&self, room: RoomName, on: bool) -> Soon<'_, bool>;
    /// Calls a number and puts whoever answers into the room; `false` when it cannot be called.
    fn dial(&self, room: RoomName, number: String, actor: Actor) -> Soon<'_, bool>;
}

/// A machine whose rooms are neither recorded nor called out of.
#[derive(Debug, Clone, Copy)]
pub struct NoRoomDesk;

impl RoomDesk for NoRoomDesk {
    fn record(&self, _: RoomName, _: bool) -> Soon<'_, bool> {
        Box::pin(async { false })
    }

    fn dial(&self, _: RoomName, _: String, _: Actor) -> Soon<'_, bool> {
        Box::pin(async { false })
    }
}

/// Looks at the certificates.
pub type CertificateWatch = Arc<dyn Fn() -> CertificateState + Send + Sync>;

/// How the certificates of the listeners are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateState {
    /// How bad the worst is.
    pub level: CertificateLevel,
    /// Each of them in words.
    pub story: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateLevel {
    /// Nobody has to do anything.
    Good,
    /// One ends within three weeks, or its renewal is refused.
    Soon,
    /// One has ended.
    Ended,
}

/// Makes a download of a recording's bytes: in the format of this name, under this name of a file.
pub type Convert = Arc<dyn Fn(Vec<u8>, String, String) -> Soon<'static, Response> + Send + Sync>;

/// What the console needs.
#[derive(Clone)]
pub struct ConsoleConfig {
    /// The rows and blobs.
    pub store: Store,
    /// Who may.
    pub access: Access,
    /// The running calls.
    pub exchange: Arc<dyn Exchange>,
    /// The running rooms; `None` where meetings are switched off.
    pub rooms: Option<RoomsHandle>,
    /// What hosts ask besides.
    pub room_desk: Arc<dyn RoomDesk>,
    /// Calls in browsers; `None` for a console that runs without a switch.
    pub phones: Option<SwitchHandle>,
    /// The built-in relay; `None` where it is switched off.
    pub relay: Option<TurnHandle>,
    /// Makes recordings into other formats; `None` for a console that runs without a worker's program.
    pub convert: Option<Convert>,
    /// Agents' workers that stand by; `None` where meetings are switched off.
    pub agents: Option<AgentBoard>,
    /// Time and chance.
    pub world: Arc<dyn World>,
    /// The zone times are shown in (IANA), `UTC` if in doubt.
    pub zone: String,
    /// What phones are told as the server, `host:port`.
    pub sip_server: String,
    /// What of this machine the compliance report speaks of; `None` leaves those lines out.
    pub machine: Option<Machine>,
    /// How the certificates of the listeners are; asked for each page that says so.
    pub certificates: Option<CertificateWatch>,
    /// Facts of this machine for its health page: name and value.
    pub facts: Vec<(String, String)>,
    /// Ends the live parts of open pages, so that a stopping daemon need not wait for them.
    pub shutdown: CancellationToken,
}

/// The state of the console's router. Cheap to clone.
#[derive(Clone)]
pub struct ConsoleState {
    inner: Arc<Inner>,
}

struct Inner {
    config: ConsoleConfig,
    started_at: OffsetDateTime,
}

impl ConsoleState {
    /// Puts it together.
    #[must_use]
    pub fn new(config: ConsoleConfig) -> Self {
        let started_at = config.world.now();
        Self {
            inner: Arc::new(Inner { config, started_at }),
        }
    }

    pub(crate) fn config(&self) -> &ConsoleConfig {
        &self.inner.config
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.config.store
    }

    pub(crate) fn access(&self) -> &Access {
        &self.inner.config.access
    }

    pub(crate) fn exchange(&self) -> &dyn Exchange {
        self.inner.config.exchange.as_ref()
    }

    pub(crate) fn rooms(&self) -> Option<&RoomsHandle> {
        self.inner.config.rooms.as_ref()
    }

    pub(crate) fn agents(&self, tenant: TenantId) -> Vec<AgentWorker> {
        let board = self.inner.config.agents.as_ref();
        board.map(|board| board.of(tenant)).unwrap_or_default()
    }

    pub(crate) fn desk(&self) -> &dyn RoomDesk {
        self.inner.config.room_desk.as_ref()
    }

    pub(crate) fn phones(&self) -> Option<&SwitchHandle> {
        self.inner.config.phones.as_ref()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.inner.config.world.now()
    }

    pub(crate) fn clock(&self) -> crate::show::Clock {
        crate::show::Clock::new(self.now(), &self.inner.config.zone)
    }

    pub(crate) fn started_at(&self) -> OffsetDateTime {
        self.inner.started_at
    }
}

impl FromRef<ConsoleState> for Access {
    fn from_ref(state: &ConsoleState) -> Self {
        state.access().clone()
    }
}
