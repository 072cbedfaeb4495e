//! What the rest of the daemon holds: every order to every room.

use super::ended::Ended;
use super::keeper::{Keeper, Order};
use super::ports::{self, Ports};
use super::roads::Roads;
use super::streams::{self, Streams};
use super::{Link, Shared};
use crate::RoomName;
use crate::claims::{Grants, Role};
use crate::config::{RoomOptions, RoomsConfig};
use crate::error::{JoinRefused, RoomError};
use crate::event::RoomEvent;
use crate::peer::{Door, Identity};
use crate::protocol as wire;
use crate::room::{Arrival, Ground, SessionKey};
use crate::signal::Generation;
use crate::tap::{Tap, TapFilter, TapId};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use strowger_model::{TenantId, World};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// Responses that may wait for a client; one that reads so slowly is cut off and may resume.
const RESPONSES: usize = 512;

/// Events kept for a slow listener; one that is further behind misses the oldest and is told so.
const EVENTS: usize = 4096;

/// A browser, or a program with a client library, asks to come in.
#[derive(Debug)]
pub struct JoinBrowser {
    /// Where to.
    pub room: RoomName,
    /// What its token allows.
    pub grants: Grants,
    /// Which way of connecting it knows.
    pub generation: Generation,
    /// What it says of itself; for [`Generation::Two`] made from the query.
    pub request: wire::JoinRequest,
    /// The participant sid of the session it wants to go on with.
    pub resume: Option<String>,
    /// Where its signalling comes from.
    pub client_address: Option<SocketAddr>,
}

/// A signalling session of a browser. Dropping `responses` is losing the connection: the participant stays
/// for a while and may resume.
#[derive(Debug)]
pub struct Session {
    /// Where its requests go.
    pub requests: SignalSink,
    /// What to send it, in order. When it ends the connection is to be closed. Bounded: a client that does
    /// not read is cut off and may resume.
    pub responses: mpsc::Receiver<wire::SignalResponse>,
    /// Who it is.
    pub participant_sid: String,
}

/// Where a session's requests go.
#[derive(Debug)]
pub struct SignalSink {
    orders: mpsc::Sender<Order>,
    session: SessionKey,
}

impl SignalSink {
    /// Hands a request to the room; waits while the room is busy. `false`: the session is over.
    pub async fn send(&self, request: wire::SignalRequest) -> bool {
        let session = self.session;
        let order: Order = Box::new(move |keeper, now| keeper.room.signal(session, request, now));
        self.orders.send(order).await.is_ok()
    }
}

impl Drop for SignalSink {
    /// The connection is gone. When the letter box is full the room notices by itself within a second.
    fn drop(&mut self) {
        let session = self.session;
        let order: Order = Box::new(move |keeper, now| {
            keeper.sessions.remove(&session);
            keeper.room.session_lost(session, now);
        });
        if self.orders.try_send(order).is_err() {
            debug!("a room was too busy to hear that a session ended");
        }
    }
}

/// Every order to every room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RoomsHandle {
    pub(super) shared: Arc<Shared>,
}

impl RoomsHandle {
    /// Opens the ports and starts. `tasks` owns every task; `end` ends them all.
    ///
    /// # Errors
    /// A port that cannot be opened.
    pub async fn start(
        config: RoomsConfig,
        world: Arc<dyn World>,
        tasks: &TaskTracker,
        end: CancellationToken,
    ) -> std::io::Result<Self> {
        let ports = Ports::open(&config).await?;
        let (events, _) = broadcast::channel(EVENTS);
        let shared = Arc::new(Shared {
            ground: Arc::new(Ground {
                limits: config.limits,
                local: ports.local,
                identity: Identity::generate(),
                turn: config.turn,
            }),
            world,
            tasks: tasks.clone(),
            end,
            events,
            rooms: Mutex::default(),
            numbers: AtomicU64::new(1),
            ended: Ended::default(),
            roads: Roads::default(),
            streams: Streams::default(),
            udp: ports.udp,
        });
        tasks.spawn(ports::read(Arc::clone(&shared)));
        if let Some(listener) = ports.tcp {
            tasks.spawn(streams::accept(listener, Arc::clone(&shared)));
        }
        Ok(Self { shared })
    }

    /// Where media arrives.
    #[must_use]
    pub fn udp_address(&self) -> Option<SocketAddr> {
        self.shared.udp.local_addr().ok()
    }

    /// The UDP addresses browsers are told.
    #[must_use]
    pub fn media_addresses(&self) -> Vec<SocketAddr> {
        let local = self.shared.ground.local.iter();
        local
            .filter(|known| known.door == Door::Udp)
            .map(|known| known.address)
            .collect()
    }

    /// Does something with a room that runs.
    pub(super) async fn with<R: Send + 'static>(
        &self,
        room: &RoomName,
        order: impl FnOnce(&mut Keeper, Instant) -> R + Send + 'static,
    ) -> Result<R, RoomError> {
        let link = self.shared.find(room).ok_or(RoomError::NoRoom)?;
        give(&link, order).await
    }

    /// Does something with a room, which is made if it does not run.
    pub(super) async fn with_made<R: Send + 'static>(
        &self,
        room: &RoomName,
        options: RoomOptions,
        order: impl FnOnce(&mut Keeper, Instant) -> R + Send + 'static,
    ) -> Result<(R, Link), RoomError> {
        let link = self.shared.find_or_make(room, options)?;
        Ok((give(&link, order).await?, link))
    }

    /// Whether somebody's token still counts: a meeting that was ended does not rise again because the client of
    /// somebody who was in it, and was away just then, connects again. Whoever comes through the door opens it anew.
    ///
    /// # Errors
    /// `Over`.
    pub fn is_open_to(&self, room: &RoomName, grants: &Grants) -> Result<(), JoinRefused> {
        if grants.by_door && self.shared.ended.has(room) {
            return Err(JoinRefused::Over);
        }
        Ok(())
    }

    /// Lets a browser in. The first makes the room.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn join(&self, join: JoinBrowser) -> Result<Session, JoinRefused> {
        if join.resume.is_some() && self.shared.find(&join.room).is_none() {
            return Err(JoinRefused::UnknownSession);
        }
        self.may_make(&join.room).map_err(refused)?;
        self.is_open_to(&join.room, &join.grants)?;
        let options = options_of(&join.grants);
        let arrival = Arrival {
            grants: join.grants,
            generation: join.generation,
            request: join.request,
            resume: join.resume,
        };
        let (sender, responses) = mpsc::channel(RESPONSES);
        let ((joined, _), link) = self
            .with_made(&join.room, options, move |keeper, now| {
                let joined = keeper.room.join(arrival, now);
                if let Ok(joined) = &joined {
                    keeper.sessions.insert(joined.session, sender);
                }
                (joined, ())
            })
            .await
            .map_err(refused)?;
        let joined = joined?;
        Ok(Session {
            requests: SignalSink {
                orders: link.orders,
                session: joined.session,
            },
            responses,
            participant_sid: joined.sid,
        })
    }

    /// Makes a room, or changes the options of one that runs.
    ///
    /// # Errors
    /// The machine is at its limit.
    pub async fn create(&self, room: &RoomName, options: RoomOptions) -> Result<wire::Room, RoomError> {
        self.may_make(room)?;
        self.shared.ended.forget(room);
        let known = self.shared.find(room).is_some();
        let asked = options.clone();
        let order = move |keeper: &mut Keeper, _: Instant| {
            if known {
                keeper.room.apply_options(asked);
            }
            keeper.room.describe()
        };
        Ok(self.with_made(room, options, order).await?.0)
    }

    /// The running rooms of a tenant; with `names`, those among them.
    pub async fn list(&self, tenant: TenantId, names: &[String]) -> Vec<wire::Room> {
        let links: Vec<Link> = {
            let rooms = self.shared.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = rooms
                .iter()
                .filter(|(name, _)| name.tenant == tenant && !name.is_line())
                .filter(|(name, _)| names.is_empty() || names.contains(&name.name));
            asked.map(|(_, link)| link.clone()).collect()
        };
        let mut found = Vec::with_capacity(links.len());
        for link in links {
            // A room that ends meanwhile is not there.
            if let Ok(room) = give(&link, |keeper, _| keeper.room.describe()).await {
                found.push(room);
            }
        }
        found.sort_by_key(|room| room.creation_time_ms);
        found
    }

    /// One running room.
    pub async fn room(&self, room: &RoomName) -> Option<wire::Room> {
        self.with(room, |keeper, _| keeper.room.describe()).await.ok()
    }

    /// How many rooms run on this machine.
    #[must_use]
    pub fn count(&self) -> usize {
        let rooms = self.shared.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.len()
    }

    /// Ends a room; everybody is told to leave.
    ///
    /// # Errors
    /// No such room.
    pub async fn delete(&self, room: &RoomName) -> Result<(), RoomError> {
        let link = self.shared.find(room).ok_or(RoomError::NoRoom)?;
        self.shared.ended.note(room);
        give(&link, |keeper, now| {
            keeper.room.end(wire::DisconnectReason::RoomDeleted, now)
        })
        .await
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// No such room.
    pub async fn participants(&self, room: &RoomName) -> Result<Vec<wire::ParticipantInfo>, RoomError> {
        self.with(room, |keeper, _| keeper.room.participants()).await
    }

    /// One participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn participant(&self, room: &RoomName, identity: &str) -> Result<wire::ParticipantInfo, RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.participant(&identity))
            .await?
    }

    /// Removes a participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn remove(&self, room: &RoomName, identity: &str) -> Result<(), RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, now| keeper.room.expel(&identity, now))
            .await?
    }

    /// Mutes a track, or lets it be heard again. From then on none of its packets are forwarded.
    ///
    /// # Errors
    /// No such room, participant or track.
    pub async fn mute_track(
        &self,
        room: &RoomName,
        identity: &str,
        track_sid: &str,
        muted: bool,
    ) -> Result<wire::TrackInfo, RoomError> {
        let (identity, sid) = (identity.to_owned(), track_sid.to_owned());
        self.with(room, move |keeper, now| {
            keeper.room.mute_track(&identity, &sid, muted, now)
        })
        .await?
    }

    /// Mutes every microphone of those who do not steer the meeting, save `except`; how many.
    ///
    /// # Errors
    /// No such room.
    pub async fn mute_all(&self, room: &RoomName, except: &str) -> Result<usize, RoomError> {
        let except = except.to_owned();
        self.with(room, move |keeper, now| keeper.room.mute_all(&except, now))
            .await
    }

    /// Changes name, metadata, attributes or permission of a participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn update_participant(
        &self,
        room: &RoomName,
        request: wire::UpdateParticipantRequest,
    ) -> Result<wire::ParticipantInfo, RoomError> {
        self.with(room, |keeper, now| keeper.room.update_participant(request, now))
            .await?
    }

    /// Subscribes a participant to tracks, or ends that.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn update_subscriptions(
        &self,
        room: &RoomName,
        request: wire::UpdateSubscriptionsRequest,
    ) -> Result<(), RoomError> {
        self.with(room, |keeper, now| keeper.room.update_subscriptions(request, now))
            .await?
    }

    /// Sends data to a room's members in the server's name.
    ///
    /// # Errors
    /// No such room.
    pub async fn send_data(&self, room: &RoomName, request: wire::SendDataRequest) -> Result<(), RoomError> {
        self.with(room, |keeper, now| keeper.room.send_data(request, now)).await
    }

    /// Changes what a room says of itself.
    ///
    /// # Errors
    /// No such room.
    pub async fn update_metadata(&self, room: &RoomName, metadata: String) -> Result<wire::Room, RoomError> {
        self.with(room, |keeper, _| keeper.room.update_metadata(metadata)).await
    }

    /// Moves a participant to another room of the same tenant, which must run. The client comes in anew there
    /// with `token`, which the caller signs for that room.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn move_participant(
        &self,
        room: &RoomName,
        identity: &str,
        destination: &str,
        token: String,
    ) -> Result<(), RoomError> {
        let there = RoomName::new(room.tenant, destination);
        self.room(&there).await.ok_or(RoomError::NoRoom)?;
        let identity = identity.to_owned();
        self.with(room, move |keeper, now| keeper.room.send_away(&identity, token, now))
            .await?
    }

    /// Calls a method of a participant and waits for its answer.
    ///
    /// # Errors
    /// No such room or participant, no answer, or an answer that says no.
    pub async fn perform_rpc(&self, room: &RoomName, request: wire::PerformRpcRequest) -> Result<String, RoomError> {
        let (sender, answer) = oneshot::channel();
        self.with(room, move |keeper, now| {
            let number = keeper.room.call(request, now)?;
            keeper.answers.insert(number, sender);
            Ok(())
        })
        .await??;
        answer.await.unwrap_or(Err(RoomError::NoRoom))
    }

    /// Locks a room, or opens it: while locked, only hosts and moderators come in.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_lock(&self, room: &RoomName, locked: bool) -> Result<(), RoomError> {
        self.with(room, move |keeper, _| keeper.room.set_lock(locked)).await
    }

    /// Whether others wait until they are admitted. Switching it off admits all who wait.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_waiting_room(&self, room: &RoomName, on: bool) -> Result<(), RoomError> {
        self.with(room, move |keeper, _| keeper.room.set_waiting_room(on)).await
    }

    /// Asks whether somebody may come in now; when they must wait they are put on the list.
    ///
    /// # Errors
    /// Why they may not: `Waiting`, `Locked`, `Full`.
    pub async fn knock(&self, room: &RoomName, grants: &Grants) -> Result<(), JoinRefused> {
        let grants = grants.clone();
        let options = options_of(&grants);
        let (knocked, _) = self
            .with_made(room, options, move |keeper, _| keeper.room.knock(&grants))
            .await
            .map_err(refused)?;
        knocked
    }

    /// Who waits: identity and name.
    ///
    /// # Errors
    /// No such room.
    pub async fn waiting(&self, room: &RoomName) -> Result<Vec<(String, String)>, RoomError> {
        self.with(room, |keeper, _| keeper.room.waiting()).await
    }

    /// Admits somebody who waits.
    ///
    /// # Errors
    /// No such room; nobody of that identity waits.
    pub async fn admit(&self, room: &RoomName, identity: &str) -> Result<(), RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.admit(&identity)).await?
    }

    /// Turns away somebody who waits.
    ///
    /// # Errors
    /// No such room; nobody of that identity waits.
    pub async fn turn_away(&self, room: &RoomName, identity: &str) -> Result<(), RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.turn_away(&identity))
            .await?
    }

    /// What a participant may do by now.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn grants(&self, room: &RoomName, identity: &str) -> Result<Grants, RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.grants_of(&identity))
            .await?
    }

    /// The part a participant plays.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn role(&self, room: &RoomName, identity: &str) -> Result<Role, RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.role(&identity)).await?
    }

    /// Gives a participant another part.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn set_role(&self, room: &RoomName, identity: &str, role: Role) -> Result<(), RoomError> {
        let identity = identity.to_owned();
        self.with(room, move |keeper, _| keeper.room.set_role(&identity, role))
            .await?
    }

    /// Marks a room as being recorded, or not: all members are told.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_recording(&self, room: &RoomName, recording: bool) -> Result<(), RoomError> {
        self.with(room, move |keeper, _| keeper.room.set_recording(recording))
            .await
    }

    /// Hands the packets of tracks to `tap` until [`RoomsHandle::untap`], its own wish, or the room's end.
    ///
    /// # Errors
    /// No such room.
    pub async fn tap(&self, room: &RoomName, filter: TapFilter, tap: Box<dyn Tap>) -> Result<TapId, RoomError> {
        self.with(room, move |keeper, now| keeper.room.tap(filter, tap, now))
            .await
    }

    /// Ends a tap.
    pub async fn untap(&self, room: &RoomName, tap: TapId) {
        if self
            .with(room, move |keeper, now| keeper.room.untap(tap, now))
            .await
            .is_err()
        {
            debug!("a tap was ended after its room");
        }
    }

    /// What happens in rooms from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RoomEvent> {
        self.shared.events.subscribe()
    }
}

/// Gives an order to a room's task and waits until it is carried out.
async fn give<R: Send + 'static>(
    link: &Link,
    order: impl FnOnce(&mut Keeper, Instant) -> R + Send + 'static,
) -> Result<R, RoomError> {
    let (sender, done) = oneshot::channel();
    let order: Order = Box::new(move |keeper, now| {
        // Nobody waits any more when whoever ordered it was cancelled.
        let _ = sender.send(order(keeper, now));
    });
    link.orders.send(order).await.map_err(|_| RoomError::NoRoom)?;
    done.await.map_err(|_| RoomError::NoRoom)
}

pub(super) fn refused(error: RoomError) -> JoinRefused {
    match error {
        RoomError::Full => JoinRefused::Full,
        RoomError::NotAllowed => JoinRefused::NotAllowed,
        RoomError::NoRoom
        | RoomError::NoParticipant
        | RoomError::NoTrack
        | RoomError::Invalid(_)
        | RoomError::TimedOut
        | RoomError::Answered { .. }
        | RoomError::NotRunning => JoinRefused::NotRunning,
    }
}

/// How a room is made when the bearer of these grants is the first to come.
pub(super) fn options_of(grants: &Grants) -> RoomOptions {
    let Some(config) = &grants.room_config else {
        return RoomOptions::default();
    };
    RoomOptions {
        empty_timeout_s: config.empty_timeout,
        departure_timeout_s: config.departure_timeout,
        max_participants: config.max_participants,
        metadata: config.metadata.clone(),
        tags: config.tags.clone().into_iter().collect(),
        ..RoomOptions::default()
    }
}
