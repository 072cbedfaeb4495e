//! Webhooks: what happens in rooms, told to the addresses a tenant named, in `LiveKit`'s form and signed as
//! theirs, so that the receivers of its SDKs take it.
//!
//! Each address has a queue of its own: events arrive in their order, a slow address holds up no other, and a
//! full queue drops what comes next and says so. An event that is not taken is sent again, each time later,
//! and given up after [`TRIES`]. The queues live in memory: what is not told when the daemon ends is lost.

mod event;
mod post;

pub use post::Reach;

use post::{Fault, Parcel};
use prost::Message as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use strowger_access::{Access, RoomClaims};
use strowger_model::record::RoomWebhook;
use strowger_model::{TenantId, WebhookId};
use strowger_rooms::RoomsHandle;
use strowger_rooms::protocol as wire;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Events that wait to be handed to the queues of addresses; beyond, they are dropped.
const WAITING: usize = 4096;

/// Events that wait for one address; beyond, they are dropped.
const WAITING_PER_ADDRESS: usize = 1000;

/// How often an event is sent before it is given up.
const TRIES: u32 = 8;

/// How long to wait before the second try; twice as long before each further one, up to a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long a signature is good for.
const SIGNED_FOR: Duration = Duration::from_secs(5 * 60);

/// A queue that heard nothing for so long is put away.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// The way to the webhooks for those who have something to tell. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    news: mpsc::Sender<News>,
}

type News = (TenantId, Box<wire::WebhookEvent>);

impl Webhooks {
    /// Starts telling what happens in `rooms`. `tasks` owns the task; `end` ends it.
    pub fn start(
        access: Access,
        rooms: &RoomsHandle,
        reach: Reach,
        tasks: &tokio_util::task::TaskTracker,
        end: CancellationToken,
    ) -> Self {
        let (news, heard) = mpsc::channel(WAITING);
        let herald = Herald {
            access,
            reach: Arc::new(reach),
            queues: HashMap::new(),
            carriers: JoinSet::new(),
        };
        tasks.spawn(herald.run(rooms.events(), heard, end));
        Self { news }
    }

    /// Tells something of a tenant's. Never waits: when too much waits already it is dropped.
    pub fn tell(&self, tenant: TenantId, event: wire::WebhookEvent) {
        if self.news.try_send((tenant, Box::new(event))).is_err() {
            warn!(%tenant, "too much waits to be told to webhooks: an event is dropped");
        }
    }
}

/// Hands what happens to the queues of the addresses that want to know.
struct Herald {
    access: Access,
    reach: Arc<Reach>,
    queues: HashMap<WebhookId, mpsc::Sender<Arc<[u8]>>>,
    carriers: JoinSet<()>,
}

impl Herald {
    async fn run(
        mut self,
        mut rooms: broadcast::Receiver<strowger_rooms::RoomEvent>,
        mut heard: mpsc::Receiver<News>,
        end: CancellationToken,
    ) {
        loop {
            // Every branch may be dropped half-way: receiving takes nothing out before it is done.
            tokio::select! {
                () = end.cancelled() => return,
                happened = rooms.recv() => match happened {
                    Ok(happened) => {
                        if let Some(event) = event::of(&happened) {
                            self.spread(happened.room.tenant, event).await;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        warn!(missed, "webhooks could not keep up with the rooms");
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some((tenant, event)) = heard.recv() => self.spread(tenant, *event).await,
                Some(_) = self.carriers.join_next() => {}
            }
        }
    }

    async fn spread(&mut self, tenant: TenantId, mut event: wire::WebhookEvent) {
        let webhooks = match self.access.store().tenant(tenant).room_webhooks().list().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                warn!(%tenant, %error, "cannot tell who is to be told");
                return;
            }
        };
        if webhooks.is_empty() {
            return;
        }
        let world = self.access.world();
        if event.id.is_empty() {
            event.id = format!("EV_{}", strowger_model::TrunkId::generate(world).uuid().simple());
        }
        if event.created_at == 0 {
            event.created_at = world.now().unix_timestamp();
        }
        debug!(%tenant, event = event.event, size_bytes = event.encoded_len(), "telling webhooks");
        let Ok(body) = serde_json::to_vec(&event) else { return };
        let body: Arc<[u8]> = body.into();
        for webhook in webhooks {
            self.queue(webhook, Arc::clone(&body));
        }
    }

    fn queue(&mut self, webhook: RoomWebhook, body: Arc<[u8]>) {
        let id = webhook.id;
        let alive = self.queues.get(&id).filter(|queue| !queue.is_closed());
        let queue = if let Some(queue) = alive {
            queue.clone()
        } else {
            let (queue, waiting) = mpsc::channel(WAITING_PER_ADDRESS);
            let carrier = Carrier {
                access: self.access.clone(),
                reach: Arc::clone(&self.reach),
                webhook,
            };
            self.carriers.spawn(carrier.run(waiting));
            self.queues.retain(|_, queue| !queue.is_closed());
            self.queues.insert(id, queue.clone());
            queue
        };
        if queue.try_send(body).is_err() {
            warn!(webhook = %id, "too much waits for this address: an event is dropped");
        }
    }
}

/// Tells one address, one event after the other.
struct Carrier {
    access: Access,
    reach: Arc<Reach>,
    webhook: RoomWebhook,
}

impl Carrier {
    async fn run(self, mut waiting: mpsc::Receiver<Arc<[u8]>>) {
        while let Ok(Some(body)) = tokio::time::timeout(IDLE, waiting.recv()).await {
            let outcome = self.deliver(&body).await;
            let problem = outcome.err().map(|fault| fault.to_string());
            if let Some(problem) = &problem {
                warn!(webhook = %self.webhook.id, %problem, "an event was not taken");
            }
            let told = self.access.store().tenant(self.webhook.tenant).room_webhooks();
            if let Err(error) = told.told(self.webhook.id, problem.as_deref()).await {
                warn!(%error, "cannot write how the telling went");
            }
        }
    }

    async fn deliver(&self, body: &[u8]) -> Result<(), Fault> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.once(body).await {
                Ok(()) => return Ok(()),
                Err(fault) if attempt == TRIES || !fault.may_pass() => return Err(fault),
                Err(fault) => debug!(webhook = %self.webhook.id, attempt, %fault, "will be sent again"),
            }
            tokio::time::sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(Duration::from_secs(60));
        }
        Ok(())
    }

    async fn once(&self, body: &[u8]) -> Result<(), Fault> {
        let claims = RoomClaims {
            sha256: post::sha256(body),
            ..RoomClaims::default()
        };
        let signed = self
            .access
            .sign_with_room_key(self.webhook.tenant, &self.webhook.key, &claims, SIGNED_FOR)
            .await;
        let authorization = match signed {
            Ok(Some(token)) => token,
            Ok(None) => return Err(Fault::Revoked),
            Err(_) => return Err(Fault::Unsigned),
        };
        let parcel = Parcel {
            url: &self.webhook.url,
            authorization: &authorization,
            body,
        };
        self.reach.post(&parcel).await
    }
}
