//! The way in to the switch for those above it.

use super::board::Board;
use super::directory::DirectoryCache;
use crate::live::{DeviceOnline, LiveCall, PlaceCall, PlaceError, Steer, SwitchEvent, TrunkView};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_model::{CallId, TenantId};
use strowger_sip::SipHandle;
use tokio::sync::{broadcast, mpsc, oneshot};

/// How long the exchange's task may be silent before it counts as stuck.
const LIVES: Duration = Duration::from_secs(15);

/// An order from outside.
#[derive(Debug)]
pub(super) enum Order {
    Place(Box<PlaceCall>, oneshot::Sender<Result<CallId, PlaceError>>),
    Steer(TenantId, CallId, Steer, oneshot::Sender<bool>),
}

/// The way in to the switch. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SwitchHandle {
    board: Arc<Board>,
    orders: mpsc::Sender<Order>,
    directory: Arc<DirectoryCache>,
    sip: SipHandle,
}

impl SwitchHandle {
    pub(super) const fn new(
        board: Arc<Board>,
        orders: mpsc::Sender<Order>,
        directory: Arc<DirectoryCache>,
        sip: SipHandle,
    ) -> Self {
        Self {
            board,
            orders,
            directory,
            sip,
        }
    }

    /// The calls of a tenant that are not over, oldest first; of all tenants with `None`.
    #[must_use]
    pub fn live_calls(&self, tenant: Option<TenantId>) -> Vec<LiveCall> {
        let is_wanted = |call: &&LiveCall| tenant.is_none_or(|tenant| call.tenant == tenant);
        let mut calls: Vec<LiveCall> = self.board.state().calls.values().filter(is_wanted).cloned().collect();
        calls.sort_by_key(|call| (call.started_at, call.id));
        calls
    }

    /// One running call of a tenant.
    #[must_use]
    pub fn live_call(&self, tenant: TenantId, call: CallId) -> Option<LiveCall> {
        let state = self.board.state();
        state.calls.get(&call).filter(|call| call.tenant == tenant).cloned()
    }

    /// How many calls are running.
    #[must_use]
    pub fn count(&self) -> usize {
        self.board.state().calls.len()
    }

    /// Whether calls are being handled: for a watchdog.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let beat = self.board.state().beat;
        beat.is_some_and(|beat| beat.elapsed() < LIVES)
    }

    /// Where SIP is listened for on UDP.
    #[must_use]
    pub fn sip_udp(&self) -> Vec<SocketAddr> {
        self.sip.udp_addrs().to_vec()
    }

    /// What happens from here on, of all tenants: filter by `event.call.tenant`. A receiver that lags is
    /// told so and goes on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        self.board.subscribe()
    }

    /// What happened to a tenant's calls after `sequence`; `None` when some of it is forgotten.
    #[must_use]
    pub fn since(&self, tenant: TenantId, sequence: u64) -> Option<Vec<SwitchEvent>> {
        self.board.since(tenant, sequence)
    }

    /// Places a call. Comes back as soon as the called party is being invited.
    ///
    /// # Errors
    /// The caller's number is not the tenant's, nothing leads to the called one, or we are at a limit.
    pub async fn place_call(&self, order: PlaceCall) -> Result<CallId, PlaceError> {
        let (reply, answer) = oneshot::channel();
        // A full queue means more orders than the exchange can take: the same answer as at the limit.
        if self.orders.try_send(Order::Place(Box::new(order), reply)).is_err() {
            return Err(PlaceError::Busy);
        }
        answer.await.unwrap_or(Err(PlaceError::ShuttingDown))
    }

    /// Does something to a running call; `false` when it is not running or not the tenant's.
    pub async fn steer(&self, tenant: TenantId, call: CallId, steer: Steer) -> bool {
        let (reply, answer) = oneshot::channel();
        if self
            .orders
            .send(Order::Steer(tenant, call, steer, reply))
            .await
            .is_err()
        {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Ends a running call; `false` when it is not running or not the tenant's.
    pub async fn hang_up(&self, tenant: TenantId, call: CallId) -> bool {
        self.steer(tenant, call, Steer::HangUp).await
    }

    /// Where the tenant's devices can be reached now.
    #[must_use]
    pub fn devices_online(&self, tenant: TenantId) -> Vec<DeviceOnline> {
        let directory = self.directory.current();
        let places = self
            .sip
            .devices_online()
            .into_iter()
            .flat_map(|device| self.sip.bindings_of(device));
        let of_tenant = places.filter(|binding| binding.tenant == tenant);
        let shown = of_tenant.filter_map(|binding| {
            Some(DeviceOnline {
                device: binding.device,
                user: directory.device(binding.device)?.user,
                source: binding.source,
                transport: binding.transport,
                user_agent: binding.user_agent,
                expires_at: binding.expires_at,
            })
        });
        shown.collect()
    }

    /// The trunks of a tenant, by name; of all tenants with `None`.
    #[must_use]
    pub fn trunk_states(&self, tenant: Option<TenantId>) -> Vec<TrunkView> {
        let state = self.board.state();
        let is_wanted = |trunk: &&TrunkView| tenant.is_none_or(|tenant| trunk.tenant == tenant);
        let mut trunks: Vec<TrunkView> = state.trunks.values().filter(is_wanted).cloned().collect();
        for trunk in &mut trunks {
            let legs = state.calls.values().flat_map(|call| &call.legs);
            trunk.calls = legs.filter(|leg| leg.trunk == Some(trunk.trunk)).count();
        }
        trunks.sort_by(|a, b| a.name.cmp(&b.name));
        trunks
    }

    /// Lets the switch read what it keeps in memory anew, at once instead of at its next look.
    pub fn reload(&self) {
        self.directory.reload();
    }
}
