//! How calls begin: somebody calls us, or a program wants somebody called.

use super::flow::Run;
use super::leg::{Leg, Side, Stage};
use super::recorder::Recorder;
use super::ringing::Callee;
use super::{Act, Call, Output, Then};
use crate::journal::Entry;
use crate::live::{EventKind, PlaceCall};
use crate::route::{Decision, Route};
use crate::scene::Scene;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::IpAddr;
use strowger_model::{
    CallId, CallState, CallType, DeviceId, Direction, HangupCause, LegId, TenantId, TrunkId, UserId, record,
};
use strowger_sip::DialogKey;

/// Somebody calls us.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Arrival {
    pub dialog: DialogKey,
    pub sip_call_id: String,
    pub from_number: String,
    pub from_name: Option<String>,
    pub dialled: String,
    pub offer: Bytes,
    /// Where the caller's packets come from.
    pub source: IpAddr,
    pub device: Option<DeviceId>,
    /// Whose phone it is.
    pub user: Option<UserId>,
    pub trunk: Option<TrunkId>,
    /// Whether they call from a browser.
    pub browser: bool,
    /// Who calls, for people.
    pub party: String,
}

/// What a placed call needs to know besides its order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Placement {
    pub route: Route,
    pub from_number: String,
}

/// What a call does first.
#[derive(Debug)]
pub(super) enum Pending {
    /// What the decision about a caller says.
    Follow(Route),
    /// Reach the called party of a placed call.
    Reach(Route),
}

impl Call {
    /// Takes a caller in; [`Call::begin`] does what the decision says.
    #[must_use]
    pub fn arrive(arrival: Arrival, tenant: TenantId, decision: Decision, scene: &mut Scene<'_>) -> Self {
        let (direction, call_type) = match (&arrival.trunk, &decision.route) {
            (Some(_), _) => (Direction::Inbound, CallType::CustomerInbound),
            (None, Route::Trunk { .. }) => (Direction::Outbound, CallType::CustomerOutbound),
            (None, _) => (Direction::Internal, CallType::Internal),
        };
        let called = match &decision.route {
            Route::User { user, .. } | Route::Voicemail(user) => Some(*user),
            Route::Flow(_) | Route::Room(_) | Route::Trunk { .. } | Route::Refused(_) => None,
        };
        let user = arrival.user.or(called);
        let row = record::Call {
            user,
            from_name: arrival.from_name.clone(),
            ..fresh_row(
                tenant,
                direction,
                call_type,
                &arrival.from_number,
                &arrival.dialled,
                scene,
            )
        };
        let mut call = Self::with_row(row, scene);
        call.called = called;
        let by_number = decision.number.as_ref().and_then(|number| number.record);
        call.recorder = Recorder::wanted(call.policy.recorded_by(None, by_number));
        call.row.transcribe = call.policy.auto_transcribe;
        call.take_caller(arrival, scene);
        call.write_begin();
        call.pending = Some(Pending::Follow(decision.route));
        call
    }

    /// Takes an order to call somebody; [`Call::begin`] invites the called party, which is brought together with
    /// `from` once it has answered.
    #[must_use]
    pub fn place(order: PlaceCall, placement: Placement, scene: &mut Scene<'_>) -> Self {
        let (direction, call_type) = match placement.route {
            Route::Trunk { .. } => (Direction::Outbound, CallType::CustomerOutbound),
            Route::User { .. } | Route::Flow(_) | Route::Voicemail(_) | Route::Room(_) | Route::Refused(_) => {
                (Direction::Internal, CallType::Internal)
            }
        };
        let called = match &placement.route {
            Route::User { user, .. } => Some(*user),
            Route::Trunk { .. } | Route::Flow(_) | Route::Voicemail(_) | Route::Room(_) | Route::Refused(_) => None,
        };
        let row = record::Call {
            user: order.user.or(called),
            metadata: order.metadata.clone(),
            ..fresh_row(
                order.tenant,
                direction,
                call_type,
                &placement.from_number,
                &order.to,
                scene,
            )
        };
        let mut call = Self::with_row(row, scene);
        call.called = called;
        call.recorder = Recorder::wanted(call.policy.recorded_by(order.record, None));
        call.row.transcribe = order.transcribe || call.policy.auto_transcribe;
        call.write_begin();
        call.order = Some(Box::new(order));
        call.pending = Some(Pending::Reach(placement.route));
        call
    }

    /// Does what the call is for. Its row and its caller stand already, so that a call which breaks here
    /// is ended like any other.
    pub fn begin(&mut self, scene: &mut Scene<'_>) {
        match self.pending.take() {
            None => {}
            Some(Pending::Follow(route)) => {
                // Nobody is rung for a caller whom nobody could hear.
                let is_refused = matches!(route, Route::Refused(_));
                if is_refused || self.understands_near(scene) {
                    self.follow(route, scene);
                } else {
                    self.end(HangupCause::NoCodec, scene);
                }
            }
            Some(Pending::Reach(route)) => {
                let callees = match route {
                    Route::User { user, phones, .. } => Callee::devices(user, &phones, scene),
                    Route::Trunk { trunks, number } => vec![Callee::Trunk { trunks, number }],
                    Route::Flow(_) | Route::Voicemail(_) | Route::Room(_) | Route::Refused(_) => Vec::new(),
                };
                self.is_seen_ahead(scene);
                let asked = self.order.as_ref().and_then(|order| order.ring_timeout);
                let timeout = asked.unwrap_or(self.policy.ring_timeout);
                self.ring(vec![callees], timeout, None, None, scene);
            }
        }
    }

    pub(super) fn with_row(row: record::Call, scene: &Scene<'_>) -> Self {
        Self {
            policy: scene.directory.policy(row.tenant, row.user),
            row,
            legs: Vec::new(),
            near: None,
            called: None,
            run: None,
            act: Act::Waiting,
            then: None,
            early_keys: Vec::new(),
            order: None,
            pending: None,
            into: None,
            ahead: None,
            back_to: None,
            referred_by: None,
            recorder: Recorder::default(),
            is_unwritten: false,
            restarts: 0,
            since: None,
            remembered: None,
            events: Vec::new(),
            last_play: 0,
            limit: None,
            answered: None,
            outputs: VecDeque::new(),
        }
    }

    fn take_caller(&mut self, arrival: Arrival, scene: &mut Scene<'_>) {
        if let Some(trunk) = arrival.trunk {
            scene.load.begin(trunk);
        }
        self.legs.push(Leg {
            id: LegId::generate(scene.world),
            side: Side::Caller,
            dialog: arrival.dialog,
            stage: Stage::Calling { offer: arrival.offer },
            audio: None,
            held: false,
            party: arrival.party,
            user: arrival.user,
            device: arrival.device,
            trunk: arrival.trunk,
            browser: arrival.browser,
            toward: Some(arrival.source),
            sip_call_id: arrival.sip_call_id,
            started_at: self.row.started_at,
            answered_at: None,
            ended_at: None,
            cause: None,
            quality: None,
        });
        self.near = Some(0);
        self.outputs.push_back(Output::OwnDialog(arrival.dialog));
        self.note("invite", Some(0), "", scene);
    }

    pub(super) fn write_begin(&mut self) {
        let entry = Entry::Begin {
            call: Box::new(self.row.clone()),
            legs: self.legs.iter().map(|leg| leg.row(self.row.id)).collect(),
        };
        self.outputs.push_back(Output::Journal(self.row.tenant, entry));
        self.tell(EventKind::Started);
    }

    pub(super) fn follow(&mut self, route: Route, scene: &mut Scene<'_>) {
        match route {
            Route::Refused(cause) => self.end(cause, scene),
            Route::User {
                user,
                phones,
                voicemail,
            } => {
                let callees = Callee::devices(user, &phones, scene);
                let timeout = scene.directory.policy(self.row.tenant, Some(user)).ring_timeout;
                self.ring(vec![callees], timeout, voicemail.then_some(user), None, scene);
            }
            Route::Trunk { trunks, number } => {
                let timeout = self.policy.ring_timeout;
                self.ring(vec![vec![Callee::Trunk { trunks, number }]], timeout, None, None, scene);
            }
            Route::Voicemail(user) => self.answer_then(Then::Mailbox(user), scene),
            Route::Room(entrance) => self.enter(entrance, scene),
            Route::Flow(flow) => match scene.directory.flow(flow).cloned() {
                None => self.end(HangupCause::Unreachable, scene),
                Some(published) => {
                    self.row.flow_version = Some(published.version);
                    self.start_flow(Run::start(&published, &self.row, scene), scene);
                }
            },
        }
    }

    /// The called party of a placed call has answered: what its order says comes next.
    pub(super) fn follow_order(&mut self, scene: &mut Scene<'_>) {
        let Some(order) = self.order.take() else {
            return;
        };
        if self.follow_into(scene) {
            return;
        }
        if let Some(published) = order.flow.and_then(|flow| scene.directory.flow(flow)).cloned() {
            self.row.flow_version = Some(published.version);
            self.start_flow(Run::start(&published, &self.row, scene), scene);
            return;
        }
        let from = order.from.as_deref().unwrap_or_default();
        let caller = scene
            .directory
            .extension(self.row.tenant, from)
            .map(|person| person.user.id);
        let caller = caller.or_else(|| {
            let person = scene.directory.owner_of_username(self.row.tenant, from);
            person.map(|person| person.user.id)
        });
        match caller {
            Some(user) => {
                let phones = scene
                    .directory
                    .person(user)
                    .map(|person| person.devices.clone())
                    .unwrap_or_default();
                let callees = Callee::devices(user, &phones, scene);
                let timeout = self.policy.ring_timeout;
                self.ring(vec![callees], timeout, None, None, scene);
            }
            None => self.stay(scene),
        }
    }
}

fn fresh_row(
    tenant: TenantId,
    direction: Direction,
    call_type: CallType,
    from_number: &str,
    to_number: &str,
    scene: &Scene<'_>,
) -> record::Call {
    record::Call {
        id: CallId::generate(scene.world),
        tenant,
        user: None,
        direction,
        call_type,
        state: CallState::Initiated,
        from_number: from_number.to_owned(),
        from_name: None,
        to_number: to_number.to_owned(),
        started_at: scene.world.now(),
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        cause: None,
        flow_version: None,
        notes: String::new(),
        metadata: strowger_model::Metadata::default(),
        transcribe: false,
        cost_micros: 0,
        currency: String::new(),
        tags: Vec::new(),
    }
}
