//! The way in to the switch for those above it.

use super::board::Board;
use super::browsers::Pages;
use super::directory::DirectoryCache;
use super::minutes::RoomRecorder;
use crate::browser::{Ask, Owner, Refused, TabId, Ticket, Word};
use crate::entrance::{DialIntoRoom, Dialled, IntoRoom};
use crate::live::{DeviceOnline, EventKind, LiveCall, PlaceCall, PlaceError, Steer, SwitchEvent, TrunkView};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strowger_model::{CallId, HangupCause, TenantId, UserId};
use strowger_rooms::RoomsHandle;
use strowger_sip::SipHandle;
use strowger_store::capture::{CaptureSpool, SpoolState};
use tokio::sync::{broadcast, mpsc, oneshot};

/// How long the exchange's task may be silent before it counts as stuck.
const LIVES: Duration = Duration::from_secs(15);

/// An order from outside.
#[derive(Debug)]
pub(super) enum Order {
    Place(Box<PlaceCall>, oneshot::Sender<Result<CallId, PlaceError>>),
    Steer(TenantId, CallId, Steer, oneshot::Sender<bool>),
    DialInto(
        Box<PlaceCall>,
        Box<IntoRoom>,
        oneshot::Sender<Result<CallId, PlaceError>>,
    ),
    Transfer(Box<Transfer>, oneshot::Sender<bool>),
    Page(Owner, oneshot::Sender<Result<(TabId, mpsc::Receiver<Word>), Refused>>),
    PageGone(TabId),
    Browse(
        Owner,
        Option<TabId>,
        Wish,
        oneshot::Sender<Result<Option<Ticket>, Refused>>,
    ),
}

/// What somebody wants who calls in a browser.
#[derive(Debug)]
pub(super) enum Wish {
    Dial(String),
    Ask(CallId, Ask),
    HandOver(CallId, String),
}

/// An open phone page: it rings while this lives.
#[derive(Debug)]
pub struct PhonePage {
    /// Which.
    pub tab: TabId,
    /// What it is told, in order. When it ends the page is to connect anew.
    pub words: mpsc::Receiver<Word>,
    orders: mpsc::Sender<Order>,
}

impl Drop for PhonePage {
    /// When the queue is full, the next word to the page finds it closed.
    fn drop(&mut self) {
        let _ = self.orders.try_send(Order::PageGone(self.tab));
    }
}

/// A phone of a room that is to talk with somebody else.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) tenant: TenantId,
    pub(super) call: CallId,
    pub(super) to: String,
    pub(super) ring_timeout: Option<Duration>,
}

/// Why somebody was not brought into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The call was not placed.
    #[error("the call was not placed")]
    Place(#[source] PlaceError),
    /// The called party did not answer.
    #[error("the called party did not answer: {}", .0.code())]
    Unanswered(HangupCause),
}

/// The number in what a transfer names: `tel:+49…`, `sip:+49…@host`, or the number itself.
fn transfer_number(to: &str) -> &str {
    let bare = to.trim().trim_start_matches('<').trim_end_matches('>');
    let schemes = ["tel:", "sips:", "sip:"];
    let bare = schemes
        .iter()
        .find_map(|scheme| bare.strip_prefix(scheme))
        .unwrap_or(bare);
    bare.split(['@', ';']).next().unwrap_or(bare)
}

/// The way in to the switch. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SwitchHandle {
    board: Arc<Board>,
    orders: mpsc::Sender<Order>,
    directory: Arc<DirectoryCache>,
    sip: SipHandle,
    recorder: Option<RoomRecorder>,
    pages: Arc<Pages>,
    rooms: Option<RoomsHandle>,
    spool: CaptureSpool,
}

impl SwitchHandle {
    pub(super) fn new(
        board: Arc<Board>,
        orders: mpsc::Sender<Order>,
        directory: Arc<DirectoryCache>,
        sip: SipHandle,
        spool: CaptureSpool,
    ) -> Self {
        Self {
            board,
            orders,
            directory,
            sip,
            recorder: None,
            pages: Arc::default(),
            rooms: None,
            spool,
        }
    }

    /// How recording does: whether it has stopped, what runs, what was lost.
    #[must_use]
    pub fn spool(&self) -> SpoolState {
        self.spool.state()
    }

    pub(super) fn with_browsers(mut self, pages: Arc<Pages>, rooms: Option<RoomsHandle>) -> Self {
        self.pages = pages;
        self.rooms = rooms;
        self
    }

    /// Opens a phone page for a user, who is rung there from here on.
    ///
    /// # Errors
    /// Browsers do not call here, or too many pages are open.
    pub async fn open_phone_page(&self, owner: Owner) -> Result<PhonePage, Refused> {
        self.may_browse(owner)?;
        let (reply, answer) = oneshot::channel();
        let sent = self.orders.send(Order::Page(owner, reply)).await;
        sent.map_err(|_| Refused::ShuttingDown)?;
        let (tab, words) = answer.await.unwrap_or(Err(Refused::ShuttingDown))?;
        let orders = self.orders.clone();
        Ok(PhonePage { tab, words, orders })
    }

    /// Whether a user may call in a browser.
    ///
    /// # Errors
    /// Why not.
    pub fn may_browse(&self, owner: Owner) -> Result<(), Refused> {
        if self.rooms.is_none() {
            return Err(Refused::NoRooms);
        }
        let directory = self.directory.current();
        let known = directory.person(owner.user);
        match known.filter(|person| person.user.tenant == Some(owner.tenant)) {
            None => Err(Refused::NoUser),
            Some(person) if !person.policy.browser_calls => Err(Refused::SwitchedOff),
            Some(_) => Ok(()),
        }
    }

    /// Calls somebody from a user's browser: an extension, a number, a colleague's id or e-mail address. The
    /// ticket lets the browser into the call's room, where it may wait for the answer.
    ///
    /// # Errors
    /// They may not call, or we are at a limit.
    pub async fn dial_from_browser(&self, owner: Owner, tab: Option<TabId>, to: &str) -> Result<Ticket, Refused> {
        self.may_browse(owner)?;
        let wish = Wish::Dial(to.to_owned());
        self.browse(owner, tab, wish).await?.ok_or(Refused::NotNow)
    }

    /// Does something with a user's call in a browser; accepting gives the ticket into its room.
    ///
    /// # Errors
    /// There is no such call, or it is not at the point where that can be done.
    pub async fn ask_browser(
        &self,
        owner: Owner,
        tab: Option<TabId>,
        call: CallId,
        ask: Ask,
    ) -> Result<Option<Ticket>, Refused> {
        self.browse(owner, tab, Wish::Ask(call, ask)).await
    }

    /// Hands the one a user talks with in a browser to somebody else.
    ///
    /// # Errors
    /// They talk with nobody in that call, or nothing leads there.
    pub async fn hand_over(&self, owner: Owner, call: CallId, to: &str) -> Result<(), Refused> {
        let wish = Wish::HandOver(call, to.to_owned());
        self.browse(owner, None, wish).await.map(|_| ())
    }

    async fn browse(&self, owner: Owner, tab: Option<TabId>, wish: Wish) -> Result<Option<Ticket>, Refused> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Browse(owner, tab, wish, reply);
        // A full queue means more orders than the exchange can take: the same answer as at the limit.
        self.orders.try_send(order).map_err(|_| Refused::Full)?;
        let ticket = answer.await.unwrap_or(Err(Refused::ShuttingDown))?;
        if let (Some(ticket), Some(rooms)) = (&ticket, &self.rooms) {
            // The browser finds the room made, whoever is first there. One that cannot be made is told of when
            // the browser tries to come in.
            let _ = rooms.open_line(&ticket.room()).await;
        }
        Ok(ticket)
    }

    /// How many phone pages each user of a tenant has open; users without one are left out.
    #[must_use]
    pub fn phone_pages(&self, tenant: TenantId) -> HashMap<UserId, usize> {
        self.pages.of(tenant)
    }

    pub(super) fn with_recorder(mut self, recorder: Option<RoomRecorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// What records rooms; without rooms there is none.
    #[must_use]
    pub const fn recorder(&self) -> Option<&RoomRecorder> {
        self.recorder.as_ref()
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

    /// Calls somebody into a room, where they are seen from now on and heard once they have answered. Comes back
    /// as soon as they are seen or, where that is wanted, once they have answered.
    ///
    /// # Errors
    /// As [`SwitchHandle::place_call`], and when the called party does not answer though that was waited for.
    pub async fn dial_into_room(&self, dial: DialIntoRoom) -> Result<Dialled, DialError> {
        let mut events = self.board.subscribe();
        let (waits, identity) = (dial.wait_until_answered, dial.identity());
        let (order, into) = dial.split(&identity);
        let (reply, answer) = oneshot::channel();
        let order = Order::DialInto(Box::new(order), Box::new(into), reply);
        if self.orders.try_send(order).is_err() {
            return Err(DialError::Place(PlaceError::Busy));
        }
        let call = answer.await.unwrap_or(Err(PlaceError::ShuttingDown));
        let call = call.map_err(DialError::Place)?;
        let mut dialled = Dialled {
            call,
            identity,
            participant: None,
        };
        loop {
            match events.recv().await {
                Ok(event) if event.call.id == call => match (event.kind, event.cause, event.call.room) {
                    (EventKind::Ended | EventKind::Missed | EventKind::Rejected, _, _) if !waits => return Ok(dialled),
                    (EventKind::Ended | EventKind::Missed | EventKind::Rejected, cause, _) => {
                        return Err(DialError::Unanswered(cause.unwrap_or(HangupCause::NoAnswer)));
                    }
                    (_, _, Some(room))
                        if room.participant.is_some() && (!waits || event.call.answered_at.is_some()) =>
                    {
                        dialled.participant = room.participant;
                        return Ok(dialled);
                    }
                    (_, _, _) => {}
                },
                // What was missed shows in the call as it stands.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Err(DialError::Place(PlaceError::ShuttingDown)),
            }
        }
    }

    /// Takes a phone out of its room and lets it talk with somebody else; it comes back when nobody answers.
    /// `false` when there is no such phone, or nobody who could be rung.
    pub async fn transfer_room_phone(
        &self,
        tenant: TenantId,
        room: &str,
        identity: &str,
        to: &str,
        ring_timeout: Option<Duration>,
    ) -> bool {
        let is_it = |call: &LiveCall| {
            let place = call.room.as_ref();
            place.is_some_and(|place| place.name == room && place.identity == identity)
        };
        let found = self.live_calls(Some(tenant)).into_iter().find(is_it);
        let Some(call) = found.map(|call| call.id) else {
            return false;
        };
        let to = transfer_number(to).to_owned();
        let (reply, answer) = oneshot::channel();
        let transfer = Transfer {
            tenant,
            call,
            to,
            ring_timeout,
        };
        let sent = self.orders.send(Order::Transfer(Box::new(transfer), reply)).await;
        sent.is_ok() && answer.await.unwrap_or(false)
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
