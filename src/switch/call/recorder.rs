//! What is captured of a call, and what has been.

use super::disclosure::{Disclosing, Next};
use super::leg::Leg;
use super::output::{Tap, Tapped};
use super::{Act, Call, MediaOrder, Output};
use crate::journal::{Message, Taken};
use crate::live::EventKind;
use crate::scene::Scene;
use crate::standing::KeptRecording;
use std::time::Instant;
use strowger_model::capture::{CaptureMeta, Purpose, StreamMeta};
use strowger_model::{CaptureId, ConsentOutcome, LegId, RecordingId};

/// The recording side of a call.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// Who asked for a recording that is to begin with the answer.
    pub(super) wanted: Option<&'static str>,
    /// What is being said before a recording begins.
    pub(super) disclosing: Option<Box<Disclosing>>,
    /// Legs that know that the call is recorded.
    pub(super) told: Vec<usize>,
    /// A party does not want it: nothing of this call is recorded from there on.
    pub(super) refused: Option<ConsentOutcome>,
    /// The room in which the near party is, is recorded.
    pub(super) room: bool,
    /// How many consents were written.
    pub(super) witnessed: i64,
    running: Option<Running>,
    taken: Vec<Taken>,
    message: Option<Message>,
}

#[derive(Debug)]
struct Running {
    capture: CaptureId,
    paused: bool,
    /// When it is long enough; a message has a limit of its own.
    until: Option<Instant>,
    /// Legs whose voice is led in.
    tapped: Vec<usize>,
}

impl Recorder {
    /// A recorder that begins with the answer when somebody wants it to.
    pub(super) fn wanted(by: Option<&'static str>) -> Self {
        Self {
            wanted: by,
            ..Self::default()
        }
    }

    /// When to wake the call, and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let longest = self.running.as_ref().and_then(|running| running.until);
        let longest = longest.map(|until| (until, "longest recording"));
        let said = self.disclosing.as_ref().map(|disclosing| disclosing.poll_timeout());
        [longest, said].into_iter().flatten().min()
    }

    /// What was being said before a recording is not said any more, and nobody waits for it.
    pub(super) fn say_nothing(&mut self) {
        self.disclosing = None;
    }

    /// What comes after this conversation is recorded like this conversation.
    pub(super) fn go_on_later(&mut self) {
        self.wanted = Some("transfer");
    }

    /// No recording begins with the answer any more.
    pub(super) const fn want_nothing(&mut self) {
        self.wanted = None;
    }

    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.paused)
    }

    /// A capture that could not be opened: nothing runs any more, and the call's end says why.
    pub(super) fn forget(&mut self, capture: CaptureId) {
        self.running.take_if(|running| running.capture == capture);
    }

    /// What the next daemon needs to know. While something is being said before a recording, that there is none.
    pub(super) fn to_keep(&self) -> KeptRecording {
        match (&self.running, self.refused) {
            (_, Some(why)) => KeptRecording::Refused(why),
            (Some(running), None) if running.paused => KeptRecording::Paused,
            (Some(_), None) if self.disclosing.is_none() => KeptRecording::Running {
                by: self
                    .taken
                    .last()
                    .map(|taken| taken.recorded_by.clone())
                    .unwrap_or_default(),
                is_told: !self.told.is_empty(),
            },
            (_, None) => KeptRecording::None,
        }
    }

    pub(super) fn take_all(&mut self) -> Vec<Taken> {
        std::mem::take(&mut self.taken)
    }

    pub(super) fn take_message(&mut self) -> Option<Message> {
        self.message.take()
    }

    pub(super) fn leave_message(&mut self, message: Message) {
        self.message = Some(message);
    }
}

impl Call {
    /// The near party is up and talks with us: what it says is captured, and what we play to it.
    pub(super) fn record_near(&mut self, scene: &mut Scene<'_>) {
        let Some(near) = self.near else {
            return;
        };
        if let Some(by) = self.recorder.wanted.take() {
            self.begin_capture(Purpose::Call, by, scene);
        }
        self.tap(near, true);
    }

    /// Two parties talk: both are captured.
    pub(super) fn record_talk(&mut self, near: usize, far: usize, scene: &mut Scene<'_>) {
        if self.tell_both(near, far, scene) {
            return;
        }
        if let Some(by) = self.recorder.wanted.take() {
            self.begin_capture(Purpose::Call, by, scene);
        }
        self.tap(near, false);
        self.tap(far, false);
    }

    /// Begins a capture of the given kind, whatever ran before.
    pub(super) fn begin_capture(&mut self, purpose: Purpose, by: &str, scene: &mut Scene<'_>) -> RecordingId {
        self.recorder_ends();
        let began_at = scene.world.now();
        let meta = CaptureMeta {
            capture: CaptureId::generate(scene.world),
            recording: RecordingId::generate(scene.world),
            tenant: self.row.tenant,
            call: self.row.id,
            purpose,
            started_unix_ms: i64::try_from(began_at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        };
        self.recorder.taken.push(Taken {
            recording: meta.recording,
            capture: meta.capture,
            recorded_by: by.to_owned(),
            problem: None,
            began_at,
        });
        self.recorder.running = Some(Running {
            capture: meta.capture,
            paused: false,
            until: matches!(purpose, Purpose::Call).then(|| scene.now + self.policy.recording_max),
            tapped: Vec::new(),
        });
        let recording = meta.recording;
        let streams = self.streams(purpose, scene);
        self.outputs.push_back(Output::Capture(Box::new(meta), streams));
        self.note("recording", None, by, scene);
        recording
    }

    fn streams(&self, purpose: Purpose, scene: &Scene<'_>) -> Vec<StreamMeta> {
        let sides: &[super::leg::Side] = match purpose {
            Purpose::Voicemail => &[super::leg::Side::Caller],
            Purpose::Call | Purpose::Room => &[super::leg::Side::Caller, super::leg::Side::Callee],
        };
        let of_side = |side: super::leg::Side| {
            let leg = self.legs.iter().rfind(|leg| leg.side == side && leg.is_up());
            StreamMeta {
                stream: side.stream(),
                // A side that nobody has taken yet: the machine speaks there.
                leg: leg.map_or_else(|| LegId::generate(scene.world), |leg| leg.id),
                speaker: leg.map_or_else(|| side.code().to_owned(), |leg| leg.party.clone()),
            }
        };
        sides.iter().map(|side| of_side(*side)).collect()
    }

    /// Leads a leg's voice into the running capture, and with `played` what we play to it.
    pub(super) fn tap(&mut self, leg: usize, played: bool) {
        let stream = self.side(leg).stream();
        let media = self.legs.get(leg).and_then(Leg::media);
        let (Some(running), Some(media)) = (&mut self.recorder.running, media) else {
            return;
        };
        if running.tapped.contains(&leg) {
            return;
        }
        running.tapped.push(leg);
        let (capture, paused) = (running.capture, running.paused);
        if paused {
            self.order_media(MediaOrder::CapturePause(media, true));
        }
        let heard = Tap {
            stream,
            leg: media,
            what: Tapped::Heard,
        };
        self.outputs.push_back(Output::Tap(capture, heard));
        if played {
            let played = Tap {
                stream: self.side(leg).other().stream(),
                leg: media,
                what: Tapped::Played,
            };
            self.outputs.push_back(Output::Tap(capture, played));
        }
    }

    /// Ends the running capture, if there is one.
    pub(super) fn recorder_ends(&mut self) {
        let Some(running) = self.recorder.running.take() else {
            return;
        };
        for leg in running.tapped {
            if let Some(media) = self.legs.get(leg).and_then(Leg::media) {
                self.order_media(MediaOrder::CaptureStop(media));
            }
        }
        self.outputs.push_back(Output::CaptureEnd(running.capture));
    }

    /// Why a recording that is asked for does not start.
    pub(super) fn unrecordable(&self) -> Option<&'static str> {
        if self.recorder.refused.is_some() {
            Some("a party of the call did not agree to be recorded")
        } else if self.policy.may_record {
            None
        } else {
            Some("calls are not recorded here (enable_call_recording)")
        }
    }

    pub(super) fn start_recording(&mut self, by: &'static str, scene: &mut Scene<'_>) {
        let is_under_way = self.recorder.is_running() || self.recorder.disclosing.is_some();
        if is_under_way || !self.policy.may_record || self.is_ending() {
            return;
        }
        if self.recorder.refused.is_some() {
            self.note("recording", None, "a party does not agree", scene);
            return;
        }
        let must_tell = self.policy.disclosure.is_on() && self.recorder.told.is_empty();
        match (&self.act, self.near) {
            (Act::Talking { far }, Some(near)) => {
                let far = *far;
                self.recorder.wanted = Some(by);
                self.record_talk(near, far, scene);
            }
            (Act::Staying, Some(_)) if must_tell => {
                self.recorder.wanted = Some(by);
                if !self.tell_near(Next::Stay, scene) {
                    self.music(self.near, true);
                }
            }
            // The flow's next sound, or the next talk, comes after what is to be said.
            (Act::Waiting | Act::Ringing(_), Some(_)) if must_tell => self.recorder.wanted = Some(by),
            (Act::App(_), Some(_)) if must_tell => {
                self.recorder.wanted = Some(by);
                self.tell_near(Next::App, scene);
            }
            (Act::Waiting | Act::Ringing(_) | Act::App(_) | Act::Staying, Some(near))
                if self.legs.get(near).is_some_and(Leg::is_up) =>
            {
                self.begin_capture(Purpose::Call, by, scene);
                self.tap(near, true);
            }
            (_, _) => self.recorder.wanted = Some(by),
        }
        self.tell(EventKind::Changed);
    }

    pub(super) fn stop_recording(&mut self, scene: &mut Scene<'_>) {
        self.recorder.wanted = None;
        self.disclosure_called_off(scene);
        if self.recorder.is_running() && !matches!(self.act, Act::Mailbox(_)) {
            self.recorder_ends();
            self.note("recording", None, "stopped", scene);
            self.tell(EventKind::Changed);
        }
    }

    /// A recording is long enough: it ends, and the call goes on.
    pub(super) fn recording_timeout(&mut self, scene: &mut Scene<'_>) {
        let until = self.recorder.running.as_ref().and_then(|running| running.until);
        if until.is_some_and(|until| scene.now >= until) {
            self.recorder_ends();
            // Neither the next talk nor a hand-over begins another one; a program or the board may.
            self.recorder.wanted = None;
            self.note("recording", None, "ended at its longest", scene);
            self.tell(EventKind::Changed);
        }
    }

    pub(super) fn pause_recording(&mut self, pause: bool, scene: &mut Scene<'_>) {
        let Some(running) = self.recorder.running.as_mut().filter(|running| running.paused != pause) else {
            return;
        };
        running.paused = pause;
        for leg in running.tapped.clone() {
            if let Some(media) = self.legs.get(leg).and_then(Leg::media) {
                self.order_media(MediaOrder::CapturePause(media, pause));
            }
        }
        self.note("recording", None, if pause { "paused" } else { "resumed" }, scene);
        self.tell(EventKind::Changed);
    }
}
