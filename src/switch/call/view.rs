//! A call as others see it.

use super::leg::{Leg, Side};
use super::{Act, Call};
use crate::live::{LiveCall, LiveLeg};
use strowger_media::MediaLegId;
use strowger_model::{HangupCause, UserId};
use strowger_sip::DialogKey;

impl Call {
    /// The call as it stands.
    #[must_use]
    pub fn live(&self) -> LiveCall {
        let row = &self.row;
        LiveCall {
            id: row.id,
            tenant: row.tenant,
            user: row.user,
            caller: self.caller(),
            callee: self.callee(),
            users: self.users(),
            direction: row.direction,
            call_type: row.call_type,
            state: row.state,
            from_number: row.from_number.clone(),
            from_name: row.from_name.clone(),
            to_number: row.to_number.clone(),
            started_at: row.started_at,
            answered_at: row.answered_at,
            doing: self.doing(),
            room: self.live_room(),
            node: self.run.as_ref().and_then(|run| run.node.clone()),
            flow_version: row.flow_version,
            recording: self.recorder.is_running(),
            recording_paused: self.recorder.is_paused(),
            unrecordable: self.unrecordable(),
            legs: self.legs.iter().filter(|leg| !leg.is_over()).map(live_leg).collect(),
        }
    }

    /// The audio of the leg of a dialog, while it has any.
    pub(crate) fn media_of(&self, dialog: DialogKey) -> Option<MediaLegId> {
        let leg = self.legs.iter().find(|leg| leg.dialog == dialog);
        leg.and_then(Leg::media)
    }

    /// Why the leg of a dialog ended.
    pub(crate) fn cause_of(&self, dialog: DialogKey) -> HangupCause {
        let leg = self.legs.iter().find(|leg| leg.dialog == dialog);
        leg.and_then(|leg| leg.cause).unwrap_or(HangupCause::Cancelled)
    }

    fn caller(&self) -> Option<UserId> {
        let mut callers = self.legs.iter().filter(|leg| leg.side == Side::Caller);
        callers.next().and_then(|leg| leg.user)
    }

    /// Whom it was for; where it was for nobody by name, who took it.
    fn callee(&self) -> Option<UserId> {
        let mut callees = self.legs.iter().filter(|leg| leg.side == Side::Callee);
        let taker = callees.find(|leg| leg.answered_at.is_some());
        self.called.or_else(|| taker.and_then(|leg| leg.user))
    }

    fn users(&self) -> Vec<UserId> {
        let mut users: Vec<UserId> = self.legs.iter().filter_map(|leg| leg.user).chain(self.called).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    fn doing(&self) -> &'static str {
        match &self.act {
            Act::Ringing(_) => "ringing",
            Act::Talking { .. } if self.legs.iter().any(|leg| leg.held && leg.is_up()) => "held",
            Act::Talking { .. } => "talking",
            Act::Reattaching(_) => "re-attaching",
            Act::Mailbox(_) => "voicemail",
            Act::Meeting { .. } => "room",
            Act::App(stay) => stay.doing(),
            Act::Staying => "waiting",
            Act::Waiting if self.run.is_some() => "flow",
            Act::Waiting => "answering",
            Act::Ending { .. } | Act::Over => "ending",
        }
    }
}

fn live_leg(leg: &Leg) -> LiveLeg {
    LiveLeg {
        side: leg.side.code(),
        party: leg.party.clone(),
        device: leg.device,
        trunk: leg.trunk,
        browser: leg.browser,
        state: if leg.is_up() { "up" } else { "ringing" },
        held: leg.held,
    }
}
