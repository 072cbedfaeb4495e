//! A stand-in for the switch: notes what it was asked and writes the rows a call would.

use crate::Calls;
use crate::live::Soon;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strowger_model::{CallId, CallState, CallType, Direction, TenantId, World};
use strowger_rooms::RoomName;
use strowger_store::Store;
use strowger_switch::entrance::{DialIntoRoom, Dialled};
use strowger_switch::io::DialError;
use strowger_switch::live::{EventKind, LiveCall, PlaceCall, PlaceError, Steer, SwitchEvent, TrunkView};
use time::OffsetDateTime;
use tokio::sync::broadcast;

pub(super) struct StandIn {
    store: Store,
    world: Arc<dyn World>,
    pub(super) orders: Mutex<Vec<PlaceCall>>,
    running: Mutex<HashMap<CallId, LiveCall>>,
    pub(super) hung_up: Mutex<Vec<CallId>>,
    events: broadcast::Sender<SwitchEvent>,
    remembered: Mutex<Vec<SwitchEvent>>,
}

impl StandIn {
    pub(super) fn new(store: Store, world: Arc<dyn World>) -> Self {
        Self {
            store,
            world,
            orders: Mutex::default(),
            hung_up: Mutex::default(),
            running: Mutex::default(),
            events: broadcast::channel(64).0,
            remembered: Mutex::default(),
        }
    }

    /// No running call may be recorded any more.
    pub(super) fn is_not_to_be_recorded(&self, why: &'static str) {
        let mut running = self.running.lock().unwrap();
        running.values_mut().for_each(|live| live.unrecordable = Some(why));
    }

    /// Something happens to a call of a tenant.
    pub(super) fn happen(&self, tenant: TenantId, kind: EventKind) {
        let mut remembered = self.remembered.lock().unwrap();
        let now = self.world.now();
        let event = SwitchEvent {
            sequence: remembered.len() as u64 + 1,
            at: now,
            kind,
            call: live(CallId::generate(self.world.as_ref()), tenant, now),
            cause: None,
        };
        remembered.push(event.clone());
        let _ = self.events.send(event);
    }
}

/// A call that rings.
fn live(id: CallId, tenant: TenantId, now: OffsetDateTime) -> LiveCall {
    LiveCall {
        id,
        tenant,
        user: None,
        caller: None,
        callee: None,
        users: Vec::new(),
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state: CallState::Ringing,
        from_number: "+49421777".into(),
        from_name: None,
        to_number: "+49421100".into(),
        started_at: now,
        answered_at: None,
        doing: "ringing",
        room: None,
        node: None,
        flow_version: None,
        recording: false,
        recording_paused: false,
        unrecordable: None,
        legs: Vec::new(),
    }
}

impl Calls for StandIn {
    fn place(&self, order: PlaceCall) -> Soon<'_, Result<CallId, PlaceError>> {
        Box::pin(async move {
            let refusal = match order.to.as_str() {
                "+49421000" => Some(PlaceError::NoRoute),
                "+49421001" => Some(PlaceError::Busy),
                _ if order.from.as_deref() == Some("+15550100") => Some(PlaceError::ForeignCaller),
                _ => None,
            };
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            let mut call = super::house::call(self.world.as_ref(), order.tenant);
            call.state = CallState::Initiated;
            call.direction = Direction::Outbound;
            call.to_number.clone_from(&order.to);
            call.metadata = order.metadata.clone();
            call.transcribe = order.transcribe;
            call.ended_at = None;
            call.answered_at = None;
            let id = call.id;
            self.store.tenant(order.tenant).calls().begin(&call, &[]).await.unwrap();
            let live = live(id, order.tenant, self.world.now());
            self.running.lock().unwrap().insert(id, live);
            self.orders.lock().unwrap().push(order);
            Ok(id)
        })
    }

    fn steer(&self, _tenant: TenantId, call: CallId, steer: Steer) -> Soon<'_, bool> {
        let mut running = self.running.lock().unwrap();
        if let Some(live) = running.get_mut(&call) {
            match steer {
                Steer::HangUp => self.hung_up.lock().unwrap().push(call),
                Steer::StartRecording => live.recording = true,
                Steer::StopRecording => (live.recording, live.recording_paused) = (false, false),
                Steer::PauseRecording => live.recording_paused = true,
                Steer::ResumeRecording => live.recording_paused = false,
            }
        }
        let runs = running.contains_key(&call);
        Box::pin(async move { runs })
    }

    fn live(&self, tenant: TenantId, call: CallId) -> Option<LiveCall> {
        let running = self.running.lock().unwrap();
        running.get(&call).filter(|live| live.tenant == tenant).cloned()
    }

    fn dial_into_room(&self, dial: DialIntoRoom) -> Soon<'_, Result<Dialled, DialError>> {
        let identity = dial.identity();
        let participant = dial.wait_until_answered.then(|| "PA_1".to_owned());
        Box::pin(async move {
            let call = self.place(dial.order).await.map_err(DialError::Place)?;
            Ok(Dialled {
                call,
                identity,
                participant,
            })
        })
    }

    fn transfer_room_phone<'a>(
        &'a self,
        _room: &'a RoomName,
        identity: &'a str,
        _to: &'a str,
        _ring_timeout: Option<Duration>,
    ) -> Soon<'a, bool> {
        Box::pin(async move { identity == "sip_1" })
    }

    fn count(&self) -> usize {
        0
    }

    fn trunks(&self) -> Vec<TrunkView> {
        Vec::new()
    }

    fn subscribe(&self) -> broadcast::Receiver<SwitchEvent> {
        self.events.subscribe()
    }

    fn since(&self, tenant: TenantId, sequence: u64) -> Option<Vec<SwitchEvent>> {
        let remembered = self.remembered.lock().unwrap();
        (sequence <= remembered.len() as u64).then(|| {
            let later = remembered.iter().filter(|event| event.sequence > sequence);
            later.filter(|event| event.call.tenant == tenant).cloned().collect()
        })
    }

    fn reload(&self) {}
}
