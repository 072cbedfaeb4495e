//! The deployment and its virtual time.

use crate::chance::Chance;
use crate::house::{self, House, Supplies};
use crate::phone::{Act, Phone};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_media::{MediaEvent, MediaLegId, PlayId};
use strowger_model::record::Quality;
use strowger_model::world::SeededWorld;
use strowger_model::{CallId, CaptureId, World};
use strowger_sip::endpoint::{Input as SipInput, Output as SipOutput};
use strowger_sip::transaction::Path;
use strowger_sip::{Command, DialogKey, Endpoint, SipConfig, SipEvent};
use strowger_switch::call::MediaOrder;
use strowger_switch::entrance::{Refusal, RoomOrder, RoomSaid};
use strowger_switch::exchange::{Exchange, Input, Output};
use strowger_switch::journal::{Entry, Finished};
use strowger_switch::live::{PlaceCall, Steer, SwitchEvent};

/// Something that is going to happen.
enum Coming {
    /// A datagram arrives.
    Datagram {
        source: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
    },
    /// Somebody at a phone does something.
    Act(usize, Act),
    /// A media thread says something.
    Media(MediaEvent),
    /// A program wants a call.
    Place(PlaceCall),
    /// A room says something to a call.
    Room(CallId, RoomSaid),
    /// Somebody in the console ends a call, whichever runs.
    Steer(usize, Steer),
}

/// Who is woken by a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Endpoint,
    Exchange,
    Phone(usize),
}

pub(crate) struct Deployment {
    pub(crate) loss: f64,
    chance: Chance,
    world: Arc<SeededWorld>,
    now: Instant,
    end: Instant,
    pub(crate) house: Arc<House>,
    pub(crate) supplies: Arc<Supplies>,
    pub(crate) endpoint: Endpoint,
    pub(crate) exchange: Exchange,
    pub(crate) phones: Vec<Phone>,
    at: HashMap<SocketAddr, usize>,
    coming: BTreeMap<(Instant, u64), Coming>,
    order: u64,
    wakes: BTreeSet<(Instant, Node)>,
    wake_of: BTreeMap<Node, Instant>,
    playing: BTreeMap<MediaLegId, PlayId>,
    pub(crate) closed: BTreeSet<MediaLegId>,
    pub(crate) captures: BTreeMap<CaptureId, (bool, usize)>,
    pub(crate) told: Vec<SwitchEvent>,
    /// Dialogs that belong to a call and are not over.
    pub(crate) owned: HashSet<DialogKey>,
    /// Calls whose recording somebody stopped.
    pub(crate) stopped: BTreeSet<CallId>,
    pub(crate) store: Store,
    pub(crate) datagrams: usize,
    pub(crate) lost: usize,
}

/// A store that takes entries one after the other and stalls now and then; calls know nothing of it.
#[derive(Default)]
pub(crate) struct Store {
    waiting: std::collections::VecDeque<Entry>,
    stalls_until: Option<Instant>,
    pub(crate) longest_queue: usize,
    pub(crate) begun: BTreeMap<CallId, usize>,
    pub(crate) finished: BTreeMap<CallId, Vec<Finished>>,
}

impl Store {
    fn take(&mut self, chance: &mut Chance, now: Instant, all: bool) {
        self.longest_queue = self.longest_queue.max(self.waiting.len());
        if !all && self.stalls_until.is_some_and(|until| now < until) {
            return;
        }
        if !all && chance.happens(0.002) {
            self.stalls_until = Some(now + Duration::from_millis(chance.between(1_000, 60_000)));
            return;
        }
        while let Some(entry) = self.waiting.pop_front() {
            match entry {
                Entry::Begin { call, .. } => *self.begun.entry(call.id).or_default() += 1,
                Entry::Progress { call, .. } => assert!(self.begun.contains_key(&call), "progress before the begin"),
                Entry::Consents { call, .. } => assert!(self.begun.contains_key(&call), "told before the begin"),
                Entry::Finish(finished) => {
                    let id = finished.call.id;
                    assert!(self.begun.contains_key(&id), "an end before the begin");
                    self.finished.entry(id).or_default().push(*finished);
                }
            }
        }
    }
}

const MS: Duration = Duration::from_millis(1);

impl Deployment {
    #[expect(clippy::disallowed_methods, reason = "an origin of virtual time")]
    pub(crate) fn new(seed: u64, calls: usize) -> Self {
        let world = Arc::new(SeededWorld::new(seed, 1_700_000_000_000));
        let now = Instant::now();
        let house = Arc::new(house::build(&world));
        let supplies = Arc::new(Supplies::default());
        let config = SipConfig {
            udp: vec![house::ours()],
            ..SipConfig::default()
        };
        let shared: Arc<dyn World> = world.clone();
        let endpoint = Endpoint::new(config, house::ours().ip(), house.clone(), shared, now);
        let directory = house.directory.clone();
        let exchange = Exchange::new(world.clone(), supplies.clone(), directory, 400);
        let mut deployment = Self {
            loss: 0.03,
            chance: Chance::new(seed),
            world,
            now,
            end: now,
            house,
            supplies,
            endpoint,
            exchange,
            phones: Vec::new(),
            at: HashMap::new(),
            coming: BTreeMap::new(),
            order: 0,
            wakes: BTreeSet::new(),
            wake_of: BTreeMap::new(),
            playing: BTreeMap::new(),
            closed: BTreeSet::new(),
            captures: BTreeMap::new(),
            told: Vec::new(),
            owned: HashSet::new(),
            stopped: BTreeSet::new(),
            store: Store::default(),
            datagrams: 0,
            lost: 0,
        };
        deployment.people();
        deployment.plan(calls);
        deployment
    }

    fn people(&mut self) {
        let mut all: Vec<(String, SocketAddr)> = (0..2).map(|n| (format!("provider{n}"), house::provider(n))).collect();
        for (n, username) in self.house.phones.iter().enumerate() {
            let address = SocketAddr::from(([10, 1, (n / 200) as u8, (n % 200) as u8 + 1], 5060));
            all.push((username.clone(), address));
        }
        for (n, (username, address)) in all.into_iter().enumerate() {
            self.at.insert(address, n);
            self.phones.push(Phone::new(&username, address, &self.world, self.now));
            // One phone in ten is off.
            if n >= 2 && n % 10 != 9 {
                let after = MS * self.chance.between(0, 20_000) as u32;
                self.later(after, Coming::Act(n, Act::Register));
            }
        }
    }

    /// What people are going to want, from the time on that most phones are registered.
    fn plan(&mut self, calls: usize) {
        let mut at = Duration::from_secs(30);
        for n in 0..calls {
            at += MS * self.chance.between(0, 300) as u32;
            let patience = self
                .chance
                .happens(0.2)
                .then(|| MS * self.chance.between(0, 9_000) as u32);
            match self.chance.next() % 20 {
                0..=9 => {
                    let to = self.chance.pick(&self.house.numbers).clone();
                    self.later(at, Coming::Act(0, Act::Call { to, patience }));
                }
                10..=16 => {
                    let who = self.chance.between(2, self.phones.len() as u64) as usize;
                    let to = match self.chance.next() % 10 {
                        0..=5 => (100 + self.chance.next() % house::PEOPLE as u64).to_string(),
                        6 => "+15550001111".to_owned(),
                        7 => "800".to_owned(),
                        8 => "nobody".to_owned(),
                        _ => self.chance.pick(&self.house.numbers).clone(),
                    };
                    self.later(at, Coming::Act(who, Act::Call { to, patience }));
                }
                17..=18 => {
                    let number = |chance: &mut Chance| (100 + chance.next() % house::PEOPLE as u64).to_string();
                    let from = self.chance.happens(0.5).then(|| number(&mut self.chance));
                    let order = PlaceCall {
                        tenant: self.house.tenant,
                        user: None,
                        from,
                        to: number(&mut self.chance),
                        record: None,
                        transcribe: false,
                        ring_timeout: Some(Duration::from_secs(10)),
                        metadata: serde_json::json!(n).into(),
                        flow: None,
                    };
                    self.later(at, Coming::Place(order));
                }
                _ => {
                    let steers = [
                        Steer::HangUp,
                        Steer::PauseRecording,
                        Steer::ResumeRecording,
                        Steer::StopRecording,
                    ];
                    let steer = *self.chance.pick(&steers);
                    self.later(at, Coming::Steer(n, steer));
                }
            }
        }
        self.end = self.now + at + Duration::from_secs(400);
    }

    fn later(&mut self, after: Duration, coming: Coming) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), coming);
    }

    /// Lets everything happen until nothing goes on any more.
    pub(crate) fn run(&mut self) {
        let mut steps = 0_u64;
        loop {
            let event = self.coming.keys().next().map(|(at, _)| *at);
            let wake = self.wakes.first().map(|(at, _)| *at);
            let Some(next) = [event, wake].into_iter().flatten().min().filter(|at| *at <= self.end) else {
                break;
            };
            let passed = next.saturating_duration_since(self.now);
            self.world.advance(passed.as_millis() as i64);
            self.now = self.now.max(next);
            if event.is_some_and(|at| Some(at) <= wake || wake.is_none()) {
                let (_, coming) = self.coming.pop_first().unwrap();
                self.happen(coming);
            } else {
                let (_, node) = self.wakes.pop_first().unwrap();
                self.wake_of.remove(&node);
                self.wake(node);
            }
            self.store.take(&mut self.chance, self.now, false);
            steps += 1;
            assert!(steps < 50_000_000, "it goes on for ever");
        }
        self.store.take(&mut self.chance, self.now, true);
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Datagram { source, to, bytes } => {
                let local = to;
                let input = SipInput::Datagram { source, local, bytes };
                if to == house::ours() {
                    self.endpoint.handle(input, self.now);
                    self.ours();
                } else if let Some(phone) = self.at.get(&to).copied() {
                    self.phones[phone].endpoint.handle(input, self.now);
                    self.phone(phone);
                }
            }
            Coming::Act(phone, act) => {
                let mut later = Vec::new();
                self.phones[phone].act(act, &mut self.chance, self.now, &mut later);
                self.plan_acts(phone, later);
                self.phone(phone);
            }
            Coming::Media(event) => {
                if let MediaEvent::PlayDone { leg, play } = &event
                    && self.playing.get(leg) != Some(play)
                {
                    return;
                }
                self.tell_exchange(Input::Media(event));
            }
            Coming::Room(call, said) => self.exchange.handle(Input::Room(call, said), self.now),
            Coming::Place(order) => {
                let _ = self.exchange.place(order, self.now);
                self.ours();
            }
            Coming::Steer(n, steer) => {
                let running: Vec<CallId> = self.supplies.open.lock().unwrap().values().copied().collect();
                if !running.is_empty() {
                    let call = running[n % running.len()];
                    if steer == Steer::StopRecording {
                        self.stopped.insert(call);
                    }
                    self.exchange.steer(self.house.tenant, call, steer, self.now);
                    self.ours();
                }
            }
        }
    }

    fn wake(&mut self, node: Node) {
        match node {
            Node::Endpoint => {
                self.endpoint.handle_timeout(self.now);
                self.ours();
            }
            Node::Exchange => {
                self.exchange.handle_timeout(self.now);
                self.ours();
            }
            Node::Phone(phone) => {
                self.phones[phone].endpoint.handle_timeout(self.now);
                self.phone(phone);
            }
        }
    }

    fn tell_exchange(&mut self, input: Input) {
        self.exchange.handle(input, self.now);
        self.ours();
    }

    /// Performs all that our endpoint and our exchange ask for.
    fn ours(&mut self) {
        loop {
            if let Some(output) = self.endpoint.poll_output() {
                match output {
                    SipOutput::Transmit { path, bytes } => self.transmit(path, bytes),
                    SipOutput::Event(event) => self.ours_heard(event),
                    other => panic!("{other:?} over datagrams"),
                }
            } else if let Some(output) = self.exchange.poll_output() {
                self.perform(output);
            } else {
                break;
            }
        }
        self.note_wake(Node::Endpoint, self.endpoint.poll_timeout().map(|(at, _)| at));
        self.note_wake(Node::Exchange, self.exchange.poll_timeout().map(|(at, _)| at));
    }

    fn ours_heard(&mut self, event: SipEvent) {
        let mut bound = self.supplies.bound.lock().unwrap();
        match event {
            SipEvent::Bound { binding } => {
                let held = bound.entry(binding.device).or_default();
                held.retain(|other| other.contact != binding.contact);
                held.push(*binding);
            }
            SipEvent::Unbound { device, contact } => {
                if let Some(held) = bound.get_mut(&device) {
                    held.retain(|other| other.contact != contact);
                }
            }
            other => {
                drop(bound);
                self.exchange.handle(Input::Sip(other), self.now);
            }
        }
    }

    fn phone(&mut self, phone: usize) {
        while let Some(output) = self.phones[phone].endpoint.poll_output() {
            match output {
                SipOutput::Transmit { path, bytes } => self.transmit(path, bytes),
                SipOutput::Event(event) => {
                    let mut later = Vec::new();
                    self.phones[phone].hears(event, &mut self.chance, self.now, &mut later);
                    self.plan_acts(phone, later);
                }
                other => panic!("{other:?} over datagrams"),
            }
        }
        let wake = self.phones[phone].endpoint.poll_timeout().map(|(at, _)| at);
        self.note_wake(Node::Phone(phone), wake);
    }

    fn plan_acts(&mut self, phone: usize, later: Vec<(Duration, Act)>) {
        for (after, act) in later {
            self.later(after, Coming::Act(phone, act));
        }
    }

    fn note_wake(&mut self, node: Node, at: Option<Instant>) {
        if self.wake_of.get(&node).copied() == at {
            return;
        }
        if let Some(old) = self.wake_of.remove(&node) {
            self.wakes.remove(&(old, node));
        }
        if let Some(at) = at {
            self.wakes.insert((at, node));
            self.wake_of.insert(node, at);
        }
    }

    /// A wire that loses, repeats, delays, and so reorders.
    fn transmit(&mut self, path: Path, bytes: Bytes) {
        let Path::Udp { local, remote } = path else {
            panic!("a connection was not asked for");
        };
        self.datagrams += 1;
        if self.chance.happens(self.loss) {
            self.lost += 1;
            return;
        }
        let copies = if self.chance.happens(self.loss / 5.0) { 2 } else { 1 };
        for _ in 0..copies {
            let slow = self.chance.happens(0.1);
            let after = self.chance.between(1, if slow { 300 } else { 30 });
            let (source, to, bytes) = (local, remote, bytes.clone());
            self.later(MS * after as u32, Coming::Datagram { source, to, bytes });
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Sip(command) => self.command(command),
            Output::Media(order) => self.order(order),
            Output::Room(_, call, order) => self.room(call, &order),
            Output::App(..) => panic!("no flow here has a voice app"),
            Output::Browser(..) => panic!("nobody has a browser here"),
            Output::Capture(meta, _) => {
                assert!(self.captures.insert(meta.capture, (true, 0)).is_none());
            }
            Output::Tap(capture, _) => {
                let (open, taps) = self.captures.get_mut(&capture).unwrap();
                assert!(*open, "a tap into a capture that ended");
                *taps += 1;
            }
            Output::CaptureEnd(capture) => {
                let (open, _) = self.captures.get_mut(&capture).unwrap();
                assert!(std::mem::replace(open, false), "a capture ended twice");
            }
            Output::Journal(_, entry) => self.store.waiting.push_back(entry),
            Output::Tell(event) => self.told.push(*event),
            Output::CrossedTenant { .. } => {}
            Output::Owned(dialog, owner) => {
                assert!(owner.is_some(), "every tenant here keeps the signalling");
                assert!(self.owned.insert(dialog), "{dialog} is somebody's twice");
            }
            Output::Over(dialog) => {
                self.owned.remove(&dialog);
            }
        }
    }

    /// Rooms let phones in after a while, and now and then show one out.
    fn room(&mut self, call: CallId, order: &RoomOrder) {
        match order {
            RoomOrder::Join(_) => {
                let sid = "PA_1".to_owned();
                let after = MS * self.chance.between(0, 80) as u32;
                self.later(after, Coming::Room(call, RoomSaid::Joined { sid }));
                let next = match self.chance.next() % 6 {
                    0 => Some(RoomSaid::Removed),
                    1 => Some(RoomSaid::Ended),
                    2 => Some(RoomSaid::Refused(Refusal::Locked)),
                    _ => None,
                };
                if let Some(said) = next {
                    let after = MS * self.chance.between(80, 20_000) as u32;
                    self.later(after, Coming::Room(call, said));
                }
            }
            RoomOrder::Speak(_)
            | RoomOrder::Digit(_)
            | RoomOrder::Attributes(_)
            | RoomOrder::Recordable
            | RoomOrder::Leave(_) => {}
        }
    }

    fn command(&mut self, command: Command) {
        self.endpoint.handle(SipInput::Command(command), self.now);
    }

    fn order(&mut self, order: MediaOrder) {
        match order {
            MediaOrder::Close(leg) => {
                let was_open = self.supplies.open.lock().unwrap().remove(&leg);
                assert!(was_open.is_some(), "audio closed twice");
                assert!(self.closed.insert(leg));
                self.playing.remove(&leg);
                let quality = Quality::default();
                let after = MS * self.chance.between(0, 30) as u32;
                self.later(after, Coming::Media(MediaEvent::Closed { leg, quality }));
            }
            MediaOrder::Play {
                leg,
                play,
                samples,
                repeat,
            } => {
                assert!(!self.closed.contains(&leg), "a play on closed audio");
                self.playing.insert(leg, play);
                if !repeat {
                    let length = Duration::from_millis(samples.len() as u64 / 8);
                    self.later(length, Coming::Media(MediaEvent::PlayDone { leg, play }));
                    // People press keys while prompts play.
                    if self.chance.happens(0.5) {
                        let digit = *self.chance.pick(&['1', '2', '3', '4', '#', '9']);
                        let after = MS * self.chance.between(100, 9_000) as u32;
                        self.later(after, Coming::Media(MediaEvent::Digit { leg, digit }));
                    }
                }
            }
            MediaOrder::Stop(leg) => {
                self.playing.remove(&leg);
            }
            MediaOrder::Bridge(one, other) => {
                let open = self.supplies.open.lock().unwrap();
                assert_eq!(open.get(&one), open.get(&other), "legs of two calls were bridged");
                assert!(open.contains_key(&one), "a bridge of closed audio");
            }
            MediaOrder::Connect(..)
            | MediaOrder::Unbridge(_)
            | MediaOrder::SendDigit(..)
            | MediaOrder::Hold(..)
            | MediaOrder::CapturePause(..)
            | MediaOrder::CaptureStop(_) => {}
        }
    }
}
