//! Answering, talking, holding: what two parties do once somebody was found.

use super::leg::{Leg, Side, Stage};
use super::ringing::random_id;
use super::{Act, Call, MediaOrder, Output, Signal, Then};
use crate::live::EventKind;
use crate::scene::Scene;
use bytes::Bytes;
use std::net::SocketAddr;
use strowger_ivr::DialOutcome;
use strowger_media::sdp::{Preference, Session};
use strowger_media::{Codec, Negotiated, tone};
use strowger_model::{HangupCause, UserId};

impl Call {
    /// Takes a party's answer to our offer; `None` when there is nothing usable in it.
    pub(super) fn agree(&mut self, leg: usize, body: &Bytes) -> Option<Negotiated> {
        let found = self.legs.get_mut(leg)?;
        let agreed = found.session()?.accept_answer(body).ok()?;
        let media = found.media()?;
        self.order_media(MediaOrder::Connect(media, agreed));
        Some(agreed)
    }

    /// What may be spoken with a leg of a user, or of nobody here. A browser meets its leg in G.711, which is no
    /// matter of settings: nothing of it reaches a network.
    pub(super) fn codecs_of(&self, user: Option<UserId>, browser: bool, scene: &Scene<'_>) -> Vec<Codec> {
        if browser {
            return vec![Codec::Pcma, Codec::Pcmu];
        }
        scene.directory.policy(self.row.tenant, user).codecs.clone()
    }

    /// Whether a caller can be answered at all: it offers something that is spoken here, or wants to hear our offer.
    pub(super) fn understands_near(&self, scene: &Scene<'_>) -> bool {
        let Some((near, Stage::Calling { offer })) = self.near_leg().map(|near| (near, &near.stage)) else {
            return true;
        };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut trial = Session::new(nowhere, 0).speaking(&self.codecs_of(near.user, near.browser, scene));
        offer.is_empty() || trial.answer(offer, Preference::TheirOrder).is_ok()
    }

    /// Opens the near party's audio where it has none, and writes what is said to it: the answer to its
    /// offer, or our offer where it made none. Once said, it is repeated word for word.
    pub(super) fn describe_near(&mut self, preference: Preference, scene: &mut Scene<'_>) -> Option<Bytes> {
        let id = self.row.id;
        let near = self.near_leg()?;
        let codecs = self.codecs_of(near.user, near.browser, scene);
        let near = self.legs.get_mut(self.near?)?;
        let Stage::Calling { offer } = &near.stage else {
            return None;
        };
        let offer = offer.clone();
        if let Some(said) = near.audio.as_ref().and_then(|audio| audio.session.body()) {
            return Some(said);
        }
        let open = if near.browser {
            scene.supply.open_browser(id)?
        } else {
            scene.supply.open_leg(id, near.toward)?
        };
        near.give_audio(open, random_id(scene), &codecs);
        self.outputs.push_back(Output::OwnMedia(open.leg));
        let session = near.session()?;
        if offer.is_empty() {
            return Some(match preference {
                Preference::TheirOrder => session.offer_as_ordered(),
                Preference::Codec(codec) => session.offer(codec),
            });
        }
        let (body, agreed) = session.answer(&offer, preference).ok()?;
        self.order_media(MediaOrder::Connect(open.leg, agreed));
        Some(body)
    }

    /// Answers the near party unless it is up. Whether it is up now; where it could not be, the call ended.
    pub(super) fn answer_near(&mut self, preference: Preference, scene: &mut Scene<'_>) -> bool {
        let Some(near) = self.near_leg() else {
            return false;
        };
        if near.is_up() {
            return true;
        }
        let dialog = near.dialog;
        let Some(body) = self.describe_near(preference, scene) else {
            let has_port = self.near_leg().is_some_and(|near| near.audio.is_some());
            let why = if has_port {
                HangupCause::NoCodec
            } else {
                HangupCause::Congestion
            };
            self.end(why, scene);
            return false;
        };
        self.signal(dialog, Signal::Answer { body });
        let now = scene.world.now();
        if let Some(near) = self.near.and_then(|near| self.legs.get_mut(near)) {
            near.stage = Stage::Up { confirmed: false };
            near.answered_at = Some(now);
        }
        self.note("answered", self.near, "", scene);
        self.set_active(scene);
        true
    }

    /// Answers the near party and does what follows once it has acknowledged.
    pub(super) fn answer_then(&mut self, then: Then, scene: &mut Scene<'_>) {
        self.act = Act::Waiting;
        let confirmed = matches!(
            self.near_leg().map(|near| &near.stage),
            Some(Stage::Up { confirmed: true })
        );
        if confirmed {
            self.follow_answer(then, scene);
            return;
        }
        self.then = Some(then);
        self.answer_near(Preference::TheirOrder, scene);
    }

    fn follow_answer(&mut self, then: Then, scene: &mut Scene<'_>) {
        match then {
            Then::Mailbox(user) => self.open_mailbox(user, scene),
            Then::Meet(way) => self.meet(way, scene),
            Then::AskPin(way) => self.ask_pin(way, 0, scene),
        }
    }

    /// The near party has acknowledged our answer.
    pub(super) fn confirmed(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) {
        let Some(found) = self.legs.get_mut(leg) else {
            return;
        };
        let Stage::Up { confirmed } = &mut found.stage else {
            return;
        };
        if std::mem::replace(confirmed, true) {
            return;
        }
        let late = found
            .audio
            .as_ref()
            .is_some_and(|audio| audio.session.agreed().is_none());
        if late && self.agree(leg, body).is_none() {
            // RFC 3261 §13.2.1: an ACK without the answer it owes ends the call.
            self.end(HangupCause::NoCodec, scene);
            return;
        }
        if let Some(then) = self.then.take() {
            self.follow_answer(then, scene);
        }
        self.flow_confirmed(scene);
        if self.near == Some(leg) {
            self.early_digits(scene);
        }
    }

    /// Brings two parties together.
    pub(super) fn talk(&mut self, near: usize, far: usize, scene: &mut Scene<'_>) {
        let codec = self
            .legs
            .get(far)
            .and_then(|far| Some(far.audio.as_ref()?.session.agreed()?.codec));
        self.act = Act::Talking { far };
        if !self.answer_near(codec.map_or(Preference::TheirOrder, Preference::Codec), scene) {
            return;
        }
        self.set_active(scene);
        self.join_audio(near, far);
        self.note("bridge", Some(far), "", scene);
        self.record_talk(near, far, scene);
        self.tell(EventKind::Changed);
    }

    /// Lets two legs hear each other, and nothing else.
    pub(super) fn join_audio(&mut self, one: usize, other: usize) {
        let media = |leg: usize| self.legs.get(leg).and_then(Leg::media);
        if let (Some(one), Some(other)) = (media(one), media(other)) {
            self.order_media(MediaOrder::Stop(one));
            self.order_media(MediaOrder::Bridge(one, other));
        }
    }

    /// The far party of a conversation is gone and the near one still there.
    pub(super) fn talk_over(&mut self, cause: HangupCause, scene: &mut Scene<'_>) {
        self.recorder.say_nothing();
        if let Some(near) = self.near.and_then(|near| self.legs.get_mut(near)) {
            near.held = false;
            if let Some(media) = near.media() {
                self.order_media(MediaOrder::Unbridge(media));
                self.order_media(MediaOrder::Hold(media, false));
                self.order_media(MediaOrder::Stop(media));
            }
        }
        self.act = Act::Waiting;
        if !self.flow_dial_ended(DialOutcome::Completed, scene) {
            self.end(cause, scene);
        }
    }

    /// The near party is there and nobody talks with it: it waits with music until somebody ends the call.
    pub(super) fn stay(&mut self, scene: &mut Scene<'_>) {
        self.act = Act::Staying;
        self.music(self.near, true);
        self.note("waits", self.near, "", scene);
    }

    /// A party offers a changed session: hold, resume, a new address, or a plain refresh.
    pub(super) fn reoffered(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) {
        let Some(found) = self.legs.get_mut(leg) else {
            return;
        };
        let (dialog, media) = (found.dialog, found.media());
        let Some(session) = found.session() else {
            self.signal(dialog, Signal::RefuseReoffer(488));
            return;
        };
        let codec = session.agreed().map_or(Codec::Pcma, |agreed| agreed.codec);
        if body.is_empty() {
            // RFC 3261 §14.1: it wants our offer, and owes its answer.
            let body = session.offer(codec);
            self.signal(dialog, Signal::AnswerReoffer { body });
            return;
        }
        let Ok((answer, agreed)) = session.answer(body, Preference::Codec(codec)) else {
            self.signal(dialog, Signal::RefuseReoffer(488));
            return;
        };
        if let Some(media) = media {
            self.order_media(MediaOrder::Connect(media, agreed));
        }
        self.signal(dialog, Signal::AnswerReoffer { body: answer });
        self.set_held(leg, agreed.direction.is_held(), scene);
    }

    /// A party answered the offer it had asked for, or the one that takes up a talk of before a restart.
    pub(super) fn reoffer_answered(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) {
        if self.reattach_agreed(leg, body, scene) {
            return;
        }
        if let Some(agreed) = self.agree(leg, body) {
            self.set_held(leg, agreed.direction.is_held(), scene);
        }
    }

    /// A party holds the other one, or comes back: the held one hears music meanwhile.
    pub(super) fn set_held(&mut self, leg: usize, held: bool, scene: &mut Scene<'_>) {
        let Some(found) = self.legs.get_mut(leg) else {
            return;
        };
        if std::mem::replace(&mut found.held, held) == held {
            return;
        }
        let media = found.media();
        self.note(if held { "hold" } else { "resume" }, Some(leg), "", scene);
        if let Some(media) = media {
            self.order_media(MediaOrder::Hold(media, held));
        }
        if let Act::Talking { far } = self.act {
            // Who has handed the call over is neither, and holds nobody any more.
            let other = match self.near {
                Some(near) if near == leg => Some(far),
                near => near.filter(|_| far == leg),
            };
            self.music(other, held);
        }
        self.meeting_held(held);
        self.tell(EventKind::Changed);
    }

    pub(super) fn music(&mut self, leg: Option<usize>, on: bool) {
        let Some(leg) = leg.and_then(|leg| self.legs.get(leg)).and_then(Leg::media) else {
            return;
        };
        if on {
            let play = self.next_play();
            let samples = tone::hold_music();
            self.order_media(MediaOrder::Play {
                leg,
                play,
                samples,
                repeat: true,
            });
        } else {
            self.order_media(MediaOrder::Stop(leg));
        }
    }

    /// The side of a leg.
    pub(super) fn side(&self, leg: usize) -> Side {
        self.legs.get(leg).map_or(Side::Caller, |leg| leg.side)
    }
}
