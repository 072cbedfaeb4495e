//! One call, from the first leg to the last, as a value that never waits.
//!
//! A call owns its legs, the flow that leads it and the ring that looks for somebody; it is told what
//! far ends and media threads said ([`Input`]) and asks for what is to be done ([`Output`]). Which
//! calls there are and whose dialog is whose is known one floor up, in [`crate::exchange`].
//!
//! Start reading at [`Call::handle`]; how calls begin stands in [`begin`], how somebody is found in
//! [`ringing`], what two parties do in [`talk`], and what flows ask for in [`flow`].

mod ahead;
mod app;
mod begin;
mod digits;
mod disclosure;
mod flow;
mod leg;
mod mailbox;
mod meeting;
mod output;
mod reattach;
mod recorder;
mod refer;
mod ringing;
mod talk;
mod transfer;
mod view;

use ahead::Ahead;
use app::AppStay;
use begin::Pending;
pub use begin::{Arrival, Placement};
pub use output::{Input, Invite, InviteTarget, MediaOrder, Output, Said, Signal, Tap, Tapped};

use crate::entrance::{IntoRoom, WayIn};
use crate::journal::{Entry, Finished};
use crate::live::{EventKind, PlaceCall, Steer};
use crate::policy::Policy;
use crate::scene::Scene;
use flow::Run;
use leg::{Leg, Stage};
use mailbox::Mailbox;
use meeting::Stay;
use reattach::{Reattaching, Remembered};
use recorder::Recorder;
use ringing::Ringing;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strowger_media::{MediaEvent, PlayId};
use strowger_model::record::{self, CallEvent};
use strowger_model::{CallId, CallState, HangupCause, TenantId, UserId};
use strowger_sip::DialogKey;
use time::OffsetDateTime;

/// How long an ending call waits for its audio to be closed and measured before it is written without.
const CLOSING: Duration = Duration::from_secs(3);

/// Events a call keeps for its page. Beyond that nothing more is noted: a flow that runs in circles.
const MOST_EVENTS: usize = 300;

/// A call.
#[derive(Debug)]
pub struct Call {
    row: record::Call,
    policy: Arc<Policy>,
    legs: Vec<Leg>,
    /// The party that flows, mailboxes and meetings talk with: the caller, or the answered party of a placed call.
    near: Option<usize>,
    /// The user it was for, where it was for one.
    called: Option<UserId>,
    run: Option<Box<Run>>,
    act: Act,
    /// What follows once the near party has acknowledged our answer.
    then: Option<Then>,
    /// Keys that were heard before that: audio may overtake an ACK.
    early_keys: Vec<(char, bool)>,
    /// The order of a placed call, until its called party has answered.
    order: Option<Box<PlaceCall>>,
    /// What it does first.
    pending: Option<Pending>,
    /// The room that the called party of a placed call goes into.
    into: Option<Box<IntoRoom>>,
    /// How the called party of a placed call is seen in its room before it answers.
    ahead: Option<Ahead>,
    /// The room that the near party was led out of to be rung through to somebody.
    back_to: Option<Box<WayIn>>,
    /// The leg that has handed the near party over and is told how it comes out.
    referred_by: Option<usize>,
    recorder: Recorder,
    /// Nothing is written of it yet, and perhaps never: a talk of before a restart that is being taken up.
    is_unwritten: bool,
    /// How often its talk was taken up after a restart.
    restarts: u8,
    /// When the first of the calls was answered that it continues.
    since: Option<OffsetDateTime>,
    /// What was said about it for the daemon after this one.
    remembered: Option<Remembered>,
    events: Vec<CallEvent>,
    last_play: u64,
    limit: Option<Instant>,
    /// When its time began.
    answered: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// What a call is doing.
#[derive(Debug)]
enum Act {
    /// A flow decides, or the near party is being answered.
    Waiting,
    /// Somebody is looked for.
    Ringing(Box<Ringing>),
    /// The near party talks with another one.
    Talking { far: usize },
    /// Two who talked before a restart are brought together again.
    Reattaching(Box<Reattaching>),
    /// The near party leaves a message.
    Mailbox(Mailbox),
    /// The near party is led into a room, or is there.
    Meeting { stay: Stay },
    /// The near party is with a voice app, or one is being connected.
    App(AppStay),
    /// The near party is there and nobody talks with it.
    Staying,
    /// All legs were told to end; their audio is being closed.
    Ending { until: Instant },
    /// Written and done.
    Over,
}

/// What follows an answer.
#[derive(Debug)]
enum Then {
    Mailbox(UserId),
    Meet(Box<WayIn>),
    AskPin(Option<Box<WayIn>>),
}

impl Call {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.row.id
    }

    /// Its tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.row.tenant
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, scene: &mut Scene<'_>) {
        match input {
            Input::Said(dialog, said) => self.said(dialog, said, scene),
            Input::Media(event) => self.media(&event, scene),
            Input::Steer(steer) => self.steer(steer, scene),
            Input::Room(said) => self.room_said(said, scene),
            Input::App(said) => self.app_said(said, scene),
            Input::CaptureFailed(capture) => self.recorder.forget(capture),
            Input::Shutdown => self.end(HangupCause::Shutdown, scene),
        }
    }

    /// A deadline came.
    pub fn handle_timeout(&mut self, scene: &mut Scene<'_>) {
        if let Act::Ending { until } = self.act {
            if scene.now >= until {
                self.finish(scene);
            }
            return;
        }
        if self.limit.is_some_and(|limit| scene.now >= limit) {
            self.end(HangupCause::MaxDuration, scene);
            return;
        }
        if let Act::Ringing(ringing) = &mut self.act {
            ringing.ring.handle_timeout(scene.now);
            self.drive_ring(None, scene);
        }
        self.reattach_timeout(scene);
        self.mailbox_timeout(scene);
        self.recording_timeout(scene);
        self.disclosure_timeout(scene);
        self.meeting_timeout(scene);
        self.flow_timeout(scene);
    }

    /// What is asked for next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to wake it, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let of_act = match &self.act {
            Act::Ringing(ringing) => ringing.ring.poll_timeout(),
            Act::Mailbox(mailbox) => mailbox.poll_timeout(),
            Act::Ending { until } => return Some((*until, "close audio")),
            Act::Over => return None,
            Act::Meeting { stay } => stay.poll_timeout(),
            Act::Reattaching(reattaching) => Some(reattaching.poll_timeout()),
            Act::Waiting | Act::Talking { .. } | Act::App(_) | Act::Staying => None,
        };
        let limit = self.limit.map(|limit| (limit, "longest call"));
        [of_act, limit, self.flow_deadline(), self.recorder.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether it is written and done.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.act, Act::Over)
    }

    const fn is_ending(&self) -> bool {
        matches!(self.act, Act::Ending { .. } | Act::Over)
    }

    /// Ends whatever is left of a call that broke: every leg is told, the row is written.
    pub fn abort(&mut self, scene: &mut Scene<'_>) {
        self.run = None;
        self.end(HangupCause::InternalError, scene);
    }

    fn said(&mut self, dialog: DialogKey, said: Said, scene: &mut Scene<'_>) {
        let Some(leg) = self.legs.iter().position(|leg| leg.dialog == dialog && !leg.is_over()) else {
            return;
        };
        match said {
            Said::Progress { status, body } => self.progressed(leg, status, &body, scene),
            Said::Answered { body } => self.answered(leg, &body, scene),
            Said::Failed { status } => self.failed(leg, status, scene),
            Said::Confirmed { body } => self.confirmed(leg, &body, scene),
            Said::Reoffer { body } => self.reoffered(leg, &body, scene),
            Said::ReofferAnswered { body } => self.reoffer_answered(leg, &body, scene),
            Said::ReofferFailed { status } => self.reattach_refused(leg, status, scene),
            Said::Info { content_type, body } => {
                if let Some(digit) = digits::of_info(&content_type, &body) {
                    self.digit(leg, digit, true, scene);
                }
            }
            Said::Refer { to } => self.refers(leg, &to, scene),
            Said::Cancelled => {
                self.leg_gone(leg, HangupCause::Cancelled, scene);
                self.end(HangupCause::Cancelled, scene);
            }
            Said::Ended(cause) => self.hung_up(leg, cause, scene),
        }
    }

    /// A far end is gone: its call goes on without it, or ends.
    fn hung_up(&mut self, leg: usize, cause: HangupCause, scene: &mut Scene<'_>) {
        if self.reattach_hung_up(leg, cause, scene) {
            return;
        }
        self.note("bye", Some(leg), cause.code(), scene);
        self.leg_gone(leg, cause, scene);
        if self.near == Some(leg) {
            self.end(cause, scene);
            return;
        }
        match &self.act {
            Act::Talking { far } if *far == leg => self.talk_over(cause, scene),
            Act::Ringing(_) => self.branch_failed(leg, cause, scene),
            Act::Waiting
            | Act::Talking { .. }
            | Act::Reattaching(_)
            | Act::Mailbox(_)
            | Act::Meeting { .. }
            | Act::App(_)
            | Act::Staying
            | Act::Ending { .. }
            | Act::Over => {}
        }
    }

    fn media(&mut self, event: &MediaEvent, scene: &mut Scene<'_>) {
        let id = match event {
            MediaEvent::Digit { leg, .. }
            | MediaEvent::PlayDone { leg, .. }
            | MediaEvent::Silent { leg }
            | MediaEvent::Heard { leg }
            | MediaEvent::Closed { leg, .. } => *leg,
        };
        let Some(leg) = self.legs.iter().position(|leg| leg.media() == Some(id)) else {
            return;
        };
        match event {
            MediaEvent::Digit { digit, .. } => self.digit(leg, *digit, false, scene),
            MediaEvent::PlayDone { play, .. } => self.played(*play, scene),
            MediaEvent::Silent { .. } => self.silent(leg, scene),
            MediaEvent::Heard { .. } => {}
            MediaEvent::Closed { quality, .. } => {
                if let Some(leg) = self.legs.get_mut(leg) {
                    leg.quality = Some(*quality);
                    if let Some(audio) = &mut leg.audio {
                        audio.closed = true;
                    }
                }
                self.finish_once_closed(scene);
            }
        }
    }

    fn silent(&mut self, leg: usize, scene: &mut Scene<'_>) {
        let is_up = self.legs.get(leg).is_some_and(|leg| leg.is_up() && !leg.held);
        // Who waits to hear how its handing over comes out need not speak.
        if is_up && self.referred_by != Some(leg) && !self.is_ending() {
            self.note("silent", Some(leg), "no audio arrives", scene);
            self.end(HangupCause::MediaTimeout, scene);
        }
    }

    fn steer(&mut self, steer: Steer, scene: &mut Scene<'_>) {
        match steer {
            Steer::HangUp => self.end(HangupCause::Administrative, scene),
            Steer::StartRecording => self.start_recording("api", scene),
            Steer::StopRecording => self.stop_recording(scene),
            Steer::PauseRecording => self.pause_recording(true, scene),
            Steer::ResumeRecording => self.pause_recording(false, scene),
        }
    }

    /// The call's time begins: somebody or something answered.
    fn set_active(&mut self, scene: &Scene<'_>) {
        if self.row.answered_at.is_some() {
            return;
        }
        self.row.answered_at = Some(scene.world.now());
        self.answered = Some(scene.now);
        self.limit = Some(scene.now + self.policy.max_duration);
        self.advance(CallState::Active);
        self.write_progress();
        self.tell(EventKind::Accepted);
    }

    fn advance(&mut self, state: CallState) -> bool {
        let may = self.row.state.may_become(state);
        if may {
            self.row.state = state;
        }
        may
    }

    fn write_progress(&mut self) {
        let entry = Entry::Progress {
            call: self.row.id,
            state: self.row.state,
            answered_at: self.row.answered_at,
            user: self.row.user,
        };
        self.outputs.push_back(Output::Journal(self.row.tenant, entry));
    }

    /// Ends the call: every leg that is left is told, and once its audio is closed the row is written.
    fn end(&mut self, cause: HangupCause, scene: &mut Scene<'_>) {
        if self.is_ending() {
            return;
        }
        self.leave_act(scene);
        self.is_called_no_more(cause);
        self.run = None;
        self.back_to = None;
        self.referred_by = None;
        self.limit = None;
        self.row.ended_at = Some(scene.world.now());
        self.row.cause = Some(cause);
        // Not by the times of day: the clock may have been set in between.
        self.row.duration_ms = self.answered.map_or(0, |answered| {
            let span = scene.now.saturating_duration_since(answered);
            i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
        });
        self.row.state = self.row.state.at_end(self.row.direction, cause);
        self.act = Act::Ending {
            until: scene.now + CLOSING,
        };
        for leg in 0..self.legs.len() {
            self.close_leg(leg, cause, scene);
        }
        let kind = match (self.row.state, cause) {
            (CallState::Missed, _) => EventKind::Missed,
            (CallState::Busy, _) | (CallState::NoAnswer, HangupCause::Rejected) => EventKind::Rejected,
            (_, _) => EventKind::Ended,
        };
        self.note("end", None, cause.code(), scene);
        if !self.is_unwritten {
            let live = Box::new(self.live());
            self.outputs.push_back(Output::Tell(kind, Some(cause), live));
        }
        self.finish_once_closed(scene);
    }

    /// Puts away what the present act holds.
    fn leave_act(&mut self, scene: &mut Scene<'_>) {
        match std::mem::replace(&mut self.act, Act::Waiting) {
            Act::Mailbox(mailbox) => self.message_ends(&mailbox, scene),
            Act::Meeting { stay } => self.stay_ends(&stay),
            Act::App(stay) => self.app_ends(stay),
            Act::Reattaching(reattaching) => self.reattach_ends(*reattaching, scene),
            Act::Waiting | Act::Ringing(_) | Act::Talking { .. } | Act::Staying | Act::Ending { .. } | Act::Over => {}
        }
        self.recorder.say_nothing();
        self.recorder_ends();
    }

    fn finish_once_closed(&mut self, scene: &mut Scene<'_>) {
        let ending = matches!(self.act, Act::Ending { .. });
        if ending && self.legs.iter().all(|leg| leg.media().is_none()) {
            self.finish(scene);
        }
    }

    fn finish(&mut self, _scene: &mut Scene<'_>) {
        self.act = Act::Over;
        if self.is_unwritten {
            return;
        }
        let finished = Finished {
            call: self.row.clone(),
            legs: self.legs.iter().map(|leg| leg.row(self.row.id)).collect(),
            events: std::mem::take(&mut self.events),
            taken: self.recorder.take_all(),
            message: self.recorder.take_message(),
        };
        let entry = Entry::Finish(Box::new(finished));
        self.outputs.push_back(Output::Journal(self.row.tenant, entry));
    }

    /// Ends a leg from our side, in the way its stage asks for.
    fn close_leg(&mut self, leg: usize, cause: HangupCause, scene: &mut Scene<'_>) {
        let Some(found) = self.legs.get(leg) else {
            return;
        };
        let dialog = found.dialog;
        match found.stage {
            Stage::Over => return,
            Stage::Calling { .. } => self.signal(dialog, Signal::Reject(cause)),
            Stage::Invited => {
                self.signal(dialog, Signal::Cancel);
                self.outputs.push_back(Output::CalledOff(dialog));
            }
            Stage::Up { .. } => self.signal(dialog, Signal::Bye(cause)),
        }
        self.leg_gone(leg, cause, scene);
    }

    /// Notes that a leg's signalling is over, and closes its audio.
    fn leg_gone(&mut self, leg: usize, cause: HangupCause, scene: &mut Scene<'_>) {
        let Some(leg) = self.legs.get_mut(leg).filter(|leg| !leg.is_over()) else {
            return;
        };
        leg.stage = Stage::Over;
        leg.ended_at = Some(scene.world.now());
        leg.cause = Some(cause);
        if let Some(trunk) = leg.trunk {
            scene.load.end(trunk);
        }
        if let Some(media) = leg.media() {
            self.outputs.push_back(Output::Media(MediaOrder::Close(media)));
        }
    }

    fn near_leg(&self) -> Option<&Leg> {
        self.legs.get(self.near?)
    }

    fn signal(&mut self, dialog: DialogKey, signal: Signal) {
        self.outputs.push_back(Output::Signal(dialog, signal));
    }

    fn order_media(&mut self, order: MediaOrder) {
        self.outputs.push_back(Output::Media(order));
    }

    fn tell(&mut self, kind: EventKind) {
        if self.is_unwritten {
            return;
        }
        let live = Box::new(self.live());
        self.outputs.push_back(Output::Tell(kind, None, live));
    }

    fn next_play(&mut self) -> PlayId {
        self.last_play += 1;
        PlayId(self.last_play)
    }

    /// Notes something for the call's page.
    fn note(&mut self, kind: &str, leg: Option<usize>, detail: &str, scene: &Scene<'_>) {
        if self.events.len() >= MOST_EVENTS {
            return;
        }
        self.events.push(CallEvent {
            at: scene.world.now(),
            kind: kind.to_owned(),
            leg: leg.and_then(|leg| self.legs.get(leg)).map(|leg| leg.id),
            detail: detail.to_owned(),
        });
    }
}
