//! The task that drives the exchange. It waits, lets the exchange decide, and performs; it decides nothing.

use super::apps::Apps;
use super::bindings::{self, Change};
use super::board::Board;
use super::browsers::{self, Desk, Heard, Pages};
use super::captures::Captures;
use super::directory::DirectoryCache;
use super::handle::{Order, Transfer, Wish};
use super::journal::Journal;
use super::outward::Outward;
use super::rooms::{self, Stays};
use super::signalling::Word;
use super::supply::LiveSupply;
use super::trunks::{self, Trunks, Turn};
use crate::browser::{self, Browsers, Owner, Refused, TabId, Ticket};
use crate::call::MediaOrder;
use crate::directory::Directory;
use crate::exchange::{Exchange, Input, Output};
use crate::journal::{Entry, Finished};
use crate::standing::Revival;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_host::Shutdown;
use strowger_media::{MediaEvent, MediaHandle};
use strowger_model::{TenantId, TrunkId, World};
use strowger_rooms::RoomsHandle;
use strowger_sip::{Command, DialogKey, SipEvent, SipHandle, TrunkState};
use strowger_store::capture::CaptureSpool;
use strowger_store::{Actor, Store};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Captures that could not be opened and are not told yet. When it is full the call merely shows as
/// recording until its end.
const FAILURES: usize = 64;

/// How often the journal and the SIP side are tried again when they had no room.
const AGAIN: Duration = Duration::from_millis(20);

/// How often the task shows that it lives, at the least.
const BEAT: Duration = Duration::from_secs(2);

/// How long calls may take to end in order at the shutdown's hard stage.
const ENDING: Duration = Duration::from_secs(3);

struct Driver {
    exchange: Exchange,
    desk: Desk,
    shell: Shell,
    sides: mpsc::Receiver<Heard>,
    sip_events: mpsc::Receiver<SipEvent>,
    media_events: mpsc::Receiver<MediaEvent>,
    orders: mpsc::Receiver<Order>,
    failures: mpsc::Receiver<Input>,
    room_words: mpsc::Receiver<Input>,
    directory: watch::Receiver<Arc<Directory>>,
    soft: CancellationToken,
    hard: CancellationToken,
}

/// What outputs are performed with.
struct Shell {
    sip: SipHandle,
    media: MediaHandle,
    captures: Captures,
    rooms: Stays,
    apps: Apps,
    journal: Journal,
    board: Arc<Board>,
    bindings: mpsc::Sender<Change>,
    /// Who writes messages of calls down.
    signalling: mpsc::Sender<Word>,
    store: Store,
    world: Arc<dyn World>,
    tasks: TaskTracker,
    /// Commands that the SIP side had no room for, in order. It holds what running calls ask for, no more.
    unsent: VecDeque<Command>,
}

/// What the task is started with.
pub(super) struct Line {
    pub(super) store: Store,
    pub(super) spool: CaptureSpool,
    pub(super) directory: Arc<DirectoryCache>,
    pub(super) sip: SipHandle,
    pub(super) sip_events: mpsc::Receiver<SipEvent>,
    pub(super) media: MediaHandle,
    pub(super) media_events: mpsc::Receiver<MediaEvent>,
    pub(super) rooms: Option<RoomsHandle>,
    pub(super) outward: Outward,
    pub(super) pages: Arc<Pages>,
    pub(super) world: Arc<dyn World>,
    pub(super) most_calls: usize,
    pub(super) board: Arc<Board>,
    pub(super) journal: Journal,
    pub(super) signalling: mpsc::Sender<Word>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// What goes on of the calls of before.
    pub(super) revivals: Vec<Revival>,
}

pub(super) fn start(line: Line, shutdown: &Shutdown) {
    let supply = Arc::new(LiveSupply::new(
        line.sip.clone(),
        line.media.clone(),
        Arc::clone(&line.pages),
    ));
    let directory = line.directory.changes();
    let trunks = Trunks {
        sip: line.sip.clone(),
        supply: Arc::clone(&supply),
        board: Arc::clone(&line.board),
        world: Arc::clone(&line.world),
        cache: Arc::clone(&line.directory),
    };
    trunks.start(shutdown);
    let (failed, failures) = mpsc::channel(FAILURES);
    let (said, room_words) = mpsc::channel(rooms::SAID);
    let (heard, sides) = mpsc::channel(browsers::HEARD);
    let tasks = shutdown.tasks().clone();
    let desk = Desk::new(
        Browsers::new(Arc::clone(&line.world)),
        line.pages,
        line.rooms.clone(),
        line.media.clone(),
        heard,
        tasks.clone(),
    );
    let mut exchange = Exchange::new(
        Arc::clone(&line.world),
        supply,
        line.directory.current(),
        line.most_calls,
    );
    exchange.take_up(line.revivals, Instant::now());
    let driver = Driver {
        exchange,
        desk,
        sides,
        shell: Shell {
            captures: Captures::new(line.spool, line.media.clone(), failed),
            apps: Apps::new(
                line.outward,
                (line.store.clone(), Arc::clone(&line.world)),
                line.media.clone(),
                said.clone(),
                tasks.clone(),
            ),
            rooms: Stays::new(line.rooms, line.media.clone(), said, tasks.clone()),
            bindings: bindings::start(&line.store, shutdown),
            sip: line.sip,
            media: line.media,
            journal: line.journal,
            signalling: line.signalling,
            board: line.board,
            store: line.store,
            world: line.world,
            tasks,
            unsent: VecDeque::new(),
        },
        sip_events: line.sip_events,
        media_events: line.media_events,
        orders: line.orders,
        failures,
        room_words,
        directory,
        soft: shutdown.soft().clone(),
        hard: shutdown.hard().clone(),
    };
    shutdown.tasks().spawn(driver.run());
}

impl Driver {
    async fn run(mut self) {
        let mut ending: Option<Instant> = None;
        let mut drained = false;
        loop {
            self.perform();
            let now = Instant::now();
            self.shell.board.beat(now);
            if ending.is_some_and(|ending| self.exchange.is_over() || now >= ending) {
                self.shell.captures.close().await;
                return;
            }
            let wake = self.wake(ending);
            // Every branch either waits on a channel or a token, or sleeps: dropping it half-way loses nothing.
            tokio::select! {
                biased;
                () = self.hard.cancelled(), if ending.is_none() => {
                    ending = Some(Instant::now() + ENDING);
                    self.exchange.handle(Input::Shutdown, Instant::now());
                }
                () = self.soft.cancelled(), if !drained => {
                    drained = true;
                    self.exchange.handle(Input::Drain, Instant::now());
                }
                Some(event) = self.media_events.recv() => self.exchange.handle(Input::Media(event), Instant::now()),
                Some(event) = self.sip_events.recv() => self.sip(event),
                Some(order) = self.orders.recv() => self.order(order),
                Some(said) = self.room_words.recv() => self.exchange.handle(said, Instant::now()),
                Some(heard) = self.sides.recv() => match heard {
                    Heard::Deserted(key) => self.desk.browsers.deserted(key),
                    Heard::Digits(key, digits) => self.desk.browsers.pressed(key, &digits),
                },
                Some(failure) = self.failures.recv() => self.exchange.handle(failure, Instant::now()),
                Ok(()) = self.directory.changed() => {
                    let directory = Arc::clone(&self.directory.borrow_and_update());
                    self.exchange.handle(Input::Directory(directory), Instant::now());
                }
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            let now = Instant::now();
            if self.exchange.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.exchange.handle_timeout(now);
            }
        }
    }

    /// When to look again at the latest.
    fn wake(&mut self, ending: Option<Instant>) -> Instant {
        let now = Instant::now();
        let pushed = self.shell.journal.push() & self.shell.push_commands();
        let again = (!pushed).then(|| now + AGAIN);
        let call = self.exchange.poll_timeout().map(|(at, _)| at);
        let idle = now + BEAT;
        [again, call, ending].into_iter().flatten().min().unwrap_or(idle)
    }

    fn sip(&mut self, event: SipEvent) {
        match event {
            SipEvent::Bound { binding } => self.shell.binding(Change::Bound(binding)),
            SipEvent::Unbound { device, contact } => self.shell.binding(Change::Unbound(device, contact)),
            SipEvent::TrunkState { trunk, state } => {
                let turn = trunks::learned(&self.shell.board, self.shell.world.as_ref(), trunk, state.clone());
                if let Some(turn) = turn {
                    self.shell.turned(turn);
                }
                self.shell.pinged(trunk, &state);
                let event = SipEvent::TrunkState { trunk, state };
                self.exchange.handle(Input::Sip(event), Instant::now());
            }
            SipEvent::Incoming(_)
            | SipEvent::Progress { .. }
            | SipEvent::Answered { .. }
            | SipEvent::Failed { .. }
            | SipEvent::Confirmed { .. }
            | SipEvent::Reoffer { .. }
            | SipEvent::ReofferAnswered { .. }
            | SipEvent::ReofferFailed { .. }
            | SipEvent::Info { .. }
            | SipEvent::Refer { .. }
            | SipEvent::Cancelled { .. }
            | SipEvent::Ended { .. } => self.exchange.handle(Input::Sip(event), Instant::now()),
        }
    }

    fn order(&mut self, order: Order) {
        let now = Instant::now();
        // Whoever asked may have gone away meanwhile.
        match order {
            Order::Place(order, reply) => {
                let _ = reply.send(self.exchange.place(*order, now));
            }
            Order::DialInto(order, into, reply) => {
                let _ = reply.send(self.exchange.dial_into(*order, *into, now));
            }
            Order::Transfer(transfer, reply) => {
                let Transfer {
                    tenant,
                    call,
                    to,
                    ring_timeout,
                } = *transfer;
                let _ = reply.send(self.exchange.transfer(tenant, call, &to, ring_timeout, now));
            }
            Order::Page(owner, reply) => {
                let opened = self.desk.open(owner);
                let tab = opened.as_ref().ok().map(|(tab, _)| *tab);
                // Whoever is gone by now needs no page.
                if let (Err(_), Some(tab)) = (reply.send(opened), tab) {
                    self.desk.close(tab);
                }
            }
            Order::PageGone(tab) => self.desk.close(tab),
            Order::Browse(owner, tab, wish, reply) => {
                let _ = reply.send(self.browse(owner, tab, wish, now));
            }
            Order::Steer(tenant, call, steer, reply) => {
                let _ = reply.send(self.exchange.steer(tenant, call, steer, now));
            }
        }
    }

    fn browse(
        &mut self,
        owner: Owner,
        tab: Option<TabId>,
        wish: Wish,
        now: Instant,
    ) -> Result<Option<Ticket>, Refused> {
        let browsers = &mut self.desk.browsers;
        match wish {
            Wish::Dial(_) if browsers.is_busy(owner) => Err(Refused::Busy),
            Wish::Dial(to) => {
                let key = self.shell.sip.new_dialog();
                let call = self.exchange.call_from_browser(key, owner, &to, now)?;
                Ok(Some(browsers.placed(key, owner, tab, call, &to)))
            }
            Wish::Ask(call, ask) => browsers.ask(owner, tab, call, &ask),
            Wish::HandOver(call, to) => {
                let key = browsers.dialog(owner, call).ok_or(Refused::NoCall)?;
                if !browsers.is_up(key) {
                    return Err(Refused::NotNow);
                }
                if self.exchange.hand_over(call, key, &to, now) {
                    Ok(None)
                } else {
                    Err(Refused::NoRoute)
                }
            }
        }
    }

    fn perform(&mut self) {
        loop {
            if let Some(output) = self.exchange.poll_output() {
                if let Some((key, order)) = self.shell.perform(output) {
                    self.desk.browsers.handle(key, order);
                }
            } else if let Some(output) = self.desk.browsers.poll_output() {
                if let Some((key, said)) = self.desk.perform(output) {
                    self.exchange.handle(Input::Browser(key, said), Instant::now());
                }
            } else {
                break;
            }
        }
        metrics::gauge!("strowger_calls_live").set(self.exchange.count() as f64);
    }
}

impl Shell {
    /// Performs an output, unless it is for a browser: then it comes back.
    fn perform(&mut self, output: Output) -> Option<(DialogKey, browser::Order)> {
        match output {
            Output::Sip(command) => {
                self.unsent.push_back(command);
                self.push_commands();
            }
            Output::Media(order) => self.media(order),
            Output::Room(tenant, call, order) => self.rooms.perform(tenant, call, order),
            Output::App(tenant, call, order) => self.apps.perform(tenant, call, order),
            Output::Browser(key, order) => return Some((key, order)),
            Output::Capture(meta, streams) => self.captures.open(meta, streams),
            Output::Tap(capture, tap) => self.captures.tap(capture, tap),
            Output::CaptureEnd(capture) => self.captures.end(capture),
            Output::Journal(tenant, entry) => self.journal(tenant, entry),
            Output::Tell(event) => self.board.tell(*event),
            Output::Owned(dialog, owner) => self.word(Word::Owned(dialog, owner)),
            Output::Over(dialog) => self.word(Word::Over(dialog)),
            Output::CrossedTenant { tenant, dialled } => self.crossed(tenant, dialled),
        }
        None
    }

    /// When there is no room a dialog's messages are not kept.
    fn word(&self, word: Word) {
        if self.signalling.try_send(word).is_err() {
            metrics::counter!("strowger_signalling_dropped_total").increment(1);
        }
    }

    /// Hands over what the SIP side has room for. Whether all of it went.
    fn push_commands(&mut self) -> bool {
        while let Some(command) = self.unsent.pop_front() {
            if let Err(command) = self.sip.try_send(command) {
                self.unsent.push_front(command);
                return false;
            }
        }
        true
    }

    fn media(&self, order: MediaOrder) {
        let media = &self.media;
        match order {
            MediaOrder::Connect(leg, negotiated) => media.connect(leg, negotiated),
            MediaOrder::Bridge(one, other) => media.bridge(one, other),
            MediaOrder::Unbridge(leg) => media.unbridge(leg),
            MediaOrder::Play {
                leg,
                play,
                samples,
                repeat,
            } => media.play(leg, play, samples, repeat),
            MediaOrder::Stop(leg) => media.stop(leg),
            MediaOrder::SendDigit(leg, digit) => media.send_digits(leg, digit.encode_utf8(&mut [0; 4])),
            MediaOrder::Hold(leg, held) => media.hold(leg, held),
            MediaOrder::CapturePause(leg, paused) => media.capture_pause(leg, paused),
            MediaOrder::CaptureStop(leg) => media.capture_stop(leg),
            MediaOrder::Close(leg) => media.close(leg),
        }
    }

    /// A call's end is written once its captures are complete, because the work on them begins with it.
    fn journal(&mut self, tenant: TenantId, entry: Entry) {
        let Entry::Finish(mut finished) = entry else {
            self.journal.write(tenant, entry);
            return;
        };
        let endings: Vec<_> = finished
            .taken
            .iter()
            .map(|taken| self.captures.ending(taken.capture))
            .collect();
        if endings.is_empty() {
            self.journal.write(tenant, Entry::Finish(finished));
            return;
        }
        let journal = self.journal.another();
        self.tasks.spawn(async move {
            let mut problems = Vec::new();
            for ending in endings {
                problems.push(match ending {
                    Some(ending) => ending.await.unwrap_or(None),
                    None => None,
                });
            }
            say_what_failed(&mut finished, problems);
            journal.write_waiting(tenant, Entry::Finish(finished)).await;
        });
    }

    fn binding(&self, change: Change) {
        if self.bindings.try_send(change).is_err() {
            warn!("too many registrations at once; one is kept at its next refresh");
        }
    }

    /// A trunk went down or came back: the tenant finds it among its notices.
    fn turned(&self, turn: Turn) {
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let notices = store.tenant(turn.tenant).notices();
            if let Err(problem) = notices.write(None, turn.kind, &turn.detail).await {
                warn!(
                    problem = &problem as &dyn std::error::Error,
                    "a notice could not be written"
                );
            }
        });
    }

    /// A trunk has answered a ping or has not: its history remembers.
    fn pinged(&self, trunk: TrunkId, state: &TrunkState) {
        let latency = match state {
            TrunkState::Up { latency } => Some(*latency),
            TrunkState::Unreachable { .. } => None,
            TrunkState::Registered { .. } | TrunkState::Failed { .. } | TrunkState::Unregistered => return,
        };
        let Some(tenant) = self.board.state().trunks.get(&trunk).map(|view| view.tenant) else {
            return;
        };
        let (store, now) = (self.store.clone(), self.world.now());
        self.tasks.spawn(async move {
            if let Err(problem) = store.tenant(tenant).trunks().pinged(trunk, now, latency).await {
                warn!(
                    problem = &problem as &dyn std::error::Error,
                    "a trunk's health could not be written"
                );
            }
        });
    }

    fn crossed(&self, tenant: TenantId, dialled: String) {
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let audit = store.tenant(tenant).audit();
            let written = audit
                .write(&Actor::system(), "call.cross_tenant", &dialled, "refused")
                .await;
            if let Err(problem) = written {
                warn!(
                    problem = &problem as &dyn std::error::Error,
                    "an audit line could not be written"
                );
            }
        });
    }
}

/// Says of each capture why nothing can be made of it, if that is so; a message without sound is none.
fn say_what_failed(finished: &mut Finished, problems: Vec<Option<String>>) {
    for (taken, problem) in finished.taken.iter_mut().zip(problems) {
        taken.problem = problem;
    }
    let has_sound = |recording| {
        let mut taken = finished.taken.iter();
        taken.any(|taken| taken.recording == recording && taken.problem.is_none())
    };
    if finished
        .message
        .as_ref()
        .is_some_and(|message| !has_sound(message.recording))
    {
        finished.message = None;
    }
}
