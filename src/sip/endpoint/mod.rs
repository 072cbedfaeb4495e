//! The whole SIP side as one machine: datagrams, bytes of connections and commands in; datagrams, bytes, connections
//! to open or close and events out.
//!
//! How a message becomes an event: [`receive`] reads, checks and sorts it; [`incoming`] holds calls placed to us,
//! [`outgoing`] those we place, [`midcall`] what happens after the answer, [`standing`] and [`absent`] what a restart leaves
//! over, [`registrar`] and [`trunks`] the rest. [`core`] has what all of them send through; [`flows`] the connections.

mod absent;
mod core;
mod dialog;
mod flows;
mod incoming;
mod login;
mod midcall;
mod outgoing;
mod receive;
mod refer;
mod registrar;
mod standing;
mod trunks;

use crate::event::{DialogKey, SipEvent};
use crate::register::Bindings;
use crate::standing::Standing;
use crate::trace::Traced;
use crate::transaction::{Alarm, ClientKey, FlowId, Path, ServerKey};
use crate::trunk::{Ping, Registration};
use crate::{Command, Directory, SipConfig};
use absent::Absent;
use bytes::Bytes;
use core::Core;
use dialog::Dialog;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;
use strowger_model::{DeviceId, TrunkId, World};

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// From where.
        source: SocketAddr,
        /// At which of our sockets.
        local: SocketAddr,
        /// What.
        bytes: Bytes,
    },
    /// A connection was accepted, or one we asked for stands.
    FlowOpened {
        /// Its name: even when accepted, odd when we asked for it.
        flow: FlowId,
        /// The far end.
        remote: SocketAddr,
        /// Our end.
        local: SocketAddr,
        /// [`Transport::Tls`] when its handshake is over, otherwise [`Transport::Tcp`].
        transport: Transport,
    },
    /// Bytes came on a connection.
    StreamBytes {
        /// Its name.
        flow: FlowId,
        /// What.
        bytes: Bytes,
    },
    /// A connection ended, or one we asked for could not be made.
    FlowClosed {
        /// Its name.
        flow: FlowId,
        /// Why one we asked for could not be made, in words for whoever has to mend it; empty when nobody knows.
        reason: String,
    },
    /// Somebody wants something.
    Command(Command),
    /// Whether events are piling up: new calls are answered 503 while they are.
    Congested(bool),
    /// Take no new calls any more.
    Drain,
    /// End every dialog and take every trunk registration back.
    HangUpAll,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send bytes.
    Transmit {
        /// How.
        path: Path,
        /// What.
        bytes: Bytes,
    },
    /// Open a connection; [`Input::FlowOpened`] or [`Input::FlowClosed`] follows.
    OpenFlow {
        /// Its name.
        flow: FlowId,
        /// To where.
        remote: SocketAddr,
        /// The host whose certificate the far side must show (RFC 5922 §7.1); `None`: over TCP.
        tls: Option<String>,
    },
    /// Close a connection after what was sent on it; no [`Input::FlowClosed`] follows.
    CloseFlow {
        /// Its name.
        flow: FlowId,
    },
    /// Tell the switch.
    Event(SipEvent),
    /// Keep how a dialog stands, in place of what was kept of it before; `None` when it stands no more. Only where
    /// [`SipConfig::kept_dialogs`] is set.
    Keep(DialogKey, Option<Box<Standing>>),
}

/// Who waits for the answer to a request we sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Invite(DialogKey),
    Reoffer(DialogKey),
    Bye(DialogKey),
    Refresh(DialogKey),
    /// Our INFO; the next one waits for it.
    Info(DialogKey),
    /// The last word about a call that was handed over.
    Referred(DialogKey),
    Registration(TrunkId),
    Ping(TrunkId),
    Nobody,
}

/// What the endpoint waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    Transaction(Alarm),
    /// Our 2xx was not acknowledged yet.
    RepeatAnswer(DialogKey),
    NoAck(DialogKey),
    /// Our INVITE rang for too long, or its CANCEL brought nothing.
    GiveUp(DialogKey),
    /// The far side of our INVITE has said nothing for as long as it was allowed to.
    Unheard(DialogKey),
    RetryOffer(DialogKey),
    SessionEnd(DialogKey),
    Refresh(DialogKey),
    /// A phone whose connection ended with the daemon before has not come back.
    Missed(DialogKey),
    Bindings,
    Register(TrunkId),
    Ping(TrunkId),
    PingLate(TrunkId, ClientKey),
    Flows,
}

impl Due {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Transaction(Alarm::ServerRepeat(_)) => "a response is repeated",
            Self::Transaction(Alarm::ServerEnd(_) | Alarm::ClientEnd(_)) => "a transaction is forgotten",
            Self::Transaction(Alarm::ClientRepeat(_)) => "a request is repeated",
            Self::Transaction(Alarm::ClientTimeout(_)) => "a request was not answered",
            Self::RepeatAnswer(_) => "an answer is repeated",
            Self::NoAck(_) => "an answer was not acknowledged",
            Self::GiveUp(_) => "a call rang for too long",
            Self::Unheard(_) => "a far side is silent",
            Self::RetryOffer(_) => "an offer is tried again after glare",
            Self::SessionEnd(_) => "a session was not refreshed",
            Self::Refresh(_) => "a session is refreshed",
            Self::Missed(_) => "a phone has not come back",
            Self::Bindings => "a binding ends",
            Self::Register(_) => "a trunk registration is due",
            Self::Ping(_) | Self::PingLate(..) => "a trunk is pinged",
            Self::Flows => "connections are looked through",
        }
    }
}

/// The SIP side.
pub struct Endpoint {
    core: Core,
    dialogs: HashMap<DialogKey, Dialog>,
    /// Dialogs by Call-ID and our tag.
    by_tag: HashMap<(String, String), DialogKey>,
    /// Incoming calls that are not answered, by the transaction of their INVITE.
    by_invite: HashMap<ServerKey, DialogKey>,
    next_dialog: u64,
    bindings: Bindings,
    binding_timer: Option<crate::transaction::TimerId>,
    registrations: HashMap<TrunkId, Registration>,
    pings: HashMap<TrunkId, Ping>,
    absent: Absent,
    is_congested: bool,
    is_draining: bool,
    is_ending: bool,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Endpoint")
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// How much an endpoint holds: all zero when nothing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Dialogs.
    pub dialogs: usize,
    /// Transactions.
    pub transactions: usize,
    /// Deadlines, those of bindings, trunks and connections left out.
    pub timers: usize,
    /// Connections.
    pub flows: usize,
    /// Bindings.
    pub bindings: usize,
}

impl Endpoint {
    /// An endpoint. `config.udp` and `config.tcp` are the addresses that are really listened on; `interface` is our own
    /// address where one of them is unspecified.
    #[must_use]
    pub fn new(
        config: SipConfig,
        interface: IpAddr,
        directory: Arc<dyn Directory>,
        world: Arc<dyn World>,
        now: Instant,
    ) -> Self {
        let bindings = Bindings::new(config.limits.contacts);
        Self {
            core: Core::new(config, interface, directory, world, now),
            dialogs: HashMap::new(),
            by_tag: HashMap::new(),
            by_invite: HashMap::new(),
            next_dialog: 1,
            bindings,
            binding_timer: None,
            registrations: HashMap::new(),
            pings: HashMap::new(),
            absent: Absent::default(),
            is_congested: false,
            is_draining: false,
            is_ending: false,
        }
    }

    /// Takes over bindings from before a restart. Those of connections are gone with them.
    pub fn restore(&mut self, bindings: Vec<Binding>, now: Instant) {
        self.restore_bindings(bindings, now);
    }

    /// What happened, and when.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.core.now = now;
        match input {
            Input::Datagram { source, local, bytes } => self.datagram(source, local, &bytes),
            Input::FlowOpened {
                flow,
                remote,
                local,
                transport,
            } => self.flow_opened(flow, (remote, local), transport),
            Input::StreamBytes { flow, bytes } => self.stream_bytes(flow, &bytes),
            Input::FlowClosed { flow, reason } => self.flow_closed(flow, &reason),
            Input::Command(command) => self.command(command),
            Input::Congested(is_congested) => self.is_congested = is_congested,
            Input::Drain => self.is_draining = true,
            Input::HangUpAll => self.hang_up_all(),
        }
    }

    /// The deadline came.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.now = now;
        while let Some(due) = self.core.timers.pop(now) {
            self.due(due);
        }
    }

    /// What is to be done, in order; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.core.out.pop_front();
        if let Some(Output::Transmit { path, bytes }) = &output {
            self.core.trace(*path, bytes, true);
        }
        output
    }

    /// Messages of dialogs as they came and went, in order; drain after the outputs. Only where [`SipConfig::traces`] is set.
    pub fn poll_trace(&mut self) -> Option<Traced> {
        self.core.tracer.settle();
        self.core.tracer.poll()
    }

    /// When to wake the endpoint, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.core.timers.next().map(|(at, due)| (at, due.reason()))
    }

    /// Whether no dialog is left, and no registration still being taken back.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.dialogs.is_empty() && !self.registrations.values().any(|registration| registration.is_leaving)
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> Held {
        let standing = usize::from(self.binding_timer.is_some())
            + self.registrations.len()
            + self.pings.len()
            + usize::from(self.core.has_flow_timer);
        Held {
            dialogs: self.dialogs.len().max(self.by_tag.len()).max(self.by_invite.len()),
            transactions: self.core.servers.len() + self.core.clients.len(),
            timers: self.core.timers.len().saturating_sub(standing),
            flows: self.core.flows.len(),
            bindings: self.bindings.len(),
        }
    }

    /// Where a device can be reached.
    #[must_use]
    pub fn bindings_of(&self, device: DeviceId) -> Vec<Binding> {
        self.bindings.of(device)
    }

    fn due(&mut self, due: Due) {
        let now = self.core.now;
        match due {
            Due::Transaction(Alarm::ServerRepeat(key)) => {
                self.core.with_servers(|servers, wire| servers.repeat(&key, now, wire))
            }
            Due::Transaction(Alarm::ServerEnd(key)) => self.core.with_servers(|servers, wire| servers.end(&key, wire)),
            Due::Transaction(Alarm::ClientRepeat(key)) => {
                self.core.with_clients(|clients, wire| clients.repeat(&key, now, wire))
            }
            Due::Transaction(Alarm::ClientEnd(key)) => self.core.clients.end(&key),
            Due::Transaction(Alarm::ClientTimeout(key)) => self.request_failed(&key, 408, ""),
            Due::RepeatAnswer(dialog) => self.repeat_answer(dialog),
            Due::NoAck(dialog) => self.no_ack(dialog),
            Due::GiveUp(dialog) => self.give_up(dialog),
            Due::Unheard(dialog) => self.unheard(dialog),
            Due::RetryOffer(dialog) => self.retry_offer(dialog),
            Due::SessionEnd(dialog) => self.session_end(dialog),
            Due::Refresh(dialog) => self.refresh_session(dialog),
            Due::Missed(dialog) => self.lost(dialog),
            Due::Bindings => self.sweep_bindings(),
            Due::Register(trunk) => self.register_due(trunk),
            Due::Ping(trunk) => self.ping_due(trunk),
            Due::PingLate(trunk, key) => self.ping_late(trunk, &key),
            Due::Flows => self.sweep_flows(),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Invite(invite) => self.place(*invite),
            Command::Ring { dialog, status, body } => self.ring(dialog, status, &body),
            Command::Answer { dialog, body } => self.answer(dialog, body),
            Command::Reject {
                dialog,
                status,
                reason,
                retry_after_s,
            } => self.reject(dialog, status, &reason, retry_after_s),
            Command::Cancel { dialog } => self.cancel(dialog),
            Command::Bye { dialog, reason } => self.hang_up(dialog, reason),
            Command::Reoffer { dialog, body } => self.reoffer(dialog, body),
            Command::AnswerReoffer { dialog, body } => self.answer_reoffer(dialog, body),
            Command::RefuseReoffer { dialog, status } => self.refuse_reoffer(dialog, status),
            Command::Info {
                dialog,
                content_type,
                body,
            } => self.send_info(dialog, &content_type, &body),
            Command::Referred { dialog, status } => self.referred(dialog, status),
            Command::Remember { dialog, memo } => self.remember(dialog, memo),
            Command::RegisterTrunk(wanted) => self.register_trunk(*wanted),
            Command::UnregisterTrunk { trunk } => self.unregister_trunk(trunk),
            Command::PingTrunk(wanted) => self.ping_trunk(*wanted),
            Command::StopPing { trunk } => self.stop_ping(trunk),
            Command::Unbind { device } => self.unbind(device),
        }
    }

    /// A request we sent was not answered, or could not be sent.
    fn request_failed(&mut self, key: &ClientKey, status: u16, reason: &str) {
        let Some(owner) = self.core.with_clients(|clients, wire| clients.give_up(key, wire)) else {
            return;
        };
        match owner {
            Owner::Invite(dialog) => self.invite_failed(dialog, status),
            Owner::Reoffer(dialog) => self.reoffer_failed(dialog, status),
            Owner::Refresh(dialog) => self.lost(dialog),
            Owner::Bye(dialog) => self.drop_dialog(dialog),
            Owner::Info(dialog) => self.info_over(dialog),
            Owner::Referred(dialog) => self.hang_up(dialog, None),
            Owner::Registration(trunk) => self.registration_unanswered(trunk, status, reason),
            Owner::Ping(trunk) => self.ping_unanswered(trunk, reason),
            Owner::Nobody => {}
        }
    }

    fn hang_up_all(&mut self) {
        (self.is_draining, self.is_ending) = (true, true);
        // In order, so that a run can be repeated from its seed.
        let mut all: Vec<DialogKey> = self.dialogs.keys().copied().collect();
        all.sort_unstable();
        for dialog in all {
            self.hang_up(dialog, None);
        }
        let mut trunks: Vec<TrunkId> = self.registrations.keys().copied().collect();
        trunks.sort_unstable();
        for trunk in trunks {
            self.unregister_trunk(trunk);
        }
    }
}

/// The seconds of a header as a span.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
