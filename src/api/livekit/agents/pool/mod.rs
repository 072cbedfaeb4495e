//! Which agent does which job: workers, jobs and dispatches as one value. What happens goes in, what to say to
//! workers comes out; time is a parameter.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};
use strowger_model::TenantId;
use strowger_rooms::protocol as wire;
use strowger_rooms::{AgentWorker, RoomName};
use time::OffsetDateTime;
use wire::server_message::Message as ToWorker;
use wire::worker_message::Message as FromWorker;
use wire::{JobRestartPolicy, JobStatus, JobType, WorkerStatus};

/// How long a worker may think about a job before another is asked.
const THINKS: Duration = Duration::from_secs(7);

/// How long a job waits for a worker before it is given up.
const WAITS: Duration = Duration::from_secs(10);

/// How often a job is begun.
const TRIES: u32 = 3;

/// The most wishes for rooms that have not begun; the oldest is forgotten first.
const WISHES: usize = 1000;

/// The most workers of one tenant.
const WORKERS: usize = 200;

/// Names a worker's connection.
pub(super) type WorkerKey = u64;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    /// Say this to a worker.
    Send(WorkerKey, Box<ToWorker>),
    /// Sign a token for the agent and hand the worker its job.
    Assign {
        worker: WorkerKey,
        room: RoomName,
        job: Box<wire::Job>,
        accepted: Box<wire::AvailabilityResponse>,
        permission: Box<wire::ParticipantPermission>,
    },
    /// A job began or failed for good.
    News { room: RoomName, job: Box<wire::Job> },
}

#[derive(Debug)]
struct Worker {
    tenant: TenantId,
    id: String,
    kind: JobType,
    agent_name: String,
    version: String,
    permission: wire::ParticipantPermission,
    available: bool,
    load: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody could be asked; given up then.
    Waiting { until: Instant },
    /// A worker was asked; another is asked then.
    Offered { to: WorkerKey, until: Instant },
    /// A worker does it.
    Held { by: WorkerKey },
    /// It is done, or given up.
    Over,
}

#[derive(Debug)]
struct Entry {
    room: RoomName,
    job: wire::Job,
    kind: JobType,
    may_restart: bool,
    tries: u32,
    asked: BTreeSet<WorkerKey>,
    stage: Stage,
}

#[derive(Debug)]
struct Dispatched {
    room: RoomName,
    dispatch: wire::AgentDispatch,
}

/// Workers, jobs and dispatches.
#[derive(Debug)]
pub(super) struct Pool {
    seed: String,
    made: u64,
    workers: BTreeMap<WorkerKey, Worker>,
    jobs: BTreeMap<String, Entry>,
    dispatches: BTreeMap<String, Dispatched>,
    running: BTreeMap<RoomName, wire::Room>,
    wishes: VecDeque<(RoomName, Vec<wire::RoomAgentDispatch>)>,
    output: VecDeque<Output>,
}

impl Pool {
    /// An empty one; `seed` tells its ids from those of an earlier run.
    pub(super) fn new(seed: String) -> Self {
        Self {
            seed,
            made: 0,
            workers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            dispatches: BTreeMap::new(),
            running: BTreeMap::new(),
            wishes: VecDeque::new(),
            output: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When to call [`Pool::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = |entry: &Entry| match entry.stage {
            Stage::Waiting { until } | Stage::Offered { until, .. } => Some(until),
            Stage::Held { .. } | Stage::Over => None,
        };
        self.jobs.values().filter_map(due).min()
    }

    fn say(&mut self, worker: WorkerKey, message: ToWorker) {
        self.output.push_back(Output::Send(worker, Box::new(message)));
    }

    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}{:05}", self.seed, self.made)
    }

    /// A worker registers; `false`: the tenant has too many.
    pub(super) fn register(
        &mut self,
        key: WorkerKey,
        tenant: TenantId,
        request: wire::RegisterWorkerRequest,
        now: Instant,
    ) -> bool {
        if self.workers.values().filter(|worker| worker.tenant == tenant).count() >= WORKERS {
            return false;
        }
        let id = self.id("AW");
        let everything = wire::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_update_metadata: true,
            ..wire::ParticipantPermission::default()
        };
        let worker = Worker {
            tenant,
            id: id.clone(),
            kind: JobType::try_from(request.r#type).unwrap_or(JobType::JtRoom),
            agent_name: request.agent_name,
            version: request.version,
            permission: request.allowed_permissions.unwrap_or(everything),
            available: true,
            load: 0.0,
        };
        self.workers.insert(key, worker);
        let welcome = wire::RegisterWorkerResponse {
            worker_id: id,
            server_info: Some(wire::ServerInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: 16,
                ..wire::ServerInfo::default()
            }),
            ..wire::RegisterWorkerResponse::default()
        };
        self.say(key, ToWorker::Register(welcome));
        self.offer_all(now);
        true
    }

    /// The workers as they stand, oldest first. Since when is the caller's to say.
    pub(super) fn standing(&self, since: impl Fn(WorkerKey) -> OffsetDateTime) -> Vec<AgentWorker> {
        let held = |key: WorkerKey| {
            self.jobs
                .values()
                .filter(move |entry| matches!(entry.stage, Stage::Held { by } if by == key))
        };
        let standing = self.workers.iter().map(|(key, worker)| AgentWorker {
            tenant: worker.tenant,
            id: worker.id.clone(),
            agent_name: worker.agent_name.clone(),
            version: worker.version.clone(),
            kind: match worker.kind {
                JobType::JtRoom => "room",
                JobType::JtPublisher => "publisher",
                JobType::JtParticipant => "participant",
            },
            is_available: worker.available,
            load: worker.load,
            jobs: held(*key).count(),
            since: since(*key),
        });
        standing.collect()
    }

    /// A worker said something.
    pub(super) fn said(&mut self, key: WorkerKey, message: FromWorker, now: Instant) {
        match message {
            FromWorker::Register(_) | FromWorker::SimulateJob(_) => {}
            FromWorker::Availability(answer) => self.answered(key, answer, now),
            FromWorker::UpdateWorker(status) => {
                if let Some(worker) = self.workers.get_mut(&key) {
                    let full = status.status == Some(WorkerStatus::WsFull.into());
                    worker.available = !full && !status.draining;
                    worker.load = status.load;
                }
                self.offer_all(now);
            }
            FromWorker::UpdateJob(update) => self.job_changed(key, &update, now),
            FromWorker::Ping(ping) => {
                let pong = wire::WorkerPong {
                    last_timestamp: ping.timestamp,
                    timestamp: ping.timestamp,
                };
                self.say(key, ToWorker::Pong(pong));
            }
            FromWorker::MigrateJob(request) => {
                for id in request.job_ids {
                    self.dropped(&id, key, "the worker gave it away", now);
                }
            }
        }
    }

    /// A worker's connection is gone: its jobs go to others.
    pub(super) fn gone(&mut self, key: WorkerKey, now: Instant) {
        self.workers.remove(&key);
        let held: Vec<String> = self
            .jobs
            .iter()
            .filter(|(_, entry)| is_with(entry, key))
            .map(|(id, _)| id.clone())
            .collect();
        for id in held {
            self.dropped(&id, key, "the worker is gone", now);
        }
    }

    fn answered(&mut self, key: WorkerKey, answer: wire::AvailabilityResponse, now: Instant) {
        let Some(entry) = self.jobs.get_mut(&answer.job_id) else {
            return;
        };
        if !matches!(entry.stage, Stage::Offered { to, .. } if to == key) {
            return;
        }
        let Some(worker) = self.workers.get(&key) else { return };
        if answer.terminate {
            entry.stage = Stage::Over;
            return;
        }
        if !answer.available {
            self.offer(&answer.job_id, now);
            return;
        }
        entry.stage = Stage::Held { by: key };
        entry.tries += 1;
        let state = entry.job.state.get_or_insert_default();
        state.worker_id.clone_from(&worker.id);
        state.participant_identity = identity(&answer);
        state.status = JobStatus::JsRunning.into();
        self.output.push_back(Output::Assign {
            worker: key,
            room: entry.room.clone(),
            job: Box::new(entry.job.clone()),
            accepted: Box::new(answer),
            permission: Box::new(worker.permission.clone()),
        });
        let (room, job) = (entry.room.clone(), Box::new(entry.job.clone()));
        self.output.push_back(Output::News { room, job });
    }

    fn job_changed(&mut self, key: WorkerKey, update: &wire::UpdateJobStatus, now: Instant) {
        match JobStatus::try_from(update.status).unwrap_or(JobStatus::JsRunning) {
            JobStatus::JsPending | JobStatus::JsRunning => {}
            JobStatus::JsSuccess => {
                let held = self.jobs.get_mut(&update.job_id).filter(|entry| is_with(entry, key));
                if let Some(entry) = held {
                    entry.stage = Stage::Over;
                    entry.job.state.get_or_insert_default().status = JobStatus::JsSuccess.into();
                }
            }
            JobStatus::JsFailed => self.dropped(&update.job_id, key, &update.error, now),
        }
    }

    /// A worker no longer does a job: another is asked, unless it was tried often enough.
    fn dropped(&mut self, id: &str, key: WorkerKey, why: &str, now: Instant) {
        let Some(entry) = self.jobs.get_mut(id).filter(|entry| is_with(entry, key)) else {
            return;
        };
        let state = entry.job.state.get_or_insert_default();
        why.clone_into(&mut state.error);
        state.status = JobStatus::JsPending.into();
        let offered = matches!(entry.stage, Stage::Offered { .. });
        if offered || (entry.may_restart && entry.tries < TRIES) {
            self.offer(id, now);
        } else {
            self.give_up(id, why);
        }
    }

    fn give_up(&mut self, id: &str, why: &str) {
        let Some(entry) = self.jobs.get_mut(id) else { return };
        entry.stage = Stage::Over;
        let state = entry.job.state.get_or_insert_default();
        state.status = JobStatus::JsFailed.into();
        if state.error.is_empty() {
            why.clone_into(&mut state.error);
        }
        let (room, job) = (entry.room.clone(), Box::new(entry.job.clone()));
        self.output.push_back(Output::News { room, job });
    }

    /// Asks the least loaded worker that was not asked yet; with none, the job waits.
    fn offer(&mut self, id: &str, now: Instant) {
        let Some(entry) = self.jobs.get_mut(id) else { return };
        let fits = |(key, worker): &(&WorkerKey, &Worker)| {
            worker.available
                && worker.tenant == entry.room.tenant
                && worker.kind == entry.kind
                && worker.agent_name == entry.job.agent_name
                && !entry.asked.contains(*key)
        };
        let found = self
            .workers
            .iter()
            .filter(fits)
            .min_by(|(_, left), (_, right)| left.load.total_cmp(&right.load));
        let Some((key, _)) = found else {
            if !matches!(entry.stage, Stage::Waiting { .. }) {
                entry.stage = Stage::Waiting { until: now + WAITS };
                // Those who said no, or lost it, may be asked again once something changes.
                entry.asked.clear();
            }
            return;
        };
        let key = *key;
        entry.asked.insert(key);
        entry.stage = Stage::Offered {
            to: key,
            until: now + THINKS,
        };
        let question = wire::AvailabilityRequest {
            job: Some(entry.job.clone()),
            resuming: entry.tries > 0,
        };
        self.say(key, ToWorker::Availability(question));
    }

    fn offer_all(&mut self, now: Instant) {
        let waiting = |entry: &Entry| matches!(entry.stage, Stage::Waiting { .. });
        let ids: Vec<String> = self
            .jobs
            .iter()
            .filter(|(_, entry)| waiting(entry))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.offer(&id, now);
        }
    }

    /// A deadline came.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let late = |entry: &Entry| match entry.stage {
            Stage::Waiting { until } | Stage::Offered { until, .. } => until <= now,
            Stage::Held { .. } | Stage::Over => false,
        };
        let ids: Vec<String> = self
            .jobs
            .iter()
            .filter(|(_, entry)| late(entry))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            match self.jobs.get(&id).map(|entry| entry.stage) {
                Some(Stage::Waiting { .. }) => self.give_up(&id, "no worker takes the job"),
                Some(Stage::Offered { .. }) => self.offer(&id, now),
                Some(Stage::Held { .. } | Stage::Over) | None => {}
            }
        }
    }

    /// Agents wanted in a room once it begins.
    pub(super) fn wish(&mut self, room: RoomName, agents: Vec<wire::RoomAgentDispatch>) {
        if agents.is_empty() || self.running.contains_key(&room) {
            return;
        }
        if self.wishes.len() >= WISHES {
            self.wishes.pop_front();
        }
        self.wishes.retain(|(other, _)| *other != room);
        self.wishes.push_back((room, agents));
    }

    /// A room began: the agents that were wished for come, and those without a name.
    pub(super) fn room_started(&mut self, name: &RoomName, room: wire::Room, now: Instant) {
        self.running.insert(name.clone(), room);
        let mut wanted = Vec::new();
        if let Some(at) = self.wishes.iter().position(|(other, _)| other == name) {
            wanted = self.wishes.remove(at).map(|(_, agents)| agents).unwrap_or_default();
        }
        let nameless = |worker: &Worker| {
            worker.tenant == name.tenant && worker.agent_name.is_empty() && worker.kind == JobType::JtRoom
        };
        if wanted.iter().all(|agent| !agent.agent_name.is_empty()) && self.workers.values().any(nameless) {
            wanted.push(wire::RoomAgentDispatch::default());
        }
        for agent in wanted {
            self.dispatch(name, agent, now);
        }
    }

    /// A room is over: so are its jobs.
    pub(super) fn room_finished(&mut self, name: &RoomName) {
        self.running.remove(name);
        self.dispatches.retain(|_, dispatched| dispatched.room != *name);
        let over: Vec<String> = self
            .jobs
            .iter()
            .filter(|(_, entry)| entry.room == *name)
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.end(&id);
        }
    }

    fn end(&mut self, id: &str) {
        if let Some(entry) = self.jobs.remove(id)
            && let Stage::Held { by } = entry.stage
        {
            let end = wire::JobTermination { job_id: id.to_owned() };
            self.say(by, ToWorker::Termination(end));
        }
    }

    /// Somebody came or publishes: workers that serve participants or publishers get a job for them.
    pub(super) fn person(&mut self, name: &RoomName, kind: JobType, person: &wire::ParticipantInfo, now: Instant) {
        if person.kind == i32::from(wire::participant_info::Kind::Agent) {
            return;
        }
        let known = |entry: &Entry| {
            let same = entry
                .job
                .participant
                .as_ref()
                .is_some_and(|other| other.sid == person.sid);
            entry.room == *name && entry.kind == kind && same
        };
        let served =
            |worker: &Worker| worker.tenant == name.tenant && worker.kind == kind && worker.agent_name.is_empty();
        if self.workers.values().any(served) && !self.jobs.values().any(known) {
            let agent = wire::RoomAgentDispatch::default();
            self.begin(name, "", &agent, (kind, Some(person.clone())), now);
        }
    }

    /// Sends for an agent.
    pub(super) fn dispatch(
        &mut self,
        name: &RoomName,
        agent: wire::RoomAgentDispatch,
        now: Instant,
    ) -> wire::AgentDispatch {
        let id = self.id("AD");
        let dispatch = wire::AgentDispatch {
            id: id.clone(),
            agent_name: agent.agent_name.clone(),
            room: name.name.clone(),
            metadata: agent.metadata.clone(),
            restart_policy: agent.restart_policy,
            attributes: agent.attributes.clone(),
            state: Some(wire::AgentDispatchState::default()),
            ..wire::AgentDispatch::default()
        };
        let room = name.clone();
        self.dispatches.insert(id.clone(), Dispatched { room, dispatch });
        self.begin(name, &id, &agent, (JobType::JtRoom, None), now);
        self.dispatches_of(name, &id).into_iter().next().unwrap_or_default()
    }

    /// The dispatches of a room, with their jobs; with an id, that one.
    pub(super) fn dispatches_of(&self, name: &RoomName, id: &str) -> Vec<wire::AgentDispatch> {
        let wanted =
            |dispatched: &&Dispatched| dispatched.room == *name && (id.is_empty() || dispatched.dispatch.id == id);
        let whole = |dispatched: &Dispatched| {
            let jobs = self
                .jobs
                .values()
                .filter(|entry| entry.job.dispatch_id == dispatched.dispatch.id);
            let mut dispatch = dispatched.dispatch.clone();
            dispatch.state.get_or_insert_default().jobs = jobs.map(|entry| entry.job.clone()).collect();
            dispatch
        };
        self.dispatches.values().filter(wanted).map(whole).collect()
    }

    /// Whether an agent of that name is in a room or on its way there.
    pub(super) fn is_served(&self, name: &RoomName, agent_name: &str) -> bool {
        let served = |entry: &Entry| {
            entry.room == *name && entry.job.agent_name == agent_name && !matches!(entry.stage, Stage::Over)
        };
        self.jobs.values().any(served)
    }

    /// Calls an agent off.
    pub(super) fn call_off(&mut self, name: &RoomName, id: &str) -> Option<wire::AgentDispatch> {
        let found = self
            .dispatches_of(name, id)
            .into_iter()
            .next()
            .filter(|_| !id.is_empty())?;
        self.dispatches.remove(id);
        for job in found.state.iter().flat_map(|state| &state.jobs) {
            self.end(&job.id);
        }
        Some(found)
    }

    fn begin(
        &mut self,
        name: &RoomName,
        dispatch: &str,
        agent: &wire::RoomAgentDispatch,
        (kind, participant): (JobType, Option<wire::ParticipantInfo>),
        now: Instant,
    ) {
        let id = self.id("AJ");
        let fallback = wire::Room {
            name: name.name.clone(),
            ..wire::Room::default()
        };
        let job = wire::Job {
            id: id.clone(),
            dispatch_id: dispatch.to_owned(),
            r#type: kind.into(),
            room: Some(self.running.get(name).cloned().unwrap_or(fallback)),
            participant,
            metadata: agent.metadata.clone(),
            agent_name: agent.agent_name.clone(),
            attributes: agent.attributes.clone(),
            state: Some(wire::JobState::default()),
            ..wire::Job::default()
        };
        let entry = Entry {
            room: name.clone(),
            job,
            kind,
            may_restart: agent.restart_policy != i32::from(JobRestartPolicy::JrpNever),
            tries: 0,
            asked: BTreeSet::new(),
            stage: Stage::Over,
        };
        self.jobs.insert(id.clone(), entry);
        self.offer(&id, now);
    }
}

fn is_with(entry: &Entry, key: WorkerKey) -> bool {
    match entry.stage {
        Stage::Offered { to, .. } => to == key,
        Stage::Held { by } => by == key,
        Stage::Waiting { .. } | Stage::Over => false,
    }
}

/// Who the agent is within the room: what the worker said or, without that, made from the job.
pub(super) fn identity(accepted: &wire::AvailabilityResponse) -> String {
    if accepted.participant_identity.is_empty() {
        format!("agent-{}", accepted.job_id)
    } else {
        accepted.participant_identity.clone()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests start from the clock and add to it")]
mod tests;
