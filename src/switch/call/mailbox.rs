//! Leaving a message: greeting, beep, the message, the end.

use super::leg::Leg;
use super::{Act, Call, MediaOrder};
use crate::journal::Message;
use crate::live::EventKind;
use crate::scene::Scene;
use std::time::Instant;
use strowger_media::{PlayId, tone};
use strowger_model::capture::Purpose;
use strowger_model::{HangupCause, RecordingId, UserId, VoicemailId};

/// A mailbox that takes a message.
#[derive(Debug)]
pub(super) struct Mailbox {
    user: UserId,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The greeting plays, then the beep; the message begins when the beep is over.
    Greeting { beep: PlayId },
    /// The message is taken.
    Taking {
        recording: RecordingId,
        since: Instant,
        until: Instant,
    },
}

impl Mailbox {
    pub(super) const fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.step {
            Step::Greeting { .. } => None,
            Step::Taking { until, .. } => Some((*until, "longest message")),
        }
    }
}

impl Call {
    /// Greets the near party for a user.
    pub(super) fn open_mailbox(&mut self, user: UserId, scene: &mut Scene<'_>) {
        // What was recorded so far ends here: the message is a recording of its own.
        self.recorder_ends();
        self.recorder.say_nothing();
        self.recorder.want_nothing();
        self.row.user = self.row.user.or(Some(user));
        let policy = scene.directory.policy(self.row.tenant, Some(user));
        self.row.transcribe |= policy.transcribe_voicemail;
        let greeting = scene.directory.greeting(user);
        let name = scene
            .directory
            .person(user)
            .map_or_else(String::new, |person| person.user.name.clone());
        self.note("voicemail", self.near, &name, scene);
        if greeting.is_none() {
            tracing::warn!(%user, "the mailbox has no greeting yet; callers hear the beep alone");
        }
        let (first, beep) = (self.next_play(), self.next_play());
        if let Some(leg) = self.near_leg().and_then(Leg::media) {
            self.order_media(MediaOrder::Stop(leg));
            if let Some(samples) = greeting {
                self.order_media(MediaOrder::Play {
                    leg,
                    play: first,
                    samples,
                    repeat: false,
                });
            }
            let samples = tone::beep();
            self.order_media(MediaOrder::Play {
                leg,
                play: beep,
                samples,
                repeat: false,
            });
        }
        let step = Step::Greeting { beep };
        self.act = Act::Mailbox(Mailbox { user, step });
        self.tell(EventKind::Changed);
    }

    /// Something was played to its end: the beep, after which the message begins.
    pub(super) fn mailbox_played(&mut self, play: PlayId, scene: &mut Scene<'_>) {
        let Act::Mailbox(Mailbox {
            user,
            step: Step::Greeting { beep },
        }) = &self.act
        else {
            return;
        };
        if *beep != play {
            return;
        }
        let user = *user;
        let recording = self.begin_capture(Purpose::Voicemail, "voicemail", scene);
        if let Some(near) = self.near {
            self.tap(near, false);
        }
        let policy = scene.directory.policy(self.row.tenant, Some(user));
        let step = Step::Taking {
            recording,
            since: scene.now,
            until: scene.now + policy.voicemail_max,
        };
        self.act = Act::Mailbox(Mailbox { user, step });
        self.tell(EventKind::Changed);
    }

    /// A key: `#` skips the greeting or ends the message.
    pub(super) fn mailbox_digit(&mut self, digit: char, scene: &mut Scene<'_>) {
        let Act::Mailbox(mailbox) = &mut self.act else {
            return;
        };
        if digit != '#' {
            return;
        }
        match &mut mailbox.step {
            Step::Taking { .. } => self.close_mailbox(scene),
            Step::Greeting { beep } => {
                self.last_play += 1;
                let play = PlayId(self.last_play);
                *beep = play;
                if let Some(leg) = self.near_leg().and_then(Leg::media) {
                    self.order_media(MediaOrder::Stop(leg));
                    let samples = tone::beep();
                    self.order_media(MediaOrder::Play {
                        leg,
                        play,
                        samples,
                        repeat: false,
                    });
                }
            }
        }
    }

    pub(super) fn mailbox_timeout(&mut self, scene: &mut Scene<'_>) {
        let Act::Mailbox(Mailbox {
            step: Step::Taking { until, .. },
            ..
        }) = &self.act
        else {
            return;
        };
        if scene.now >= *until {
            self.close_mailbox(scene);
        }
    }

    /// The message is complete and the near party still there.
    fn close_mailbox(&mut self, scene: &mut Scene<'_>) {
        self.leave_act(scene);
        if !self.flow_message_done(scene) {
            self.end(HangupCause::Normal, scene);
        }
    }

    /// Notes the message that a mailbox has taken, if it has.
    pub(super) fn message_ends(&mut self, mailbox: &Mailbox, scene: &Scene<'_>) {
        let Step::Taking { recording, since, .. } = &mailbox.step else {
            return;
        };
        let length = scene.now.saturating_duration_since(*since);
        self.recorder.leave_message(Message {
            voicemail: VoicemailId::generate(scene.world),
            user: mailbox.user,
            recording: *recording,
            duration_ms: i64::try_from(length.as_millis()).unwrap_or(i64::MAX),
        });
    }
}
