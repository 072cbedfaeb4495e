//! Finding somebody: the ring's branches become legs, and what the legs say goes back into the ring.

use super::disclosure::Next;
use super::leg::{Leg, Side, Stage};
use super::output::{Invite, InviteTarget};
use super::{Act, Call, MediaOrder, Output, Signal};
use crate::cause;
use crate::live::EventKind;
use crate::ring::{self, Ring};
use crate::scene::Scene;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use strowger_media::sdp::{self, Preference};
use strowger_media::{Codec, tone};
use strowger_model::record::Binding;
use strowger_model::{CallState, DeviceId, Direction, HangupCause, LegId, TrunkId, UserId};

/// How long a provider may say nothing at all, not even that it is trying, while another one stands by.
const SILENT_TRUNK: Duration = Duration::from_secs(5);

/// Somebody who can be invited.
#[derive(Debug, Clone)]
pub(super) enum Callee {
    /// One place of one phone.
    Phone { user: UserId, binding: Box<Binding> },
    /// All phone pages of a user, which are one device.
    Browser { user: UserId },
    /// A number behind the first of these trunks that takes the call.
    Trunk { trunks: Vec<TrunkId>, number: String },
}

impl Callee {
    /// Every place where these phones of a user can be reached, and the user's browser where it can be.
    pub(super) fn devices(user: UserId, phones: &[DeviceId], scene: &Scene<'_>) -> Vec<Self> {
        let places = phones.iter().flat_map(|phone| scene.supply.bindings(*phone));
        let phones = places.map(|binding| Self::Phone {
            user,
            binding: Box::new(binding),
        });
        let browser = scene.directory.may_browse(user) && scene.supply.has_browser(user);
        phones.chain(browser.then_some(Self::Browser { user })).collect()
    }
}

#[derive(Debug)]
struct Branch {
    callee: Callee,
    leg: Option<usize>,
    /// How many of its trunks were tried.
    tried: usize,
    /// Whether it rang or was heard.
    rang: bool,
}

impl Branch {
    const fn new(callee: Callee) -> Self {
        Self {
            callee,
            leg: None,
            tried: 0,
            rang: false,
        }
    }

    fn has_next(&self) -> bool {
        match &self.callee {
            Callee::Phone { .. } | Callee::Browser { .. } => false,
            Callee::Trunk { trunks, .. } => self.tried < trunks.len(),
        }
    }
}

/// Who is invited, where, and through what.
struct Way {
    target: InviteTarget,
    toward: Option<IpAddr>,
    to_user: String,
    party: String,
    user: Option<UserId>,
    device: Option<DeviceId>,
    trunk: Option<TrunkId>,
    patience: Option<Duration>,
}

/// A search for somebody who answers.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) ring: Ring,
    branches: Vec<Branch>,
    /// Whose mailbox takes a message when nobody answers.
    mailbox: Option<UserId>,
    /// The number to show, when it is not the caller's.
    shown: Option<String>,
}

impl Ringing {
    fn branch_of(&self, leg: usize) -> Option<usize> {
        self.branches.iter().position(|branch| branch.leg == Some(leg))
    }
}

/// How a search ended.
enum Found {
    Nobody(HangupCause),
    Leg(usize),
}

impl Call {
    /// Begins to look for somebody.
    pub(super) fn ring(
        &mut self,
        turns: Vec<Vec<Callee>>,
        timeout: Duration,
        mailbox: Option<UserId>,
        shown: Option<String>,
        scene: &mut Scene<'_>,
    ) {
        let mut branches = Vec::new();
        let numbered = turns.into_iter().map(|turn| {
            let first = branches.len();
            branches.extend(turn.into_iter().map(Branch::new));
            (first..branches.len()).collect()
        });
        let numbered: Vec<Vec<usize>> = numbered.collect();
        let ring = Ring::start(numbered, timeout, scene.now);
        self.act = Act::Ringing(Box::new(Ringing {
            ring,
            branches,
            mailbox,
            shown,
        }));
        self.drive_ring(None, scene);
    }

    /// Tells the ring something and does all it asks for.
    pub(super) fn drive_ring(&mut self, input: Option<ring::Input>, scene: &mut Scene<'_>) {
        if !matches!(self.act, Act::Ringing(_)) {
            return;
        }
        let Act::Ringing(mut ringing) = std::mem::replace(&mut self.act, Act::Waiting) else {
            return;
        };
        if let Some(input) = input {
            ringing.ring.handle(input, scene.now);
        }
        let mut found = None;
        while let Some(output) = ringing.ring.poll_output() {
            match output {
                ring::Output::Invite(branch) => {
                    if let Err(why) = self.invite(&mut ringing, branch, scene) {
                        ringing.ring.handle(ring::Input::Failed(branch, why), scene.now);
                    }
                }
                ring::Output::CallOff(branch, why) => {
                    if let Some(leg) = ringing.branches.get(branch).and_then(|branch| branch.leg) {
                        self.close_leg(leg, why, scene);
                    }
                }
                ring::Output::Rings => self.near_hears_ringing(scene),
                ring::Output::Won(branch) => {
                    let leg = ringing.branches.get(branch).and_then(|branch| branch.leg);
                    found = leg.map(Found::Leg).or(Some(Found::Nobody(HangupCause::InternalError)));
                }
                ring::Output::Lost(why) => found = Some(Found::Nobody(why)),
            }
        }
        match found {
            None => self.act = Act::Ringing(ringing),
            Some(Found::Leg(leg)) => self.won(leg, scene),
            Some(Found::Nobody(why)) => self.lost(why, ringing.mailbox, scene),
        }
    }

    /// Invites a branch's callee, through its next trunk where it has several.
    fn invite(&mut self, ringing: &mut Ringing, branch: usize, scene: &mut Scene<'_>) -> Result<(), HangupCause> {
        let branch = ringing.branches.get_mut(branch).ok_or(HangupCause::InternalError)?;
        let way = self.way_to(branch, scene)?;
        let open = match way.target {
            InviteTarget::Browser(_) => scene.supply.open_browser(self.row.id),
            InviteTarget::Phone(_) | InviteTarget::Trunk(_) => scene.supply.open_leg(self.row.id, way.toward),
        };
        let open = open.ok_or(HangupCause::Congestion)?;
        let (from_user, from_display) = self.shown_to(&branch.callee, ringing.shown.as_deref(), scene);
        let order = self.near_codecs();
        let mut leg = self.new_leg(&way, scene);
        leg.give_audio(open, random_id(scene), &self.codecs_of(leg.user, leg.browser, scene));
        let offer = leg.session().map(|session| {
            session.prefer(&order);
            session.offer_as_ordered()
        });
        let offer = offer.unwrap_or_default();
        self.outputs.push_back(Output::OwnDialog(leg.dialog));
        self.outputs.push_back(Output::OwnMedia(open.leg));
        let invite = Invite {
            sip_call_id: leg.sip_call_id.clone(),
            target: way.target,
            from_user,
            from_display,
            to_user: way.to_user,
            offer,
            patience: way.patience,
        };
        self.signal(leg.dialog, Signal::Invite(Box::new(invite)));
        self.legs.push(leg);
        let leg = self.legs.len() - 1;
        branch.leg = Some(leg);
        self.note("invite", Some(leg), "", scene);
        Ok(())
    }

    /// How to reach a branch's callee next.
    fn way_to(&self, branch: &mut Branch, scene: &Scene<'_>) -> Result<Way, HangupCause> {
        let (trunks, number) = match &branch.callee {
            Callee::Phone { user, binding } => {
                let person = scene.directory.person(*user);
                return Ok(Way {
                    toward: binding.source.parse::<SocketAddr>().ok().map(|source| source.ip()),
                    target: InviteTarget::Phone(binding.as_ref().clone()),
                    to_user: self.row.to_number.clone(),
                    party: person.map_or_else(|| self.row.to_number.clone(), |person| person.user.name.clone()),
                    user: Some(*user),
                    device: Some(binding.device),
                    trunk: None,
                    patience: None,
                });
            }
            Callee::Browser { user } => {
                let person = scene.directory.person(*user);
                return Ok(Way {
                    toward: None,
                    target: InviteTarget::Browser(*user),
                    to_user: self.row.to_number.clone(),
                    party: person.map_or_else(|| self.row.to_number.clone(), |person| person.user.name.clone()),
                    user: Some(*user),
                    device: None,
                    trunk: None,
                    patience: None,
                });
            }
            Callee::Trunk { trunks, number } => (trunks, number),
        };
        let mut why = HangupCause::Unreachable;
        while let Some(trunk) = trunks.get(branch.tried).copied() {
            branch.tried += 1;
            let Some((known, address)) = scene.directory.trunk(trunk).zip(scene.supply.trunk_address(trunk)) else {
                continue;
            };
            if scene.load.on(trunk) >= usize::try_from(known.max_calls).unwrap_or(0) {
                why = HangupCause::Congestion;
                continue;
            }
            return Ok(Way {
                toward: Some(address.ip()),
                target: InviteTarget::Trunk(trunk),
                to_user: number.clone(),
                party: known.name.clone(),
                user: None,
                device: None,
                trunk: Some(trunk),
                patience: (branch.tried < trunks.len()).then_some(SILENT_TRUNK),
            });
        }
        Err(why)
    }

    fn new_leg(&self, way: &Way, scene: &mut Scene<'_>) -> Leg {
        if let Some(trunk) = way.trunk {
            scene.load.begin(trunk);
        }
        Leg {
            id: LegId::generate(scene.world),
            // Whoever is rung for a near party is its other side.
            side: self.near_leg().map_or(Side::Callee, |near| near.side.other()),
            dialog: scene.supply.dialog(),
            stage: Stage::Invited,
            audio: None,
            held: false,
            party: way.party.clone(),
            user: way.user,
            device: way.device,
            trunk: way.trunk,
            browser: matches!(way.target, InviteTarget::Browser(_)),
            toward: way.toward,
            sip_call_id: format!("{:016x}{:016x}", random_id(scene), random_id(scene)),
            started_at: scene.world.now(),
            answered_at: None,
            ended_at: None,
            cause: None,
            quality: None,
        }
    }

    /// The number and name that a callee sees.
    fn shown_to(&self, callee: &Callee, shown: Option<&str>, scene: &Scene<'_>) -> (String, Option<String>) {
        if let Some(shown) = shown {
            return (shown.to_owned(), None);
        }
        let own = || (self.row.from_number.clone(), self.row.from_name.clone());
        match callee {
            // The `from` of a placed call is rung to talk with the party that has answered.
            Callee::Phone { .. } | Callee::Browser { .. }
                if self.near_leg().is_some_and(|near| near.side == Side::Callee) =>
            {
                (self.row.to_number.clone(), None)
            }
            Callee::Phone { .. } | Callee::Browser { .. } => own(),
            // A caller from outside keeps their number.
            Callee::Trunk { .. } if self.near_leg().is_some_and(|near| near.trunk.is_some()) => own(),
            Callee::Trunk { .. } => {
                let is_ours = scene.directory.number(&self.row.from_number).is_some();
                let set = Some(self.policy.caller_number.clone()).filter(|number| !number.is_empty() && !is_ours);
                let only = || {
                    scene
                        .directory
                        .only_number(self.row.tenant)
                        .map(|number| number.number.clone())
                };
                let outside = set.or_else(|| only().filter(|_| !is_ours));
                outside.map_or_else(own, |number| (number, None))
            }
        }
    }

    /// The codecs that spare the bridge a transcoding, best first: what the near party speaks or would like to, in its
    /// order. Behind them stands the other law where it knows one, because crossing the laws costs next to nothing.
    fn near_codecs(&self) -> Vec<Codec> {
        let Some(near) = self.near_leg() else {
            return Vec::new();
        };
        let agreed = near.audio.as_ref().and_then(|audio| audio.session.agreed());
        let mut codecs = match (&near.stage, agreed) {
            (_, Some(agreed)) => vec![agreed.codec],
            (Stage::Calling { offer }, None) => sdp::spoken(offer),
            (Stage::Invited | Stage::Up { .. } | Stage::Over, None) => Vec::new(),
        };
        let law = codecs.iter().find(|codec| codec.law().is_some()).copied();
        codecs.extend(law.map(Codec::nearest));
        codecs
    }

    /// Somebody rings: the near party is told, or hears it.
    fn near_hears_ringing(&mut self, scene: &mut Scene<'_>) {
        if self.advance(CallState::Ringing) {
            self.tell(EventKind::Ringing);
        }
        self.note("ringing", None, "", scene);
        let Some(near) = self.near_leg() else {
            return;
        };
        let (dialog, media) = (near.dialog, near.media());
        if near.is_up() {
            let play = self.next_play();
            if let Some(leg) = media {
                let samples = tone::ringback();
                self.order_media(MediaOrder::Play {
                    leg,
                    play,
                    samples,
                    repeat: true,
                });
            }
        } else if media.is_none() {
            let body = Bytes::new();
            self.signal(dialog, Signal::Ring { status: 180, body });
        }
    }

    /// A branch rings, or lets the caller hear something early.
    pub(super) fn progressed(&mut self, leg: usize, status: u16, body: &Bytes, scene: &mut Scene<'_>) {
        let Act::Ringing(ringing) = &mut self.act else {
            return;
        };
        let Some(branch) = ringing.branch_of(leg) else {
            return;
        };
        let branches = ringing.branches.len();
        if let Some(branch) = ringing.branches.get_mut(branch) {
            branch.rang |= status >= 180;
        }
        if status >= 180 {
            self.rings_ahead();
        }
        // What one of several phones plays would drown the others; a single callee may be heard.
        let alone = branches == 1;
        if alone && !body.is_empty() && self.hear_early(leg, body, scene) {
            if self.advance(CallState::Ringing) {
                self.tell(EventKind::Ringing);
            }
            return;
        }
        if status >= 180 {
            self.drive_ring(Some(ring::Input::Rings(branch)), scene);
        }
    }

    /// Lets the near party hear what the callee plays before it answers. Whether it can.
    fn hear_early(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) -> bool {
        let Some(near) = self.near else {
            return false;
        };
        let Some(agreed) = self.agree(leg, body) else {
            return false;
        };
        let was_up = self.legs.get(near).is_some_and(Leg::is_up);
        if !was_up {
            let Some(body) = self.describe_near(Preference::Codec(agreed.codec), scene) else {
                return false;
            };
            if let Some(dialog) = self.legs.get(near).map(|near| near.dialog) {
                self.signal(dialog, Signal::Ring { status: 183, body });
            }
        }
        self.note("early media", Some(leg), "", scene);
        self.join_audio(near, leg);
        true
    }

    /// A branch answered.
    pub(super) fn answered(&mut self, leg: usize, body: &Bytes, scene: &mut Scene<'_>) {
        let branch = match &self.act {
            Act::Ringing(ringing) => ringing.branch_of(leg),
            Act::Waiting
            | Act::Talking { .. }
            | Act::Reattaching(_)
            | Act::Mailbox(_)
            | Act::Meeting { .. }
            | Act::App(_)
            | Act::Staying
            | Act::Ending { .. }
            | Act::Over => None,
        };
        if let Some(found) = self.legs.get_mut(leg) {
            found.stage = Stage::Up { confirmed: true };
            found.answered_at = Some(scene.world.now());
        }
        let Some(branch) = branch else {
            self.close_leg(leg, HangupCause::AnsweredElsewhere, scene);
            return;
        };
        let early = self.legs.get(leg).and_then(|leg| leg.audio.as_ref()?.session.agreed());
        let agreed = if body.is_empty() { early } else { self.agree(leg, body) };
        if agreed.is_none() {
            self.close_leg(leg, HangupCause::NoCodec, scene);
            self.drive_ring(Some(ring::Input::Failed(branch, HangupCause::NoCodec)), scene);
            return;
        }
        self.note("answered", Some(leg), "", scene);
        self.drive_ring(Some(ring::Input::Answered(branch)), scene);
    }

    /// A branch was refused.
    pub(super) fn failed(&mut self, leg: usize, status: u16, scene: &mut Scene<'_>) {
        let why = cause::of_status(status);
        self.note("refused", Some(leg), &status.to_string(), scene);
        self.leg_gone(leg, why, scene);
        let Act::Ringing(ringing) = &self.act else {
            return;
        };
        let Some(branch) = ringing.branch_of(leg) else {
            return;
        };
        let rang = ringing.branches.get(branch).is_some_and(|branch| branch.rang);
        let by_provider = cause::is_of_provider(status) && !(status == 408 && rang);
        if by_provider && self.next_trunk(branch, scene) {
            return;
        }
        // RFC 3261 §16.7: a 6xx speaks for everybody.
        let input = if why == HangupCause::Rejected {
            ring::Input::Declined(branch)
        } else {
            ring::Input::Failed(branch, why)
        };
        self.drive_ring(Some(input), scene);
    }

    /// Invites a branch's callee through its next trunk; whether there was one.
    fn next_trunk(&mut self, branch: usize, scene: &mut Scene<'_>) -> bool {
        if !matches!(self.act, Act::Ringing(_)) {
            return false;
        }
        let Act::Ringing(mut ringing) = std::mem::replace(&mut self.act, Act::Waiting) else {
            return false;
        };
        let has_next = ringing.branches.get(branch).is_some_and(Branch::has_next);
        let is_invited = has_next && self.invite(&mut ringing, branch, scene).is_ok();
        self.act = Act::Ringing(ringing);
        is_invited
    }

    /// A branch's dialog ended without an answer to its INVITE.
    pub(super) fn branch_failed(&mut self, leg: usize, why: HangupCause, scene: &mut Scene<'_>) {
        let Act::Ringing(ringing) = &self.act else {
            return;
        };
        if let Some(branch) = ringing.branch_of(leg) {
            self.drive_ring(Some(ring::Input::Failed(branch, why)), scene);
        }
    }

    fn won(&mut self, leg: usize, scene: &mut Scene<'_>) {
        let found = self.legs.get(leg);
        if let Some(user) = found.and_then(|leg| leg.user).filter(|_| self.row.user.is_none()) {
            self.row.user = Some(user);
        }
        if let Some(near) = self.near {
            self.talk(near, leg, scene);
            self.refer_won();
            return;
        }
        // A placed call: the called party is there, now the other side is found.
        self.near = Some(leg);
        self.set_active(scene);
        if !self.tell_near(Next::Order, scene) {
            self.record_near(scene);
            self.follow_order(scene);
        }
    }

    fn lost(&mut self, why: HangupCause, mailbox: Option<UserId>, scene: &mut Scene<'_>) {
        if self.refer_lost(why, scene) || self.goes_back(scene) || self.flow_dial_ended(cause::outcome(why), scene) {
            return;
        }
        let takes_message = matches!(
            why,
            HangupCause::Busy
                | HangupCause::NoAnswer
                | HangupCause::Unreachable
                | HangupCause::Rejected
                | HangupCause::Congestion
                | HangupCause::ProviderError
                | HangupCause::NotFound
        );
        // A colleague is told that nobody wants to speak now; a customer may leave a message.
        let is_told = why == HangupCause::Rejected && self.row.direction == Direction::Internal;
        match mailbox.filter(|_| takes_message && !is_told) {
            Some(user) => self.answer_then(super::Then::Mailbox(user), scene),
            None => self.end(why, scene),
        }
    }
}

/// An unpredictable number for the `o=` line of a session description.
pub(super) fn random_id(scene: &Scene<'_>) -> u64 {
    let mut bytes = [0; 8];
    scene.world.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
