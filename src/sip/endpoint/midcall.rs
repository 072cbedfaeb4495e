//! What happens in a dialog after its answer: new offers, digits, refreshes, the end.

use super::dialog::{Dialog, Exchange, Phase};
use super::incoming::{accept, session_wish, unacked};
use super::{Due, Endpoint, Owner};
use crate::event::{DialogKey, EndReason, SipEvent};
use crate::message::{Message, Method, sdp_of};
use crate::transaction::{ClientKey, Path, ServerKey};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::trunk::Transport;

/// INFO requests of a dialog that wait for the one before them.
const MOST_INFOS: usize = 64;

impl Endpoint {
    /// A request within a dialog.
    pub(super) fn within(&mut self, key: DialogKey, request: Message, method: &Method, server: ServerKey, path: Path) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let from_tag = request.from().and_then(|from| from.tag().map(str::to_owned));
        let is_theirs = dialog.remote_tag.is_none() || from_tag == dialog.remote_tag;
        if !is_theirs || (matches!(dialog.phase, Phase::Ending { .. }) && *method != Method::Bye) {
            self.core.reply_stateless(&request, 481, "", path, &[]);
            return;
        }
        self.core.servers.begin(server.clone(), method, path);
        // RFC 3261 §12.2.2: what comes late is refused.
        if dialog.remote_number.is_some_and(|seen| number < seen) {
            self.respond(key, &server, &request, 500, path);
            return;
        }
        dialog.remote_number = Some(number);
        let is_back = *method != Method::Bye && self.spoke_again(key, path);
        match method {
            Method::Bye => self.bye_received(key, &server, &request, path),
            Method::Invite | Method::Update => self.offered_again(key, server, request, method, path),
            Method::Info => {
                self.respond(key, &server, &request, 200, path);
                let content_type = request.content_type().unwrap_or_default();
                let body = request.body().clone();
                self.core.tell(SipEvent::Info {
                    dialog: key,
                    content_type,
                    body,
                });
            }
            Method::Options => self.respond(key, &server, &request, 200, path),
            Method::Prack => self.respond(key, &server, &request, 481, path),
            Method::Refer => self.refer_received(key, &server, &request, path),
            Method::Notify | Method::Subscribe | Method::Publish => self.respond(key, &server, &request, 489, path),
            Method::Message | Method::Register => self.respond(key, &server, &request, 405, path),
            Method::Other(_) => self.respond(key, &server, &request, 501, path),
            Method::Ack | Method::Cancel => {}
        }
        if is_back {
            self.send_queued(key);
        }
    }

    /// Answers a request within a dialog without a body.
    pub(super) fn respond(&mut self, key: DialogKey, server: &ServerKey, request: &Message, status: u16, path: Path) {
        let tag = self.dialogs.get(&key).map_or("", |dialog| &dialog.local_tag);
        let mut writer = self.core.reply(request, status, "", path, tag);
        match status {
            405 | 501 => writer = writer.header("Allow", super::core::ALLOW),
            500 => {
                writer = writer.header(
                    "Retry-After",
                    &(1 + self.core.jitter(Duration::from_secs(9)).as_secs()).to_string(),
                )
            }
            _ => {}
        }
        self.core.respond(server, status, writer.end());
    }

    fn bye_received(&mut self, key: DialogKey, server: &ServerKey, request: &Message, path: Path) {
        self.respond(key, server, request, 200, path);
        let Some(dialog) = self.dialogs.get(&key) else { return };
        // RFC 3261 §15.1.2: a BYE answers whatever is pending.
        let pending = match (&dialog.phase, &dialog.exchange) {
            (Phase::Offered { server, request, .. }, _) | (_, Exchange::Theirs { server, request }) => Some((
                server.clone(),
                self.core.reply(request, 487, "", dialog.heard, &dialog.local_tag).end(),
            )),
            _ => None,
        };
        if let Some((server, response)) = pending {
            self.core.respond(&server, 487, response);
        }
        self.end_dialog(
            key,
            SipEvent::Ended {
                dialog: key,
                cause: EndReason::Bye,
            },
        );
    }

    fn offered_again(&mut self, key: DialogKey, server: ServerKey, request: Message, method: &Method, path: Path) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Ok(wish) = session_wish(&request) else {
            self.respond(key, &server, &request, 422, path);
            return;
        };
        let is_offer = *method == Method::Invite || !request.body().is_empty();
        let refusal = match (&dialog.phase, &dialog.exchange) {
            (Phase::Established, Exchange::Settled) => None,
            _ if !is_offer => None,
            // RFC 3261 §14.2: a second offer of theirs waits, one against ours is glare.
            (Phase::Established, Exchange::Theirs { .. }) => Some(500),
            // Its ACK is what settles the last one; without it a repeat cannot be told from news.
            (Phase::Established, Exchange::TheirsUnacked { .. }) => Some(500),
            (Phase::Established, Exchange::Ours { .. }) => Some(491),
            // Whoever tries again first wins; ours is still to come.
            (Phase::Established, Exchange::Glare { .. }) => None,
            (Phase::Offered { .. } | Phase::Inviting(_) | Phase::Answered { .. } | Phase::Ending { .. }, _) => {
                Some(491)
            }
        };
        if let Some(status) = refusal {
            self.respond(key, &server, &request, status, path);
            return;
        }
        let before = (dialog.target.clone(), dialog.path);
        dialog.retarget(&request);
        // RFC 3261 §12.2.2 and what NATs do: a target refresh says where the far side is.
        (dialog.path, dialog.heard) = (path, path);
        dialog.far = self.core.remote_of(path);
        dialog.follow();
        let has_moved = (&dialog.target, dialog.path) != (&before.0, before.1);
        if has_moved {
            self.keep(key);
        }
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !is_offer {
            let response = accept(&self.core, dialog, &request, &Bytes::new(), wish);
            self.core.respond(&server, 200, response);
            self.start_session(key, wish);
            return;
        }
        if let Exchange::Glare { body, retry } = &dialog.exchange {
            dialog.queued = Some(body.clone());
            let retry = *retry;
            self.core.forget(Some(retry));
        }
        let body = sdp_of(&request).unwrap_or_default();
        dialog.exchange = Exchange::Theirs {
            server,
            request: Box::new(request),
        };
        self.core.tell(SipEvent::Reoffer { dialog: key, body });
    }

    pub(super) fn answer_reoffer(&mut self, key: DialogKey, body: Bytes) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !matches!(dialog.exchange, Exchange::Theirs { .. }) {
            return;
        }
        let Exchange::Theirs { server, request } = std::mem::replace(&mut dialog.exchange, Exchange::Settled) else {
            return;
        };
        let wish = session_wish(&request).ok().flatten();
        let response = accept(&self.core, dialog, &request, &body, wish);
        dialog.described = body;
        if request.method() == Some(&Method::Invite) {
            let number = request.cseq().map_or(0, |cseq| cseq.number);
            let unacked = unacked(&mut self.core, key, number, response.clone());
            let is_late = request.body().is_empty();
            dialog.exchange = Exchange::TheirsUnacked { unacked, is_late };
        }
        self.core.respond(&server, 200, response);
        self.start_session(key, wish);
        self.send_queued(key);
    }

    pub(super) fn refuse_reoffer(&mut self, key: DialogKey, status: u16) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !matches!(dialog.exchange, Exchange::Theirs { .. }) {
            return;
        }
        let Exchange::Theirs { server, request } = std::mem::replace(&mut dialog.exchange, Exchange::Settled) else {
            return;
        };
        let (status, path) = (if (300..700).contains(&status) { status } else { 488 }, dialog.heard);
        self.respond(key, &server, &request, status, path);
        self.send_queued(key);
    }

    pub(super) fn reoffer_acknowledged(&mut self, key: DialogKey, number: u32, body: Bytes) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Exchange::TheirsUnacked { unacked, is_late } = &dialog.exchange else {
            return;
        };
        if unacked.number != number {
            return;
        }
        let (timers, is_late) = ([unacked.repeat, unacked.give_up], *is_late);
        dialog.exchange = Exchange::Settled;
        timers.into_iter().for_each(|timer| self.core.forget(Some(timer)));
        if is_late {
            self.core.tell(SipEvent::ReofferAnswered { dialog: key, body });
        }
        self.send_queued(key);
    }

    pub(super) fn reoffer(&mut self, key: DialogKey, body: Bytes) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !matches!(dialog.phase, Phase::Established | Phase::Answered { .. }) {
            return;
        }
        dialog.queued = Some(body);
        self.send_queued(key);
    }

    /// Sends the offer that waits, once nothing is pending and there is somebody to send it to.
    pub(super) fn send_queued(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if matches!(dialog.phase, Phase::Established)
            && dialog.is_settled()
            && dialog.missed.is_none()
            && let Some(body) = dialog.queued.take()
        {
            self.send_reoffer(key, body, None, 1);
        }
    }

    /// Finds another way when the connection of a dialog is gone: the one its device registered on since, or a new one.
    fn mend(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Path::Flow(flow) = dialog.path else { return };
        if self.core.flows.contains_key(&flow) {
            return;
        }
        let other = match dialog.device {
            Some(device) => {
                let is_encrypted = dialog.far_name.is_some();
                let fits = |path: &Path| {
                    path.is_reliable() && (!is_encrypted || self.core.transport_of(*path) == Transport::Tls)
                };
                self.bindings.held(device).map(|held| held.path).find(fits)
            }
            None => match dialog.far_name.clone() {
                None => self.core.path_to(dialog.far, Transport::Tcp, ""),
                // Nobody to connect to, and nothing that was encrypted goes on in clear.
                Some(name) if name.is_empty() => None,
                Some(name) => self.core.path_to(dialog.far, Transport::Tls, &name),
            },
        };
        dialog.path = other.unwrap_or(dialog.path);
    }

    fn send_reoffer(&mut self, key: DialogKey, body: Bytes, proof: Option<(&'static str, String)>, tries: u8) {
        self.mend(key);
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.local_number += 1;
        let (mut writer, branch) = dialog.request(&self.core, &Method::Invite, dialog.local_number);
        if let Some((name, value)) = proof {
            writer = writer.header(name, &value);
        }
        let bytes = writer.finish("application/sdp", &body);
        let client = self
            .core
            .send_request(&branch, Method::Invite, dialog.path, bytes, Owner::Reoffer(key));
        dialog.exchange = Exchange::Ours { client, body, tries };
    }

    pub(super) fn reoffer_answered(&mut self, key: DialogKey, response: &Message) {
        let status = response.status().unwrap_or_default();
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Exchange::Ours { client, body, tries } = &dialog.exchange else {
            return;
        };
        let (client, body, tries) = (client.clone(), body.clone(), *tries);
        match status {
            100..=199 => {}
            200..=299 => {
                dialog.retarget(response);
                dialog.exchange = Exchange::Settled;
                dialog.described = body;
                self.acknowledge(key, &client);
                self.keep(key);
                let body = sdp_of(response).unwrap_or_default();
                self.core.tell(SipEvent::ReofferAnswered { dialog: key, body });
                self.send_queued(key);
            }
            491 => {
                // RFC 3261 §14.1: who made the Call-ID waits longer.
                let pause = if dialog.is_ours {
                    Duration::from_millis(2100) + self.core.jitter(Duration::from_millis(1900))
                } else {
                    self.core.jitter(Duration::from_secs(2))
                };
                let retry = self.core.after(pause, Due::RetryOffer(key));
                dialog.exchange = Exchange::Glare { body, retry };
            }
            401 | 407 => {
                let (auth, uri) = (dialog.auth, dialog.target.clone());
                match self.prove(auth, response, &Method::Invite, &uri, tries) {
                    Some(proof) => self.send_reoffer(key, body, Some(proof), tries + 1),
                    None => self.reoffer_failed(key, status),
                }
            }
            _ => self.reoffer_failed(key, status),
        }
    }

    pub(super) fn reoffer_failed(&mut self, key: DialogKey, status: u16) {
        // RFC 3261 §12.2.1.2: the far side does not know the dialog, or is not there.
        if matches!(status, 408 | 481 | 503) {
            self.lost(key);
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.exchange = Exchange::Settled;
        self.core.tell(SipEvent::ReofferFailed { dialog: key, status });
        self.send_queued(key);
    }

    pub(super) fn retry_offer(&mut self, key: DialogKey) {
        let Some(Dialog {
            exchange: Exchange::Glare { body, .. },
            ..
        }) = self.dialogs.get(&key)
        else {
            return;
        };
        let body = body.clone();
        self.send_reoffer(key, body, None, 1);
    }

    /// Sends an INFO once the one before it is answered: one that is lost is repeated half a second later, and its
    /// number would by then be too low for the far side (RFC 3261 §12.2.2).
    pub(super) fn send_info(&mut self, key: DialogKey, content_type: &str, body: &Bytes) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !matches!(dialog.phase, Phase::Established) {
            return;
        }
        if dialog.informs {
            // Who types faster than the far side answers loses the newest keys.
            if dialog.to_inform.len() < MOST_INFOS {
                dialog.to_inform.push_back((content_type.to_owned(), body.clone()));
            }
            return;
        }
        dialog.informs = true;
        dialog.local_number += 1;
        let (writer, branch) = dialog.request(&self.core, &Method::Info, dialog.local_number);
        let bytes = writer.finish(content_type, body);
        self.core
            .send_request(&branch, Method::Info, dialog.path, bytes, Owner::Info(key));
    }

    /// Our INFO was answered, or will not be: the next one goes.
    pub(super) fn info_over(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.informs = false;
        if let Some((content_type, body)) = dialog.to_inform.pop_front() {
            self.send_info(key, &content_type, &body);
        }
    }

    pub(super) fn session_end(&mut self, key: DialogKey) {
        self.say_bye(
            key,
            Some("SIP;cause=408;text=\"Session timer expired\""),
            Some(EndReason::SessionExpired),
        );
    }

    pub(super) fn refresh_session(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let (wish, described) = (dialog.session.map(|session| session.wish), dialog.described.clone());
        if !dialog.takes_update {
            self.reoffer(key, described);
        } else if let Some(wish) = wish {
            dialog.local_number += 1;
            let (writer, branch) = dialog.request(&self.core, &Method::Update, dialog.local_number);
            let value = format!("{};refresher=uac", wish.interval.as_secs());
            let bytes = writer
                .header("Supported", "timer")
                .header("Session-Expires", &value)
                .end();
            self.core
                .send_request(&branch, Method::Update, dialog.path, bytes, Owner::Refresh(key));
        }
        self.start_session(key, wish);
    }

    pub(super) fn refresh_answered(&mut self, key: DialogKey, response: &Message) {
        if matches!(response.status(), Some(408 | 481)) {
            self.lost(key);
        }
    }

    /// The far side does not know the dialog any more. It is told all the same.
    pub(super) fn lost(&mut self, key: DialogKey) {
        self.say_bye(key, None, Some(EndReason::Lost));
    }

    /// Hangs up in whatever state the dialog is.
    pub(super) fn hang_up(&mut self, key: DialogKey, reason: Option<String>) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        match &mut dialog.phase {
            Phase::Offered { .. } => self.reject(key, 480, "", None),
            Phase::Inviting(_) => self.cancel(key),
            Phase::Answered { bye, .. } => {
                // RFC 3261 §15: who was called may not say BYE before the ACK.
                *bye = Some(reason);
                self.tell_last(
                    key,
                    SipEvent::Ended {
                        dialog: key,
                        cause: EndReason::Local,
                    },
                );
            }
            Phase::Established => self.say_bye(key, reason.as_deref(), Some(EndReason::Local)),
            Phase::Ending { .. } => {}
        }
    }

    /// Says BYE, tells why, and waits for the answer.
    pub(super) fn say_bye(&mut self, key: DialogKey, reason: Option<&str>, cause: Option<EndReason>) {
        if let Some(cause) = cause {
            self.tell_last(key, SipEvent::Ended { dialog: key, cause });
        }
        if self.miss_no_more(key) {
            self.try_contact(key);
        }
        self.forget_timers(key);
        self.send_bye(key, reason.map(str::to_owned), None);
    }

    fn send_bye(&mut self, key: DialogKey, reason: Option<String>, proof: Option<(&'static str, String)>) {
        self.mend(key);
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        dialog.local_number += 1;
        let (mut writer, branch) = dialog.request(&self.core, &Method::Bye, dialog.local_number);
        if let Some(reason) = &reason {
            writer = writer.header("Reason", reason);
        }
        let is_retried = proof.is_some();
        if let Some((name, value)) = proof {
            writer = writer.header(name, &value);
        }
        dialog.phase = Phase::Ending { is_retried, reason };
        let was_remembered = dialog.memo.take().is_some();
        self.core
            .send_request(&branch, Method::Bye, dialog.path, writer.end(), Owner::Bye(key));
        if was_remembered {
            // Nobody takes up what is being ended.
            self.keep(key);
        }
    }

    pub(super) fn bye_answered(&mut self, key: DialogKey, response: &Message) {
        let status = response.status().unwrap_or_default();
        let Some(dialog) = self.dialogs.get(&key) else { return };
        let (auth, uri) = (dialog.auth, dialog.target.clone());
        match (&dialog.phase, status) {
            (_, 100..=199) => {}
            (
                Phase::Ending {
                    is_retried: false,
                    reason,
                },
                401 | 407,
            ) => {
                let reason = reason.clone();
                match self.prove(auth, response, &Method::Bye, &uri, 1) {
                    Some(proof) => self.send_bye(key, reason, Some(proof)),
                    None => self.drop_dialog(key),
                }
            }
            _ => self.drop_dialog(key),
        }
    }

    /// Tells the last event of a dialog, unless it was told, and forgets the dialog.
    pub(super) fn end_dialog(&mut self, key: DialogKey, event: SipEvent) {
        self.tell_last(key, event);
        self.drop_dialog(key);
    }

    pub(super) fn tell_last(&mut self, key: DialogKey, event: SipEvent) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if !std::mem::replace(&mut dialog.is_told, true) {
            self.core.tell(event);
        }
    }

    /// Lets a dialog be found by its messages; `source` is where the request came from that began it.
    pub(super) fn name_dialog(&mut self, key: DialogKey, dialog: &Dialog, source: Option<SocketAddr>) {
        let far = dialog.remote_tag.as_deref().zip(source);
        self.core
            .tracer
            .begins(key, &dialog.sip_call_id, &dialog.local_tag, far);
        self.by_tag
            .insert((dialog.sip_call_id.clone(), dialog.local_tag.clone()), key);
    }

    pub(super) fn drop_dialog(&mut self, key: DialogKey) {
        self.miss_no_more(key);
        self.forget_timers(key);
        self.core.tracer.ends(key, self.core.now);
        let Some(dialog) = self.dialogs.remove(&key) else {
            return;
        };
        if let Phase::Offered { server, .. } = &dialog.phase {
            self.by_invite.remove(server);
        }
        self.by_tag.remove(&(dialog.sip_call_id, dialog.local_tag));
        self.keep_no_more(key);
    }

    fn forget_timers(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let mut timers = Vec::new();
        match &dialog.phase {
            Phase::Inviting(inviting) => {
                timers.extend([Some(inviting.give_up), inviting.unheard].into_iter().flatten())
            }
            Phase::Answered { unacked, .. } => timers.extend([unacked.repeat, unacked.give_up]),
            Phase::Offered { .. } | Phase::Established | Phase::Ending { .. } => {}
        }
        match &dialog.exchange {
            Exchange::TheirsUnacked { unacked, .. } => timers.extend([unacked.repeat, unacked.give_up]),
            Exchange::Glare { retry, .. } => timers.push(*retry),
            Exchange::Settled | Exchange::Theirs { .. } | Exchange::Ours { .. } => {}
        }
        timers.extend(dialog.session.take().map(|session| session.timer));
        dialog.exchange = Exchange::Settled;
        timers.into_iter().for_each(|timer| self.core.forget(Some(timer)));
    }

    /// The transactions that wait on behalf of nobody any more end by their timers alone.
    pub(super) fn ping_late(&mut self, trunk: strowger_model::TrunkId, key: &ClientKey) {
        if self
            .core
            .with_clients(|clients, wire| clients.give_up(key, wire))
            .is_some()
        {
            self.ping_unanswered(trunk, "");
        }
    }
}
