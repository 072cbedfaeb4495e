//! Connections: opening, cutting into messages, and what ends with them.

use super::core::Core;
use super::{Due, Endpoint, Input, Output};
use crate::message::check::Carrier;
use crate::message::frame::{Frame, Framer};
use crate::transaction::{FlowId, Path};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::trunk::Transport;

/// How often connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a connection we asked for may take.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) struct Flow {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) transport: Transport,
    /// The host whose certificate we asked for.
    pub(super) name: Option<String>,
    pub(super) framer: Framer,
    /// What is to be sent once it stands; `None` when it does.
    pub(super) waiting: Option<Vec<Bytes>>,
    /// When the last byte came.
    pub(super) heard: Instant,
    /// When the message that is arriving began.
    pub(super) began: Option<Instant>,
}

impl Core {
    /// The connection to an address, opened when there is none. One over TLS serves the host it was opened for alone.
    pub(super) fn flow_towards(&mut self, remote: SocketAddr, name: Option<String>) -> FlowId {
        let place = (remote, name);
        if let Some(flow) = self.flow_to.get(&place) {
            return *flow;
        }
        let name = place.1;
        let flow = FlowId(self.next_flow);
        self.next_flow += 2;
        let local = super::core::unspecified();
        let transport = if name.is_some() { Transport::Tls } else { Transport::Tcp };
        self.add_flow(flow, (remote, local), (transport, name.clone()), Some(Vec::new()));
        self.flow_to.insert((remote, name.clone()), flow);
        let tls = name;
        self.out.push_back(Output::OpenFlow { flow, remote, tls });
        flow
    }

    fn add_flow(
        &mut self,
        flow: FlowId,
        (remote, local): (SocketAddr, SocketAddr),
        (transport, name): (Transport, Option<String>),
        waiting: Option<Vec<Bytes>>,
    ) {
        let (framer, heard, began) = (Framer::default(), self.now, None);
        self.flows.insert(
            flow,
            Flow {
                remote,
                local,
                transport,
                name,
                framer,
                waiting,
                heard,
                began,
            },
        );
        if !self.has_flow_timer {
            self.has_flow_timer = true;
            self.after(SWEEP, Due::Flows);
        }
    }

    fn remove_flow(&mut self, flow: FlowId) -> Option<Flow> {
        let removed = self.flows.remove(&flow)?;
        let place = (removed.remote, removed.name.clone());
        if self.flow_to.get(&place) == Some(&flow) {
            self.flow_to.remove(&place);
        }
        Some(removed)
    }
}

impl Endpoint {
    pub(super) fn flow_opened(
        &mut self,
        flow: FlowId,
        (remote, local): (SocketAddr, SocketAddr),
        transport: Transport,
    ) {
        let Some(known) = self.core.flows.get_mut(&flow) else {
            self.core.add_flow(flow, (remote, local), (transport, None), None);
            // Whoever connected over TLS has proved no name: no request of ours to a host goes that way by itself.
            if transport == Transport::Tcp {
                self.core.flow_to.insert((remote, None), flow);
            }
            return;
        };
        known.local = local;
        known.heard = self.core.now;
        for bytes in known.waiting.take().unwrap_or_default() {
            self.core.transmit(Path::Flow(flow), bytes);
        }
        self.reached_again(flow);
    }

    pub(super) fn stream_bytes(&mut self, flow: FlowId, bytes: &Bytes) {
        let Some(known) = self.core.flows.get_mut(&flow) else {
            return;
        };
        known.heard = self.core.now;
        known.framer.push(bytes);
        loop {
            let Some(known) = self.core.flows.get_mut(&flow) else {
                return;
            };
            let path = Path::Flow(flow);
            match known.framer.take() {
                Ok(Some(Frame::Ping)) => self.core.transmit(path, Bytes::from_static(b"\r\n")),
                Ok(Some(Frame::Message(message, bytes))) => {
                    known.began = None;
                    let remote = known.remote;
                    self.core.trace(path, &bytes, false);
                    self.message(message, path, remote, Carrier::Stream);
                }
                Ok(None) => {
                    let now = self.core.now;
                    known.began = if known.framer.is_inside() {
                        known.began.or(Some(now))
                    } else {
                        None
                    };
                    return;
                }
                Err(broken) => {
                    if let Some(message) = broken.message
                        && message.method().is_some()
                    {
                        self.core
                            .reply_stateless(&message, 400, "Bad Content-Length", path, &[]);
                    }
                    self.close_flow(flow);
                    return;
                }
            }
        }
    }

    pub(super) fn flow_closed(&mut self, flow: FlowId, reason: &str) {
        if self.core.remove_flow(flow).is_none() {
            return;
        }
        for key in self.core.clients.waiting_on(Path::Flow(flow)) {
            self.request_failed(&key, 503, reason);
        }
        self.unbind_flow(flow);
    }

    fn close_flow(&mut self, flow: FlowId) {
        self.core.out.push_back(Output::CloseFlow { flow });
        self.flow_closed(flow, "");
    }

    /// Ends connections that dawdle inside a message, never came up, or are of no use to anybody.
    pub(super) fn sweep_flows(&mut self) {
        let (now, limits) = (self.core.now, self.core.config.limits.clone());
        let is_over = |flow: &Flow| {
            let silent = now.saturating_duration_since(flow.heard);
            flow.began
                .is_some_and(|began| now.saturating_duration_since(began) > limits.slow_message)
                || (flow.waiting.is_some() && silent > CONNECT)
        };
        let mut over: Vec<FlowId> = self
            .core
            .flows
            .iter()
            .filter(|(_, flow)| is_over(flow))
            .map(|(id, _)| *id)
            .collect();
        let idle: Vec<FlowId> = self
            .core
            .flows
            .iter()
            .filter(|(_, flow)| now.saturating_duration_since(flow.heard) > limits.idle_connection)
            .map(|(id, _)| *id)
            .collect();
        over.extend(idle.into_iter().filter(|flow| {
            let path = Path::Flow(*flow);
            !self.bindings.has_flow(*flow) && !self.dialogs.values().any(|dialog| dialog.path == path)
        }));
        over.sort_unstable();
        over.dedup();
        for flow in over {
            self.close_flow(flow);
        }
        self.core.has_flow_timer = !self.core.flows.is_empty();
        if self.core.has_flow_timer {
            self.core.after(SWEEP, Due::Flows);
        }
    }
}

impl Input {
    /// The source of a datagram.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Datagram { source, .. } => Some(*source),
            Self::FlowOpened { .. }
            | Self::StreamBytes { .. }
            | Self::FlowClosed { .. }
            | Self::Command(_)
            | Self::Congested(_)
            | Self::Drain
            | Self::HangUpAll => None,
        }
    }
}
