//! The exchange: every call there is, as one value.
//!
//! It knows which dialog and which audio belong to which call, decides where new calls go, wakes
//! calls when their time has come, and passes on what they ask for. One value serves the daemon
//! ([`crate::io`]), where one task drives it, and the simulation, where virtual time does: a call
//! costs no task, and nothing of it is left once it is over.
//!
//! A call that breaks (a panic of ours) must not take others with it: every step of a call is
//! caught, its legs are told and its row is written as `internal_error`.

mod again;
mod browsers;
mod commands;

use crate::app::{AppOrder, AppSaid};
use crate::browser;
use crate::call::{Arrival, Call, Input as CallInput, MediaOrder, Output as CallOutput, Placement, Said, Tap};
use crate::cause;
use crate::directory::Directory;
use crate::entrance::{IntoRoom, RoomOrder, RoomSaid};
use crate::journal::Entry;
use crate::live::{EventKind, PlaceCall, PlaceError, Steer, SwitchEvent};
use crate::route::{self, Asker, Load, Route, RouteInput};
use crate::scene::{Scene, Supply};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_media::{MediaEvent, MediaLegId};
use strowger_model::capture::{CaptureMeta, StreamMeta};
use strowger_model::{CallId, CaptureId, HangupCause, TenantId, TrunkId, World, number};
use strowger_sip::{Command, DialogKey, EndReason, Incoming, Origin, SipEvent};

/// How long a refused caller is asked to wait when we are at a limit.
const RETRY_AFTER_S: u32 = 5;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The SIP side said something about a dialog or a trunk; what it says of bindings is not for us.
    Sip(SipEvent),
    /// The media side said something.
    Media(MediaEvent),
    /// A room said something to a call.
    Room(CallId, RoomSaid),
    /// A voice app's connection said something to a call.
    App(CallId, AppSaid),
    /// A browser said something.
    Browser(DialogKey, Said),
    /// A capture could not be opened.
    CaptureFailed(CallId, CaptureId),
    /// What is known has changed.
    Directory(Arc<Directory>),
    /// No new calls from here on.
    Drain,
    /// Every call ends now.
    Shutdown,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Tell the SIP side.
    Sip(Command),
    /// Tell the media side.
    Media(MediaOrder),
    /// Ask something of a room for a call.
    Room(TenantId, CallId, RoomOrder),
    /// Ask something of voice apps for a call.
    App(TenantId, CallId, AppOrder),
    /// Ask something of a browser.
    Browser(DialogKey, browser::Order),
    /// Open a capture.
    Capture(Box<CaptureMeta>, Vec<StreamMeta>),
    /// Lead audio into a capture.
    Tap(CaptureId, Tap),
    /// Nothing more comes into a capture.
    CaptureEnd(CaptureId),
    /// Write to the journal.
    Journal(TenantId, Entry),
    /// A dialog belongs to a call, and its messages are to be kept; `None`: they are not.
    Owned(DialogKey, Option<(TenantId, CallId)>),
    /// A dialog is over.
    Over(DialogKey),
    /// Tell those who watch.
    Tell(Box<SwitchEvent>),
    /// Somebody dialled what belongs to another tenant.
    CrossedTenant {
        /// Whose caller.
        tenant: TenantId,
        /// What they dialled.
        dialled: String,
    },
}

/// Every call there is.
pub struct Exchange {
    world: Arc<dyn World>,
    supply: Arc<dyn Supply>,
    directory: Arc<Directory>,
    most_calls: usize,
    draining: bool,
    calls: HashMap<CallId, Entered>,
    dialogs: HashMap<DialogKey, CallId>,
    /// Those of them whose far end is a browser.
    browsers: HashSet<DialogKey>,
    media: HashMap<MediaLegId, CallId>,
    /// Dialogs of ours that were called off and have not ended yet.
    called_off: HashSet<DialogKey>,
    wakes: BTreeSet<(Instant, CallId)>,
    load: Load,
    /// The calls that are in a room or with a voice app, or on their way in.
    stays: HashSet<CallId>,
    sequence: u64,
    outputs: VecDeque<Output>,
}

struct Entered {
    call: Box<Call>,
    wake: Option<Instant>,
}

impl Exchange {
    /// An exchange without calls that takes `most_calls` at once.
    #[must_use]
    pub fn new(world: Arc<dyn World>, supply: Arc<dyn Supply>, directory: Arc<Directory>, most_calls: usize) -> Self {
        Self {
            world,
            supply,
            directory,
            most_calls,
            draining: false,
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            browsers: HashSet::new(),
            media: HashMap::new(),
            called_off: HashSet::new(),
            wakes: BTreeSet::new(),
            load: Load::default(),
            stays: HashSet::new(),
            sequence: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Sip(event) => self.sip(event, now),
            Input::Media(event) => self.heard(event, now),
            Input::Room(call, said) => self.step(call, CallInput::Room(said), now),
            Input::App(call, said) => self.step(call, CallInput::App(said), now),
            Input::Browser(dialog, said) => self.said(dialog, said, now),
            Input::CaptureFailed(call, capture) => self.step(call, CallInput::CaptureFailed(capture), now),
            Input::Directory(directory) => {
                self.load.keep(|trunk| directory.trunk(trunk).is_some());
                self.directory = directory;
            }
            Input::Drain => self.draining = true,
            Input::Shutdown => {
                self.draining = true;
                let all: Vec<CallId> = self.calls.keys().copied().collect();
                for call in all {
                    self.step(call, CallInput::Shutdown, now);
                }
            }
        }
    }

    /// Places a call.
    ///
    /// # Errors
    /// As [`PlaceError`] says.
    pub fn place(&mut self, order: PlaceCall, now: Instant) -> Result<CallId, PlaceError> {
        self.place_with(order, None, now)
    }

    fn place_with(&mut self, order: PlaceCall, into: Option<IntoRoom>, now: Instant) -> Result<CallId, PlaceError> {
        if self.draining {
            return Err(PlaceError::ShuttingDown);
        }
        if self.calls.len() >= self.most_calls {
            return Err(PlaceError::Busy);
        }
        let placement = self.placement(&order, into.as_ref().and_then(|into| into.trunk))?;
        let mut call = self.with_scene(now, |scene| Call::place(order, placement, scene));
        if let Some(into) = into {
            call.lead_into(into);
        }
        Ok(self.enter(call, now))
    }

    /// Calls somebody into a room: they are seen there from now on, and heard once they have answered.
    ///
    /// # Errors
    /// As [`PlaceError`] says.
    pub fn dial_into(&mut self, order: PlaceCall, into: IntoRoom, now: Instant) -> Result<CallId, PlaceError> {
        self.place_with(order, Some(into), now)
    }

    /// Takes the phone of a running call out of its room and rings somebody for it; whether it is the
    /// tenant's, in a room, and somebody can be rung.
    pub fn transfer(
        &mut self,
        tenant: TenantId,
        call: CallId,
        to: &str,
        ring_timeout: Option<Duration>,
        now: Instant,
    ) -> bool {
        let mut is_done = false;
        let entered = self.calls.get(&call);
        if entered.is_some_and(|entered| entered.call.tenant() == tenant) {
            self.guarded(call, now, |call, scene| {
                is_done = call.transfer_out(to, ring_timeout, scene)
            });
        }
        is_done
    }

    /// Does something to a running call; whether it runs and is the tenant's.
    pub fn steer(&mut self, tenant: TenantId, call: CallId, steer: Steer, now: Instant) -> bool {
        let is_theirs = self
            .calls
            .get(&call)
            .is_some_and(|entered| entered.call.tenant() == tenant);
        if is_theirs {
            self.step(call, CallInput::Steer(steer), now);
        }
        is_theirs
    }

    /// Wakes every call whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.wakes.first().copied() {
            if at > now {
                return;
            }
            self.wakes.pop_first();
            if let Some(entered) = self.calls.get_mut(&id) {
                entered.wake = None;
                self.guarded(id, now, |call, scene| call.handle_timeout(scene));
            }
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to wake it, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (at, id) = self.wakes.first()?;
        let what = self.calls.get(id).and_then(|entered| entered.call.poll_timeout());
        Some((*at, what.map_or("call", |(_, what)| what)))
    }

    /// Whether no call is left and no new one is taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.draining && self.calls.is_empty()
    }

    /// How many calls there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.calls.len()
    }

    /// How many legs go through a trunk.
    #[must_use]
    pub fn load_on(&self, trunk: TrunkId) -> usize {
        self.load.on(trunk)
    }

    /// How much is remembered beside the calls: dialogs, audio, dialogs called off, wakes, stays in rooms.
    /// All zero when no call is left and all far ends have said their last word.
    #[must_use]
    pub fn leftovers(&self) -> [usize; 5] {
        [
            self.dialogs.len(),
            self.media.len(),
            self.called_off.len(),
            self.wakes.len(),
            self.stays.len(),
        ]
    }

    fn sip(&mut self, event: SipEvent, now: Instant) {
        let (dialog, said) = match event {
            SipEvent::Incoming(incoming) => return self.incoming(*incoming, now),
            SipEvent::Progress { dialog, status, body } => (dialog, Said::Progress { status, body }),
            SipEvent::Answered { dialog, body } => {
                if self.called_off.contains(&dialog) {
                    // RFC 3261 §9.1: the answer crossed our CANCEL.
                    self.outputs
                        .push_back(Output::Sip(Command::Bye { dialog, reason: None }));
                    return;
                }
                (dialog, Said::Answered { body })
            }
            SipEvent::Failed { dialog, status, .. } => (dialog, Said::Failed { status }),
            SipEvent::Confirmed { dialog, body } => (dialog, Said::Confirmed { body }),
            SipEvent::Reoffer { dialog, body } => (dialog, Said::Reoffer { body }),
            SipEvent::ReofferAnswered { dialog, body } => (dialog, Said::ReofferAnswered { body }),
            SipEvent::ReofferFailed { dialog, status } => (dialog, Said::ReofferFailed { status }),
            SipEvent::Info {
                dialog,
                content_type,
                body,
            } => (dialog, Said::Info { content_type, body }),
            SipEvent::Refer { dialog, to } => (dialog, Said::Refer { to }),
            SipEvent::Cancelled { dialog } => (dialog, Said::Cancelled),
            SipEvent::Ended { dialog, cause } => (dialog, Said::Ended(cause_of_end(cause))),
            SipEvent::TrunkState { trunk, state } => return self.load.judge(trunk, &state),
            SipEvent::Bound { .. } | SipEvent::Unbound { .. } => return,
        };
        self.said(dialog, said, now);
    }

    fn said(&mut self, dialog: DialogKey, said: Said, now: Instant) {
        let is_last = matches!(said, Said::Failed { .. } | Said::Cancelled | Said::Ended(_));
        if let Some(call) = self.dialogs.get(&dialog).copied() {
            self.step(call, CallInput::Said(dialog, said), now);
        }
        if is_last {
            self.dialogs.remove(&dialog);
            self.outputs.push_back(Output::Over(dialog));
            self.called_off.remove(&dialog);
            self.browsers.remove(&dialog);
        }
    }

    fn heard(&mut self, event: MediaEvent, now: Instant) {
        let (leg, is_last) = match &event {
            MediaEvent::Digit { leg, .. }
            | MediaEvent::PlayDone { leg, .. }
            | MediaEvent::Silent { leg }
            | MediaEvent::Heard { leg } => (*leg, false),
            MediaEvent::Closed { leg, .. } => (*leg, true),
        };
        if let Some(call) = self.media.get(&leg).copied() {
            self.step(call, CallInput::Media(event), now);
        }
        if is_last {
            self.media.remove(&leg);
        }
    }

    fn incoming(&mut self, incoming: Incoming, now: Instant) {
        let dialog = incoming.dialog;
        if self.draining || self.calls.len() >= self.most_calls {
            metrics::counter!("strowger_calls_refused_total").increment(1);
            self.outputs.push_back(Output::Sip(Command::Reject {
                dialog,
                status: 503,
                reason: String::new(),
                retry_after_s: Some(RETRY_AFTER_S),
            }));
            return;
        }
        let asker = match &incoming.origin {
            Origin::Device { tenant, .. } => Asker::Device { tenant: *tenant },
            Origin::Trunk(trunk) => Asker::Trunk(*trunk),
        };
        let mut dialled = incoming.request_user.clone();
        let caller = incoming.asserted.as_deref().unwrap_or(&incoming.from_user);
        let mut decision = self.decide(asker, &dialled, caller);
        // Some providers send every call to the account's name and the number in To alone.
        let unknown = decision.route == Route::Refused(HangupCause::NotFound) && !decision.foreign;
        if unknown && matches!(asker, Asker::Trunk(_)) && incoming.to_user != dialled {
            let by_to = self.decide(asker, &incoming.to_user, caller);
            if !matches!(by_to.route, Route::Refused(_)) {
                decision = by_to;
                dialled.clone_from(&incoming.to_user);
            }
        }
        let Some(tenant) = decision.tenant else {
            let (status, reason) = cause::status(HangupCause::Forbidden);
            let reason = reason.to_owned();
            self.outputs.push_back(Output::Sip(Command::Reject {
                dialog,
                status,
                reason,
                retry_after_s: None,
            }));
            return;
        };
        if decision.foreign {
            let dialled = dialled.clone();
            self.outputs.push_back(Output::CrossedTenant { tenant, dialled });
        }
        let arrival = self.arrival(incoming, dialled);
        let call = self.with_scene(now, |scene| Call::arrive(arrival, tenant, decision, scene));
        self.enter(call, now);
    }

    fn arrival(&self, incoming: Incoming, dialled: String) -> Arrival {
        let written = incoming.asserted.as_deref().unwrap_or(&incoming.from_user);
        let number = number::normalise(written).unwrap_or_else(|| written.to_owned());
        let dialled = number::normalise(&dialled).unwrap_or(dialled);
        let (device, user, trunk) = match incoming.origin {
            Origin::Device { device, user, .. } => (Some(device), user, None),
            Origin::Trunk(trunk) => (None, None, Some(trunk)),
        };
        let person = user.and_then(|user| self.directory.person(user));
        // A phone's own word about its number counts for nothing: it is its owner's extension.
        let extension = person.and_then(|person| person.user.extension.clone());
        let name = person.map(|person| person.user.name.clone()).or(incoming.from_display);
        let from_number = extension.unwrap_or(number);
        let of_trunk = trunk
            .and_then(|trunk| self.directory.trunk(trunk))
            .map(|trunk| trunk.name.clone());
        let party = name.clone().or(of_trunk).unwrap_or_else(|| from_number.clone());
        Arrival {
            browser: false,
            dialog: incoming.dialog,
            sip_call_id: incoming.sip_call_id,
            from_number,
            from_name: name,
            dialled,
            offer: incoming.offer,
            source: incoming.source.ip(),
            device,
            user,
            trunk,
            party,
        }
    }

    fn decide(&self, asker: Asker, dialled: &str, caller: &str) -> route::Decision {
        let is_bound = |device| !self.supply.bindings(device).is_empty();
        let has_browser = |user| self.supply.has_browser(user);
        route::decide(&RouteInput {
            directory: &self.directory,
            asker,
            dialled,
            caller,
            is_bound: &is_bound,
            has_browser: &has_browser,
            load: &self.load,
        })
    }

    fn placement(&self, order: &PlaceCall, through: Option<TrunkId>) -> Result<Placement, PlaceError> {
        let directory = &self.directory;
        if order
            .flow
            .is_some_and(|flow| directory.flow(flow).is_none_or(|flow| flow.tenant != order.tenant))
        {
            return Err(PlaceError::NoRoute);
        }
        let from_number = match order.from.as_deref().map(str::trim).filter(|from| !from.is_empty()) {
            None => {
                let policy = directory.policy(order.tenant, order.user);
                let only = directory.only_number(order.tenant).map(|number| number.number.clone());
                let set = Some(policy.caller_number.clone()).filter(|number| !number.is_empty());
                set.or(only).unwrap_or_else(|| "anonymous".to_owned())
            }
            Some(from) => {
                let is_number = directory
                    .number(from)
                    .is_some_and(|number| number.tenant == order.tenant);
                let person = directory
                    .extension(order.tenant, from)
                    .or_else(|| directory.owner_of_username(order.tenant, from));
                if !is_number && person.is_none() {
                    return Err(PlaceError::ForeignCaller);
                }
                from.to_owned()
            }
        };
        if let Some(trunk) = through {
            return self.through(trunk, order, from_number);
        }
        let route = self.decide(Asker::Tenant(order.tenant), &order.to, &from_number).route;
        match route {
            Route::User { .. } | Route::Trunk { .. } => Ok(Placement { route, from_number }),
            Route::Voicemail(_) | Route::Refused(HangupCause::Unreachable) => Err(PlaceError::Unreachable),
            Route::Refused(HangupCause::Congestion) => Err(PlaceError::Busy),
            Route::Flow(_) | Route::Room(_) | Route::Refused(_) => Err(PlaceError::NoRoute),
        }
    }

    /// The placement through one trunk, whatever its prefix says.
    fn through(&self, trunk: TrunkId, order: &PlaceCall, from_number: String) -> Result<Placement, PlaceError> {
        let known = self.directory.trunk(trunk);
        if known.is_none_or(|known| known.tenant != order.tenant) {
            return Err(PlaceError::NoRoute);
        }
        let number = number::normalise(&order.to).unwrap_or_else(|| order.to.clone());
        let trunks = vec![trunk];
        let route = Route::Trunk { trunks, number };
        Ok(Placement { route, from_number })
    }

    fn with_scene<T>(&mut self, now: Instant, work: impl FnOnce(&mut Scene<'_>) -> T) -> T {
        work(&mut Scene {
            now,
            directory: &self.directory,
            supply: self.supply.as_ref(),
            world: self.world.as_ref(),
            load: &mut self.load,
        })
    }

    fn enter(&mut self, call: Call, now: Instant) -> CallId {
        let id = call.id();
        metrics::counter!("strowger_calls_total").increment(1);
        self.calls.insert(
            id,
            Entered {
                call: Box::new(call),
                wake: None,
            },
        );
        self.settle(id, now);
        self.guarded(id, now, |call, scene| call.begin(scene));
        id
    }

    fn step(&mut self, id: CallId, input: CallInput, now: Instant) {
        self.guarded(id, now, |call, scene| call.handle(input, scene));
    }

    /// Lets a call take a step. A call that panics is ended; what it had asked for is still done.
    fn guarded(&mut self, id: CallId, now: Instant, work: impl FnOnce(&mut Call, &mut Scene<'_>)) {
        let Some(entered) = self.calls.get_mut(&id) else {
            return;
        };
        let mut scene = Scene {
            now,
            directory: &self.directory,
            supply: self.supply.as_ref(),
            world: self.world.as_ref(),
            load: &mut self.load,
        };
        let call = &mut entered.call;
        // A call is whole again after `abort`, which only walks its legs; nothing else saw the middle of the step.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(call, &mut scene)));
        if outcome.is_err() {
            tracing::error!(call_id = %id, "a call broke; it is ended");
            if catch_unwind(AssertUnwindSafe(|| call.abort(&mut scene))).is_err() {
                tracing::error!(call_id = %id, "a broken call could not be ended in order; it is dropped");
                if let Some(wake) = self.calls.remove(&id).and_then(|entered| entered.wake) {
                    self.wakes.remove(&(wake, id));
                }
                return;
            }
        }
        self.settle(id, now);
    }

    /// Passes on what a call asks for, and notes when it wants to be woken.
    fn settle(&mut self, id: CallId, _now: Instant) {
        let Some(mut entered) = self.calls.remove(&id) else {
            return;
        };
        entered.call.remember();
        while let Some(output) = entered.call.poll_output() {
            self.pass_on(&entered.call, output);
        }
        let wake = entered.call.poll_timeout().map(|(at, _)| at);
        if wake != entered.wake {
            if let Some(old) = entered.wake {
                self.wakes.remove(&(old, id));
            }
            if let Some(wake) = wake {
                self.wakes.insert((wake, id));
            }
            entered.wake = wake;
        }
        if !entered.call.is_over() {
            self.calls.insert(id, entered);
        }
    }

    fn pass_on(&mut self, call: &Call, output: CallOutput) {
        let output = match output {
            CallOutput::OwnDialog(dialog) => {
                self.dialogs.insert(dialog, call.id());
                let policy = self.directory.policy(call.tenant(), None);
                let owner = policy.keeps_signalling.then(|| (call.tenant(), call.id()));
                Output::Owned(dialog, owner)
            }
            CallOutput::OwnMedia(leg) => {
                self.media.insert(leg, call.id());
                return;
            }
            CallOutput::CalledOff(dialog) => {
                self.called_off.insert(dialog);
                return;
            }
            CallOutput::Signal(dialog, signal) if self.is_browser(dialog, &signal) => {
                match browsers::order(call, dialog, signal) {
                    Some(order) => Output::Browser(dialog, order),
                    None => return,
                }
            }
            CallOutput::Signal(dialog, signal) => match self.command(dialog, signal) {
                Some(command) => Output::Sip(command),
                None => return,
            },
            CallOutput::Media(order) => Output::Media(order),
            CallOutput::Room(order) => {
                match &order {
                    RoomOrder::Join(_) => self.stays.insert(call.id()),
                    RoomOrder::Leave(_) => self.stays.remove(&call.id()),
                    RoomOrder::Speak(_) | RoomOrder::Digit(_) | RoomOrder::Attributes(_) | RoomOrder::Recordable => {
                        false
                    }
                };
                Output::Room(call.tenant(), call.id(), order)
            }
            CallOutput::App(order) => {
                match &order {
                    AppOrder::Join(_) => self.stays.insert(call.id()),
                    AppOrder::Leave(_) => self.stays.remove(&call.id()),
                    AppOrder::Digit(_) => false,
                };
                Output::App(call.tenant(), call.id(), order)
            }
            CallOutput::Capture(meta, streams) => Output::Capture(meta, streams),
            CallOutput::Tap(capture, tap) => Output::Tap(capture, tap),
            CallOutput::CaptureEnd(capture) => Output::CaptureEnd(capture),
            CallOutput::Journal(tenant, entry) => Output::Journal(tenant, entry),
            CallOutput::Tell(kind, cause, live) => {
                self.sequence += 1;
                log(call, kind, cause);
                Output::Tell(Box::new(SwitchEvent {
                    sequence: self.sequence,
                    at: self.world.now(),
                    kind,
                    call: *live,
                    cause,
                }))
            }
        };
        self.outputs.push_back(output);
    }
}

fn log(call: &Call, kind: EventKind, cause: Option<HangupCause>) {
    let (call_id, tenant, event) = (call.id(), call.tenant(), kind.code());
    match (kind, cause) {
        (EventKind::Started, _) => tracing::info!(%call_id, %tenant, event, "a call begins"),
        (_, Some(cause)) => tracing::info!(%call_id, %tenant, event, %cause, "a call is over"),
        (_, None) => tracing::debug!(%call_id, %tenant, event, "a call goes on"),
    }
}

const fn cause_of_end(reason: EndReason) -> HangupCause {
    match reason {
        EndReason::Bye | EndReason::Local => HangupCause::Normal,
        EndReason::NoAck | EndReason::SessionExpired | EndReason::Lost => HangupCause::ProviderError,
    }
}
