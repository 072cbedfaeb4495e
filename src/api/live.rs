//! What the interface asks of running calls, and how they look outside. The switch answers in the
//! daemon, a stand-in in tests.

use crate::wire::stamp;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use strowger_model::{CallId, HangupCause, TenantId};
use strowger_rooms::RoomName;
use strowger_switch::entrance::{DialIntoRoom, Dialled};
use strowger_switch::io::{DialError, SwitchHandle};
use strowger_switch::live::{LiveCall, LiveLeg, PlaceCall, PlaceError, Steer, SwitchEvent, TrunkView};
use tokio::sync::broadcast;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that is awaited.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Running calls.
pub trait Calls: Send + Sync {
    /// Places a call.
    fn place(&self, order: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>>;
    /// Does something to a call; `false` when it is not running or not the tenant's.
    fn steer(&self, tenant: TenantId, call: CallId, steer: Steer) -> Soon<'_, bool>;
    /// A running call of the tenant.
    fn live(&self, tenant: TenantId, call: CallId) -> Option<LiveCall>;
    /// Calls somebody and leads them into a room once they have answered.
    fn dial_into_room(&self, dial: DialIntoRoom) -> Soon<'_, Result<Dialled, DialError>>;
    /// Leads a phone out of a room and rings somebody for it; `false` when there is no such phone, or
    /// nobody who could be rung.
    fn transfer_room_phone<'a>(
        &'a self,
        room: &'a RoomName,
        identity: &'a str,
        to: &'a str,
        ring_timeout: Option<Duration>,
    ) -> Soon<'a, bool>;
    /// How many calls are running.
    fn count(&self) -> usize;
    /// Every trunk's state.
    fn trunks(&self) -> Vec<TrunkView>;
    /// What happens from here on, of all tenants. A receiver that lags is told so and goes on.
    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent>;
    /// What happened to a tenant's calls after `sequence`; `None` when some of it is forgotten.
    fn since(&self, tenant: TenantId, sequence: u64) -> Option<Vec<SwitchEvent>>;
    /// Lets the switch read what it keeps in memory anew, at once.
    fn reload(&self);
}

impl Calls for SwitchHandle {
    fn place(&self, order: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>> {
        Box::pin(self.place_call(order))
    }

    fn steer(&self, tenant: TenantId, call: CallId, steer: Steer) -> Soon<'_, bool> {
        Box::pin(Self::steer(self, tenant, call, steer))
    }

    fn live(&self, tenant: TenantId, call: CallId) -> Option<LiveCall> {
        self.live_call(tenant, call)
    }

    fn dial_into_room(&self, dial: DialIntoRoom) -> Soon<'_, Result<Dialled, DialError>> {
        Box::pin(Self::dial_into_room(self, dial))
    }

    fn transfer_room_phone<'a>(
        &'a self,
        room: &'a RoomName,
        identity: &'a str,
        to: &'a str,
        ring_timeout: Option<Duration>,
    ) -> Soon<'a, bool> {
        Box::pin(Self::transfer_room_phone(
            self,
            room.tenant,
            &room.name,
            identity,
            to,
            ring_timeout,
        ))
    }

    fn count(&self) -> usize {
        Self::count(self)
    }

    fn trunks(&self) -> Vec<TrunkView> {
        self.trunk_states(None)
    }

    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        Self::subscribe(self)
    }

    fn since(&self, tenant: TenantId, sequence: u64) -> Option<Vec<SwitchEvent>> {
        Self::since(self, tenant, sequence)
    }

    fn reload(&self) {
        Self::reload(self);
    }
}

/// What happened to a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveEventJson {
    /// `CALL_STARTED`, `CALL_RINGING`, `CALL_ACCEPTED`, `CALL_REJECTED`, `CALL_CHANGED`, `CALL_ENDED`, `CALL_MISSED`.
    event: &'static str,
    /// When.
    at: String,
    /// Why it ended, once it has.
    hangup_cause: Option<&'static str>,
    /// The call as it stood then.
    call: LiveCallJson,
}

/// A running call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveCallJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// Who is called, or who calls.
    user_id: Option<Uuid>,
    /// `inbound`, `outbound` or `internal`.
    direction: &'static str,
    /// `initiated`, `ringing`, `active` or a final state.
    status: &'static str,
    /// The caller's number.
    from_number: String,
    /// The caller's name, where known.
    from_name: Option<String>,
    /// The dialled number.
    to_number: String,
    /// When it began.
    start_time: String,
    /// When it was answered.
    answer_time: Option<String>,
    /// What is going on, in a word.
    doing: &'static str,
    /// The room that its caller, or called party, is in.
    room: Option<String>,
    /// The flow's node it stands at.
    node: Option<String>,
    /// Whether what is said now is recorded.
    recording: bool,
    /// Whether its recording leaves out what is said until resumed.
    recording_paused: bool,
    /// Its legs that are not over, caller first.
    legs: Vec<LiveLegJson>,
}

/// A leg of a running call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveLegJson {
    /// `caller` or `callee`.
    side: &'static str,
    /// Who is at the other end.
    party: String,
    /// `ringing` or `up`.
    state: &'static str,
    /// Whether the far end has put us on hold.
    held: bool,
}

impl From<SwitchEvent> for LiveEventJson {
    fn from(event: SwitchEvent) -> Self {
        Self {
            event: event.kind.code(),
            at: stamp(event.at),
            hangup_cause: event.cause.map(HangupCause::code),
            call: event.call.into(),
        }
    }
}

impl From<LiveCall> for LiveCallJson {
    fn from(call: LiveCall) -> Self {
        Self {
            id: call.id.uuid(),
            tenant_id: call.tenant.uuid(),
            user_id: call.user.map(|user| user.uuid()),
            direction: call.direction.code(),
            status: call.state.code(),
            from_number: call.from_number,
            from_name: call.from_name,
            to_number: call.to_number,
            start_time: stamp(call.started_at),
            answer_time: call.answered_at.map(stamp),
            doing: call.doing,
            room: call.room.as_ref().map(|room| room.name.clone()),
            node: call.node,
            recording: call.recording && !call.recording_paused,
            recording_paused: call.recording && call.recording_paused,
            legs: call.legs.into_iter().map(LiveLegJson::from).collect(),
        }
    }
}

impl From<LiveLeg> for LiveLegJson {
    fn from(leg: LiveLeg) -> Self {
        Self {
            side: leg.side,
            party: leg.party,
            state: leg.state,
            held: leg.held,
        }
    }
}
