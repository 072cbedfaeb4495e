//! Requests we answer.

use super::{Alarm, PATIENCE, Path, T1, T2, T4, TimerId, Wire};
use crate::message::{Message, Method};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names a server transaction (RFC 3261 §17.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerKey(Arc<str>);

impl ServerKey {
    /// The transaction a request belongs to; an ACK and a CANCEL belong to their INVITE's.
    #[must_use]
    pub fn of(request: &Message, method: &Method) -> Option<Self> {
        let via = request.via()?;
        let method = if matches!(method, Method::Ack | Method::Cancel) {
            "INVITE"
        } else {
            method.as_str()
        };
        let (host, port) = (via.host, via.port.unwrap_or(5060));
        let key = match via
            .branch()
            .filter(|branch| branch.len() > 7 && branch.starts_with("z9hG4bK"))
        {
            Some(branch) => format!("{branch}|{host}|{port}|{method}"),
            // RFC 2543 peers give no branch to go by.
            None => {
                let number = request.cseq()?.number;
                let (call, tag) = (request.sip_call_id()?, request.from()?.tag().unwrap_or_default());
                format!("{call}|{tag}|{number}|{host}|{port}|{method}")
            }
        };
        Some(Self(key.into()))
    }
}

#[derive(Debug)]
enum State {
    /// No final response yet; the last provisional one.
    Proceeding(Option<Bytes>),
    /// A 2xx to an INVITE: its repeats are the dialog's.
    Accepted,
    /// A final response, repeated when asked, and by itself to an INVITE until its ACK.
    Completed {
        response: Bytes,
        repeat: Option<(Duration, TimerId)>,
    },
    /// Acknowledged.
    Confirmed,
}

#[derive(Debug)]
struct Server {
    is_invite: bool,
    path: Path,
    state: State,
    end: Option<TimerId>,
}

/// What a request is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Not seen before.
    New,
    /// A repeat, dealt with.
    Absorbed,
    /// The ACK of a final response that was no 2xx, dealt with.
    Acknowledged,
}

/// The transactions of requests we answer.
#[derive(Debug, Default)]
pub struct Servers {
    all: HashMap<ServerKey, Server>,
}

impl Servers {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether there is such a transaction.
    #[must_use]
    pub fn is_known(&self, key: &ServerKey) -> bool {
        self.all.contains_key(key)
    }

    /// Meets a request with what is known of its transaction.
    pub fn receive(&mut self, key: &ServerKey, method: &Method, now: Instant, wire: &mut impl Wire) -> Received {
        let Some(server) = self.all.get_mut(key) else {
            return Received::New;
        };
        if *method == Method::Ack {
            return server.acknowledged(key, now, wire);
        }
        let repeat = match &server.state {
            State::Proceeding(response) => response.clone(),
            State::Completed { response, .. } => Some(response.clone()),
            State::Accepted | State::Confirmed => None,
        };
        if let Some(response) = repeat {
            wire.transmit(server.path, response);
        }
        Received::Absorbed
    }

    /// Begins a transaction.
    pub fn begin(&mut self, key: ServerKey, method: &Method, path: Path) {
        let (is_invite, state) = (*method == Method::Invite, State::Proceeding(None));
        self.all.insert(
            key,
            Server {
                is_invite,
                path,
                state,
                end: None,
            },
        );
    }

    /// Sends a response; a second final one is ignored.
    pub fn respond(&mut self, key: &ServerKey, status: u16, response: Bytes, now: Instant, wire: &mut impl Wire) {
        let Some(server) = self.all.get_mut(key) else { return };
        if !matches!(server.state, State::Proceeding(_)) {
            return;
        }
        wire.transmit(server.path, response.clone());
        let is_reliable = server.path.is_reliable();
        if status < 200 {
            server.state = State::Proceeding(Some(response));
        } else if server.is_invite && status < 300 {
            // RFC 6026 §7.1: timer L.
            server.state = State::Accepted;
            server.end = Some(wire.wake(now + PATIENCE, Alarm::ServerEnd(key.clone())));
        } else if server.is_invite {
            // Timers G and H.
            let repeat = (!is_reliable).then(|| (T1, wire.wake(now + T1, Alarm::ServerRepeat(key.clone()))));
            server.state = State::Completed { response, repeat };
            server.end = Some(wire.wake(now + PATIENCE, Alarm::ServerEnd(key.clone())));
        } else if is_reliable {
            // Timer J is zero: nothing is repeated on a connection.
            self.all.remove(key);
        } else {
            server.state = State::Completed { response, repeat: None };
            server.end = Some(wire.wake(now + PATIENCE, Alarm::ServerEnd(key.clone())));
        }
    }

    /// Repeats a final response that was not acknowledged.
    pub fn repeat(&mut self, key: &ServerKey, now: Instant, wire: &mut impl Wire) {
        let Some(server) = self.all.get_mut(key) else { return };
        if let State::Completed {
            response,
            repeat: Some((pause, timer)),
        } = &mut server.state
        {
            wire.transmit(server.path, response.clone());
            *pause = (*pause * 2).min(T2);
            *timer = wire.wake(now + *pause, Alarm::ServerRepeat(key.clone()));
        }
    }

    /// Forgets a transaction.
    pub fn end(&mut self, key: &ServerKey, wire: &mut impl Wire) {
        let Some(server) = self.all.remove(key) else { return };
        if let State::Completed {
            repeat: Some((_, timer)),
            ..
        } = server.state
        {
            wire.forget(timer);
        }
        if let Some(timer) = server.end {
            wire.forget(timer);
        }
    }
}

impl Server {
    fn acknowledged(&mut self, key: &ServerKey, now: Instant, wire: &mut impl Wire) -> Received {
        match &self.state {
            State::Completed { repeat, .. } => {
                if let Some((_, timer)) = repeat {
                    wire.forget(*timer);
                }
                if let Some(timer) = self.end.take() {
                    wire.forget(timer);
                }
                // Timer I absorbs further ACKs; on a connection there are none.
                let linger = if self.path.is_reliable() { Duration::ZERO } else { T4 };
                self.state = State::Confirmed;
                self.end = Some(wire.wake(now + linger, Alarm::ServerEnd(key.clone())));
                Received::Acknowledged
            }
            State::Confirmed => Received::Acknowledged,
            // The ACK of a 2xx is the dialog's, even from a peer that keeps the INVITE's branch.
            State::Accepted | State::Proceeding(_) => Received::New,
        }
    }
}
