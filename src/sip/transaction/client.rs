//! Requests we send.

use super::{Alarm, PATIENCE, Path, T1, T2, T4, TimerId, Wire};
use crate::message::{Message, Method};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names a client transaction: the branch we chose and the method.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(Arc<str>);

impl ClientKey {
    /// The transaction of a branch.
    #[must_use]
    pub fn new(branch: &str, method: &Method) -> Self {
        Self(format!("{branch}|{method}").into())
    }

    /// The transaction a response belongs to.
    #[must_use]
    pub fn of(response: &Message) -> Option<Self> {
        Some(Self::new(response.via()?.branch()?, &response.cseq()?.method))
    }
}

#[derive(Debug)]
enum State {
    /// No answer yet; the pause before the next repeat.
    Calling(Duration),
    /// A provisional answer.
    Proceeding,
    /// A final answer that was no 2xx to an INVITE; the ACK an INVITE got.
    Completed(Option<Bytes>),
    /// A 2xx to an INVITE; the ACKs its forks got, by their tag (RFC 6026).
    Accepted(Vec<(String, Path, Bytes)>),
}

#[derive(Debug)]
struct Client<O> {
    method: Method,
    path: Path,
    request: Bytes,
    state: State,
    repeat: Option<TimerId>,
    timeout: Option<TimerId>,
    owner: O,
}

/// What a response is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered<O> {
    /// For the owner.
    To(O),
    /// A repeat, dealt with.
    Absorbed,
    /// Of a transaction we do not know.
    Stray,
}

/// The transactions of requests we send. `O` is who is told.
#[derive(Debug)]
pub struct Clients<O> {
    all: HashMap<ClientKey, Client<O>>,
}

impl<O> Default for Clients<O> {
    fn default() -> Self {
        let all = HashMap::new();
        Self { all }
    }
}

impl<O: Clone> Clients<O> {
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

    /// Sends a request and waits for its answer.
    #[expect(clippy::too_many_arguments, reason = "a transaction is these things")]
    pub fn begin(
        &mut self,
        key: ClientKey,
        method: Method,
        path: Path,
        request: Bytes,
        owner: O,
        now: Instant,
        wire: &mut impl Wire,
    ) {
        wire.transmit(path, request.clone());
        // Timers A and E, B and F.
        let repeat = (!path.is_reliable()).then(|| wire.wake(now + T1, Alarm::ClientRepeat(key.clone())));
        let timeout = Some(wire.wake(now + PATIENCE, Alarm::ClientTimeout(key.clone())));
        let state = State::Calling(T1);
        self.all.insert(
            key,
            Client {
                method,
                path,
                request,
                state,
                repeat,
                timeout,
                owner,
            },
        );
    }

    /// Takes over an INVITE that a daemon before this one sent: it waits for its final answer, and nothing is sent.
    pub fn resume(&mut self, key: ClientKey, path: Path, request: Bytes, owner: O) {
        let client = Client {
            method: Method::Invite,
            path,
            request,
            state: State::Proceeding,
            repeat: None,
            timeout: None,
            owner,
        };
        self.all.insert(key, client);
    }

    /// Meets a response with its transaction. `acknowledge` makes the ACK of a final response to an INVITE that is no
    /// 2xx.
    pub fn receive(&mut self, response: &Message, now: Instant, wire: &mut impl Wire) -> Delivered<O> {
        let Some(key) = ClientKey::of(response) else {
            return Delivered::Stray;
        };
        let Some(client) = self.all.get_mut(&key) else {
            return Delivered::Stray;
        };
        let status = response.status().unwrap_or_default();
        let is_invite = client.method == Method::Invite;
        match &client.state {
            State::Calling(_) | State::Proceeding => {}
            State::Completed(ack) => {
                if let Some(ack) = ack.as_ref().filter(|_| status >= 300) {
                    wire.transmit(client.path, ack.clone());
                }
                return Delivered::Absorbed;
            }
            State::Accepted(acks) => {
                let tag = response
                    .to()
                    .and_then(|to| to.tag().map(str::to_owned))
                    .unwrap_or_default();
                let known = acks.iter().find(|(known, ..)| *known == tag);
                return match known {
                    Some((_, path, ack)) => {
                        if (200..300).contains(&status) {
                            wire.transmit(*path, ack.clone());
                        }
                        Delivered::Absorbed
                    }
                    None if (200..300).contains(&status) => Delivered::To(client.owner.clone()),
                    None => Delivered::Absorbed,
                };
            }
        }
        if status < 200 {
            if is_invite {
                client.quiet(wire);
            } else if let (State::Calling(pause), true) = (&mut client.state, client.repeat.is_some()) {
                *pause = T2;
                return Delivered::To(client.owner.clone());
            }
            client.state = State::Proceeding;
            return Delivered::To(client.owner.clone());
        }
        client.quiet(wire);
        let is_reliable = client.path.is_reliable();
        let owner = client.owner.clone();
        let linger = if is_invite && status < 300 {
            client.state = State::Accepted(Vec::new());
            PATIENCE
        } else if is_invite {
            let ack = acknowledgement(&client.request, response);
            if let Some(ack) = &ack {
                wire.transmit(client.path, ack.clone());
            }
            client.state = State::Completed(ack);
            if is_reliable { Duration::ZERO } else { PATIENCE }
        } else {
            client.state = State::Completed(None);
            if is_reliable { Duration::ZERO } else { T4 }
        };
        if linger.is_zero() {
            self.all.remove(&key);
        } else {
            // Timers D, K and M.
            client.request = Bytes::new();
            wire.wake(now + linger, Alarm::ClientEnd(key));
        }
        Delivered::To(owner)
    }

    /// Keeps the ACK of a 2xx, to be repeated with it.
    pub fn acknowledged(&mut self, key: &ClientKey, tag: String, path: Path, ack: Bytes) {
        if let Some(Client {
            state: State::Accepted(acks),
            ..
        }) = self.all.get_mut(key)
        {
            // A fork bomb is not answered for ever.
            if acks.len() < 16 {
                acks.push((tag, path, ack));
            }
        }
    }

    /// The request of a transaction that was not answered finally: what a CANCEL is made from.
    #[must_use]
    pub fn request(&self, key: &ClientKey) -> Option<(Path, Bytes)> {
        let client = self.all.get(key)?;
        matches!(client.state, State::Calling(_) | State::Proceeding).then(|| (client.path, client.request.clone()))
    }

    /// Whether a provisional answer came and no final one.
    #[must_use]
    pub fn is_proceeding(&self, key: &ClientKey) -> bool {
        self.all
            .get(key)
            .is_some_and(|client| matches!(client.state, State::Proceeding))
    }

    /// Repeats a request that was not answered.
    pub fn repeat(&mut self, key: &ClientKey, now: Instant, wire: &mut impl Wire) {
        let Some(client) = self.all.get_mut(key) else { return };
        let is_invite = client.method == Method::Invite;
        let pause = match &mut client.state {
            State::Calling(pause) => {
                // RFC 3261 §17.1.1.2: timer A doubles without end, §17.1.2.2: timer E up to T2.
                *pause = if is_invite { *pause * 2 } else { (*pause * 2).min(T2) };
                *pause
            }
            State::Proceeding if !is_invite => T2,
            State::Proceeding | State::Completed(_) | State::Accepted(_) => return,
        };
        wire.transmit(client.path, client.request.clone());
        client.repeat = Some(wire.wake(now + pause, Alarm::ClientRepeat(key.clone())));
    }

    /// Gives up on an answer; who is to be told.
    pub fn give_up(&mut self, key: &ClientKey, wire: &mut impl Wire) -> Option<O> {
        let client = self.all.get(key)?;
        if !matches!(client.state, State::Calling(_) | State::Proceeding) {
            return None;
        }
        let mut client = self.all.remove(key)?;
        client.quiet(wire);
        Some(client.owner)
    }

    /// Forgets a transaction that was answered.
    pub fn end(&mut self, key: &ClientKey) {
        self.all.remove(key);
    }

    /// The transactions that wait for an answer on a path.
    #[must_use]
    pub fn waiting_on(&self, path: Path) -> Vec<ClientKey> {
        let waits =
            |client: &Client<O>| client.path == path && matches!(client.state, State::Calling(_) | State::Proceeding);
        let waiting = self.all.iter().filter(|(_, client)| waits(client));
        let mut keys: Vec<ClientKey> = waiting.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }
}

impl<O> Client<O> {
    fn quiet(&mut self, wire: &mut impl Wire) {
        for timer in [self.repeat.take(), self.timeout.take()].into_iter().flatten() {
            wire.forget(timer);
        }
    }
}

/// The ACK of a final response that is no 2xx (RFC 3261 §17.1.1.3).
fn acknowledgement(request: &Bytes, response: &Message) -> Option<Bytes> {
    let request = crate::message::parse(request).ok()?;
    Some(super::derive(
        &request,
        "ACK",
        response.value(crate::message::Name::To)?,
    ))
}
