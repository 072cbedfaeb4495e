//! What the rest of the daemon holds: every order to every room.

use crate::RoomName;
use crate::claims::{Grants, Role};
use crate::config::{RoomOptions, RoomsConfig};
use crate::error::{JoinRefused, RoomError};
use crate::event::RoomEvent;
use crate::protocol as wire;
use crate::signal::Generation;
use crate::tap::{Tap, TapFilter, TapId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use strowger_media::AudioPort;
use strowger_model::{TenantId, World};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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

/// A phone comes in.
#[derive(Debug)]
pub struct JoinPhone {
    /// Where to.
    pub room: RoomName,
    /// Who it is within the room.
    pub identity: String,
    /// What to show.
    pub name: String,
    /// Free text others see.
    pub metadata: String,
    /// Pairs others see, `sip.*` among them.
    pub attributes: BTreeMap<String, String>,
    /// What it may do; identity, name, metadata and attributes are taken from above.
    pub grants: Grants,
    /// Its audio.
    pub port: AudioPort,
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
pub struct SignalSink {}

impl SignalSink {
    /// Hands a request to the room; waits while the room is busy. `false`: the session is over.
    pub async fn send(&self, _request: wire::SignalRequest) -> bool {
        false
    }
}

/// A phone that is in a room. Dropping `events` does not end it; [`RoomsHandle::leave_phone`] does.
#[derive(Debug)]
pub struct PhoneSession {
    /// Its participant sid.
    pub sid: String,
    /// Its track's sid.
    pub track_sid: String,
    /// What happens to it. Bounded: when the reader is that far behind the newest is dropped.
    pub events: mpsc::Receiver<PhoneEvent>,
}

/// What happens to a phone in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhoneEvent {
    /// It was removed: hang up.
    Removed {
        /// Why.
        reason: wire::DisconnectReason,
    },
    /// The room ended: hang up.
    RoomEnded,
    /// The room muted it, or lets it speak again.
    Muted(bool),
    /// Somebody pressed keys for it.
    Digits(String),
}

/// Every order to every room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RoomsHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    events: broadcast::Sender<RoomEvent>,
}

impl RoomsHandle {
    /// Opens the ports and starts. `tasks` owns every task; `end` ends them all.
    ///
    /// # Errors
    /// A port that cannot be opened.
    pub async fn start(
        _config: RoomsConfig,
        _world: Arc<dyn World>,
        _tasks: &TaskTracker,
        _end: CancellationToken,
    ) -> std::io::Result<Self> {
        let (events, _) = broadcast::channel(EVENTS);
        Ok(Self {
            shared: Arc::new(Shared { events }),
        })
    }

    /// Where media arrives.
    #[must_use]
    pub fn udp_address(&self) -> Option<SocketAddr> {
        None
    }

    /// Lets a browser in. The first makes the room.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn join(&self, _join: JoinBrowser) -> Result<Session, JoinRefused> {
        Err(JoinRefused::NotRunning)
    }

    /// Lets a phone in. The first makes the room.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn join_phone(&self, _join: JoinPhone) -> Result<PhoneSession, JoinRefused> {
        Err(JoinRefused::NotRunning)
    }

    /// A phone pressed keys: the room's members are told.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_digits(&self, _room: &RoomName, _sid: &str, _digits: &str) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// A phone's attributes changed; an empty value removes one.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_attributes(
        &self,
        _room: &RoomName,
        _sid: &str,
        _attributes: BTreeMap<String, String>,
    ) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// A phone muted itself, or speaks again.
    ///
    /// # Errors
    /// No such room or phone.
    pub async fn phone_mute(&self, _room: &RoomName, _sid: &str, _muted: bool) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// A phone hung up.
    pub async fn leave_phone(&self, _room: &RoomName, _sid: &str, _reason: wire::DisconnectReason) {}

    /// Makes a room, or changes the options of one that runs.
    ///
    /// # Errors
    /// The machine is at its limit.
    pub async fn create(&self, _room: &RoomName, _options: RoomOptions) -> Result<wire::Room, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// The running rooms of a tenant; with `names`, those among them.
    pub async fn list(&self, _tenant: TenantId, _names: &[String]) -> Vec<wire::Room> {
        Vec::new()
    }

    /// One running room.
    pub async fn room(&self, _room: &RoomName) -> Option<wire::Room> {
        None
    }

    /// How many rooms run on this machine.
    #[must_use]
    pub fn count(&self) -> usize {
        0
    }

    /// Ends a room; everybody is told to leave.
    ///
    /// # Errors
    /// No such room.
    pub async fn delete(&self, _room: &RoomName) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// No such room.
    pub async fn participants(&self, _room: &RoomName) -> Result<Vec<wire::ParticipantInfo>, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// One participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn participant(&self, _room: &RoomName, _identity: &str) -> Result<wire::ParticipantInfo, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Removes a participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn remove(&self, _room: &RoomName, _identity: &str) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Mutes a track, or lets it be heard again. From then on none of its packets are forwarded.
    ///
    /// # Errors
    /// No such room, participant or track.
    pub async fn mute_track(
        &self,
        _room: &RoomName,
        _identity: &str,
        _track_sid: &str,
        _muted: bool,
    ) -> Result<wire::TrackInfo, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Mutes every microphone of those who do not steer the meeting, save `except`; how many.
    ///
    /// # Errors
    /// No such room.
    pub async fn mute_all(&self, _room: &RoomName, _except: &str) -> Result<usize, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Changes name, metadata, attributes or permission of a participant.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn update_participant(
        &self,
        _room: &RoomName,
        _request: wire::UpdateParticipantRequest,
    ) -> Result<wire::ParticipantInfo, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Subscribes a participant to tracks, or ends that.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn update_subscriptions(
        &self,
        _room: &RoomName,
        _request: wire::UpdateSubscriptionsRequest,
    ) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Sends data to a room's members in the server's name.
    ///
    /// # Errors
    /// No such room.
    pub async fn send_data(&self, _room: &RoomName, _request: wire::SendDataRequest) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Changes what a room says of itself.
    ///
    /// # Errors
    /// No such room.
    pub async fn update_metadata(&self, _room: &RoomName, _metadata: String) -> Result<wire::Room, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Moves a participant to another room of the same tenant, which must run.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn move_participant(
        &self,
        _room: &RoomName,
        _identity: &str,
        _destination: &str,
    ) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Calls a method of a participant and waits for its answer.
    ///
    /// # Errors
    /// No such room or participant, no answer, or an answer that says no.
    pub async fn perform_rpc(&self, _room: &RoomName, _request: wire::PerformRpcRequest) -> Result<String, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Locks a room, or opens it: while locked, only hosts and moderators come in.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_lock(&self, _room: &RoomName, _locked: bool) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Whether others wait until they are admitted. Switching it off admits all who wait.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_waiting_room(&self, _room: &RoomName, _on: bool) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Asks whether somebody may come in now; when they must wait they are put on the list.
    ///
    /// # Errors
    /// Why they may not: `Waiting`, `Locked`, `Full`.
    pub async fn knock(&self, _room: &RoomName, _grants: &Grants) -> Result<(), JoinRefused> {
        Err(JoinRefused::NotRunning)
    }

    /// Who waits: identity and name.
    ///
    /// # Errors
    /// No such room.
    pub async fn waiting(&self, _room: &RoomName) -> Result<Vec<(String, String)>, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Admits somebody who waits.
    ///
    /// # Errors
    /// No such room; nobody of that identity waits.
    pub async fn admit(&self, _room: &RoomName, _identity: &str) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Turns away somebody who waits.
    ///
    /// # Errors
    /// No such room; nobody of that identity waits.
    pub async fn turn_away(&self, _room: &RoomName, _identity: &str) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// The part a participant plays.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn role(&self, _room: &RoomName, _identity: &str) -> Result<Role, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Gives a participant another part.
    ///
    /// # Errors
    /// No such room or participant.
    pub async fn set_role(&self, _room: &RoomName, _identity: &str, _role: Role) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Marks a room as being recorded, or not: all members are told.
    ///
    /// # Errors
    /// No such room.
    pub async fn set_recording(&self, _room: &RoomName, _recording: bool) -> Result<(), RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Hands the packets of tracks to `tap` until [`RoomsHandle::untap`], its own wish, or the room's end.
    ///
    /// # Errors
    /// No such room.
    pub async fn tap(&self, _room: &RoomName, _filter: TapFilter, _tap: Box<dyn Tap>) -> Result<TapId, RoomError> {
        Err(RoomError::NotRunning)
    }

    /// Ends a tap.
    pub async fn untap(&self, _room: &RoomName, _tap: TapId) {}

    /// What happens in rooms from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RoomEvent> {
        self.shared.events.subscribe()
    }
}
