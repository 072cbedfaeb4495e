//! Dialogs that outlive their daemon: told while they stand, taken up again or ended by whoever comes after it.

use super::dialog::{Cancelling, Dialog, Exchange, Inviting, Phase, SessionWish};
use super::incoming::offered;
use super::{Due, Endpoint, Output, Owner};
use crate::command::{Invite, Target};
use crate::event::DialogKey;
use crate::message::write::Writer;
use crate::message::{Message, Method, Name, NameAddr, Uri, parse};
use crate::standing::{Refresh, Stage, Standing, TakenUp};
use crate::transaction::{ClientKey, PATIENCE, Path, ServerKey};
use bytes::Bytes;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_model::trunk::Transport;

/// How far our numbers jump: more requests than this were not sent since a dialog was told.
const NUMBERS: u32 = 10_000;
/// RFC 3326: a temporary failure.
const REASON: &str = "Q.850;cause=41;text=\"Restarted\"";
/// How long a caller whose call was lost while it rang is asked to wait.
const RETRY_AFTER_S: u32 = 1;

/// What of a request answers, CANCEL and ACK repeat.
const REPEATED: [Name; 8] = [
    Name::Via,
    Name::Route,
    Name::RecordRoute,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::Contact,
];

impl Endpoint {
    /// Tells how a dialog stands, where somebody keeps that.
    pub(super) fn keep(&mut self, key: DialogKey) {
        if self.core.config.kept_dialogs.is_none() {
            return;
        }
        let standing = self.dialogs.get(&key).and_then(|dialog| self.standing(dialog));
        if let Some(standing) = standing {
            self.core.out.push_back(Output::Keep(key, Some(Box::new(standing))));
        }
    }

    /// A dialog stands no more.
    pub(super) fn keep_no_more(&mut self, key: DialogKey) {
        if self.core.config.kept_dialogs.is_some() {
            self.core.out.push_back(Output::Keep(key, None));
        }
    }

    fn standing(&self, dialog: &Dialog) -> Option<Standing> {
        let stage = match &dialog.phase {
            Phase::Offered { request, .. } => Stage::Offered {
                request: bare(request)?,
            },
            Phase::Inviting(inviting) => {
                let (_, request) = self.core.clients.request(&inviting.client)?;
                Stage::Inviting {
                    request: bare(&parse(&request).ok()?)?,
                }
            }
            Phase::Answered { .. } | Phase::Established | Phase::Ending { .. } => Stage::Up {
                sip_call_id: dialog.sip_call_id.clone(),
                local: dialog.local.clone(),
                remote: dialog.remote.clone(),
                number: dialog.local_number,
                target: dialog.target.clone(),
                route: dialog.route.clone(),
            },
        };
        Some(Standing {
            stage,
            transport: self.transport_of(dialog),
            far: match dialog.path {
                Path::Udp { remote, .. } => remote,
                Path::Flow(_) => dialog.far,
            },
            far_name: dialog.far_name.clone(),
            device: dialog.device,
            auth: dialog.auth,
            local_tag: dialog.local_tag.clone(),
            is_ours: dialog.is_ours,
            refresh: dialog.session.map(|session| Refresh {
                interval_s: session.wish.interval.as_secs(),
                we_refresh: session.wish.we_refresh,
            }),
            memo: dialog.memo.as_deref().cloned(),
        })
    }

    /// How a dialog's messages travel, or travelled while there was a connection.
    fn transport_of(&self, dialog: &Dialog) -> Transport {
        let is_gone = matches!(dialog.path, Path::Flow(flow) if !self.core.flows.contains_key(&flow));
        if is_gone && dialog.far_name.is_some() {
            Transport::Tls
        } else {
            self.core.transport_of(dialog.path)
        }
    }

    pub(super) fn remember(&mut self, key: DialogKey, memo: Option<Box<Value>>) {
        let Some(dialog) = self.dialogs.get_mut(&key) else {
            return;
        };
        // What is being ended is not taken up.
        let memo = memo.filter(|_| matches!(dialog.phase, Phase::Answered { bye: None, .. } | Phase::Established));
        if dialog.memo != memo {
            dialog.memo = memo;
            self.keep(key);
        }
    }

    /// Takes up again what a daemon before this one left standing, as far as its owner gave along what that takes: such
    /// dialogs stand as if nothing had been, and come back, each to be given a new offer or BYE. The others are ended as
    /// by [`Endpoint::farewell`]. Should this daemon be killed before a dialog is remembered anew, the next one ends it.
    /// A phone whose connection is gone is waited for, [`RETURN`](crate::standing::RETURN) at most: an offer to it waits as
    /// long, and the dialog ends with [`EndReason::Lost`](crate::EndReason::Lost) after that. To be called once, after
    /// [`Endpoint::restore`], which tells who such phones are.
    pub fn take_up(&mut self, standing: Vec<Standing>, now: Instant) -> Vec<TakenUp> {
        self.core.now = now;
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for mut one in standing {
            let memo = one.memo.take();
            match memo.and_then(|memo| self.stand_again(&one, memo)) {
                Some(again) => taken.push(again),
                None => others.push(one),
            }
        }
        self.absent.forget_former();
        self.farewell(others, now);
        taken
    }

    fn stand_again(&mut self, one: &Standing, memo: Value) -> Option<TakenUp> {
        let key = DialogKey(self.next_dialog);
        let absent = match &one.stage {
            Stage::Up { target, .. } => self.path_of_absent(one, target),
            Stage::Offered { .. } | Stage::Inviting { .. } => return None,
        };
        let path = match absent {
            Some(path) => path,
            None => self.way_back(one)?,
        };
        let dialog = established(key, path, one)?;
        self.next_dialog += 2;
        self.stand(key, dialog);
        if absent.is_some() {
            self.miss(key, one);
        }
        let wish = one.refresh.map(|refresh| SessionWish {
            interval: Duration::from_secs(refresh.interval_s),
            we_refresh: refresh.we_refresh,
        });
        self.start_session(key, wish);
        Some(TakenUp {
            dialog: key,
            memo,
            is_absent: absent.is_some(),
        })
    }

    /// Ends what a daemon before this one left standing: says BYE, cancels what rings, refuses who waits. The events
    /// that follow are of dialogs nobody knows.
    pub fn farewell(&mut self, standing: Vec<Standing>, now: Instant) {
        self.core.now = now;
        for one in standing {
            let key = DialogKey(self.next_dialog);
            self.next_dialog += 2;
            // What can no longer be read or reached is left to the far side's own timers.
            let _ = self.part_with(key, one);
        }
    }

    fn part_with(&mut self, key: DialogKey, one: Standing) -> Option<()> {
        let path = self.way_back(&one)?;
        match one.stage.clone() {
            Stage::Offered { request } => {
                let request = parse(&Bytes::from(request)).ok()?;
                let server = ServerKey::of(&request, &Method::Invite)?;
                self.core.servers.begin(server.clone(), &Method::Invite, path);
                let mut dialog = offered(key, request, server.clone(), path, one.local_tag.clone(), None);
                (dialog.device, dialog.far) = (one.device, one.far);
                self.by_invite.insert(server, key);
                self.stand(key, dialog);
                self.reject(key, 503, "", Some(RETRY_AFTER_S));
            }
            Stage::Inviting { request } => {
                let request = Bytes::from(request);
                let message = parse(&request).ok()?;
                let client = ClientKey::new(message.via()?.branch()?, &Method::Invite);
                let owner = Owner::Invite(key);
                self.core.clients.resume(client.clone(), path, request, owner);
                let give_up = self.core.after(PATIENCE, Due::GiveUp(key));
                let phase = Phase::Inviting(Box::new(Inviting {
                    client,
                    invite: nothing(key, one.far, one.transport),
                    cancel: Cancelling::No,
                    tries: u8::MAX,
                    give_up,
                    unheard: None,
                    fallback: None,
                }));
                let dialog = invited(key, &message, path, &one, phase);
                self.stand(key, dialog);
                self.cancel(key);
            }
            Stage::Up { .. } => {
                let dialog = established(key, path, &one)?;
                self.stand(key, dialog);
                self.hang_up(key, Some(REASON.to_owned()));
            }
        }
        Some(())
    }

    fn stand(&mut self, key: DialogKey, dialog: Dialog) {
        self.name_dialog(key, &dialog, None);
        self.dialogs.insert(key, dialog);
        self.keep(key);
    }

    /// Datagrams go where they went. A connection ended with the daemon: a new one is made to where the far side says
    /// that it listens, which its Contact does and the port its connection came from does not.
    fn way_back(&mut self, one: &Standing) -> Option<Path> {
        let told = match &one.stage {
            Stage::Up { target, .. } => told_by(target, one.transport),
            Stage::Offered { .. } | Stage::Inviting { .. } => None,
        };
        let far = match (one.transport, told) {
            (Transport::Udp, _) | (_, None) => one.far,
            (_, Some(told)) => told,
        };
        let name = one.far_name.as_deref().unwrap_or_default();
        if one.transport == Transport::Tls && name.is_empty() {
            // Nobody we could tell from somebody else.
            return None;
        }
        self.core.path_to(far, one.transport, name)
    }
}

/// The address that a URI says.
pub(super) fn told_by(uri: &str, transport: Transport) -> Option<SocketAddr> {
    let uri = Uri::parse(uri)?;
    Some(SocketAddr::new(
        uri.address()?,
        uri.port.unwrap_or(transport.usual_port()),
    ))
}

/// A request without its body, its credentials and whatever else only its receiver wanted.
fn bare(request: &Message) -> Option<String> {
    let mut writer = Writer::request(request.method()?.as_str(), request.request_uri()?);
    for name in REPEATED {
        for value in request.values(name) {
            writer = writer.header(name.as_str(), value);
        }
    }
    String::from_utf8(writer.end().to_vec()).ok()
}

/// An INVITE that is never sent.
fn nothing(dialog: DialogKey, addr: SocketAddr, transport: Transport) -> Invite {
    Invite {
        dialog,
        sip_call_id: String::new(),
        target: Target::Address {
            addr,
            transport,
            user: String::new(),
        },
        from_user: String::new(),
        from_display: None,
        from_host: None,
        to_user: String::new(),
        offer: Bytes::new(),
        auth: None,
        headers: Vec::new(),
        patience: None,
    }
}

/// A dialog that was answered, as it goes on.
fn established(key: DialogKey, path: Path, one: &Standing) -> Option<Dialog> {
    let Stage::Up {
        sip_call_id,
        local,
        remote,
        number,
        target,
        route,
    } = one.stage.clone()
    else {
        return None;
    };
    Some(Dialog {
        sip_call_id,
        remote_tag: NameAddr::parse(&remote).and_then(|remote| remote.tag().map(str::to_owned)),
        local,
        remote,
        local_number: number.saturating_add(NUMBERS),
        target,
        route,
        ..blank(key, path, one)
    })
}

fn invited(key: DialogKey, request: &Message, path: Path, one: &Standing, phase: Phase) -> Dialog {
    let text = |name| request.value(name).unwrap_or_default().to_owned();
    Dialog {
        sip_call_id: text(Name::CallId),
        local: text(Name::From),
        remote: text(Name::To),
        local_number: request.cseq().map_or(1, |cseq| cseq.number),
        target: request.request_uri().unwrap_or_default().to_owned(),
        phase,
        ..blank(key, path, one)
    }
}

fn blank(key: DialogKey, path: Path, one: &Standing) -> Dialog {
    Dialog {
        key,
        sip_call_id: String::new(),
        local_tag: one.local_tag.clone(),
        remote_tag: None,
        local: String::new(),
        remote: String::new(),
        local_number: 0,
        remote_number: None,
        target: String::new(),
        route: Vec::new(),
        path,
        heard: path,
        device: one.device,
        far: one.far,
        far_name: one.far_name.clone(),
        auth: one.auth,
        is_ours: one.is_ours,
        takes_update: false,
        phase: Phase::Established,
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
