//! What parties hear and are asked before a recording begins.
//!
//! Nothing is captured of a party that was not told, where the settings want it told. Who is asked and does
//! not press 1 goes on unrecorded. What was said and answered is written at once, apart from the audio.

use super::leg::Leg;
use super::{Act, Call, MediaOrder, Output};
use crate::directory::Samples;
use crate::entrance::RoomOrder;
use crate::journal::Entry;
use crate::live::EventKind;
use crate::scene::Scene;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use strowger_ivr::{ActionId, Sound};
use strowger_media::{PlayId, SAMPLE_RATE_HZ, tone};
use strowger_model::ConsentOutcome;
use strowger_model::record::Consent;
use strowger_rooms::UNRECORDED;

/// The keys that answer.
const YES: char = '1';
const NO: char = '2';

/// How much longer than its sound a play may take: a hold stops it, and then nobody has heard it.
const MARGIN: Duration = Duration::from_secs(5);

/// Silence after what was said, milliseconds: a capture takes in the packets of the moment before it begins,
/// and those must not be from before the last word.
const PAUSE_MS: u32 = 220;

/// What is being said.
#[derive(Debug)]
pub(super) struct Disclosing {
    /// Legs that still listen, and the play that is the last one for each.
    listening: Vec<(usize, PlayId)>,
    /// Legs that are told.
    parties: Vec<usize>,
    stage: Stage,
    text: String,
    until: Instant,
    next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// They are told.
    Telling,
    /// This leg is asked as well.
    Asking(usize),
    /// They have agreed and hear the beep.
    Beeping,
}

/// What waits until it was said.
#[derive(Debug)]
pub(super) enum Next {
    /// The flow, which asked for an answer.
    FlowAnswered,
    /// The flow, which plays something.
    FlowPlays(ActionId, Vec<Sound>),
    /// What the order of a placed call says.
    Order,
    /// Nothing: two parties talk.
    Talk,
    /// The music of a party that is there alone.
    Stay,
    /// The recording alone: the near party is with a voice app.
    App,
    /// The room that the near party is in, and hears again.
    Meet,
}

impl Disclosing {
    pub(super) const fn poll_timeout(&self) -> (Instant, &'static str) {
        (self.until, "what is said before a recording")
    }
}

impl Call {
    /// Whether a leg is to be told before it is recorded: at first everybody, later whoever comes in from outside.
    fn is_to_be_told(&self, leg: usize) -> bool {
        let is_outside = self.legs.get(leg).is_some_and(|leg| leg.trunk.is_some());
        let told = &self.recorder.told;
        self.policy.disclosure.is_on() && !told.contains(&leg) && (told.is_empty() || is_outside)
    }

    /// Whether the near party is to be told that it will be recorded.
    pub(super) fn is_near_to_be_told(&self) -> bool {
        self.recorder.wanted.is_some() && self.near.is_some_and(|near| self.is_to_be_told(near))
    }

    /// Tells the near party that it will be recorded, where that is to be done. Whether `next` waits for it.
    pub(super) fn tell_near(&mut self, next: Next, scene: &mut Scene<'_>) -> bool {
        let Some(near) = self.near.filter(|_| self.is_near_to_be_told()) else {
            return false;
        };
        self.disclose(vec![near], next, scene)
    }

    /// Tells two parties that talk that they are recorded, where that is to be done. Whether the recording waits.
    pub(super) fn tell_both(&mut self, near: usize, far: usize, scene: &mut Scene<'_>) -> bool {
        if self.recorder.wanted.is_none() && !self.recorder.is_running() {
            return false;
        }
        let parties: Vec<usize> = [near, far].into_iter().filter(|leg| self.is_to_be_told(*leg)).collect();
        !parties.is_empty() && self.disclose(parties, Next::Talk, scene)
    }

    /// Whether a room may record the near party, or whoever is about to be called for it, from the first word.
    pub(super) fn may_room_record(&self) -> bool {
        let must_tell = self
            .near
            .map_or(self.policy.disclosure.is_on(), |near| self.is_to_be_told(near));
        self.recorder.refused.is_none() && !must_tell
    }

    /// The room in which the near party is begins to be recorded, or is no longer.
    pub(super) fn room_recorded(&mut self, is: bool, scene: &mut Scene<'_>) {
        self.recorder.room = is;
        let is_being_told = self.recorder.disclosing.as_ref();
        if is {
            self.tell_in_room(scene);
        } else if is_being_told.is_some_and(|one| matches!(one.next, Next::Meet)) {
            self.disclosure_called_off(scene);
        }
    }

    /// Tells the near party that its room is recorded, where that is to be done: until then the room records
    /// nothing of it.
    pub(super) fn tell_in_room(&mut self, scene: &mut Scene<'_>) {
        let is_open = self.recorder.refused.is_none() && self.recorder.disclosing.is_none();
        let Some(near) = self
            .near
            .filter(|near| is_open && self.recorder.room && self.is_to_be_told(*near))
        else {
            return;
        };
        if !self.disclose(vec![near], Next::Meet, scene) {
            self.recordable_in_room();
        }
    }

    /// The room learns whether it may record the near party.
    pub(super) fn recordable_in_room(&mut self) {
        if !matches!(self.act, Act::Meeting { .. }) {
            return;
        }
        let order = match self.recorder.refused {
            Some(why) => RoomOrder::Attributes(BTreeMap::from([(UNRECORDED.to_owned(), why.to_string())])),
            None if self.may_room_record() => RoomOrder::Recordable,
            None => return,
        };
        self.outputs.push_back(Output::Room(order));
    }

    /// Begins to tell these legs. `false` when they cannot be told: then nothing is recorded.
    fn disclose(&mut self, parties: Vec<usize>, next: Next, scene: &mut Scene<'_>) -> bool {
        let policy = self.policy.clone();
        let spoken = policy.disclosure.spoken();
        let text = spoken.map(|say| say.text.clone()).unwrap_or_default();
        let mut sounds: Vec<Samples> = Vec::new();
        if let Some(say) = spoken {
            let Some(samples) = scene.directory.sound(self.row.tenant, &Sound::Say(say.clone())) else {
                tracing::warn!(call_id = %self.row.id, "what is said before a recording has no audio yet; the call goes on unrecorded");
                self.witness(&parties, None, (ConsentOutcome::Unheard, None), &text, scene);
                self.nothing_recorded(ConsentOutcome::Unheard, scene);
                return false;
            };
            sounds.push(samples);
        }
        let asks = policy.disclosure.question.is_some();
        if policy.disclosure.beep && !asks {
            sounds.push(tone::recording_beep());
        }
        let stage = if asks {
            Stage::Asking(self.whom_to_ask(&parties))
        } else {
            Stage::Telling
        };
        self.say_to(parties, (stage, text), &sounds, next, scene);
        true
    }

    /// Plays sounds to legs, instead of whatever they hear.
    fn say_to(
        &mut self,
        parties: Vec<usize>,
        (stage, text): (Stage, String),
        sounds: &[Samples],
        next: Next,
        scene: &Scene<'_>,
    ) {
        let mut listening = Vec::new();
        for party in &parties {
            let Some(leg) = self.legs.get(*party).and_then(Leg::media) else {
                continue;
            };
            self.order_media(MediaOrder::Stop(leg));
            let mut last = PlayId(0);
            for samples in sounds.iter().cloned().chain([tone::silence(PAUSE_MS)]) {
                last = self.next_play();
                self.order_media(MediaOrder::Play {
                    leg,
                    play: last,
                    samples,
                    repeat: false,
                });
            }
            listening.push((*party, last));
        }
        let samples: usize = sounds.iter().map(|samples| samples.len()).sum();
        let length = Duration::from_millis(samples as u64 * 1_000 / u64::from(SAMPLE_RATE_HZ));
        self.recorder.disclosing = Some(Box::new(Disclosing {
            listening,
            parties,
            stage,
            text,
            until: scene.now + length + MARGIN,
            next,
        }));
    }

    /// Who comes from outside is asked before who is one of ours, the called party before the calling one.
    fn whom_to_ask(&self, parties: &[usize]) -> usize {
        let outside = parties.iter().find(|leg| {
            let leg = self.legs.get(**leg);
            leg.is_some_and(|leg| leg.trunk.is_some() || leg.user.is_none())
        });
        outside.or(parties.last()).copied().unwrap_or_default()
    }

    /// Something was played to its end.
    pub(super) fn disclosure_played(&mut self, play: PlayId, scene: &mut Scene<'_>) {
        let patience = self.policy.disclosure.patience;
        let Some(disclosing) = &mut self.recorder.disclosing else {
            return;
        };
        let before = disclosing.listening.len();
        disclosing.listening.retain(|(_, last)| *last != play);
        if before == disclosing.listening.len() || !disclosing.listening.is_empty() {
            return;
        }
        match disclosing.stage {
            Stage::Asking(_) => disclosing.until = scene.now + patience,
            Stage::Telling => self.disclosed(ConsentOutcome::Announced, None, scene),
            Stage::Beeping => self.recording_may_begin(scene),
        }
    }

    /// A key of the party that is asked. Whether it was meant for the question.
    pub(super) fn disclosure_digit(&mut self, leg: usize, digit: char, scene: &mut Scene<'_>) -> bool {
        let Some(disclosing) = &self.recorder.disclosing else {
            return false;
        };
        // Whoever talks may press keys for the others; in a flow nothing else can be meant.
        let is_alone = !matches!(disclosing.next, Next::Talk | Next::Meet);
        if disclosing.stage != Stage::Asking(leg) {
            return is_alone;
        }
        match digit {
            YES => self.disclosed(ConsentOutcome::Agreed, Some(digit), scene),
            NO => self.disclosed(ConsentOutcome::Refused, Some(digit), scene),
            _ => return is_alone,
        }
        true
    }

    pub(super) fn disclosure_timeout(&mut self, scene: &mut Scene<'_>) {
        let Some(disclosing) = self.recorder.disclosing.as_ref().filter(|one| scene.now >= one.until) else {
            return;
        };
        let is_heard = disclosing.listening.is_empty();
        match disclosing.stage {
            Stage::Asking(_) if is_heard => self.disclosed(ConsentOutcome::Unanswered, None, scene),
            Stage::Asking(_) | Stage::Telling => self.disclosed(ConsentOutcome::Unheard, None, scene),
            Stage::Beeping => self.recording_may_begin(scene),
        }
    }

    /// Somebody outside wants no recording any more: what waited goes on.
    pub(super) fn disclosure_called_off(&mut self, scene: &mut Scene<'_>) {
        if let Some(disclosing) = self.recorder.disclosing.take() {
            self.hush(&disclosing);
            self.go_on(disclosing.next, scene);
        }
    }

    /// The parties were told; the one that was asked has answered or let it be.
    fn disclosed(&mut self, outcome: ConsentOutcome, digit: Option<char>, scene: &mut Scene<'_>) {
        let Some(disclosing) = self.recorder.disclosing.take() else {
            return;
        };
        self.hush(&disclosing);
        let asked = match disclosing.stage {
            Stage::Asking(leg) => Some(leg),
            Stage::Telling | Stage::Beeping => None,
        };
        self.witness(&disclosing.parties, asked, (outcome, digit), &disclosing.text, scene);
        if !matches!(outcome, ConsentOutcome::Announced | ConsentOutcome::Agreed) {
            self.nothing_recorded(outcome, scene);
            self.go_on(disclosing.next, scene);
            return;
        }
        self.recorder.told.extend(&disclosing.parties);
        if self.policy.disclosure.beep && asked.is_some() {
            let sounds = [tone::recording_beep()];
            let Disclosing {
                parties, text, next, ..
            } = *disclosing;
            self.say_to(parties, (Stage::Beeping, text), &sounds, next, scene);
            return;
        }
        self.go_on(disclosing.next, scene);
    }

    fn recording_may_begin(&mut self, scene: &mut Scene<'_>) {
        if let Some(disclosing) = self.recorder.disclosing.take() {
            self.go_on(disclosing.next, scene);
        }
    }

    /// Who knows what to answer need not hear the question to its end.
    fn hush(&mut self, disclosing: &Disclosing) {
        for (leg, _) in &disclosing.listening {
            if let Some(media) = self.legs.get(*leg).and_then(Leg::media) {
                self.order_media(MediaOrder::Stop(media));
            }
        }
    }

    /// Nothing of this call is recorded from here on.
    fn nothing_recorded(&mut self, why: ConsentOutcome, scene: &mut Scene<'_>) {
        self.recorder.refused = Some(why);
        self.recorder.want_nothing();
        if self.recorder.is_running() {
            self.recorder_ends();
            self.note("recording", None, "stopped", scene);
        }
        self.tell(EventKind::Changed);
    }

    fn go_on(&mut self, next: Next, scene: &mut Scene<'_>) {
        match next {
            Next::FlowAnswered => self.flow_goes_on(scene),
            Next::FlowPlays(id, what) => self.flow_plays(id, &what, scene),
            Next::Order => {
                self.record_near(scene);
                self.follow_order(scene);
            }
            Next::Talk => {
                if let (Act::Talking { far }, Some(near)) = (&self.act, self.near) {
                    let far = *far;
                    self.record_talk(near, far, scene);
                    self.tell(EventKind::Changed);
                }
            }
            Next::Meet => self.recordable_in_room(),
            Next::App => {
                self.record_near(scene);
                self.tell(EventKind::Changed);
            }
            Next::Stay => {
                self.record_near(scene);
                self.music(self.near, true);
                self.tell(EventKind::Changed);
            }
        }
    }

    /// Writes what each party was told and answered.
    fn witness(
        &mut self,
        parties: &[usize],
        asked: Option<usize>,
        (outcome, digit): (ConsentOutcome, Option<char>),
        text: &str,
        scene: &Scene<'_>,
    ) {
        let mut consents = Vec::new();
        for party in parties {
            let is_asked = asked.is_none_or(|asked| asked == *party);
            let outcome = if is_asked { outcome } else { ConsentOutcome::Announced };
            let digit = digit.filter(|_| is_asked);
            let leg = self.legs.get(*party);
            consents.push(Consent {
                at: scene.world.now(),
                leg: leg.map(|leg| leg.id),
                party: leg.map(|leg| leg.party.clone()).unwrap_or_default(),
                outcome,
                digit,
                text: text.to_owned(),
            });
            let detail = digit.map_or_else(|| outcome.to_string(), |digit| format!("{outcome} with {digit}"));
            self.note("consent", Some(*party), &detail, scene);
        }
        let from = self.recorder.witnessed;
        self.recorder.witnessed += i64::try_from(consents.len()).unwrap_or(0);
        let call = self.row.id;
        let entry = Entry::Consents { call, from, consents };
        self.outputs.push_back(Output::Journal(self.row.tenant, entry));
    }
}
