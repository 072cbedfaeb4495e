//! A dialog (RFC 3261 §12) with the state of its call.

use super::core::{Core, is_private};
use crate::command::Invite;
use crate::event::DialogKey;
use crate::message::write::Writer;
use crate::message::{Message, Method, Name, NameAddr, Uri};
use crate::transaction::{ClientKey, Path, ServerKey, TimerId};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::{DeviceId, TrunkId};

/// One dialog.
pub(super) struct Dialog {
    pub(super) key: DialogKey,
    pub(super) sip_call_id: String,
    pub(super) local_tag: String,
    pub(super) remote_tag: Option<String>,
    /// Our From or To value, tag included.
    pub(super) local: String,
    /// Theirs, with its tag once known.
    pub(super) remote: String,
    pub(super) local_number: u32,
    pub(super) remote_number: Option<u32>,
    /// The Request-URI of our requests.
    pub(super) target: String,
    pub(super) route: Vec<String>,
    pub(super) path: Path,
    /// Where their last offer came from, and so where its answer goes.
    pub(super) heard: Path,
    /// The device at the far side; it is reached where it speaks from, not where its Contact says.
    pub(super) device: Option<DeviceId>,
    /// The far end of the path, for when its connection is gone.
    pub(super) far: SocketAddr,
    /// Over TLS, the host a new connection must be to; empty where they connected to us. `None`: it is not over TLS.
    pub(super) far_name: Option<String>,
    /// Whose password answers challenges.
    pub(super) auth: Option<TrunkId>,
    /// Whether we made the Call-ID, which decides who waits longer after glare.
    pub(super) is_ours: bool,
    pub(super) phase: Phase,
    pub(super) exchange: Exchange,
    /// An offer of ours that waits for theirs to be settled.
    pub(super) queued: Option<Bytes>,
    /// What we last described, for refreshing the session.
    pub(super) described: Bytes,
    pub(super) session: Option<Session>,
    /// Whether the far side takes UPDATE.
    pub(super) takes_update: bool,
    /// Whether the last event was told.
    pub(super) is_told: bool,
    /// Whether an INFO of ours is not answered yet, and what waits for that.
    pub(super) informs: bool,
    pub(super) to_inform: VecDeque<(String, Bytes)>,
    /// The CSeq number of a REFER of theirs whose outcome is not told yet.
    pub(super) referral: Option<u32>,
    /// What its owner needs to take it up again after a restart.
    pub(super) memo: Option<Box<serde_json::Value>>,
    /// Its phone's connection ended with the daemon before; when it is waited for no more.
    pub(super) missed: Option<TimerId>,
}

/// How far the call is.
pub(super) enum Phase {
    /// Theirs, not answered.
    Offered {
        server: ServerKey,
        request: Box<Message>,
        wants_timer: Option<SessionWish>,
    },
    /// Ours, not answered.
    Inviting(Box<Inviting>),
    /// Answered by us, not acknowledged.
    Answered {
        unacked: Unacked,
        is_late: bool,
        bye: Option<Option<String>>,
    },
    Established,
    /// We said BYE and wait for its answer.
    Ending {
        is_retried: bool,
        reason: Option<String>,
    },
}

pub(super) struct Inviting {
    pub(super) client: ClientKey,
    pub(super) invite: Invite,
    pub(super) cancel: Cancelling,
    pub(super) tries: u8,
    pub(super) give_up: TimerId,
    /// Goes off when nothing at all has come.
    pub(super) unheard: Option<TimerId>,
    /// The path to try when the connection that was asked for because of its size cannot be had.
    pub(super) fallback: Option<Path>,
}

/// Whether we gave up on our INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelling {
    No,
    /// RFC 3261 §9.1: not before a provisional answer.
    Wanted,
    Sent,
}

/// A 2xx of ours that is repeated until its ACK.
pub(super) struct Unacked {
    pub(super) number: u32,
    pub(super) response: Bytes,
    pub(super) pause: Duration,
    pub(super) repeat: TimerId,
    pub(super) give_up: TimerId,
}

/// An offer and its answer within the dialog.
pub(super) enum Exchange {
    Settled,
    /// They offered; the switch has not answered.
    Theirs {
        server: ServerKey,
        request: Box<Message>,
    },
    /// We answered their re-INVITE.
    TheirsUnacked {
        unacked: Unacked,
        is_late: bool,
    },
    /// We offered.
    Ours {
        client: ClientKey,
        body: Bytes,
        tries: u8,
    },
    /// Both offered at once; ours is tried again.
    Glare {
        body: Bytes,
        retry: TimerId,
    },
}

/// What a far side wants of session timers (RFC 4028).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionWish {
    pub(super) interval: Duration,
    pub(super) we_refresh: bool,
}

/// A session timer that runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) wish: SessionWish,
    pub(super) timer: TimerId,
}

impl Dialog {
    /// Begins a request within the dialog (RFC 3261 §12.2.1.1); the branch names its transaction.
    pub(super) fn request(&self, core: &Core, method: &Method, number: u32) -> (Writer, String) {
        let (via, branch) = core.new_via(self.path);
        let is_strict = self.route.first().is_some_and(|first| !is_loose(first));
        let first_uri = || {
            self.route
                .first()
                .and_then(|first| NameAddr::parse(first))
                .map(|first| first.uri.to_owned())
        };
        let uri = if is_strict {
            first_uri().unwrap_or_else(|| self.target.clone())
        } else {
            self.target.clone()
        };
        let mut writer = Writer::request(method.as_str(), &uri)
            .header("Via", &via)
            .header("Max-Forwards", "70");
        for route in self.route.iter().skip(usize::from(is_strict)) {
            writer = writer.header("Route", route);
        }
        if is_strict {
            writer = writer.header("Route", &format!("<{}>", self.target));
        }
        writer = writer
            .header("From", &self.local)
            .header("To", &self.remote)
            .header("Call-ID", &self.sip_call_id)
            .header("CSeq", &format!("{number} {method}"))
            .header("User-Agent", &core.config.user_agent);
        if matches!(method, Method::Invite | Method::Update) {
            writer = writer
                .header("Contact", &core.own_contact(self.path))
                .header("Allow", super::core::ALLOW);
        }
        (writer, branch)
    }

    /// Takes the remote target of a request or a 2xx that may change it.
    pub(super) fn retarget(&mut self, message: &Message) {
        if let Some(contact) = message.contact().filter(|contact| Uri::parse(contact).is_some()) {
            contact.clone_into(&mut self.target);
        }
        self.takes_update = message.lists(Name::Allow, "UPDATE");
    }

    /// Takes tag, target and route set of the response that makes or confirms our dialog (RFC 3261 §12.1.2).
    pub(super) fn learn(&mut self, response: &Message) {
        if let Some(to) = response.value(Name::To) {
            to.clone_into(&mut self.remote);
        }
        self.remote_tag = response.to().and_then(|to| to.tag().map(str::to_owned));
        self.retarget(response);
        let mut route: Vec<String> = response.items(Name::RecordRoute).map(str::to_owned).collect();
        route.reverse();
        self.route = route;
        self.follow();
    }

    /// Sends where the route set or the far side's Contact says (RFC 3261 §12.2.1.1), when that is an address that can be
    /// reached. A phone, and whoever gives a private address from a public one, is behind a NAT: its source is kept.
    pub(super) fn follow(&mut self) {
        let Path::Udp { local, remote } = self.path else { return };
        if self.device.is_some() {
            return;
        }
        let first = self
            .route
            .first()
            .and_then(|first| NameAddr::parse(first))
            .map(|first| first.uri);
        let Some(uri) = Uri::parse(first.unwrap_or(&self.target)) else {
            return;
        };
        let is_udp = uri.scheme.eq_ignore_ascii_case("sip")
            && uri
                .param("transport")
                .is_none_or(|transport| transport.eq_ignore_ascii_case("udp"));
        let Some(address) = uri.address().filter(|_| is_udp) else {
            return;
        };
        let is_near = is_private(address) == is_private(remote.ip()) && address.is_ipv4() == local.is_ipv4();
        if is_near && !address.is_unspecified() {
            self.far = SocketAddr::new(address, uri.port.unwrap_or(5060));
            self.path = Path::Udp {
                local,
                remote: self.far,
            };
        }
    }

    /// Whether a new offer may be made or taken.
    pub(super) const fn is_settled(&self) -> bool {
        matches!(self.exchange, Exchange::Settled)
    }
}

fn is_loose(route: &str) -> bool {
    NameAddr::parse(route)
        .and_then(|route| Uri::parse(route.uri))
        .is_none_or(|uri| uri.param("lr").is_some())
}
