//! An exchange on a bench: a tenant with people, phones, providers and numbers; far ends and audio
//! that are told what to do by the test and notice every order that does not fit.

use crate::house::House;
pub(crate) use crate::house::{
    BOB_NUMBER, BRIDGE_NUMBER, FLOW_NUMBER, FOREIGN_NUMBER, MAIL_NUMBER, ROOM_NUMBER, number,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use strowger_media::sdp::{Preference, Session};
use strowger_media::{Codec, Direction as Way, MediaEvent, MediaLegId, OpenLeg, PlayId};
use strowger_model::record::{Binding, Call, Consent, Quality};
use strowger_model::trunk::Transport;
use strowger_model::world::SeededWorld;
use strowger_model::{CallId, CallState, CaptureId, DeviceId, HangupCause, TenantId, TrunkId, UserId, World};
use strowger_sip::standing::TakenUp;
use strowger_sip::{Command, DialogKey, EndReason, Incoming, Origin, SipEvent, Target};
use strowger_switch::app::AppOrder;
use strowger_switch::browser::Order;
use strowger_switch::call::MediaOrder;
use strowger_switch::directory::{Directory, Parts};
use strowger_switch::entrance::RoomOrder;
use strowger_switch::exchange::{Exchange, Input, Output};
use strowger_switch::journal::{Entry, Finished};
use strowger_switch::live::SwitchEvent;
use strowger_switch::scene::Supply;
use strowger_switch::standing;
use time::OffsetDateTime;

/// Dialogs and ports from counters.
#[derive(Default)]
pub(crate) struct Counters {
    dialogs: AtomicU64,
    legs: AtomicU64,
    pub open: AtomicU64,
    pub most_open: AtomicU64,
    /// The next leg that is opened breaks its call.
    pub(crate) breaks: std::sync::atomic::AtomicBool,
    bound: Mutex<BTreeMap<DeviceId, Vec<Binding>>>,
    /// Whose phone pages are open.
    pub(crate) browsing: Mutex<BTreeSet<UserId>>,
}

impl Counters {
    pub(crate) fn bind(&self, tenant: TenantId, device: DeviceId) {
        let binding = Binding {
            device,
            tenant,
            contact: format!("sip:{device}@192.0.2.50:5060"),
            source: "192.0.2.50:5060".to_owned(),
            transport: Transport::Udp,
            sip_call_id: "r".to_owned(),
            cseq: 1,
            instance: None,
            user_agent: None,
            expires_at: OffsetDateTime::UNIX_EPOCH,
        };
        self.bound.lock().unwrap().insert(device, vec![binding]);
    }

    pub(crate) fn unbind(&self, device: DeviceId) {
        self.bound.lock().unwrap().remove(&device);
    }
}

impl Supply for Counters {
    fn dialog(&self) -> DialogKey {
        DialogKey(self.dialogs.fetch_add(2, Ordering::Relaxed) + 2)
    }

    fn open_leg(&self, _: CallId, _: Option<IpAddr>) -> Option<OpenLeg> {
        assert!(!self.breaks.swap(false, Ordering::Relaxed), "as the test wants it");
        if self.open.load(Ordering::Relaxed) >= self.most_open.load(Ordering::Relaxed) {
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let leg = self.legs.fetch_add(1, Ordering::Relaxed) + 1;
        Some(OpenLeg {
            leg: MediaLegId(leg),
            local: SocketAddr::from(([192, 0, 2, 10], 20_000 + (leg % 10_000) as u16 * 2)),
        })
    }

    fn open_browser(&self, call: CallId) -> Option<OpenLeg> {
        self.open_leg(call, None)
    }

    fn has_browser(&self, user: UserId) -> bool {
        self.browsing.lock().unwrap().contains(&user)
    }

    fn bindings(&self, device: DeviceId) -> Vec<Binding> {
        self.bound.lock().unwrap().get(&device).cloned().unwrap_or_default()
    }

    fn trunk_address(&self, _: TrunkId) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 0, 2, 2], 5060)))
    }
}

/// Where a far end's dialog stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Far {
    /// It calls us.
    Calling,
    /// We call it.
    Called,
    /// It calls us, was answered and has not acknowledged.
    Answered,
    /// Both know.
    Up,
    /// We called it off; it may still answer.
    CalledOff,
    /// We ended it; its last word is due.
    Ending,
}

pub(crate) struct Bench {
    pub house: House,
    pub exchange: Exchange,
    pub supply: Arc<Counters>,
    pub world: Arc<SeededWorld>,
    pub now: Instant,
    pub far: BTreeMap<DialogKey, (Far, Session)>,
    pub commands: Vec<Command>,
    pub orders: Vec<MediaOrder>,
    pub to_rooms: Vec<(CallId, RoomOrder)>,
    pub to_apps: Vec<(CallId, AppOrder)>,
    pub to_browsers: Vec<(DialogKey, Order)>,
    pub begun: BTreeSet<CallId>,
    /// The rows of calls as they were written last.
    pub rows: BTreeMap<CallId, Call>,
    pub finished: Vec<Finished>,
    pub told: Vec<SwitchEvent>,
    pub captures: BTreeMap<CaptureId, bool>,
    pub crossed: usize,
    pub consents: Vec<Consent>,
    /// What is kept of dialogs for the next daemon.
    pub remembered: BTreeMap<DialogKey, serde_json::Value>,
    /// Whose phones have to connect again after a restart.
    pub absent: Vec<DialogKey>,
    media: BTreeMap<MediaLegId, Option<PlayId>>,
    closing: Vec<MediaLegId>,
    next_incoming: u64,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "an origin of virtual time")]
    pub(crate) fn new() -> Self {
        let world = Arc::new(SeededWorld::new(7, 1_700_000_000_000));
        let house = House::build(&world);
        let supply = Arc::new(Counters::default());
        supply.most_open.store(u64::MAX, Ordering::Relaxed);
        for device in [house.ada_phone, house.bob_phones[0], house.bob_phones[1]] {
            supply.bind(house.tenant, device);
        }
        let directory = Arc::new(Directory::new(house.parts.clone()));
        let exchange = Exchange::new(world.clone(), supply.clone(), directory, 50);
        Self {
            house,
            exchange,
            supply,
            world,
            now: Instant::now(),
            far: BTreeMap::new(),
            commands: Vec::new(),
            orders: Vec::new(),
            to_rooms: Vec::new(),
            to_apps: Vec::new(),
            to_browsers: Vec::new(),
            begun: BTreeSet::new(),
            rows: BTreeMap::new(),
            finished: Vec::new(),
            told: Vec::new(),
            captures: BTreeMap::new(),
            crossed: 0,
            consents: Vec::new(),
            remembered: BTreeMap::new(),
            absent: Vec::new(),
            media: BTreeMap::new(),
            closing: Vec::new(),
            next_incoming: 1,
        }
    }

    /// Changes what the exchange knows.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        change(&mut self.house.parts);
        let directory = Arc::new(Directory::new(self.house.parts.clone()));
        self.tell(Input::Directory(directory));
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.exchange.handle(input, self.now);
        self.perform();
    }

    /// Does what the exchange has asked for without being told anything.
    pub(crate) fn perform_now(&mut self) {
        self.perform();
    }

    /// A callee's early answer to what it was offered.
    pub(crate) fn early_body(&mut self, dialog: DialogKey) -> Bytes {
        let offer = self.offer_of(dialog);
        let (_, session) = self.far.get_mut(&dialog).unwrap();
        session.answer(&offer, Preference::TheirOrder).unwrap().0
    }

    fn offer_of(&self, dialog: DialogKey) -> Bytes {
        let invite = self.commands.iter().find_map(|command| match command {
            Command::Invite(invite) if invite.dialog == dialog => Some(invite.offer.clone()),
            _ => None,
        });
        invite.unwrap()
    }

    pub(crate) fn sip(&mut self, event: SipEvent) {
        self.tell(Input::Sip(event));
    }

    /// Moves time on, waking the exchange whenever it wants.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let wake = self.exchange.poll_timeout().map(|(at, _)| at).filter(|at| *at <= until);
            let next = wake.unwrap_or(until).max(self.now);
            self.world.advance((next - self.now).as_millis() as i64);
            self.now = next;
            if wake.is_none() {
                return;
            }
            self.exchange.handle_timeout(self.now);
            self.perform();
        }
    }

    /// A far end's session, to write offers and answers with.
    fn session(key: DialogKey) -> Session {
        Session::new(SocketAddr::from(([192, 0, 2, 60], 30_000)), key.0)
    }

    /// Somebody calls; the last word of the dialog comes as the test says.
    pub(crate) fn call(&mut self, origin: Origin, dialled: &str, with_offer: bool) -> DialogKey {
        let dialog = DialogKey(self.next_incoming);
        self.next_incoming += 2;
        let mut session = Self::session(dialog);
        let offer = if with_offer {
            session.offer(Codec::Pcmu)
        } else {
            Bytes::new()
        };
        self.comes(dialog, session, offer, origin, dialled);
        dialog
    }

    /// Ada calls with these codecs in her order.
    pub(crate) fn ada_speaks(&mut self, codecs: &[Codec], dialled: &str) -> DialogKey {
        let dialog = DialogKey(self.next_incoming);
        self.next_incoming += 2;
        let mut session = Self::session(dialog).speaking(codecs);
        let offer = session.offer_as_ordered();
        let origin = self.ada();
        self.comes(dialog, session, offer, origin, dialled);
        dialog
    }

    /// Ada calls with a description of the test's.
    pub(crate) fn ada_offers(&mut self, offer: &'static str, dialled: &str) -> DialogKey {
        let dialog = DialogKey(self.next_incoming);
        self.next_incoming += 2;
        let origin = self.ada();
        let session = Self::session(dialog);
        self.comes(dialog, session, Bytes::from_static(offer.as_bytes()), origin, dialled);
        dialog
    }

    fn comes(&mut self, dialog: DialogKey, session: Session, offer: Bytes, origin: Origin, dialled: &str) {
        self.far.insert(dialog, (Far::Calling, session));
        self.sip(SipEvent::Incoming(Box::new(Incoming {
            dialog,
            origin,
            source: SocketAddr::from(([192, 0, 2, 60], 5060)),
            transport: Transport::Udp,
            sip_call_id: format!("call-{dialog}"),
            request_user: dialled.to_owned(),
            to_user: dialled.to_owned(),
            from_user: "+4915112345".to_owned(),
            from_display: None,
            asserted: None,
            user_agent: None,
            offer,
        })));
    }

    /// A callee that speaks these codecs in its order.
    pub(crate) fn speaks(&mut self, dialog: DialogKey, codecs: &[Codec]) {
        let (_, session) = self.far.get_mut(&dialog).unwrap();
        *session = Self::session(dialog).speaking(codecs);
    }

    pub(crate) fn ada_dials(&mut self, dialled: &str) -> DialogKey {
        let origin = self.ada();
        self.call(origin, dialled, true)
    }

    pub(crate) fn outsider_dials(&mut self, dialled: &str) -> DialogKey {
        self.call(Origin::Trunk(self.house.provider_in), dialled, true)
    }

    pub(crate) fn ada(&self) -> Origin {
        Origin::Device {
            device: self.house.ada_phone,
            tenant: self.house.tenant,
            user: Some(self.house.ada),
            username: "ada-desk".to_owned(),
        }
    }

    pub(crate) fn state(&self, dialog: DialogKey) -> Option<Far> {
        self.far.get(&dialog).map(|(far, _)| *far)
    }

    /// The dialogs in a state, oldest first.
    pub(crate) fn in_state(&self, wanted: Far) -> Vec<DialogKey> {
        let found = self.far.iter().filter(|(_, (far, _))| *far == wanted);
        found.map(|(dialog, _)| *dialog).collect()
    }

    pub(crate) fn rings(&mut self, dialog: DialogKey) {
        let body = Bytes::new();
        self.sip(SipEvent::Progress {
            dialog,
            status: 180,
            body,
        });
    }

    /// A callee answers what it was offered.
    pub(crate) fn answers(&mut self, dialog: DialogKey) {
        let offer = self.offer_of(dialog);
        let (far, session) = self.far.get_mut(&dialog).unwrap();
        if *far == Far::Called {
            *far = Far::Up;
        }
        let (body, _) = session.answer(&offer, Preference::TheirOrder).unwrap();
        self.sip(SipEvent::Answered { dialog, body });
    }

    pub(crate) fn fails(&mut self, dialog: DialogKey, status: u16) {
        self.far.remove(&dialog);
        let reason = String::new();
        self.sip(SipEvent::Failed { dialog, status, reason });
    }

    /// A caller acknowledges our answer.
    pub(crate) fn acknowledges(&mut self, dialog: DialogKey) {
        let said = self.commands.iter().find_map(|command| match command {
            Command::Answer { dialog: of, body } if *of == dialog => Some(body.clone()),
            _ => None,
        });
        let (far, session) = self.far.get_mut(&dialog).unwrap();
        *far = Far::Up;
        let late = session.accept_answer(&said.clone().unwrap()).is_err();
        let body = if late {
            session.answer(&said.unwrap(), Preference::TheirOrder).unwrap().0
        } else {
            Bytes::new()
        };
        self.sip(SipEvent::Confirmed { dialog, body });
    }

    pub(crate) fn gives_up(&mut self, dialog: DialogKey) {
        self.far.remove(&dialog);
        self.sip(SipEvent::Cancelled { dialog });
    }

    pub(crate) fn hangs_up(&mut self, dialog: DialogKey) {
        self.far.remove(&dialog);
        self.remembered.remove(&dialog);
        self.sip(SipEvent::Ended {
            dialog,
            cause: EndReason::Bye,
        });
    }

    /// Offers a changed direction.
    pub(crate) fn wants(&mut self, dialog: DialogKey, way: Way) {
        let (_, session) = self.far.get_mut(&dialog).unwrap();
        session.want(way);
        let body = session.offer(Codec::Pcmu);
        self.sip(SipEvent::Reoffer { dialog, body });
    }

    pub(crate) fn presses(&mut self, leg: MediaLegId, digit: char) {
        self.tell(Input::Media(MediaEvent::Digit { leg, digit }));
    }

    /// Legs whose audio is open, oldest first.
    pub(crate) fn open_media(&self) -> Vec<MediaLegId> {
        self.media.keys().copied().collect()
    }

    /// The process is killed and another one started: what was kept is taken up, the rest ended.
    pub(crate) fn restart(&mut self) {
        let directory = Arc::new(Directory::new(self.house.parts.clone()));
        self.exchange = Exchange::new(self.world.clone(), self.supply.clone(), Arc::clone(&directory), 50);
        self.media.clear();
        self.supply.open.store(0, Ordering::Relaxed);
        self.commands.clear();
        self.orders.clear();
        let kept = std::mem::take(&mut self.remembered);
        // What nothing was given along for is ended by the SIP side.
        self.far.retain(|dialog, _| kept.contains_key(dialog));
        let taken = kept.into_iter().map(|(dialog, memo)| TakenUp {
            dialog,
            memo,
            is_absent: self.absent.contains(&dialog),
        });
        let mut open = BTreeMap::new();
        for (id, row) in self.rows.clone() {
            let call = Call {
                state: CallState::Failed,
                cause: Some(HangupCause::DaemonRestart),
                ended_at: Some(self.world.now()),
                ..row
            };
            let finished = Finished {
                call,
                legs: Vec::new(),
                events: Vec::new(),
                taken: Vec::new(),
                message: None,
            };
            open.insert(id, finished);
        }
        let (revivals, ends) = standing::pair(taken.collect(), &mut open, &directory);
        for dialog in ends {
            self.far.remove(&dialog);
        }
        for (id, finished) in open {
            self.rows.remove(&id);
            self.finished.push(finished);
        }
        self.exchange.take_up(revivals, self.now);
        self.perform();
    }

    /// What a party was offered last within its dialog.
    pub(crate) fn reoffered(&self, of: DialogKey) -> Option<Bytes> {
        self.commands.iter().rev().find_map(|command| match command {
            Command::Reoffer { dialog, body } if *dialog == of => Some(body.clone()),
            _ => None,
        })
    }

    /// A party agrees to what it was offered anew.
    pub(crate) fn agrees(&mut self, dialog: DialogKey) {
        let offer = self.reoffered(dialog).unwrap();
        let (_, session) = self.far.get_mut(&dialog).unwrap();
        let (body, _) = session.answer(&offer, Preference::TheirOrder).unwrap();
        self.sip(SipEvent::ReofferAnswered { dialog, body });
    }

    /// The plays that go on are over.
    pub(crate) fn plays_end(&mut self) {
        let playing: Vec<_> = self
            .media
            .iter()
            .filter_map(|(leg, play)| Some((*leg, (*play)?)))
            .collect();
        for (leg, play) in playing {
            self.media.insert(leg, None);
            self.tell(Input::Media(MediaEvent::PlayDone { leg, play }));
        }
    }

    /// Everybody whose last word is due says it; called-off dialogs fail with 487.
    pub(crate) fn last_words(&mut self) {
        for dialog in self.in_state(Far::Ending) {
            self.far.remove(&dialog);
            self.sip(SipEvent::Ended {
                dialog,
                cause: EndReason::Local,
            });
        }
        for dialog in self.in_state(Far::CalledOff) {
            self.fails(dialog, 487);
        }
    }

    fn perform(&mut self) {
        loop {
            while let Some(output) = self.exchange.poll_output() {
                self.perform_one(output);
            }
            let closing = std::mem::take(&mut self.closing);
            if closing.is_empty() {
                return;
            }
            for leg in closing {
                let quality = Quality::default();
                self.exchange
                    .handle(Input::Media(MediaEvent::Closed { leg, quality }), self.now);
            }
        }
    }

    fn perform_one(&mut self, output: Output) {
        match output {
            Output::Sip(command) => self.command(command),
            Output::Media(order) => self.order(order),
            Output::Room(_, call, order) => self.to_rooms.push((call, order)),
            Output::App(_, call, order) => self.to_apps.push((call, order)),
            Output::Browser(key, order) => self.to_browsers.push((key, order)),
            Output::Capture(meta, _) => assert!(self.captures.insert(meta.capture, true).is_none()),
            Output::Tap(capture, _) => assert!(self.captures[&capture], "a tap into a capture that has ended"),
            Output::CaptureEnd(capture) => {
                let was_open = self.captures.insert(capture, false);
                assert_eq!(was_open, Some(true), "a capture ended twice");
            }
            Output::Journal(_, Entry::Begin { call, .. }) => {
                assert!(self.begun.insert(call.id), "begun twice");
                self.rows.insert(call.id, *call);
            }
            Output::Journal(
                _,
                Entry::Progress {
                    call,
                    state,
                    answered_at,
                    user,
                },
            ) => {
                let row = self.rows.get_mut(&call).unwrap();
                (row.state, row.answered_at, row.user) = (state, answered_at, user);
            }
            Output::Journal(_, Entry::Consents { call, consents, .. }) => {
                assert!(self.begun.contains(&call));
                self.consents.extend(consents);
            }
            Output::Journal(_, Entry::Finish(finished)) => {
                assert!(self.begun.contains(&finished.call.id), "finished before it began");
                assert!(self.rows.remove(&finished.call.id).is_some(), "finished twice");
                self.finished.push(*finished);
            }
            Output::Tell(event) => self.told.push(*event),
            Output::CrossedTenant { .. } => self.crossed += 1,
            Output::Owned(..) | Output::Over(_) => {}
        }
    }

    fn command(&mut self, command: Command) {
        let mut step = |dialog: &DialogKey, from: &[Far], to: Far| {
            let (far, _) = self
                .far
                .get_mut(dialog)
                .unwrap_or_else(|| panic!("{command:?}: no such dialog"));
            assert!(from.contains(far), "{command:?} in state {far:?}");
            *far = to;
        };
        match &command {
            Command::Remember { dialog, memo } => {
                match memo {
                    Some(memo) => self.remembered.insert(*dialog, (**memo).clone()),
                    None => self.remembered.remove(dialog),
                };
                return;
            }
            Command::Invite(invite) => {
                if let Target::Trunk(target) = &invite.target {
                    assert_eq!(invite.auth, Some(target.trunk));
                }
                let session = Self::session(invite.dialog);
                assert!(self.far.insert(invite.dialog, (Far::Called, session)).is_none());
            }
            Command::Ring { dialog, .. } => step(dialog, &[Far::Calling], Far::Calling),
            Command::Answer { dialog, .. } => step(dialog, &[Far::Calling], Far::Answered),
            Command::Reject { dialog, .. } => step(dialog, &[Far::Calling], Far::Ending),
            Command::Cancel { dialog } => step(dialog, &[Far::Called], Far::CalledOff),
            Command::Bye { dialog, .. } => {
                step(dialog, &[Far::Answered, Far::Up, Far::CalledOff], Far::Ending);
                self.remembered.remove(dialog);
            }
            Command::Reoffer { dialog, .. } => step(dialog, &[Far::Up], Far::Up),
            Command::AnswerReoffer { dialog, .. }
            | Command::RefuseReoffer { dialog, .. }
            | Command::Referred { dialog, .. } => {
                assert!(self.far.contains_key(dialog));
            }
            other => panic!("{other:?} is nothing an exchange asks for here"),
        }
        self.commands.push(command);
    }

    fn order(&mut self, order: MediaOrder) {
        match &order {
            MediaOrder::Close(leg) => {
                self.media.remove(leg);
                self.supply.open.fetch_sub(1, Ordering::Relaxed);
                self.closing.push(*leg);
            }
            MediaOrder::Connect(leg, _) => {
                self.media.entry(*leg).or_default();
            }
            MediaOrder::Play { leg, play, repeat, .. } => {
                self.media.insert(*leg, (!repeat).then_some(*play));
            }
            MediaOrder::Stop(leg) => {
                self.media.insert(*leg, None);
            }
            MediaOrder::Bridge(..)
            | MediaOrder::Unbridge(_)
            | MediaOrder::SendDigit(..)
            | MediaOrder::Hold(..)
            | MediaOrder::CapturePause(..)
            | MediaOrder::CaptureStop(_) => {}
        }
        self.orders.push(order);
    }
}
