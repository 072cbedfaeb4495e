//! The task that owns the pool of workers, and the way to it.

use super::pool::{Output, Pool, WorkerKey, identity};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use strowger_access::{Access, RoomClaims, VideoGrant};
use strowger_model::TenantId;
use strowger_rooms::protocol as wire;
use strowger_rooms::{AgentBoard, AgentWorker, RoomEvent, RoomEventKind, RoomName, RoomsHandle, WANTS_AGENT};
use time::OffsetDateTime;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use wire::server_message::Message as ToWorker;
use wire::worker_message::Message as FromWorker;
use wire::{JobStatus, JobType};

/// Orders that wait; whoever orders more waits with them.
const ORDERS: usize = 1024;

/// News kept for a slow listener; one that is further behind misses the oldest and is told so.
const NEWS: usize = 256;

/// How long an agent's token lets it come in.
const TOKEN: Duration = Duration::from_secs(3600);

/// What became of a job.
#[derive(Debug, Clone)]
pub struct AgentNews {
    /// Where.
    pub room: RoomName,
    /// The agent that was sent for; empty: one without a name.
    pub agent_name: String,
    /// The job.
    pub job: String,
    /// Whether it failed for good: nobody is coming.
    pub failed: bool,
}

pub(super) enum Order {
    Register {
        tenant: TenantId,
        request: Box<wire::RegisterWorkerRequest>,
        line: mpsc::Sender<ToWorker>,
        reply: oneshot::Sender<Option<WorkerKey>>,
    },
    Said(WorkerKey, Box<FromWorker>),
    Gone(WorkerKey),
    Wish(RoomName, Vec<wire::RoomAgentDispatch>),
    Dispatch(
        RoomName,
        Box<wire::RoomAgentDispatch>,
        oneshot::Sender<wire::AgentDispatch>,
    ),
    List(RoomName, String, oneshot::Sender<Vec<wire::AgentDispatch>>),
    CallOff(RoomName, String, oneshot::Sender<Option<wire::AgentDispatch>>),
}

/// The way to the agents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Agents {
    orders: mpsc::Sender<Order>,
    news: broadcast::Sender<AgentNews>,
    board: AgentBoard,
}

impl Agents {
    /// Starts taking workers. `tasks` owns the task; `end` ends it.
    #[must_use]
    pub fn start(access: Access, rooms: &RoomsHandle, tasks: &TaskTracker, end: CancellationToken) -> Self {
        let (orders, asked) = mpsc::channel(ORDERS);
        let (news, _) = broadcast::channel(NEWS);
        let (board, shown) = AgentBoard::new();
        let seed = strowger_model::TokenId::generate(access.world())
            .uuid()
            .simple()
            .to_string();
        let desk = Desk {
            pool: Pool::new(seed.chars().skip(20).collect()),
            access,
            lines: HashMap::new(),
            since: HashMap::new(),
            news: news.clone(),
            board,
            next: 1,
        };
        tasks.spawn(desk.run(rooms.events(), asked, end));
        Self {
            orders,
            news,
            board: shown,
        }
    }

    /// The workers that stand by.
    #[must_use]
    pub fn board(&self) -> &AgentBoard {
        &self.board
    }

    /// What becomes of jobs from here on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<AgentNews> {
        self.news.subscribe()
    }

    /// Wants agents in a room once it begins; for a room that runs nothing happens.
    pub async fn wish(&self, room: RoomName, agents: Vec<wire::RoomAgentDispatch>) {
        if !agents.is_empty() {
            let _ = self.orders.send(Order::Wish(room, agents)).await;
        }
    }

    pub(super) async fn order(&self, order: Order) -> bool {
        self.orders.send(order).await.is_ok()
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.ok()?;
        answer.await.ok()
    }

    pub(super) async fn register(
        &self,
        tenant: TenantId,
        request: wire::RegisterWorkerRequest,
        line: mpsc::Sender<ToWorker>,
    ) -> Option<WorkerKey> {
        let request = Box::new(request);
        self.ask(|reply| Order::Register {
            tenant,
            request,
            line,
            reply,
        })
        .await?
    }

    pub(crate) async fn dispatch(&self, room: RoomName, agent: wire::RoomAgentDispatch) -> Option<wire::AgentDispatch> {
        self.ask(|reply| Order::Dispatch(room, Box::new(agent), reply)).await
    }

    pub(crate) async fn dispatches(&self, room: RoomName, id: String) -> Option<Vec<wire::AgentDispatch>> {
        self.ask(|reply| Order::List(room, id, reply)).await
    }

    pub(crate) async fn call_off(&self, room: RoomName, id: String) -> Option<wire::AgentDispatch> {
        self.ask(|reply| Order::CallOff(room, id, reply)).await?
    }
}

struct Desk {
    pool: Pool,
    access: Access,
    /// What is said to each worker; one that does not read is cut off.
    lines: HashMap<WorkerKey, mpsc::Sender<ToWorker>>,
    since: HashMap<WorkerKey, OffsetDateTime>,
    news: broadcast::Sender<AgentNews>,
    board: watch::Sender<Arc<[AgentWorker]>>,
    next: WorkerKey,
}

impl Desk {
    async fn run(
        mut self,
        mut rooms: broadcast::Receiver<RoomEvent>,
        mut asked: mpsc::Receiver<Order>,
        end: CancellationToken,
    ) {
        loop {
            let due = self.pool.poll_timeout().map(Instant::from_std);
            let alarm = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            // Every branch may be dropped half-way: receiving takes nothing out before it is done.
            tokio::select! {
                () = end.cancelled() => return,
                () = alarm => self.pool.handle_timeout(now()),
                order = asked.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                happened = rooms.recv() => match happened {
                    Ok(happened) => self.happened(&happened).await,
                    Err(broadcast::error::RecvError::Lagged(missed)) => warn!(missed, "agents could not keep up with the rooms"),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
            while let Some(output) = self.pool.poll_output() {
                self.perform(output).await;
            }
            self.show();
        }
    }

    /// Shows how the workers stand, where that changed.
    fn show(&self) {
        let unknown = OffsetDateTime::UNIX_EPOCH;
        let standing = self
            .pool
            .standing(|key| self.since.get(&key).copied().unwrap_or(unknown));
        self.board.send_if_modified(|shown| {
            let is_news = **shown != *standing;
            if is_news {
                *shown = standing.into();
            }
            is_news
        });
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Register {
                tenant,
                request,
                line,
                reply,
            } => {
                let key = self.next;
                self.next += 1;
                let agent_name = request.agent_name.clone();
                let taken = self.pool.register(key, tenant, *request, now());
                if taken {
                    info!(%tenant, agent_name, worker = key, "an agent worker is here");
                    self.lines.insert(key, line);
                    self.since.insert(key, self.access.world().now());
                }
                let _ = reply.send(taken.then_some(key));
            }
            Order::Said(key, message) => self.pool.said(key, *message, now()),
            Order::Gone(key) => {
                info!(worker = key, "an agent worker is gone");
                self.lines.remove(&key);
                self.since.remove(&key);
                self.pool.gone(key, now());
            }
            Order::Wish(room, agents) => self.pool.wish(room, agents),
            Order::Dispatch(room, agent, reply) => {
                let _ = reply.send(self.pool.dispatch(&room, *agent, now()));
            }
            Order::List(room, id, reply) => {
                let _ = reply.send(self.pool.dispatches_of(&room, &id));
            }
            Order::CallOff(room, id, reply) => {
                let _ = reply.send(self.pool.call_off(&room, &id));
            }
        }
    }

    async fn happened(&mut self, happened: &RoomEvent) {
        let name = &happened.room;
        match &happened.kind {
            RoomEventKind::Started(room) => self.pool.room_started(name, room.as_ref().clone(), now()),
            RoomEventKind::Finished(_) => self.pool.room_finished(name),
            RoomEventKind::Joined(person) => {
                self.pool.person(name, JobType::JtParticipant, person, now());
                if let Some(rule) = person.attributes.get("sip.ruleID") {
                    self.by_rule(name, rule).await;
                }
                self.by_flow(name, person);
            }
            RoomEventKind::TrackPublished { participant, .. } => {
                self.pool.person(name, JobType::JtPublisher, participant, now());
            }
            RoomEventKind::Left { .. }
            | RoomEventKind::TrackUnpublished { .. }
            | RoomEventKind::TrackMuted { .. }
            | RoomEventKind::ParticipantChanged(_)
            | RoomEventKind::RoomChanged(_)
            | RoomEventKind::Chat { .. }
            | RoomEventKind::Data { .. }
            | RoomEventKind::Knocked { .. }
            | RoomEventKind::Speakers(_) => {}
        }
    }

    /// A phone came by a dispatch rule that names agents: those that are not there are sent for.
    async fn by_rule(&mut self, room: &RoomName, rule: &str) {
        let found = self.access.store().tenant(room.tenant).dispatch_rules().get(rule).await;
        let Ok(Some(row)) = found else { return };
        let info: wire::SipDispatchRuleInfo = serde_json::from_value(row.definition).unwrap_or_default();
        let present = self.pool.dispatches_of(room, "");
        for agent in info.room_config.map(|config| config.agents).unwrap_or_default() {
            if !present.iter().any(|dispatch| dispatch.agent_name == agent.agent_name) {
                self.pool.dispatch(room, agent, now());
            }
        }
    }

    /// A phone came by a flow that names an agent. One without a name comes by itself.
    fn by_flow(&mut self, room: &RoomName, phone: &wire::ParticipantInfo) {
        if phone.kind != i32::from(wire::participant_info::Kind::Sip) {
            return;
        }
        let wanted = phone.attributes.get(WANTS_AGENT).filter(|name| *name != "*");
        if let Some(agent_name) = wanted.filter(|name| !self.pool.is_served(room, name)) {
            let agent = wire::RoomAgentDispatch {
                agent_name: agent_name.clone(),
                metadata: phone.metadata.clone(),
                ..wire::RoomAgentDispatch::default()
            };
            self.pool.dispatch(room, agent, now());
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Send(worker, message) => self.send(worker, *message),
            Output::Assign {
                worker,
                room,
                job,
                accepted,
                permission,
            } => {
                let claims = claims(&room, &accepted, &permission);
                match self.access.sign_room_token(room.tenant, &claims, Some(TOKEN)).await {
                    Ok((token, _)) => {
                        let assignment = wire::JobAssignment {
                            job: Some(*job),
                            url: None,
                            token,
                        };
                        self.send(worker, ToWorker::Assignment(assignment));
                    }
                    Err(error) => {
                        warn!(%error, "cannot sign an agent's token");
                        let update = wire::UpdateJobStatus {
                            job_id: job.id,
                            status: JobStatus::JsFailed.into(),
                            error: "no token".to_owned(),
                        };
                        self.pool.said(worker, FromWorker::UpdateJob(update), now());
                    }
                }
            }
            Output::News { room, job } => {
                let failed = job.state.as_ref().map(|state| state.status) == Some(JobStatus::JsFailed.into());
                info!(tenant = %room.tenant, job = job.id, agent_name = job.agent_name, failed, "an agent's job");
                // Nobody may be listening.
                let _ = self.news.send(AgentNews {
                    room,
                    agent_name: job.agent_name,
                    job: job.id,
                    failed,
                });
            }
        }
    }

    fn send(&mut self, worker: WorkerKey, message: ToWorker) {
        let full = self
            .lines
            .get(&worker)
            .is_some_and(|line| line.try_send(message).is_err());
        if full {
            // Its connection ends with the line, and says so.
            self.lines.remove(&worker);
        }
    }
}

fn claims(
    room: &RoomName,
    accepted: &wire::AvailabilityResponse,
    permission: &wire::ParticipantPermission,
) -> RoomClaims {
    RoomClaims {
        identity: identity(accepted),
        name: accepted.participant_name.clone(),
        kind: "agent".to_owned(),
        metadata: accepted.participant_metadata.clone(),
        attributes: accepted.participant_attributes.clone().into_iter().collect(),
        video: VideoGrant {
            room: room.name.clone(),
            room_join: true,
            agent: true,
            can_publish: Some(permission.can_publish),
            can_subscribe: Some(permission.can_subscribe),
            can_publish_data: Some(permission.can_publish_data),
            can_update_own_metadata: Some(permission.can_update_metadata),
            hidden: permission.hidden,
            ..VideoGrant::default()
        },
        ..RoomClaims::default()
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
