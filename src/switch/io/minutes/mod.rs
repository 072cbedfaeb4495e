//! One task writes the minutes of all meetings and leads their recordings.
//!
//! It follows what rooms say. When it was too slow and events were lost it looks at how the rooms stand
//! and writes what follows from that; only chat lines that fell into the gap are gone, and it says so.
//! While the database does not answer it waits, and the rooms' own bound counts. Nobody in a room waits
//! for it. Recordings are tasks of their own ([`recording`]).

mod listener;
mod recording;

pub use recording::{Asked, RecordError, Started};

use crate::minutes::{Clerk, Note, Standing};
use recording::{Recorder, Running};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use strowger_host::Shutdown;
use strowger_model::meeting::RecordingPolicy;
use strowger_model::{RecordingId, TenantId, World};
use strowger_rooms::{Role, RoomEvent, RoomEventKind, RoomName, RoomsHandle, TapFilter};
use strowger_store::capture::CaptureSpool;
use strowger_store::{Scope, Store};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// Wishes of programs and hosts that wait. When it is full they are told that we are busy.
const WISHES: usize = 64;
/// How long to wait before a row is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long recordings may take to end at the shutdown.
const LAST: Duration = Duration::from_secs(5);

/// What somebody wants of the recorder.
enum Wish {
    Start(Box<Asked>, oneshot::Sender<Result<Started, RecordError>>),
    Stop(TenantId, RecordingId, oneshot::Sender<bool>),
    Running(RoomName, oneshot::Sender<Vec<RecordingId>>),
}

/// Lets hosts and programs record rooms. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RoomRecorder {
    wishes: mpsc::Sender<Wish>,
}

impl std::fmt::Debug for Wish {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Wish")
    }
}

impl RoomRecorder {
    /// Begins a recording; its row stands and its key is durable once this returns.
    ///
    /// # Errors
    /// There is no such room, recording is not allowed or not possible, or too much is asked at once.
    pub async fn start(&self, asked: Asked) -> Result<Started, RecordError> {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Start(Box::new(asked), reply);
        self.wishes.try_send(wish).map_err(|_| RecordError::Busy)?;
        answer.await.unwrap_or(Err(RecordError::Busy))
    }

    /// Ends a recording of a tenant. Returns whether it ran.
    pub async fn stop(&self, tenant: TenantId, recording: RecordingId) -> bool {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Stop(tenant, recording, reply);
        self.wishes.try_send(wish).is_ok() && answer.await.unwrap_or(false)
    }

    /// Begins to record a room for its host, or ends every recording of it. Returns whether that could be.
    pub async fn record(&self, room: RoomName, on: bool) -> bool {
        let running = self.running(&room).await;
        if on {
            let asked = Asked {
                room,
                what: TapFilter::AllAudio,
                name: String::new(),
                asked_by: "host",
                egress: None,
            };
            return !running.is_empty() || self.start(asked).await.is_ok();
        }
        let mut stopped = false;
        for recording in running {
            stopped |= self.stop(room.tenant, recording).await;
        }
        stopped
    }

    /// The recordings of a room that run.
    pub async fn running(&self, room: &RoomName) -> Vec<RecordingId> {
        let (reply, answer) = oneshot::channel();
        if self.wishes.try_send(Wish::Running(room.clone(), reply)).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }
}

/// Starts the task.
pub(super) fn start(
    rooms: RoomsHandle,
    store: &Store,
    spool: &CaptureSpool,
    world: &Arc<dyn World>,
    shutdown: &Shutdown,
) -> RoomRecorder {
    let (wishes, wished) = mpsc::channel(WISHES);
    let clerk = Clerk::default();
    let recorder = Recorder {
        rooms: rooms.clone(),
        store: store.clone(),
        spool: spool.clone(),
        world: Arc::clone(world),
        presences: clerk.presences().clone(),
    };
    let keeper = Keeper {
        events: rooms.events(),
        rooms,
        store: store.clone(),
        world: Arc::clone(world),
        clerk,
        recorder,
        running: HashMap::new(),
        tasks: JoinSet::new(),
    };
    shutdown.tasks().spawn(keeper.run(wished, shutdown.clone()));
    RoomRecorder { wishes }
}

struct Keeper {
    rooms: RoomsHandle,
    events: broadcast::Receiver<RoomEvent>,
    store: Store,
    world: Arc<dyn World>,
    clerk: Clerk,
    recorder: Recorder,
    running: HashMap<RecordingId, Running>,
    /// Recordings; each gives its id back when it has ended.
    tasks: JoinSet<RecordingId>,
}

impl Keeper {
    async fn run(mut self, mut wished: mpsc::Receiver<Wish>, shutdown: Shutdown) {
        loop {
            // Every branch only takes a value out of a queue: none is lost half-way.
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => self.heard(&event, &shutdown).await,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        warn!(missed, "the minutes are behind; looking at how the rooms stand");
                        metrics::counter!("strowger_minutes_missed_events_total").increment(missed);
                        self.look(&shutdown).await;
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                Some(wish) = wished.recv() => self.wish(wish, &shutdown).await,
                Some(ended) = self.tasks.join_next() => self.ended(ended).await,
                () = shutdown.hard().cancelled() => break,
            }
        }
        self.close(&shutdown).await;
    }

    async fn heard(&mut self, event: &RoomEvent, shutdown: &Shutdown) {
        let role = match &event.kind {
            RoomEventKind::Joined(participant) | RoomEventKind::ParticipantChanged(participant) => {
                self.rooms.role(&event.room, &participant.identity).await.ok()
            }
            RoomEventKind::Started(_)
            | RoomEventKind::Finished(_)
            | RoomEventKind::Left { .. }
            | RoomEventKind::TrackPublished { .. }
            | RoomEventKind::TrackUnpublished { .. }
            | RoomEventKind::TrackMuted { .. }
            | RoomEventKind::RoomChanged(_)
            | RoomEventKind::Chat { .. }
            | RoomEventKind::Data { .. }
            | RoomEventKind::Knocked { .. }
            | RoomEventKind::Speakers(_) => None,
        };
        let notes = self.clerk.heard(event, role, self.world.as_ref());
        self.write(event.room.tenant, notes, shutdown).await;
    }

    /// Shows the clerk how all rooms stand.
    async fn look(&mut self, shutdown: &Shutdown) {
        // What is in the queue is older than what is seen now.
        self.events = self.events.resubscribe();
        let tenants = loop {
            match self.store.tenants().list(&strowger_store::Page::first(1000)).await {
                Ok(page) => break page.items,
                Err(problem) => {
                    if !self.wait(&problem, shutdown).await {
                        return;
                    }
                }
            }
        };
        for tenant in tenants {
            let mut standing = Vec::new();
            for room in self.rooms.list(tenant.id, &[]).await {
                let name = RoomName::new(tenant.id, room.name.clone());
                let mut members = Vec::new();
                for member in self.rooms.participants(&name).await.unwrap_or_default() {
                    let role = self.rooms.role(&name, &member.identity).await;
                    members.push((member, role.unwrap_or(Role::Participant)));
                }
                standing.push(Standing { name, room, members });
            }
            let notes = self
                .clerk
                .agree(tenant.id, &standing, self.world.now(), self.world.as_ref());
            self.write(tenant.id, notes, shutdown).await;
        }
    }

    /// Writes notes in their order, each until it stands.
    async fn write(&mut self, tenant: TenantId, notes: Vec<Note>, shutdown: &Shutdown) {
        let scope = self.store.tenant(tenant);
        for note in notes {
            while let Err(problem) = written(&scope, &note).await {
                if !self.wait(&problem, shutdown).await {
                    error!("the minutes of a meeting end early: the database did not answer until the end");
                    return;
                }
            }
            // The first member is there: before, there is nobody to hear.
            if let Note::Changed(minutes) = note
                && minutes.peak == 1
            {
                self.policy(RoomName::new(tenant, minutes.room)).await;
            }
        }
    }

    /// Waits for the database. Returns whether to go on.
    async fn wait(&self, problem: &strowger_store::Error, shutdown: &Shutdown) -> bool {
        warn!(
            problem = problem as &dyn std::error::Error,
            "the minutes of a meeting wait for the database"
        );
        tokio::time::timeout(RETRY, shutdown.hard().cancelled()).await.is_err()
    }

    /// Records a meeting that is to be recorded without being asked.
    async fn policy(&mut self, room: RoomName) {
        if self.running.values().any(|running| running.room == room) {
            return;
        }
        match self.recorder.policy(&room).await {
            Ok(RecordingPolicy::Always) => {
                let (reply, _) = oneshot::channel();
                let asked = Asked {
                    room,
                    what: TapFilter::AllAudio,
                    name: String::new(),
                    asked_by: "settings",
                    egress: None,
                };
                self.begin(asked, reply);
            }
            Ok(RecordingPolicy::OnRequest | RecordingPolicy::Never) => {}
            Err(problem) => warn!(
                problem = &problem as &dyn std::error::Error,
                "cannot read whether a meeting is to be recorded: it is not"
            ),
        }
    }

    async fn wish(&mut self, wish: Wish, shutdown: &Shutdown) {
        match wish {
            Wish::Start(asked, reply) => {
                // A program may ask for a room that it has just made, before we heard of it.
                if self.clerk.meeting(&asked.room).is_none() {
                    while let Ok(event) = self.events.try_recv() {
                        self.heard(&event, shutdown).await;
                    }
                }
                match self.recorder.policy(&asked.room).await {
                    Ok(RecordingPolicy::Never) => {
                        let _ = reply.send(Err(RecordError::Forbidden));
                    }
                    Ok(RecordingPolicy::OnRequest | RecordingPolicy::Always) => self.begin(*asked, reply),
                    Err(problem) => {
                        let _ = reply.send(Err(RecordError::Store(problem)));
                    }
                }
            }
            Wish::Stop(tenant, recording, reply) => {
                let running = self.running.get(&recording);
                let running = running.filter(|running| running.room.tenant == tenant);
                if let Some(running) = running {
                    running.stop.cancel();
                }
                let _ = reply.send(running.is_some());
            }
            Wish::Running(room, reply) => {
                let running = self.running.iter().filter(|(_, running)| running.room == room);
                let _ = reply.send(running.map(|(recording, _)| *recording).collect());
            }
        }
    }

    fn begin(&mut self, asked: Asked, reply: oneshot::Sender<Result<Started, RecordError>>) {
        let Some(minutes) = self.clerk.meeting(&asked.room) else {
            let _ = reply.send(Err(RecordError::NoRoom));
            return;
        };
        let recording = RecordingId::generate(self.world.as_ref());
        let running = Running::new(asked.room.clone());
        let task = self
            .recorder
            .clone()
            .run(recording, minutes.clone(), asked, running.stop.clone(), reply);
        self.running.insert(recording, running);
        self.tasks.spawn(task);
    }

    async fn ended(&mut self, ended: Result<RecordingId, tokio::task::JoinError>) {
        let Ok(recording) = ended else {
            error!("the task of a recording broke");
            return;
        };
        let Some(gone) = self.running.remove(&recording) else {
            return;
        };
        if !self.running.values().any(|running| running.room == gone.room) {
            // The room may be over.
            let _ = self.rooms.set_recording(&gone.room, false).await;
        }
    }

    /// The daemon ends: so does every meeting, and every recording gets its end mark.
    async fn close(mut self, shutdown: &Shutdown) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let tenants: HashMap<_, _> = self
            .clerk
            .meetings()
            .map(|minutes| (minutes.call, minutes.tenant))
            .collect();
        for note in self.clerk.close(self.world.now()) {
            let Note::Ended(call, _) = &note else { continue };
            let Some(tenant) = tenants.get(call) else { continue };
            self.write(*tenant, vec![note], shutdown).await;
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST, all).await.is_err() {
            info!("some recordings of meetings have no end mark; the next start goes on with them");
        }
    }
}

async fn written(scope: &Scope, note: &Note) -> strowger_store::Result<()> {
    let area = scope.minutes();
    match note {
        Note::Began(_, minutes) => {
            let known = scope.meetings().named(&minutes.room).await?;
            let mut minutes = minutes.clone();
            if let Some(known) = known {
                minutes.title = known.title;
            }
            area.begin(&minutes).await
        }
        Note::Changed(minutes) => area.progress(minutes).await,
        Note::Member(member) => area.member(member).await,
        Note::Wrote(call, line) => area.wrote(*call, line).await,
        Note::Ended(call, at) => area.finish(*call, *at).await,
    }
}
