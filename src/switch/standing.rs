//! Two parties that talk, as they are kept for the daemon after one that was killed: what its exchange needs to bring
//! them together again. One value a leg lies beside its dialog in the SIP side's file, and two that fit are a call.
//!
//! Whose call it is stands in the call's row and nowhere else. How a call goes on is [`crate::call`]'s.

use crate::directory::Directory;
use crate::journal::Finished;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use strowger_media::sdp::Session;
use strowger_model::{CallId, ConsentOutcome, DeviceId, LegId, TrunkId, UserId};
use strowger_sip::DialogKey;
use strowger_sip::standing::TakenUp;
use time::OffsetDateTime;

/// How often a talk is taken up: should it be what brings the daemon down, it does so no more often.
pub(crate) const MOST_RESTARTS: u8 = 3;

/// A leg of two parties that talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct KeptLeg {
    pub call: CallId,
    pub leg: LegId,
    /// The leg it talks with.
    pub other: LegId,
    /// Whether it is the one that flows and mailboxes of the call talk with.
    pub is_near: bool,
    /// Whether it is on the caller's side.
    pub is_caller: bool,
    pub party: String,
    pub user: Option<UserId>,
    pub device: Option<DeviceId>,
    pub trunk: Option<TrunkId>,
    /// Where its packets come from.
    pub toward: Option<IpAddr>,
    pub sip_call_id: String,
    /// The user the call was for.
    pub called: Option<UserId>,
    pub session: Session,
    pub recording: KeptRecording,
    /// How often the talk was taken up already.
    pub restarts: u8,
    /// When the first of the calls that it was in was answered.
    pub since: Option<OffsetDateTime>,
}

/// How the recording of a talk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptRecording {
    /// There is none.
    None,
    /// It runs.
    Running {
        /// Who asked for it.
        by: String,
        /// Whether both parties were told, or asked, before.
        is_told: bool,
    },
    /// It is paused.
    Paused,
    /// A party does not want it.
    Refused(ConsentOutcome),
}

/// A talk to be taken up.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub struct Revival {
    /// The call it was, as it is written when it is known whether the talk goes on.
    pub before: Box<Finished>,
    pub near: (DialogKey, KeptLeg),
    pub far: (DialogKey, KeptLeg),
    /// Whether the phone of one of them has to connect again first.
    pub is_awaited: bool,
}

/// Finds the talks among the dialogs that stand again, and takes the calls they were out of `unfinished`. The dialogs
/// that come back are to be ended: of those the other one, the call's row or a right is missing.
pub fn pair(
    taken: Vec<TakenUp>,
    unfinished: &mut BTreeMap<CallId, Finished>,
    directory: &Directory,
) -> (Vec<Revival>, Vec<DialogKey>) {
    let mut legs: HashMap<LegId, (DialogKey, KeptLeg)> = HashMap::new();
    let mut ends = Vec::new();
    let mut nears = Vec::new();
    let mut absent = HashSet::new();
    for TakenUp {
        dialog,
        memo,
        is_absent,
    } in taken
    {
        if is_absent {
            absent.insert(dialog);
        }
        let Ok(kept) = serde_json::from_value::<KeptLeg>(memo) else {
            ends.push(dialog);
            continue;
        };
        if kept.is_near {
            nears.push(kept.leg);
        }
        let twice = legs.insert(kept.leg, (dialog, kept));
        ends.extend(twice.map(|(dialog, _)| dialog));
    }
    let mut revivals = Vec::new();
    for leg in nears {
        let Some((_, near)) = legs.get(&leg) else { continue };
        let Some((_, far)) = legs.get(&near.other) else {
            continue;
        };
        let row = unfinished.get(&near.call);
        if !fits(near, far) || row.is_none_or(|row| !may_go_on(row, [near, far], directory)) {
            continue;
        }
        let (call, other) = (near.call, near.other);
        if let (Some(before), Some(near), Some(far)) =
            (unfinished.remove(&call), legs.remove(&leg), legs.remove(&other))
        {
            let before = Box::new(before);
            let is_awaited = absent.contains(&near.0) || absent.contains(&far.0);
            revivals.push(Revival {
                before,
                near,
                far,
                is_awaited,
            });
        }
    }
    ends.extend(legs.into_values().map(|(dialog, _)| dialog));
    (revivals, ends)
}

/// Whether two legs talk with each other by what both say: one may have been written a moment later than the other.
fn fits(near: &KeptLeg, far: &KeptLeg) -> bool {
    !far.is_near && far.other == near.leg && far.call == near.call && far.leg != near.leg
}

/// Whether everybody may still talk: what the call stands on may have been removed or locked while nobody was there.
fn may_go_on(row: &Finished, legs: [&KeptLeg; 2], directory: &Directory) -> bool {
    let tenant = row.call.tenant;
    let is_wanted = directory.is_active(tenant) && directory.policy(tenant, row.call.user).reattach;
    let mut may = legs.iter().map(|leg| {
        let device = leg
            .device
            .map(|device| directory.device(device).map(|device| device.tenant));
        let trunk = leg.trunk.map(|trunk| directory.trunk(trunk).map(|trunk| trunk.tenant));
        let mut known = [device, trunk].into_iter().flatten();
        leg.restarts < MOST_RESTARTS && known.all(|of| of == Some(tenant))
    });
    is_wanted && row.call.answered_at.is_some() && may.all(|may| may)
}

impl KeptRecording {
    /// What both legs say; where they differ, the more careful.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Refused(why), _) | (_, Self::Refused(why)) => Self::Refused(why),
            (Self::Paused, _) | (_, Self::Paused) => Self::Paused,
            (Self::None | Self::Running { .. }, Self::None | Self::Running { .. }) => Self::None,
        }
    }
}
