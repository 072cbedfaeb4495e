//! Webhooks: what happens in rooms and how recordings come out, told to the addresses a tenant named, in `LiveKit`'s form and signed as
//! theirs, so that the receivers of its SDKs take it.
//!
//! Each address has a queue of its own in the database: events arrive in their order, a slow address holds up no
//! other, and a full queue drops what comes next and says so. An event that is not taken is sent again, each time
//! later, and given up after [`TRIES`]. What is not told when the daemon ends is told by the next.

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
use strowger_store::RoomWebhooks;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Events that wait to be handed to the queues of addresses; beyond, they are dropped.
const WAITING: usize = 4096;

/// How often an event is sent before it is given up: for about four minutes.
const TRIES: i64 = 10;

/// How long to wait before the second try; twice as long before each further one, up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest wait between two tries.
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait for a database that does not answer.
const DATABASE: Duration = Duration::from_secs(2);

/// How long a signature is good for.
const SIGNED_FOR: Duration = Duration::from_secs(5 * 60);

/// How often the queues are looked through for what workers wrote.
const LOOK: Duration = Duration::from_secs(2);

/// How often the task of a quiet address looks whether the address is still there.
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
            bells: HashMap::new(),
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
    /// The carriers' bells: one waiting ring says as much as many.
    bells: HashMap<WebhookId, mpsc::Sender<()>>,
    carriers: JoinSet<()>,
}

impl Herald {
    async fn run(
        mut self,
        mut rooms: broadcast::Receiver<strowger_rooms::RoomEvent>,
        mut heard: mpsc::Receiver<News>,
        end: CancellationToken,
    ) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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
                _ = look.tick() => self.ring_where_something_waits().await,
            }
        }
    }

    /// What an earlier run did not tell, and what workers have to tell: they write it beside the recording.
    async fn ring_where_something_waits(&mut self) {
        match self.access.store().webhooks_with_posts().await {
            Ok(left) => left.into_iter().for_each(|webhook| self.ring(webhook)),
            Err(error) => debug!(%error, "what waits for webhooks is looked for again"),
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
        let Ok(body) = serde_json::to_string(&event) else {
            return;
        };
        let area = self.access.store().tenant(tenant).room_webhooks();
        for webhook in webhooks {
            match area.post(webhook.id, &event.event, &body).await {
                Ok(true) => self.ring(webhook),
                Ok(false) => {
                    warn!(webhook = %webhook.id, "too much waits for this address: an event is dropped");
                }
                Err(error) => {
                    warn!(webhook = %webhook.id, %error, "an event cannot be kept for its address");
                }
            }
        }
    }

    /// Tells an address' task that something waits; starts the task if there is none.
    fn ring(&mut self, webhook: RoomWebhook) {
        let id = webhook.id;
        let alive = self.bells.get(&id).filter(|bell| !bell.is_closed());
        let bell = if let Some(bell) = alive {
            bell.clone()
        } else {
            let (bell, rung) = mpsc::channel(1);
            let carrier = Carrier {
                access: self.access.clone(),
                reach: Arc::clone(&self.reach),
                webhook,
            };
            self.carriers.spawn(carrier.run(rung));
            self.bells.retain(|_, bell| !bell.is_closed());
            self.bells.insert(id, bell.clone());
            bell
        };
        // A bell that rings already will be heard.
        let _ = bell.try_send(());
    }
}

/// Tells one address, one event after the other.
struct Carrier {
    access: Access,
    reach: Arc<Reach>,
    webhook: RoomWebhook,
}

impl Carrier {
    /// Until the address is removed.
    async fn run(self, mut bell: mpsc::Receiver<()>) {
        loop {
            match self.tell_next().await {
                Ok(true) => {}
                Ok(false) => match tokio::time::timeout(IDLE, bell.recv()).await {
                    Ok(Some(())) => {}
                    Ok(None) => return,
                    Err(_) => {
                        let listed = self.area().list().await;
                        if listed.is_ok_and(|known| known.iter().all(|known| known.id != self.webhook.id)) {
                            return;
                        }
                    }
                },
                Err(error) => {
                    warn!(webhook = %self.webhook.id, %error, "a webhook waits for the database");
                    tokio::time::sleep_until(Instant::now() + DATABASE).await;
                }
            }
        }
    }

    fn area(&self) -> RoomWebhooks {
        self.access.store().tenant(self.webhook.tenant).room_webhooks()
    }

    /// Tells the next event once, when it is due. Whether there was one.
    async fn tell_next(&self) -> strowger_store::Result<bool> {
        let area = self.area();
        let Some((post, body)) = area.next_post(self.webhook.id).await? else {
            return Ok(false);
        };
        let world = self.access.world();
        if let Ok(wait) = Duration::try_from(post.due_at - world.now()) {
            // A clock that was set back must not keep an event longer than any pause.
            tokio::time::sleep_until(Instant::now() + wait.min(LAST_PAUSE)).await;
        }
        match self.once(body.as_bytes()).await {
            Ok(()) => area.post_taken(self.webhook.id, post.number).await?,
            Err(fault) => {
                let tries = post.tries + 1;
                let again = (tries < TRIES && fault.may_pass()).then(|| world.now() + pause_after(tries));
                if again.is_some() {
                    debug!(webhook = %self.webhook.id, tries, %fault, "an event will be sent again");
                } else {
                    warn!(webhook = %self.webhook.id, tries, %fault, "an event was not taken");
                }
                area.post_failed(self.webhook.id, post.number, &fault.to_string(), again)
                    .await?;
            }
        }
        Ok(true)
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

/// How long to wait after so many tries.
fn pause_after(tries: i64) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or(0).min(6);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LAST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_a_minute() {
        let pauses: Vec<u64> = (1..TRIES).map(|tries| pause_after(tries).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
