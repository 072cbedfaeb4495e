//! Registrations we hold at providers, and whether providers answer.

use super::{Due, Endpoint, Owner};
use crate::command::{PingTrunk, RegisterTrunk};
use crate::event::{SipEvent, TrunkState};
use crate::message::write::{Writer, reason_of};
use crate::message::{Message, Method, Name, NameAddr, escape_user};
use crate::trunk::{Health, Ping, Registration};
use std::time::Duration;
use strowger_model::TrunkId;
use tracing::{info, warn};

/// How long a provider may take to answer OPTIONS.
const PING_PATIENCE: Duration = Duration::from_secs(4);

impl Endpoint {
    pub(super) fn register_trunk(&mut self, wanted: RegisterTrunk) {
        let trunk = wanted.trunk;
        let old = self.registrations.remove(&trunk);
        self.core.forget(old.as_ref().and_then(|old| old.timer));
        let registration = Registration {
            // RFC 3261 §10.2: one Call-ID for all registrations at a provider.
            sip_call_id: old
                .as_ref()
                .map_or_else(|| self.core.token(), |old| old.sip_call_id.clone()),
            tag: self.core.token(),
            contact: String::new(),
            number: old.as_ref().map_or(0, |old| old.number),
            asked: wanted.expires,
            wanted,
            tries: 1,
            failures: 0,
            timer: None,
            is_registered: false,
            is_leaving: false,
        };
        self.registrations.insert(trunk, registration);
        self.send_register(trunk, None);
    }

    pub(super) fn unregister_trunk(&mut self, trunk: TrunkId) {
        let Some(registration) = self.registrations.get_mut(&trunk) else {
            return;
        };
        let timer = registration.timer.take();
        self.core.forget(timer);
        if !registration.is_registered {
            self.registrations.remove(&trunk);
            self.core.tell(SipEvent::TrunkState {
                trunk,
                state: TrunkState::Unregistered,
            });
            return;
        }
        registration.is_leaving = true;
        registration.tries = 1;
        self.send_register(trunk, None);
    }

    pub(super) fn register_due(&mut self, trunk: TrunkId) {
        if let Some(registration) = self.registrations.get_mut(&trunk) {
            registration.timer = None;
            registration.tries = 1;
            self.send_register(trunk, None);
        }
    }

    fn send_register(&mut self, trunk: TrunkId, proof: Option<(&'static str, String)>) {
        let Some(registration) = self.registrations.get(&trunk) else {
            return;
        };
        let (addr, transport) = (registration.wanted.addr, registration.wanted.transport);
        let name = registration.wanted.host.clone();
        let auth = self.core.directory.trunk_auth(trunk);
        let Some((path, auth)) = self.core.path_to(addr, transport, &name).zip(auth) else {
            warn!(%trunk, "no way or no password to register with");
            self.registration_failed(trunk, 503, "", None, true);
            return;
        };
        let Some(registration) = self.registrations.get_mut(&trunk) else {
            return;
        };
        registration.number += 1;
        let uri = uri_of(registration);
        let user = escape_user(&auth.username);
        let party = format!("<sip:{user}@{}>", registration.wanted.host);
        let contact = self.core.own_contact(path).replacen("sip:", &format!("sip:{user}@"), 1);
        contact.trim_matches(['<', '>']).clone_into(&mut registration.contact);
        let expires = if registration.is_leaving {
            0
        } else {
            registration.asked.as_secs()
        };
        let (via, branch) = self.core.new_via(path);
        let mut writer = Writer::request("REGISTER", &uri)
            .header("Via", &via)
            .header("Max-Forwards", "70")
            .header("From", &format!("{party};tag={}", registration.tag))
            .header("To", &party)
            .header("Call-ID", &registration.sip_call_id)
            .header("CSeq", &format!("{} REGISTER", registration.number))
            .header("Contact", &contact)
            .header("Expires", &expires.to_string())
            .header("Allow", super::core::ALLOW)
            .header("User-Agent", &self.core.config.user_agent);
        if let Some((name, value)) = proof {
            writer = writer.header(name, &value);
        }
        self.core.send_request(
            &branch,
            Method::Register,
            path,
            writer.end(),
            Owner::Registration(trunk),
        );
    }

    pub(super) fn registration_answered(&mut self, trunk: TrunkId, response: &Message) {
        let status = response.status().unwrap_or_default();
        let Some(registration) = self.registrations.get_mut(&trunk) else {
            return;
        };
        // The answer to a REGISTER that was since replaced says nothing.
        if response.cseq().is_none_or(|cseq| cseq.number != registration.number) {
            return;
        }
        let (tries, uri) = (registration.tries, uri_of(registration));
        match status {
            100..=199 => {}
            200..=299 if registration.is_leaving => {
                self.registrations.remove(&trunk);
                self.core.tell(SipEvent::TrunkState {
                    trunk,
                    state: TrunkState::Unregistered,
                });
            }
            200..=299 => self.registered(trunk, response),
            401 | 407 => match self.prove(Some(trunk), response, &Method::Register, &uri, tries) {
                Some(proof) => {
                    if let Some(registration) = self.registrations.get_mut(&trunk) {
                        registration.tries += 1;
                    }
                    self.send_register(trunk, Some(proof));
                }
                None => self.registration_failed(trunk, status, response.reason(), None, false),
            },
            423 if tries < 4 => {
                // The provider's word, and nothing made up from it: values that decay end in a flood.
                let least = response.value(Name::MinExpires).and_then(super::seconds);
                let least = least.filter(|least| *least > registration.asked);
                registration.tries += 1;
                match least {
                    Some(least) => {
                        registration.asked = least;
                        registration.tries = 1;
                        self.send_register(trunk, None);
                    }
                    None => self.registration_failed(trunk, status, response.reason(), None, true),
                }
            }
            403 => self.registration_failed(trunk, status, response.reason(), None, false),
            _ => {
                let wait = response
                    .value(Name::RetryAfter)
                    .and_then(|value| super::seconds(crate::auth::split_value(value).0));
                self.registration_failed(trunk, status, response.reason(), wait, true);
            }
        }
    }

    fn registered(&mut self, trunk: TrunkId, response: &Message) {
        let Some(registration) = self.registrations.get_mut(&trunk) else {
            return;
        };
        let expires = granted(response, registration).unwrap_or(registration.asked);
        let pause = Registration::refresh_after(expires, |most| self.core.jitter(most));
        let timer = self.core.after(pause, Due::Register(trunk));
        let is_new = !std::mem::replace(&mut registration.is_registered, true);
        registration.timer = Some(timer);
        registration.failures = 0;
        registration.tries = 1;
        if is_new {
            info!(%trunk, expires_s = expires.as_secs(), "registered at provider");
        }
        self.core.tell(SipEvent::TrunkState {
            trunk,
            state: TrunkState::Registered { expires },
        });
    }

    pub(super) fn registration_unanswered(&mut self, trunk: TrunkId, status: u16, reason: &str) {
        self.registration_failed(trunk, status, reason, None, true);
    }

    fn registration_failed(
        &mut self,
        trunk: TrunkId,
        status: u16,
        reason: &str,
        wait: Option<Duration>,
        tries_again: bool,
    ) {
        let Some(registration) = self.registrations.get_mut(&trunk) else {
            return;
        };
        if registration.is_leaving {
            self.registrations.remove(&trunk);
            self.core.tell(SipEvent::TrunkState {
                trunk,
                state: TrunkState::Unregistered,
            });
            return;
        }
        registration.is_registered = false;
        registration.failures += 1;
        let retry = tries_again.then(|| {
            registration
                .pause(|most| self.core.jitter(most))
                .max(wait.unwrap_or_default())
        });
        registration.timer = retry.map(|retry| self.core.after(retry, Due::Register(trunk)));
        let reason = if reason.is_empty() { reason_of(status) } else { reason }.to_owned();
        warn!(%trunk, status, reason, retry_s = retry.map(|retry| retry.as_secs()), "registration at provider failed");
        self.core.tell(SipEvent::TrunkState {
            trunk,
            state: TrunkState::Failed { status, reason, retry },
        });
    }

    pub(super) fn ping_trunk(&mut self, wanted: PingTrunk) {
        let trunk = wanted.trunk;
        let old = self.pings.remove(&trunk);
        if let Some(old) = &old {
            self.core.forget(old.timer);
            self.core.forget(old.late);
        }
        let health = old.map_or(Health::Unknown, |old| old.health);
        let (sent, misses, hits, timer, late) = (self.core.now, 0, 0, None, None);
        self.pings.insert(
            trunk,
            Ping {
                wanted,
                sent,
                misses,
                hits,
                health,
                timer,
                late,
            },
        );
        self.ping_due(trunk);
    }

    pub(super) fn stop_ping(&mut self, trunk: TrunkId) {
        if let Some(ping) = self.pings.remove(&trunk) {
            self.core.forget(ping.timer);
            self.core.forget(ping.late);
        }
    }

    pub(super) fn ping_due(&mut self, trunk: TrunkId) {
        let Some(ping) = self.pings.get(&trunk) else { return };
        let (addr, transport, host) = (ping.wanted.addr, ping.wanted.transport, ping.wanted.host.clone());
        let next = self.core.after(self.core.config.ping_interval, Due::Ping(trunk));
        let path = self.core.path_to(addr, transport, &host);
        let key = path.map(|path| {
            let (via, branch) = self.core.new_via(path);
            let own = self.core.own_host(path);
            let bytes = Writer::request("OPTIONS", &format!("sip:{host}"))
                .header("Via", &via)
                .header("Max-Forwards", "70")
                .header("From", &format!("<sip:ping@{own}>;tag={}", self.core.token()))
                .header("To", &format!("<sip:{host}>"))
                .header("Call-ID", &self.core.token())
                .header("CSeq", "1 OPTIONS")
                .header("Contact", &self.core.own_contact(path))
                .header("Accept", "application/sdp")
                .header("User-Agent", &self.core.config.user_agent)
                .end();
            self.core
                .send_request(&branch, Method::Options, path, bytes, Owner::Ping(trunk))
        });
        let late = key
            .clone()
            .map(|key| self.core.after(PING_PATIENCE, Due::PingLate(trunk, key)));
        let now = self.core.now;
        if let Some(ping) = self.pings.get_mut(&trunk) {
            ping.sent = now;
            ping.timer = Some(next);
            ping.late = late;
        }
        if key.is_none() {
            self.ping_unanswered(trunk, "no listener of ours fits its address");
        }
    }

    /// Any final answer counts: who says 404 or 405 is there.
    pub(super) fn ping_answered(&mut self, trunk: TrunkId, response: &Message) {
        let now = self.core.now;
        let Some(ping) = self.pings.get_mut(&trunk) else { return };
        if response.status().is_none_or(|status| status < 200) {
            return;
        }
        let late = ping.late.take();
        let latency = now.saturating_duration_since(ping.sent);
        let was_down = ping.health == Health::Down;
        let is_up = ping.hit();
        self.core.forget(late);
        if is_up {
            self.core.tell(SipEvent::TrunkState {
                trunk,
                state: TrunkState::Up { latency },
            });
        }
        if is_up && was_down {
            self.register_again(trunk);
        }
    }

    /// A provider that was away may have forgotten us: it is asked at once, not when the pause is over.
    fn register_again(&mut self, trunk: TrunkId) {
        let timer = self.registrations.get_mut(&trunk).and_then(|held| held.timer.take());
        // Without a timer an attempt is under way, or the provider has refused us for good.
        if timer.is_some() {
            self.core.forget(timer);
            self.register_due(trunk);
        }
    }

    pub(super) fn ping_unanswered(&mut self, trunk: TrunkId, reason: &str) {
        let registered = self.registrations.contains_key(&trunk);
        let Some(ping) = self.pings.get_mut(&trunk) else { return };
        let goes_down = ping.miss(registered);
        if goes_down {
            warn!(%trunk, reason, "trunk does not answer");
        }
        // Said again for every ping that is missed while it is down: whoever keeps its history counts them.
        if goes_down || ping.health == Health::Down {
            self.core.tell(SipEvent::TrunkState {
                trunk,
                state: TrunkState::Unreachable {
                    reason: reason.to_owned(),
                },
            });
        }
    }
}

fn uri_of(registration: &Registration) -> String {
    let wanted = &registration.wanted;
    format!(
        "sip:{}{}",
        wanted.host,
        super::core::written_port(wanted.port, wanted.transport)
    )
}

/// For how long the provider took our registration: the `expires` of our Contact, found leniently as some NATs rewrite
/// it, or the Expires header.
fn granted(response: &Message, registration: &Registration) -> Option<Duration> {
    let contacts: Vec<NameAddr<'_>> = response.items(Name::Contact).filter_map(NameAddr::parse).collect();
    let is_ours = |contact: &&NameAddr<'_>| contact.uri == registration.contact;
    let ours = contacts
        .iter()
        .find(is_ours)
        .or_else(|| contacts.first().filter(|_| contacts.len() == 1));
    let by_contact = ours
        .and_then(|contact| contact.params.get("expires"))
        .and_then(super::seconds);
    by_contact
        .or_else(|| response.value(Name::Expires).and_then(super::seconds))
        .filter(|expires| !expires.is_zero())
}
