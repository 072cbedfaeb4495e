//! Calls placed to us, until they are answered and acknowledged.

use super::dialog::{Dialog, Exchange, Phase, Session, SessionWish, Unacked};
use super::{Due, Endpoint};
use crate::auth::split_value;
use crate::event::{DialogKey, EndReason, Incoming, Origin, SipEvent};
use crate::message::write::Writer;
use crate::message::{Message, Method, Name, NameAddr, Uri, sdp_of};
use crate::transaction::{PATIENCE, Path, ServerKey, T1, T2};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_model::trunk::Transport;

/// The shortest session interval we take (RFC 4028 §4).
const MIN_SESSION: Duration = Duration::from_secs(90);
/// The longest we promise to keep to.
const MAX_SESSION: Duration = Duration::from_secs(7200);

impl Endpoint {
    pub(super) fn invited(&mut self, request: Message, server: ServerKey, path: Path, source: SocketAddr) {
        if self.is_congested || self.is_draining || self.dialogs.len() >= self.core.config.limits.dialogs {
            self.unavailable(&request, path);
            return;
        }
        // A phone may stand where a provider stands, behind one address: who registered from there is the phone.
        let trunk = self.core.directory.trunk_of(source);
        let origin = match trunk.filter(|_| !self.bindings.is_anyone_at(source)) {
            Some(trunk) => Origin::Trunk(trunk),
            None => {
                let Some((device, username)) = self.login(&request, &Method::Invite, path, source) else {
                    return;
                };
                Origin::Device {
                    device: device.device,
                    tenant: device.tenant,
                    user: device.user,
                    username,
                }
            }
        };
        let wants_timer = match session_wish(&request) {
            Ok(wish) => wish,
            Err(()) => {
                let least = MIN_SESSION.as_secs().to_string();
                self.core.reply_stateless(&request, 422, "", path, &[("Min-SE", least)]);
                return;
            }
        };
        let key = DialogKey(self.next_dialog);
        self.next_dialog += 2;
        self.core.servers.begin(server.clone(), &Method::Invite, path);
        let local_tag = self.core.token();
        let trying = self.core.reply(&request, 100, "", path, &local_tag).end();
        self.core.respond(&server, 100, trying);
        let device = match &origin {
            Origin::Device { device, .. } => Some(*device),
            Origin::Trunk(_) => None,
        };
        let transport = self.core.transport_of(path);
        let incoming = describe(key, origin, &request, transport, source);
        let mut dialog = offered(key, request, server.clone(), path, local_tag, wants_timer);
        (dialog.device, dialog.far) = (device, source);
        dialog.far_name = (transport == Transport::Tls).then(String::new);
        self.name_dialog(key, &dialog, Some(source));
        self.by_invite.insert(server, key);
        self.dialogs.insert(key, dialog);
        self.keep(key);
        self.core.tell(SipEvent::Incoming(Box::new(incoming)));
    }

    pub(super) fn ring(&mut self, key: DialogKey, status: u16, body: &Bytes) {
        let Some(dialog) = self.dialogs.get(&key) else { return };
        let Phase::Offered { server, request, .. } = &dialog.phase else {
            return;
        };
        let status = if (101..200).contains(&status) { status } else { 180 };
        let writer = self.core.reply(request, status, "", dialog.path, &dialog.local_tag);
        let response = with_route(writer, request)
            .header("Contact", &self.core.own_contact(dialog.path))
            .header("Allow", super::core::ALLOW)
            .finish("application/sdp", body);
        let server = server.clone();
        self.core.respond(&server, status, response);
    }

    pub(super) fn answer(&mut self, key: DialogKey, body: Bytes) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let Phase::Offered {
            server,
            request,
            wants_timer,
        } = &dialog.phase
        else {
            return;
        };
        let (server, wish) = (server.clone(), *wants_timer);
        let response = accept(&self.core, dialog, request, &body, wish);
        let is_late = request.body().is_empty();
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        dialog.described = body;
        let unacked = unacked(&mut self.core, key, number, response.clone());
        dialog.phase = Phase::Answered {
            unacked,
            is_late,
            bye: None,
        };
        self.by_invite.remove(&server);
        self.core.respond(&server, 200, response);
        self.keep(key);
        self.start_session(key, wish);
    }

    pub(super) fn reject(&mut self, key: DialogKey, status: u16, reason: &str, retry_after_s: Option<u32>) {
        let Some(dialog) = self.dialogs.get(&key) else { return };
        let Phase::Offered { server, request, .. } = &dialog.phase else {
            return;
        };
        let status = if (300..700).contains(&status) { status } else { 480 };
        let mut writer = self.core.reply(request, status, reason, dialog.path, &dialog.local_tag);
        if let Some(seconds) = retry_after_s {
            writer = writer.header("Retry-After", &seconds.to_string());
        }
        let server = server.clone();
        self.core.respond(&server, status, writer.end());
        self.end_dialog(
            key,
            SipEvent::Ended {
                dialog: key,
                cause: EndReason::Local,
            },
        );
    }

    pub(super) fn cancelled(&mut self, request: &Message, server: &ServerKey, path: Path) {
        let dialog = self.by_invite.get(server).and_then(|key| self.dialogs.get(key));
        let is_theirs =
            dialog.is_none_or(|dialog| self.core.remote_of(dialog.path).ip() == self.core.remote_of(path).ip());
        if !is_theirs || (dialog.is_none() && !self.core.servers.is_known(server)) {
            self.core.reply_stateless(request, 481, "", path, &[]);
            return;
        }
        // RFC 3261 §9.2: the To tag is that of the INVITE's answer.
        let tag = dialog.map_or_else(|| "cancel".to_owned(), |dialog| dialog.local_tag.clone());
        let response = self.core.reply(request, 200, "", path, &tag).end();
        let ended = dialog.and_then(|dialog| match &dialog.phase {
            Phase::Offered { request: invite, .. } => {
                Some((dialog.key, self.core.reply(invite, 487, "", dialog.path, &tag).end()))
            }
            Phase::Inviting(_) | Phase::Answered { .. } | Phase::Established | Phase::Ending { .. } => None,
        });
        self.core.transmit(path, response);
        if let Some((key, terminated)) = ended {
            self.core.respond(server, 487, terminated);
            self.end_dialog(key, SipEvent::Cancelled { dialog: key });
        }
    }

    /// The ACK of one of our 2xx.
    pub(super) fn acknowledged(&mut self, request: &Message) {
        let tag = request
            .to()
            .and_then(|to| to.tag().map(str::to_owned))
            .unwrap_or_default();
        let id = (request.sip_call_id().unwrap_or_default().to_owned(), tag);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(key) = self.by_tag.get(&id).copied() else {
            return;
        };
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let body = sdp_of(request).unwrap_or_default();
        match &mut dialog.phase {
            Phase::Answered { unacked, is_late, bye } if unacked.number == number => {
                let timers = [unacked.repeat, unacked.give_up];
                let (bye, is_late) = (bye.take(), *is_late);
                dialog.phase = Phase::Established;
                let before = dialog.path;
                dialog.follow();
                let has_moved = dialog.path != before;
                timers.into_iter().for_each(|timer| self.core.forget(Some(timer)));
                if has_moved {
                    self.keep(key);
                }
                match bye {
                    Some(reason) => self.say_bye(key, reason.as_deref(), None),
                    None => {
                        let body = if is_late { body } else { Bytes::new() };
                        self.core.tell(SipEvent::Confirmed { dialog: key, body });
                    }
                }
            }
            Phase::Established => self.reoffer_acknowledged(key, number, body),
            Phase::Answered { .. } | Phase::Offered { .. } | Phase::Inviting(_) | Phase::Ending { .. } => {}
        }
    }

    pub(super) fn repeat_answer(&mut self, key: DialogKey) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        let unacked = match (&mut dialog.phase, &mut dialog.exchange) {
            (Phase::Answered { unacked, .. }, _) | (_, Exchange::TheirsUnacked { unacked, .. }) => unacked,
            _ => return,
        };
        // RFC 3261 §13.3.1.4: a 2xx is repeated on any transport.
        unacked.pause = (unacked.pause * 2).min(T2);
        unacked.repeat = self.core.after(unacked.pause, Due::RepeatAnswer(key));
        let response = unacked.response.clone();
        self.core.transmit(dialog.heard, response);
    }

    pub(super) fn no_ack(&mut self, key: DialogKey) {
        self.say_bye(key, None, Some(EndReason::NoAck));
    }

    pub(super) fn start_session(&mut self, key: DialogKey, wish: Option<SessionWish>) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        if let Some(old) = dialog.session.take() {
            self.core.forget(Some(old.timer));
        }
        let Some(wish) = wish else { return };
        let timer = if wish.we_refresh {
            self.core.after(wish.interval / 2, Due::Refresh(key))
        } else {
            // RFC 4028 §10: a BYE goes out somewhat before the session ends.
            let early = PATIENCE.min(wish.interval / 3);
            self.core.after(wish.interval - early, Due::SessionEnd(key))
        };
        dialog.session = Some(Session { wish, timer });
    }
}

/// What a request wants of session timers; `Err` when the interval is too short.
pub(super) fn session_wish(request: &Message) -> Result<Option<SessionWish>, ()> {
    let Some(value) = request
        .value(Name::SessionExpires)
        .filter(|_| request.lists(Name::Supported, "timer"))
    else {
        return Ok(None);
    };
    let (interval, params) = split_value(value);
    let Some(interval) = super::seconds(interval) else {
        return Ok(None);
    };
    if interval < MIN_SESSION {
        return Err(());
    }
    let we_refresh = params
        .get("refresher")
        .is_some_and(|who| who.eq_ignore_ascii_case("uas"));
    let interval = interval.min(MAX_SESSION);
    Ok(Some(SessionWish { interval, we_refresh }))
}

pub(super) fn with_route(mut writer: Writer, request: &Message) -> Writer {
    for route in request.values(Name::RecordRoute) {
        writer = writer.header("Record-Route", route);
    }
    writer
}

/// The 200 to an INVITE or an UPDATE.
pub(super) fn accept(
    core: &super::core::Core,
    dialog: &Dialog,
    request: &Message,
    body: &Bytes,
    wish: Option<SessionWish>,
) -> Bytes {
    let writer = core.reply(request, 200, "", dialog.heard, &dialog.local_tag);
    let mut writer = with_route(writer, request)
        .header("Contact", &core.own_contact(dialog.path))
        .header("Allow", super::core::ALLOW)
        .header("Supported", "timer");
    if let Some(wish) = wish {
        let who = if wish.we_refresh { "uas" } else { "uac" };
        writer = writer.header("Require", "timer").header(
            "Session-Expires",
            &format!("{};refresher={who}", wish.interval.as_secs()),
        );
    }
    writer.finish("application/sdp", body)
}

pub(super) fn unacked(core: &mut super::core::Core, key: DialogKey, number: u32, response: Bytes) -> Unacked {
    let repeat = core.after(T1, Due::RepeatAnswer(key));
    let give_up = core.after(PATIENCE, Due::NoAck(key));
    Unacked {
        number,
        response,
        pause: T1,
        repeat,
        give_up,
    }
}

pub(super) fn offered(
    key: DialogKey,
    request: Message,
    server: ServerKey,
    path: Path,
    local_tag: String,
    wants_timer: Option<SessionWish>,
) -> Dialog {
    let from = request.from();
    let target = request
        .contact()
        .or(from.map(|from| from.uri))
        .unwrap_or_default()
        .to_owned();
    Dialog {
        key,
        sip_call_id: request.sip_call_id().unwrap_or_default().to_owned(),
        remote_tag: from.and_then(|from| from.tag().map(str::to_owned)),
        local: format!("{};tag={local_tag}", request.value(Name::To).unwrap_or_default()),
        remote: request.value(Name::From).unwrap_or_default().to_owned(),
        local_tag,
        local_number: 0,
        remote_number: request.cseq().map(|cseq| cseq.number),
        target,
        route: request.items(Name::RecordRoute).map(str::to_owned).collect(),
        path,
        heard: path,
        device: None,
        far: super::core::unspecified(),
        far_name: None,
        auth: None,
        is_ours: false,
        takes_update: request.lists(Name::Allow, "UPDATE"),
        phase: Phase::Offered {
            server,
            request: Box::new(request),
            wants_timer,
        },
        exchange: Exchange::Settled,
        queued: None,
        described: Bytes::new(),
        session: None,
        is_told: false,
        informs: false,
        to_inform: VecDeque::new(),
        referral: None,
        memo: None,
        missed: None,
    }
}

fn describe(
    dialog: DialogKey,
    origin: Origin,
    request: &Message,
    transport: Transport,
    source: SocketAddr,
) -> Incoming {
    let user_of = |text: &str| Uri::parse(text).map(|uri| uri.user_text()).unwrap_or_default();
    let from = request.from();
    let asserted = request.items(Name::PAssertedIdentity).next().and_then(NameAddr::parse);
    let is_trunk = matches!(origin, Origin::Trunk(_));
    Incoming {
        dialog,
        origin,
        source,
        transport,
        sip_call_id: request.sip_call_id().unwrap_or_default().to_owned(),
        request_user: user_of(request.request_uri().unwrap_or_default()),
        to_user: request.to().map(|to| user_of(to.uri)).unwrap_or_default(),
        from_user: from.map(|from| user_of(from.uri)).unwrap_or_default(),
        from_display: from.and_then(|from| from.display_text()),
        // RFC 3325: anybody can assert anything; only a trunk is believed.
        asserted: asserted
            .filter(|_| is_trunk)
            .map(|asserted| user_of(asserted.uri))
            .filter(|user| !user.is_empty()),
        user_agent: request.value(Name::UserAgent).map(str::to_owned),
        offer: sdp_of(request).unwrap_or_default(),
    }
}
