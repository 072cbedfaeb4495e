//! Devices that register (RFC 3261 §10.3).

use super::{Due, Endpoint};
use crate::directory::DeviceAuth;
use crate::event::SipEvent;
use crate::message::{Message, Method, Name, NameAddr, Uri, quoted};
use crate::register::Held;
use crate::transaction::{FlowId, Path, ServerKey};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::DeviceId;
use strowger_model::record::Binding;
use strowger_model::trunk::Transport;

/// What a REGISTER wants, checked as a whole before anything changes.
enum Wish {
    Query,
    RemoveAll,
    Change(Vec<Change>),
    Refused(u16),
}

struct Change {
    contact: String,
    expires: Duration,
    instance: Option<String>,
    q: u16,
}

impl Endpoint {
    pub(super) fn register(&mut self, request: &Message, server: ServerKey, path: Path, source: SocketAddr) {
        let Some((device, _)) = self.login(request, &Method::Register, path, source) else {
            return;
        };
        self.core.servers.begin(server.clone(), &Method::Register, path);
        let status = match self.wish_of(request, device.device) {
            Wish::Refused(status) => status,
            Wish::Query => 200,
            Wish::RemoveAll => {
                self.unbind(device.device);
                200
            }
            Wish::Change(changes) => {
                for change in changes {
                    self.change(request, &device, change, path, source);
                }
                200
            }
        };
        let tag = self.core.token();
        let mut writer = self.core.reply(request, status, "", path, &tag);
        if status == 423 {
            writer = writer.header("Min-Expires", &self.core.config.min_expires.as_secs().to_string());
        }
        if status == 200 {
            let now = self.core.now;
            for held in self.bindings.held(device.device) {
                let left = held.expires.saturating_duration_since(now).as_secs();
                writer = writer.header("Contact", &format!("<{}>;expires={left}", held.binding.contact));
            }
        }
        self.core.respond(&server, status, writer.end());
        self.arm_bindings();
        self.registered_again(device.device, path);
    }

    fn wish_of(&self, request: &Message, device: DeviceId) -> Wish {
        let config = &self.core.config;
        // An Expires that is no number counts as none (RFC 3261 §20.19).
        let header = request.value(Name::Expires).and_then(super::seconds);
        let items: Vec<&str> = request.items(Name::Contact).collect();
        let (id, number) = (request.sip_call_id().unwrap_or_default(), cseq_of(request));
        let is_late = |held: &Held| held.binding.sip_call_id == id && held.binding.cseq >= number;
        if self.bindings.held(device).any(is_late) {
            return Wish::Refused(500);
        }
        if items.contains(&"*") {
            let is_good = items.len() == 1 && header == Some(Duration::ZERO);
            return if is_good { Wish::RemoveAll } else { Wish::Refused(400) };
        }
        if items.is_empty() {
            return Wish::Query;
        }
        if items.len() > config.limits.contacts {
            return Wish::Refused(403);
        }
        let mut changes = Vec::with_capacity(items.len());
        for item in items {
            let Some(contact) = NameAddr::parse(item) else {
                return Wish::Refused(400);
            };
            if Uri::parse(contact.uri).is_none() {
                return Wish::Refused(416);
            }
            let asked = contact.params.get("expires").and_then(super::seconds).or(header);
            let asked = asked.unwrap_or(config.max_expires);
            if !asked.is_zero() && asked < config.min_expires {
                return Wish::Refused(423);
            }
            changes.push(Change {
                // RFC 3261 §19.1.5: headers of a Contact are not for the Request-URI.
                contact: contact.uri.split('?').next().unwrap_or(contact.uri).to_owned(),
                expires: asked.min(config.max_expires),
                instance: contact.params.get("+sip.instance").and_then(quoted),
                q: contact
                    .params
                    .get("q")
                    .and_then(|q| q.parse().ok())
                    .map_or(1000, thousandths),
            });
        }
        Wish::Change(changes)
    }

    fn change(&mut self, request: &Message, device: &DeviceAuth, change: Change, path: Path, source: SocketAddr) {
        let id = device.device;
        if change.expires.is_zero() {
            if self.bindings.unbind(id, &change.contact) {
                self.core.tell(SipEvent::Unbound {
                    device: id,
                    contact: change.contact,
                });
            }
            return;
        }
        let binding = Binding {
            device: id,
            tenant: device.tenant,
            contact: change.contact,
            source: source.to_string(),
            transport: self.core.transport_of(path),
            sip_call_id: request.sip_call_id().unwrap_or_default().to_owned(),
            cseq: cseq_of(request),
            instance: change.instance,
            user_agent: request.value(Name::UserAgent).map(str::to_owned),
            expires_at: self.core.world.now() + change.expires,
        };
        let held = Held {
            binding: binding.clone(),
            path,
            expires: self.core.now + change.expires,
            q: change.q,
        };
        for contact in self.bindings.bind(held) {
            self.core.tell(SipEvent::Unbound { device: id, contact });
        }
        self.core.tell(SipEvent::Bound {
            binding: Box::new(binding),
        });
    }

    pub(super) fn unbind(&mut self, device: DeviceId) {
        for contact in self.bindings.unbind_all(device) {
            self.core.tell(SipEvent::Unbound { device, contact });
        }
        self.arm_bindings();
    }

    pub(super) fn unbind_flow(&mut self, flow: FlowId) {
        for (device, contact) in self.bindings.unbind_flow(flow) {
            self.core.tell(SipEvent::Unbound { device, contact });
        }
        self.arm_bindings();
    }

    pub(super) fn sweep_bindings(&mut self) {
        self.binding_timer = None;
        for (device, contact) in self.bindings.expire(self.core.now) {
            self.core.tell(SipEvent::Unbound { device, contact });
        }
        self.arm_bindings();
    }

    pub(super) fn restore_bindings(&mut self, bindings: Vec<Binding>, now: Instant) {
        self.core.now = now;
        let wall = self.core.world.now();
        for binding in bindings {
            let left = Duration::try_from(binding.expires_at - wall).unwrap_or_default();
            let source = binding
                .source
                .parse()
                .ok()
                .filter(|_| binding.transport == Transport::Udp && !left.is_zero());
            let path = source.and_then(|source| self.core.path_to(source, Transport::Udp, ""));
            let (device, contact) = (binding.device, binding.contact.clone());
            let Some(path) = path else {
                self.core.tell(SipEvent::Unbound { device, contact });
                if binding.transport != Transport::Udp {
                    self.absent.was_bound(binding);
                }
                continue;
            };
            self.bindings.bind(Held {
                binding,
                path,
                expires: now + left,
                q: 1000,
            });
        }
        self.arm_bindings();
    }

    fn arm_bindings(&mut self) {
        let timer = self.binding_timer.take();
        self.core.forget(timer);
        self.binding_timer = self
            .bindings
            .next_end()
            .map(|end| self.core.timers.set(end, Due::Bindings));
    }
}

fn cseq_of(request: &Message) -> i64 {
    request.cseq().map_or(0, |cseq| i64::from(cseq.number))
}

fn thousandths(q: f32) -> u16 {
    let whole = (q.clamp(0.0, 1.0) * 1000.0).round();
    // Between 0 and 1000 by the line above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let whole = whole as u16;
    whole
}
