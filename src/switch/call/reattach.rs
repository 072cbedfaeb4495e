//! A talk that a restart cut in two: kept while it goes on, and taken up by the next daemon, which offers both parties a
//! session anew and brings them together once both have agreed.
//!
//! The call of before is closed as `daemon_restart`. What goes on is a call of its own, whose row is written when it
//! goes on and not before; each names the other among its events.

use super::leg::{Audio, Leg, Side, Stage};
use super::{Act, Call, Output, Signal};
use crate::cause;
use crate::journal::{Entry, Finished};
use crate::live::EventKind;
use crate::scene::Scene;
use crate::standing::{KeptLeg, KeptRecording, MOST_RESTARTS, Revival};
use bytes::Bytes;
use std::time::{Duration, Instant};
use strowger_media::Negotiated;
use strowger_model::record::{self, CallEvent};
use strowger_model::{CallId, CallState, HangupCause, LegId};
use strowger_sip::DialogKey;
use strowger_sip::standing::RETURN;

/// How long both parties have to agree, once both can be asked. After glare a repeat may take four seconds (RFC 3261 §14.1).
const PATIENCE: Duration = Duration::from_secs(5);

/// A talk that is being taken up.
#[derive(Debug)]
pub(super) struct Reattaching {
    /// The call it was.
    before: Box<Finished>,
    /// Legs that have not agreed yet.
    waiting: Vec<usize>,
    until: Instant,
    recording: KeptRecording,
    /// Why it cannot be taken up.
    why: String,
}

/// What was last said about the talk for the next daemon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered {
    near: usize,
    far: usize,
    agreed: [Negotiated; 2],
    recording: KeptRecording,
}

impl Reattaching {
    pub(super) const fn poll_timeout(&self) -> (Instant, &'static str) {
        (self.until, "re-attach")
    }
}

impl Call {
    /// Takes up a talk of before a restart: both parties are offered the session they have, at new places of ours.
    pub(crate) fn revive(revival: Revival, scene: &mut Scene<'_>) -> Self {
        let Revival {
            before,
            near,
            far,
            is_awaited,
        } = revival;
        let patience = if is_awaited { RETURN + PATIENCE } else { PATIENCE };
        let now = scene.world.now();
        let row = record::Call {
            id: CallId::generate(scene.world),
            state: CallState::Initiated,
            started_at: now,
            answered_at: None,
            ended_at: None,
            duration_ms: 0,
            cause: None,
            cost_micros: 0,
            notes: String::new(),
            ..before.call.clone()
        };
        let mut call = Self::with_row(row, scene);
        call.is_unwritten = true;
        call.called = near.1.called;
        call.restarts = near.1.restarts.max(far.1.restarts).saturating_add(1);
        call.since = near.1.since.or(before.call.answered_at);
        let recording = near.1.recording.clone().both(far.1.recording.clone());
        call.near = Some(0);
        call.act = Act::Reattaching(Box::new(Reattaching {
            before,
            waiting: vec![0, 1],
            until: scene.now + patience,
            recording,
            why: String::new(),
        }));
        let offers = [near, far].map(|(dialog, kept)| call.take_leg(dialog, kept, scene));
        if let [Some(near), Some(far)] = offers {
            for (leg, body) in [near, far].into_iter().enumerate() {
                if let Some(dialog) = call.legs.get(leg).map(|leg| leg.dialog) {
                    call.signal(dialog, Signal::Reoffer { body });
                }
            }
        } else {
            call.reattach_failed("no port is free", HangupCause::Congestion, scene);
        }
        call
    }

    /// Takes a leg over with audio of its own, and writes what it is offered.
    fn take_leg(&mut self, dialog: DialogKey, kept: KeptLeg, scene: &mut Scene<'_>) -> Option<Bytes> {
        if let Some(trunk) = kept.trunk {
            scene.load.begin(trunk);
        }
        let port = kept.session.local().port();
        let open = scene.supply.reopen_leg(self.row.id, kept.toward, port);
        let audio = open.map(|open| Audio {
            id: open.leg,
            session: kept.session.moved(open.local),
            closed: false,
        });
        self.legs.push(Leg {
            id: LegId::generate(scene.world),
            side: if kept.is_caller { Side::Caller } else { Side::Callee },
            dialog,
            stage: Stage::Up { confirmed: true },
            audio,
            held: false,
            party: kept.party,
            user: kept.user,
            device: kept.device,
            trunk: kept.trunk,
            browser: false,
            toward: kept.toward,
            sip_call_id: kept.sip_call_id,
            started_at: self.row.started_at,
            answered_at: Some(self.row.started_at),
            ended_at: None,
            cause: None,
            quality: None,
        });
        self.outputs.push_back(Output::OwnDialog(dialog));
        let leg = self.legs.last_mut()?;
        let media = leg.media()?;
        let offer = leg.session()?.offer_agreed();
        self.outputs.push_back(Output::OwnMedia(media));
        offer
    }

    /// A party agreed to what it was offered anew. Whether that was asked of it.
    pub(super) fn reattach_agreed(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) -> bool {
        if !matches!(self.act, Act::Reattaching(_)) {
            return false;
        }
        if self.agree(leg, body).is_none() {
            self.reattach_failed("its answer cannot be used", HangupCause::NoCodec, scene);
            return true;
        }
        if let Act::Reattaching(reattaching) = &mut self.act {
            reattaching.waiting.retain(|waiting| *waiting != leg);
            if reattaching.waiting.is_empty() {
                self.reattached(scene);
            }
        }
        true
    }

    /// A party refused what it was offered anew: both are ended.
    pub(super) fn reattach_refused(&mut self, leg: usize, status: u16, scene: &mut Scene<'_>) {
        if matches!(self.act, Act::Reattaching(_)) {
            let party = self.side(leg).code();
            self.reattach_failed(&format!("{party}: {status}"), cause::of_status(status), scene);
        }
    }

    /// A party is gone before the talk could go on. Whether it was being taken up.
    pub(super) fn reattach_hung_up(&mut self, leg: usize, why: HangupCause, scene: &mut Scene<'_>) -> bool {
        let is = matches!(self.act, Act::Reattaching(_));
        if is {
            let party = self.side(leg).code();
            self.leg_gone(leg, why, scene);
            self.reattach_failed(&format!("{party}: gone"), why, scene);
        }
        is
    }

    pub(super) fn reattach_timeout(&mut self, scene: &mut Scene<'_>) {
        let Act::Reattaching(reattaching) = &self.act else {
            return;
        };
        if scene.now < reattaching.until {
            return;
        }
        let silent = reattaching.waiting.iter().map(|leg| self.side(*leg).code());
        let why = format!("{}: no answer", silent.collect::<Vec<_>>().join(" and "));
        self.reattach_failed(&why, HangupCause::DaemonRestart, scene);
    }

    fn reattach_failed(&mut self, why: &str, cause: HangupCause, scene: &mut Scene<'_>) {
        if let Act::Reattaching(reattaching) = &mut self.act {
            why.clone_into(&mut reattaching.why);
        }
        self.end(cause, scene);
    }

    /// It does not go on: the call of before is all there is to write.
    pub(super) fn reattach_ends(&mut self, mut reattaching: Reattaching, scene: &Scene<'_>) {
        metrics::counter!("strowger_calls_after_restart_total", "outcome" => "ended").increment(1);
        let why = match reattaching.why.as_str() {
            "" => "not re-attached".to_owned(),
            why => format!("not re-attached: {why}"),
        };
        tracing::info!(call_id = %reattaching.before.call.id, why, "a call of before the restart was ended");
        close(&mut reattaching.before, why, scene);
        let entry = Entry::Finish(reattaching.before);
        self.outputs.push_back(Output::Journal(self.row.tenant, entry));
    }

    /// Both have agreed: they talk again.
    fn reattached(&mut self, scene: &mut Scene<'_>) {
        let Act::Reattaching(reattaching) = std::mem::replace(&mut self.act, Act::Talking { far: 1 }) else {
            return;
        };
        let Reattaching {
            mut before, recording, ..
        } = *reattaching;
        let now = scene.world.now();
        self.is_unwritten = false;
        self.row.started_at = now;
        for leg in &mut self.legs {
            (leg.started_at, leg.answered_at) = (now, Some(now));
        }
        metrics::counter!("strowger_calls_after_restart_total", "outcome" => "reattached").increment(1);
        tracing::info!(call_id = %self.row.id, before = %before.call.id, "a call goes on after the restart");
        close(
            &mut before,
            format!("re-attached, goes on as call {}", self.row.id),
            scene,
        );
        self.note(
            CallEvent::REATTACHED,
            None,
            &format!("continues call {}", before.call.id),
            scene,
        );
        self.write_begin();
        self.set_active(scene);
        // The longest call is counted from its first answer.
        let talked = self.since.map_or(time::Duration::ZERO, |since| now - since);
        let left = self
            .policy
            .max_duration
            .saturating_sub(talked.try_into().unwrap_or_default());
        self.limit = Some(scene.now + left);
        let tenant = self.row.tenant;
        self.outputs.push_back(Output::Journal(tenant, Entry::Finish(before)));
        self.join_audio(0, 1);
        self.note("bridge", Some(1), "", scene);
        for leg in 0..self.legs.len() {
            let agreed = self.legs.get_mut(leg).and_then(|leg| {
                leg.held = false;
                leg.audio.as_ref()?.session.agreed()
            });
            self.set_held(leg, agreed.is_some_and(|agreed| agreed.direction.is_held()), scene);
        }
        self.record_on(recording, scene);
        self.tell(EventKind::Changed);
    }

    /// Goes on recording where nothing speaks against it. What was captured before is a recording already.
    fn record_on(&mut self, kept: KeptRecording, scene: &mut Scene<'_>) {
        match kept {
            KeptRecording::None => {}
            KeptRecording::Refused(why) => self.recorder.refused = Some(why),
            KeptRecording::Paused => self.note("recording", None, "not gone on with: it was paused", scene),
            KeptRecording::Running { by, is_told } => {
                if !self.policy.may_record || (self.policy.disclosure.is_on() && !is_told) {
                    self.note("recording", None, "not gone on with: the settings have changed", scene);
                    return;
                }
                if is_told {
                    self.recorder.told = vec![0, 1];
                }
                self.recorder.wanted = Some(asked_by(&by));
                self.record_talk(0, 1, scene);
            }
        }
    }

    /// Says what is to be kept of two who talk, or that nothing is to be kept any more, where that has changed.
    pub(crate) fn remember(&mut self) {
        let now = self.to_remember();
        if now == self.remembered {
            return;
        }
        let before = std::mem::replace(&mut self.remembered, now.clone());
        let talking = now.as_ref().map_or([None; 2], |now| [Some(now.near), Some(now.far)]);
        for leg in before.iter().flat_map(|before| [before.near, before.far]) {
            let found = self.legs.get(leg).filter(|found| !found.is_over());
            if let Some(dialog) = found.filter(|_| !talking.contains(&Some(leg))).map(|leg| leg.dialog) {
                self.signal(dialog, Signal::Remember(None));
            }
        }
        let Some(now) = now else { return };
        for (leg, other) in [(now.near, now.far), (now.far, now.near)] {
            let kept = self.kept_leg(leg, other, &now.recording);
            let Some((dialog, kept)) = kept else { continue };
            let memo = serde_json::to_value(kept).ok().map(Box::new);
            self.signal(dialog, Signal::Remember(memo));
        }
    }

    fn to_remember(&self) -> Option<Remembered> {
        let Act::Talking { far } = self.act else {
            return None;
        };
        let near = self.near.filter(|near| *near != far)?;
        let is_plain = self.back_to.is_none() && self.referred_by.is_none() && self.order.is_none();
        if !is_plain || !self.policy.reattach || self.restarts >= MOST_RESTARTS {
            return None;
        }
        Some(Remembered {
            near,
            far,
            agreed: [self.steady(near)?, self.steady(far)?],
            recording: self.recorder.to_keep(),
        })
    }

    /// What a leg speaks that can be taken up: a browser's connection is gone with its page's.
    fn steady(&self, leg: usize) -> Option<Negotiated> {
        let leg = self.legs.get(leg)?;
        let is_sure = leg.stage == Stage::Up { confirmed: true } && !leg.browser;
        leg.media().filter(|_| is_sure)?;
        leg.audio.as_ref()?.session.agreed()
    }

    fn kept_leg(&self, leg: usize, other: usize, recording: &KeptRecording) -> Option<(DialogKey, KeptLeg)> {
        let (found, other) = (self.legs.get(leg)?, self.legs.get(other)?);
        let kept = KeptLeg {
            call: self.row.id,
            leg: found.id,
            other: other.id,
            is_near: self.near == Some(leg),
            is_caller: found.side == Side::Caller,
            party: found.party.clone(),
            user: found.user,
            device: found.device,
            trunk: found.trunk,
            toward: found.toward,
            sip_call_id: found.sip_call_id.clone(),
            called: self.called,
            session: found.audio.as_ref()?.session.clone(),
            recording: recording.clone(),
            restarts: self.restarts,
            since: self.since.or(self.row.answered_at),
        };
        Some((found.dialog, kept))
    }
}

/// Writes into a call of before what came of it.
fn close(before: &mut Finished, detail: String, scene: &Scene<'_>) {
    before.events.push(CallEvent {
        at: scene.world.now(),
        kind: CallEvent::RESTART.to_owned(),
        leg: None,
        detail,
    });
}

/// Who asked for a recording, in the words of those who may.
fn asked_by(by: &str) -> &'static str {
    let known = ["settings", "number", "api", "transfer"];
    known.into_iter().find(|known| *known == by).unwrap_or("settings")
}
