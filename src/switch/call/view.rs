//! A call as others see it.

use super::leg::Leg;
use super::{Act, Call};
use crate::live::{LiveCall, LiveLeg};

impl Call {
    /// The call as it stands.
    #[must_use]
    pub fn live(&self) -> LiveCall {
        let row = &self.row;
        LiveCall {
            id: row.id,
            tenant: row.tenant,
            user: row.user,
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
            legs: self.legs.iter().filter(|leg| !leg.is_over()).map(live_leg).collect(),
        }
    }

    fn doing(&self) -> &'static str {
        match &self.act {
            Act::Ringing(_) => "ringing",
            Act::Talking { .. } if self.legs.iter().any(|leg| leg.held && leg.is_up()) => "held",
            Act::Talking { .. } => "talking",
            Act::Mailbox(_) => "voicemail",
            Act::Meeting { .. } => "room",
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
        state: if leg.is_up() { "up" } else { "ringing" },
        held: leg.held,
    }
}
