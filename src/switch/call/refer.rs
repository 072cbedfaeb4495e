//! A party hands the other one over: whoever it talks with stays, and somebody else is rung for them.

use super::leg::Leg;
use super::{Act, Call, MediaOrder, Signal};
use crate::cause;
use crate::scene::Scene;
use strowger_ivr::Target;
use strowger_model::HangupCause;

/// What a phone is told when nobody is there to be rung, or it may not hand this call over.
const NOBODY: u16 = 404;
const NOT_NOW: u16 = 491;

impl Call {
    /// A party wants the other one to talk with `to`. Its own rights decide what may be reached.
    pub(super) fn refers(&mut self, leg: usize, to: &str, scene: &mut Scene<'_>) {
        let Some(dialog) = self.legs.get(leg).map(|leg| leg.dialog) else {
            return;
        };
        let Some(other) = self.across(leg) else {
            self.signal(dialog, Signal::Referred(NOT_NOW));
            return;
        };
        let callees = self.callees_of(&Target::Number(to.to_owned()), scene);
        if callees.is_empty() {
            self.note("transfer", Some(leg), "nobody is there", scene);
            self.signal(dialog, Signal::Referred(NOBODY));
            return;
        }
        self.note("transfer", Some(leg), to, scene);
        self.leave_act(scene);
        for party in [leg, other] {
            if let Some(media) = self.legs.get(party).and_then(Leg::media) {
                self.order_media(MediaOrder::Unbridge(media));
                self.order_media(MediaOrder::Stop(media));
            }
        }
        if self.near != Some(other) {
            // The flow led the one who leaves; it has no business with the one who stays.
            self.near = Some(other);
            self.end_flow();
        }
        self.referred_by = Some(leg);
        let timeout = self.policy.ring_timeout;
        self.ring(vec![callees], timeout, None, None, scene);
    }

    /// The party that a party talks with.
    pub(super) fn across(&self, leg: usize) -> Option<usize> {
        let Act::Talking { far } = self.act else {
            return None;
        };
        let near = self.near.filter(|near| *near != far)?;
        match leg {
            _ if leg == far => Some(near),
            _ if leg == near => Some(far),
            _ => None,
        }
    }

    /// Somebody has answered for the party that was handed over: who handed it over is told, and goes.
    pub(super) fn refer_won(&mut self) {
        let by = self.referred_by.take().and_then(|leg| self.legs.get(leg));
        if let Some(leg) = by.filter(|leg| !leg.is_over()) {
            let dialog = leg.dialog;
            self.signal(dialog, Signal::Referred(200));
        }
    }

    /// Nobody has answered: who handed the party over has it back, if it is still there. Whether it is.
    pub(super) fn refer_lost(&mut self, why: HangupCause, scene: &mut Scene<'_>) -> bool {
        let Some((leg, near)) = self.referred_by.take().zip(self.near) else {
            return false;
        };
        let Some(by) = self.legs.get(leg).filter(|leg| leg.is_up()) else {
            return false;
        };
        let dialog = by.dialog;
        self.signal(dialog, Signal::Referred(cause::status(why).0));
        self.note("transfer", Some(leg), "comes back", scene);
        self.talk(near, leg, scene);
        true
    }
}
