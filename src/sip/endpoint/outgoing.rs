//! Calls we place, until they are answered.

use super::core::{Core, parameter, written_port};
use super::dialog::{Cancelling, Dialog, Exchange, Inviting, Phase};
use super::{Due, Endpoint, Owner};
use crate::auth::answer::{answer, is_stale};
use crate::command::{Invite, Target};
use crate::event::{DialogKey, SipEvent};
use crate::message::write::{host, reason_of};
use crate::message::{Message, Method, Name, escape_user, parse, sdp_of};
use crate::transaction::{ClientKey, PATIENCE, Path, derive};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use strowger_model::TrunkId;
use strowger_model::trunk::Transport;

/// How long a call may ring in the end, whatever the switch allows.
const RING_AT_MOST: Duration = Duration::from_secs(600);

/// Requests larger than this do not go by datagram where a connection can be had (RFC 3261 §18.1.1), whether or not we
/// take connections ourselves: what the far side begins comes back as our Contact says.
const MOST_DATAGRAM: usize = 1300;

/// An INVITE and its branch, for the path the dialog goes by now.
fn invite_of(dialog: &Dialog, core: &Core, invite: &Invite, proof: Option<&(&'static str, String)>) -> (Bytes, String) {
    let (mut writer, branch) = dialog.request(core, &Method::Invite, dialog.local_number);
    for (name, value) in &invite.headers {
        writer = writer.header(name, value);
    }
    if let Some((name, value)) = proof {
        writer = writer.header(name, value);
    }
    (writer.finish("application/sdp", &invite.offer), branch)
}

impl Endpoint {
    pub(super) fn place(&mut self, invite: Invite) {
        let key = invite.dialog;
        if self.dialogs.contains_key(&key) {
            return;
        }
        // While draining, a call that stands may still reach out: whether it does is the switch's to say.
        let found = self.route_of(&invite.target);
        let Some((path, target, to_host)) = found.filter(|_| !self.is_ending) else {
            let reason = reason_of(503).to_owned();
            self.core.tell(SipEvent::Failed {
                dialog: key,
                status: 503,
                reason,
            });
            return;
        };
        let own_host = host(self.core.seen_by(path).ip());
        let from_host = invite.from_host.clone().unwrap_or_else(|| match &invite.target {
            Target::Trunk(_) => to_host.clone(),
            Target::Binding(_) | Target::Address { .. } => own_host,
        });
        let display = invite
            .from_display
            .as_deref()
            .map(|name| format!("{} ", quote(name)))
            .unwrap_or_default();
        let device = match &invite.target {
            Target::Binding(binding) => Some(binding.device),
            Target::Trunk(_) | Target::Address { .. } => None,
        };
        let far_name = match &invite.target {
            Target::Trunk(trunk) => (trunk.transport == Transport::Tls).then(|| trunk.host.clone()),
            // A phone is found by its registration, and a fixed peer without a name by nothing.
            Target::Binding(_) | Target::Address { .. } => {
                (self.core.transport_of(path) == Transport::Tls).then(String::new)
            }
        };
        let local_tag = self.core.token();
        let from = if invite.from_user.is_empty() {
            "anonymous"
        } else {
            &invite.from_user
        };
        let local = format!("{display}<sip:{}@{from_host}>;tag={local_tag}", escape_user(from));
        let remote = format!("<sip:{}@{to_host}>", escape_user(&invite.to_user));
        let dialog = Dialog {
            key,
            sip_call_id: invite.sip_call_id.clone(),
            local_tag,
            remote_tag: None,
            local,
            remote,
            local_number: 0,
            remote_number: None,
            target,
            route: Vec::new(),
            path,
            heard: path,
            device,
            far: self.core.remote_of(path),
            far_name,
            auth: invite.auth,
            is_ours: true,
            phase: Phase::Established,
            exchange: Exchange::Settled,
            queued: None,
            described: invite.offer.clone(),
            session: None,
            takes_update: false,
            is_told: false,
            informs: false,
            to_inform: VecDeque::new(),
            referral: None,
            memo: None,
            missed: None,
        };
        self.name_dialog(key, &dialog, None);
        self.dialogs.insert(key, dialog);
        self.send_invite(key, invite, None, 1);
    }

    /// Path, Request-URI and the host of To.
    fn route_of(&mut self, target: &Target) -> Option<(Path, String, String)> {
        match target {
            Target::Binding(binding) => {
                let path = match self.bindings.path_of(binding.device, &binding.contact) {
                    Some(path) => path,
                    // A connection cannot be made towards a phone behind a NAT; a datagram can be sent.
                    None if binding.transport == Transport::Udp => {
                        self.core.path_to(binding.source.parse().ok()?, Transport::Udp, "")?
                    }
                    None => return None,
                };
                let own = host(self.core.seen_by(path).ip());
                Some((path, binding.contact.clone(), own))
            }
            Target::Trunk(trunk) => {
                let path = self.core.path_to(trunk.addr, trunk.transport, &trunk.host)?;
                let transport = parameter(trunk.transport);
                let port = written_port(trunk.port, trunk.transport);
                let uri = format!("sip:{}@{}{port}{transport}", escape_user(&trunk.user), trunk.host);
                Some((path, uri, trunk.host.clone()))
            }
            Target::Address { addr, transport, user } => {
                let path = self.core.path_to(*addr, *transport, &addr.ip().to_string())?;
                let transport = parameter(*transport);
                let uri = format!(
                    "sip:{}@{}:{}{transport}",
                    escape_user(user),
                    host(addr.ip()),
                    addr.port()
                );
                Some((path, uri, host(addr.ip())))
            }
        }
    }

    fn send_invite(&mut self, key: DialogKey, invite: Invite, proof: Option<(&'static str, String)>, tries: u8) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.local_number += 1;
        let mut written = invite_of(dialog, &self.core, &invite, proof.as_ref());
        let before = dialog.path;
        if written.0.len() > MOST_DATAGRAM
            && let Some(path) = self.core.stream_instead(before).filter(|_| dialog.device.is_none())
        {
            dialog.path = path;
            written = invite_of(dialog, &self.core, &invite, proof.as_ref());
        }
        let path = dialog.path;
        let fallback = (path != before).then_some(before);
        let (bytes, branch) = written;
        let client = self
            .core
            .send_request(&branch, Method::Invite, path, bytes, Owner::Invite(key));
        let give_up = self.core.after(RING_AT_MOST, Due::GiveUp(key));
        let unheard = invite
            .patience
            .map(|patience| self.core.after(patience, Due::Unheard(key)));
        if let Some(dialog) = self.dialogs.get_mut(&key) {
            let cancel = Cancelling::No;
            dialog.phase = Phase::Inviting(Box::new(Inviting {
                client,
                invite,
                cancel,
                tries,
                give_up,
                unheard,
                fallback,
            }));
        }
        self.keep(key);
    }

    pub(super) fn invite_answered(&mut self, key: DialogKey, response: &Message, path: Path) {
        let status = response.status().unwrap_or_default();
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            self.refuse_fork(response, path);
            return;
        };
        let Phase::Inviting(inviting) = &mut dialog.phase else {
            self.refuse_fork(response, path);
            return;
        };
        let cancel = inviting.cancel;
        match status {
            100..=199 if cancel == Cancelling::Wanted => self.send_cancel(key),
            101..=199 if cancel == Cancelling::No => {
                // What cannot be read as a session description is ringing without one.
                let body = sdp_of(response).unwrap_or_default();
                self.core.tell(SipEvent::Progress {
                    dialog: key,
                    status,
                    body,
                });
            }
            100..=199 => {}
            200..=299 => self.answered(key, response, cancel != Cancelling::No),
            401 | 407 if cancel == Cancelling::No && self.prove_invite(key, response) => {}
            _ => {
                // RFC 3261 §9.1: whatever came of it, we had given up.
                let status = if cancel == Cancelling::No { status } else { 487 };
                let reason = if cancel == Cancelling::No {
                    response.reason()
                } else {
                    ""
                };
                let reason = if reason.is_empty() { reason_of(status) } else { reason }.to_owned();
                self.end_dialog(
                    key,
                    SipEvent::Failed {
                        dialog: key,
                        status,
                        reason,
                    },
                );
            }
        }
    }

    fn answered(&mut self, key: DialogKey, response: &Message, is_given_up: bool) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let phase = std::mem::replace(&mut dialog.phase, Phase::Established);
        let Phase::Inviting(inviting) = phase else { return };
        dialog.learn(response);
        self.core.forget(Some(inviting.give_up));
        self.core.forget(inviting.unheard);
        self.acknowledge(key, &inviting.client);
        if is_given_up {
            // The answer crossed our CANCEL: it stands, and is ended at once.
            let reason = reason_of(487).to_owned();
            self.tell_last(
                key,
                SipEvent::Failed {
                    dialog: key,
                    status: 487,
                    reason,
                },
            );
            self.say_bye(key, None, None);
            return;
        }
        self.keep(key);
        let body = sdp_of(response).unwrap_or_default();
        self.core.tell(SipEvent::Answered { dialog: key, body });
    }

    /// Sends the ACK of a 2xx, and has it repeated with it (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge(&mut self, key: DialogKey, client: &ClientKey) {
        let Some(dialog) = self.dialogs.get(&key) else { return };
        let (writer, _) = dialog.request(&self.core, &Method::Ack, dialog.local_number);
        let (path, bytes) = (dialog.path, writer.end());
        let tag = dialog.remote_tag.clone().unwrap_or_default();
        self.core.transmit(path, bytes.clone());
        self.core.clients.acknowledged(client, tag, path, bytes);
    }

    /// Another fork answered too: its answer is acknowledged and its call ended.
    fn refuse_fork(&mut self, response: &Message, path: Path) {
        if !(200..300).contains(&response.status().unwrap_or_default()) {
            return;
        }
        let (Some(cseq), Some(client)) = (response.cseq(), ClientKey::of(response)) else {
            return;
        };
        let text = |name| response.value(name).unwrap_or_default().to_owned();
        let mut fork = Dialog {
            key: DialogKey(0),
            sip_call_id: text(Name::CallId),
            local_tag: String::new(),
            remote_tag: None,
            local: text(Name::From),
            remote: String::new(),
            local_number: cseq.number,
            remote_number: None,
            target: response.contact().unwrap_or("sip:unknown").to_owned(),
            route: Vec::new(),
            path,
            heard: path,
            device: None,
            far: self.core.remote_of(path),
            far_name: None,
            auth: None,
            is_ours: true,
            phase: Phase::Established,
            exchange: Exchange::Settled,
            queued: None,
            described: Bytes::new(),
            session: None,
            takes_update: false,
            is_told: true,
            informs: false,
            to_inform: VecDeque::new(),
            referral: None,
            memo: None,
            missed: None,
        };
        fork.learn(response);
        let ack = fork.request(&self.core, &Method::Ack, cseq.number).0.end();
        self.core.transmit(path, ack.clone());
        self.core
            .clients
            .acknowledged(&client, fork.remote_tag.clone().unwrap_or_default(), path, ack);
        let (bye, branch) = fork.request(&self.core, &Method::Bye, cseq.number + 1);
        self.core
            .send_request(&branch, Method::Bye, path, bye.end(), Owner::Nobody);
    }

    /// Sends the INVITE again with our password; false when we have none, or it was refused.
    fn prove_invite(&mut self, key: DialogKey, response: &Message) -> bool {
        let Some(dialog) = self.dialogs.get(&key) else {
            return false;
        };
        let Phase::Inviting(inviting) = &dialog.phase else {
            return false;
        };
        let (tries, invite) = (inviting.tries, inviting.invite.clone());
        let timers = [Some(inviting.give_up), inviting.unheard];
        let (auth, uri) = (dialog.auth, dialog.target.clone());
        let Some(proof) = self.prove(auth, response, &Method::Invite, &uri, tries) else {
            return false;
        };
        timers.into_iter().for_each(|timer| self.core.forget(timer));
        self.send_invite(key, invite, Some(proof), tries + 1);
        true
    }

    /// Our answer to a provider's challenge: header name and value. A second challenge means that the password is wrong,
    /// unless it says that the nonce was too old.
    pub(super) fn prove(
        &self,
        trunk: Option<TrunkId>,
        response: &Message,
        method: &Method,
        uri: &str,
        tries: u8,
    ) -> Option<(&'static str, String)> {
        let auth = self.core.directory.trunk_auth(trunk?)?;
        let (asks, answers) = match response.status() {
            Some(407) => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => (Name::WwwAuthenticate, Name::Authorization),
        };
        response.values(asks).find_map(|challenge| {
            let may_try = tries < 2 || (tries < 3 && is_stale(challenge));
            let cnonce = self.core.token();
            let value = may_try.then(|| answer(challenge, &auth, method.as_str(), uri, &cnonce))??;
            Some((answers.as_str(), value))
        })
    }

    pub(super) fn cancel(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Phase::Inviting(inviting) = &mut dialog.phase else {
            return;
        };
        if inviting.cancel != Cancelling::No {
            return;
        }
        inviting.cancel = Cancelling::Wanted;
        let (client, old) = (inviting.client.clone(), inviting.give_up);
        self.core.forget(Some(old));
        let give_up = self.core.after(PATIENCE, Due::GiveUp(key));
        if let Some(Dialog {
            phase: Phase::Inviting(inviting),
            ..
        }) = self.dialogs.get_mut(&key)
        {
            inviting.give_up = give_up;
        }
        if self.core.clients.is_proceeding(&client) {
            self.send_cancel(key);
        }
    }

    fn send_cancel(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Phase::Inviting(inviting) = &mut dialog.phase else {
            return;
        };
        inviting.cancel = Cancelling::Sent;
        let Some((path, request)) = self.core.clients.request(&inviting.client) else {
            return;
        };
        let Ok(invite) = parse(&request) else { return };
        let branch = invite
            .via()
            .and_then(|via| via.branch().map(str::to_owned))
            .unwrap_or_default();
        let bytes = derive(&invite, "CANCEL", invite.value(Name::To).unwrap_or_default());
        self.core
            .send_request(&branch, Method::Cancel, path, bytes, Owner::Nobody);
    }

    /// The INVITE rang for too long, or its CANCEL was never answered.
    pub(super) fn give_up(&mut self, key: DialogKey) {
        let Some(Dialog {
            phase: Phase::Inviting(inviting),
            ..
        }) = self.dialogs.get(&key)
        else {
            return;
        };
        let client = inviting.client.clone();
        if inviting.cancel == Cancelling::No {
            self.cancel(key);
            return;
        }
        self.core.with_clients(|clients, wire| clients.give_up(&client, wire));
        self.invite_failed(key, 487);
    }

    /// The far side has said nothing at all. Whoever placed the call is told at once and may ask somebody else;
    /// should it ring or answer all the same, it is called off.
    pub(super) fn unheard(&mut self, key: DialogKey) {
        let Some(Dialog {
            phase: Phase::Inviting(inviting),
            far,
            ..
        }) = self.dialogs.get_mut(&key)
        else {
            return;
        };
        inviting.unheard = None;
        if inviting.cancel != Cancelling::No || self.core.clients.is_proceeding(&inviting.client) {
            return;
        }
        if inviting.fallback.is_some() {
            // A connection that is not answered over, or does not come about, is no way for the next large one either.
            let far = *far;
            self.core.no_stream_to(far);
        }
        self.cancel(key);
        self.tell_last(
            key,
            SipEvent::Failed {
                dialog: key,
                status: 408,
                reason: reason_of(408).to_owned(),
            },
        );
    }

    /// The connection for a large INVITE came to nothing: it goes by datagram after all, and the next ones at once
    /// (RFC 3261 §18.1.1). Whether there was such a way.
    fn falls_back(&mut self, key: DialogKey) -> bool {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return false;
        };
        let Phase::Inviting(inviting) = &mut dialog.phase else {
            return false;
        };
        let Some(path) = inviting.fallback.take().filter(|_| inviting.cancel == Cancelling::No) else {
            return false;
        };
        let (invite, tries) = (inviting.invite.clone(), inviting.tries);
        let timers = [Some(inviting.give_up), inviting.unheard];
        dialog.path = path;
        let far = dialog.far;
        self.core.no_stream_to(far);
        timers.into_iter().for_each(|timer| self.core.forget(timer));
        tracing::debug!(%far, "takes no connection; a large INVITE goes by datagram");
        self.send_invite(key, invite, None, tries);
        true
    }

    pub(super) fn invite_failed(&mut self, key: DialogKey, status: u16) {
        if self.falls_back(key) {
            return;
        }
        let Some(Dialog {
            phase: Phase::Inviting(inviting),
            ..
        }) = self.dialogs.get(&key)
        else {
            return;
        };
        let status = if inviting.cancel == Cancelling::No { status } else { 487 };
        let reason = reason_of(status).to_owned();
        self.end_dialog(
            key,
            SipEvent::Failed {
                dialog: key,
                status,
                reason,
            },
        );
    }
}

/// A display name as a quoted string.
fn quote(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}
