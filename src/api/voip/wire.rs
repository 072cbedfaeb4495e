//! How calls in browsers look outside.

use crate::body::{Checked, Faults};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest number or address.
const MOST_TO: usize = 100;

/// Who calls whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartBody {
    /// The user who calls.
    #[serde(alias = "callerId")]
    pub(super) user_id: Uuid,
    /// The user who is called.
    pub(super) callee_id: Option<Uuid>,
    /// Who is called instead: an extension, a number, or a colleague's e-mail address.
    #[schema(example = "102")]
    pub(super) to: Option<String>,
}

impl Checked for StartBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(MOST_TO, "to", self.to.as_deref());
        let to = self.to.as_deref().map(str::trim).unwrap_or_default();
        let is_said = self.callee_id.is_some() || !to.is_empty();
        faults.unless(is_said, "calleeId", "say who is called: `calleeId` or `to`");
    }
}

/// A call of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallBody {
    /// The user.
    pub(super) user_id: Uuid,
    /// The call.
    pub(super) call_id: Uuid,
}

impl Checked for CallBody {
    fn check(&self, _: &mut Faults) {}
}

/// Something to be done to a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActBody {
    /// The user.
    pub(super) user_id: Uuid,
    /// The call.
    pub(super) call_id: Uuid,
    /// `hold`, `resume`, `keys` or `transfer`.
    pub(super) act: String,
    /// The keys to press: 0-9, *, #, A-D.
    pub(super) keys: Option<String>,
    /// Who gets the other side: an extension or a number.
    pub(super) to: Option<String>,
}

impl Checked for ActBody {
    fn check(&self, faults: &mut Faults) {
        let is_known = matches!(self.act.as_str(), "hold" | "resume" | "keys" | "transfer");
        faults.unless(is_known, "act", "hold, resume, keys or transfer");
        faults.at_most(MOST_TO, "to", self.to.as_deref());
        let to = self.to.as_deref().map(str::trim).unwrap_or_default();
        faults.unless(self.act != "transfer" || !to.is_empty(), "to", "say who gets the call");
    }
}

/// The way into a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketJson {
    /// The call.
    pub(super) call_id: Uuid,
    /// The room where this user's side of it is heard.
    pub(super) room_name: String,
    /// The token for that room.
    pub(super) token: String,
    /// Where the client connects.
    pub(super) ws_url: String,
    /// `INITIATED` or `ACTIVE`.
    pub(super) status: &'static str,
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DoneJson {
    /// Always `true`; what fails is a problem.
    pub(super) success: bool,
}
