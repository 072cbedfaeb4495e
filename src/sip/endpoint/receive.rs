//! Reads, checks and sorts what arrives.

use super::{Endpoint, Owner};
use crate::message::check::{self, Carrier};
use crate::message::{Message, Method, Name, parse};
use crate::transaction::{Delivered, Path, Received, ServerKey};
use bytes::Bytes;
use std::net::SocketAddr;
use tracing::{debug, trace};

/// What scanners call themselves. Answering tells them that somebody is here.
const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sundayddr",
    "pplsip",
    "vaxsip",
    "sivus",
];

impl Endpoint {
    pub(super) fn datagram(&mut self, source: SocketAddr, local: SocketAddr, bytes: &Bytes) {
        if source.port() == 0 || !self.may_speak(source) {
            return;
        }
        match parse(bytes) {
            Ok(message) => {
                let path = Path::Udp { local, remote: source };
                self.core.trace(path, bytes, false);
                self.message(message, path, source, Carrier::Datagram);
            }
            Err(fault) => trace!(%source, %fault, "datagram dropped"),
        }
    }

    /// Whether a source is within its rate. Trunks carry many callers and are not limited.
    fn may_speak(&mut self, source: SocketAddr) -> bool {
        let now = self.core.now;
        self.core.guard.admits(source.ip(), now) || self.core.directory.trunk_of(source).is_some()
    }

    pub(super) fn message(&mut self, mut message: Message, path: Path, source: SocketAddr, carrier: Carrier) {
        let Some(method) = message.method().cloned() else {
            if check::response(&mut message, carrier) {
                self.response(&message, path);
            }
            return;
        };
        if path.is_reliable() && !self.may_speak(source) {
            return;
        }
        let agent = message.value(Name::UserAgent).unwrap_or_default().to_ascii_lowercase();
        if SCANNERS.iter().any(|scanner| agent.contains(scanner)) {
            debug!(%source, "a scanner is ignored");
            return;
        }
        if let Err(refusal) = check::request(&mut message, carrier) {
            debug!(%source, status = refusal.status, reason = refusal.reason, "request refused");
            if method != Method::Ack {
                let mut headers = Vec::new();
                headers.extend(refusal.unsupported.map(|tags| ("Unsupported", tags)));
                match refusal.status {
                    501 => headers.push(("Allow", super::core::ALLOW.to_owned())),
                    406 | 415 => headers.push(("Accept", "application/sdp".to_owned())),
                    _ => {}
                }
                self.core
                    .reply_stateless(&message, refusal.status, refusal.reason, path, &headers);
            }
            return;
        }
        self.request(message, &method, path, source);
    }

    fn request(&mut self, request: Message, method: &Method, path: Path, source: SocketAddr) {
        let Some(key) = ServerKey::of(&request, method) else {
            return;
        };
        if *method == Method::Cancel {
            self.cancelled(&request, &key, path);
            return;
        }
        let now = self.core.now;
        match self
            .core
            .with_servers(|servers, wire| servers.receive(&key, method, now, wire))
        {
            Received::Absorbed | Received::Acknowledged => return,
            Received::New => {}
        }
        if *method == Method::Ack {
            self.acknowledged(&request);
            return;
        }
        if self.core.servers.len() >= self.core.config.limits.transactions {
            self.unavailable(&request, path);
            return;
        }
        let tag = request.to().and_then(|to| to.tag().map(str::to_owned));
        if let (Some(tag), false) = (tag, *method == Method::Register) {
            let id = (request.sip_call_id().unwrap_or_default().to_owned(), tag);
            match self.by_tag.get(&id).copied() {
                Some(dialog) => self.within(dialog, request, method, key, path),
                None if *method == Method::Options => self.options(&request, path),
                None => self.core.reply_stateless(&request, 481, "", path, &[]),
            }
            return;
        }
        self.outside(request, method, key, path, source);
    }

    /// A request outside any dialog.
    fn outside(&mut self, request: Message, method: &Method, key: ServerKey, path: Path, source: SocketAddr) {
        let allow = [("Allow", super::core::ALLOW.to_owned())];
        match method {
            Method::Invite => self.invited(request, key, path, source),
            Method::Register => self.register(&request, key, path, source),
            Method::Options => self.options(&request, path),
            Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify => {
                self.core.reply_stateless(&request, 481, "", path, &[]);
            }
            // Phones ask for message waiting and presence; told that there is none, they stop.
            Method::Subscribe | Method::Publish => self.core.reply_stateless(&request, 489, "", path, &[]),
            Method::Refer | Method::Message => self.core.reply_stateless(&request, 405, "", path, &allow),
            Method::Other(_) => self.core.reply_stateless(&request, 501, "", path, &allow),
            Method::Ack | Method::Cancel => {}
        }
    }

    /// The same for everybody, whoever is asked for: nobody learns who exists.
    pub(super) fn options(&mut self, request: &Message, path: Path) {
        let headers = [
            ("Allow", super::core::ALLOW.to_owned()),
            ("Accept", "application/sdp".to_owned()),
            ("Supported", "timer".to_owned()),
        ];
        self.core.reply_stateless(request, 200, "", path, &headers);
    }

    pub(super) fn unavailable(&mut self, request: &Message, path: Path) {
        self.core
            .reply_stateless(request, 503, "", path, &[("Retry-After", "5".to_owned())]);
    }

    fn response(&mut self, response: &Message, path: Path) {
        let now = self.core.now;
        let owner = match self
            .core
            .with_clients(|clients, wire| clients.receive(response, now, wire))
        {
            Delivered::To(owner) => owner,
            Delivered::Absorbed => return,
            Delivered::Stray => {
                trace!(status = response.status(), "response of no transaction");
                return;
            }
        };
        match owner {
            Owner::Invite(dialog) => self.invite_answered(dialog, response, path),
            Owner::Reoffer(dialog) => self.reoffer_answered(dialog, response),
            Owner::Bye(dialog) => self.bye_answered(dialog, response),
            Owner::Refresh(dialog) => self.refresh_answered(dialog, response),
            Owner::Info(dialog) => {
                if response.status().is_some_and(|status| status >= 200) {
                    self.info_over(dialog);
                }
            }
            // RFC 3515 §2.4.4: it has heard that the call went over; its own part ends.
            Owner::Referred(dialog) => {
                if response.status().is_some_and(|status| status >= 200) {
                    self.hang_up(dialog, None);
                }
            }
            Owner::Registration(trunk) => self.registration_answered(trunk, response),
            Owner::Ping(trunk) => self.ping_answered(trunk, response),
            Owner::Nobody => {}
        }
    }
}
