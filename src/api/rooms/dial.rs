//! Calling somebody into a room, and leading a phone out of it to somebody else.

use super::{found, running};
use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::calls::{dialled, refused};
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_model::number::normalise;
use strowger_model::role::Permission;
use strowger_model::{Metadata, RoomId, TrunkId};
use strowger_switch::entrance::{DialIntoRoom, Dialled, IntoRoom, WayIn};
use strowger_switch::io::DialError;
use strowger_switch::live::PlaceCall;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(dial)).routes(routes!(transfer))
}

/// Somebody who is to be called into a room.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DialBody {
    /// Who is called: a number, an extension, or the user name of a device.
    #[schema(example = "+4942112345")]
    to: String,
    /// The number to show; the tenant's default number when absent.
    #[serde(default)]
    from: Option<String>,
    /// The trunk to call through; the prefixes decide when absent.
    #[serde(default)]
    trunk_id: Option<Uuid>,
    /// Who they are within the room; made from the number when absent.
    #[serde(default)]
    identity: Option<String>,
    /// What members see; the number when absent.
    #[serde(default)]
    name: Option<String>,
    /// Pairs that members see.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// Keys to press once they have answered.
    #[serde(default)]
    dtmf: String,
    /// Seconds to ring, 1 to 600; the setting when absent.
    #[serde(default)]
    ringing_timeout: Option<u32>,
    /// Seconds they may stay; the setting when absent.
    #[serde(default)]
    max_duration: Option<u32>,
    /// Whether the answer waits until they have answered.
    #[serde(default)]
    wait_until_answered: bool,
}

impl Checked for DialBody {
    fn check(&self, faults: &mut Faults) {
        let number = "write a number such as +4942112345, or an extension";
        faults.unless(dialled(&self.to).is_some(), "to", number);
        let from = self.from.as_deref().filter(|from| !from.is_empty());
        faults.unless(from.is_none_or(|from| normalise(from).is_some()), "from", number);
        let timeout = self.ringing_timeout.is_none_or(|seconds| (1..=600).contains(&seconds));
        faults.unless(timeout, "ringing_timeout", "between 1 and 600 seconds");
        faults.unless(self.max_duration != Some(0), "max_duration", "at least one second");
        let is_key = |key: char| key.is_ascii_digit() || "*#ABCD".contains(key);
        let keys = self.dtmf.len() <= 64 && self.dtmf.chars().all(is_key);
        faults.unless(keys, "dtmf", "at most 64 of 0-9, *, # and A-D");
        faults.at_most(300, "identity", self.identity.as_deref());
        faults.at_most(300, "name", self.name.as_deref());
        let size: usize = self.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        faults.unless(size <= 16 * 1024, "attributes", "at most 16 KiB together");
    }
}

/// Somebody who is being called into a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DialledJson {
    /// The call.
    call_id: Uuid,
    /// Who they will be within the room.
    identity: String,
    /// Their participant sid, once they are in.
    participant_id: Option<String>,
}

impl From<Dialled> for DialledJson {
    fn from(dialled: Dialled) -> Self {
        Self {
            call_id: dialled.call.uuid(),
            identity: dialled.identity,
            participant_id: dialled.participant,
        }
    }
}

/// Calls somebody into a room. The answer comes at once, or when they have answered.
#[utoipa::path(
    post, path = "/api/rooms/{id}/dial", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    request_body = DialBody,
    responses((status = 201, description = "They are being called", body = DialledJson), Refusals, Named, Sent)
)]
pub(crate) async fn dial(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<DialBody>,
) -> Result<(StatusCode, Json<DialledJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let room = running(&found(&scope, id).await?);
    let trunk = body.trunk_id.map(TrunkId::from_uuid);
    if let Some(trunk) = trunk
        && scope.trunks().get(trunk).await?.is_none()
    {
        return Err(Problem::field("trunk_id", "there is no such trunk"));
    }
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let order = PlaceCall {
        tenant: caller.tenant(),
        user: None,
        from: body.from.as_deref().and_then(normalise),
        to: dialled(&body.to).unwrap_or_default(),
        record: None,
        transcribe: false,
        ring_timeout: body.ringing_timeout.map(seconds),
        metadata: Metadata::empty(),
        flow: None,
    };
    let way = WayIn {
        identity: body.identity,
        name: body.name,
        attributes: body.attributes,
        ..WayIn::to(room.name)
    };
    let dial = DialIntoRoom {
        order,
        into: IntoRoom {
            way,
            trunk,
            digits: body.dtmf,
            max_duration: body.max_duration.map(seconds),
        },
        wait_until_answered: body.wait_until_answered,
    };
    let dialled = state.calls.dial_into_room(dial).await.map_err(unanswered)?;
    Ok((StatusCode::CREATED, Json(dialled.into())))
}

fn unanswered(error: DialError) -> Problem {
    match error {
        DialError::Place(error) => refused(error),
        DialError::Unanswered(cause) => Problem::conflict(
            "not_answered",
            format!("the called party did not answer: {}", cause.code()),
        ),
    }
}

/// A phone that is to talk with somebody else.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TransferBody {
    /// Who it is within the room.
    identity: String,
    /// Whom it is to talk with: a number or an extension.
    to: String,
    /// Seconds to ring, 1 to 600; the setting when absent.
    #[serde(default)]
    ringing_timeout: Option<u32>,
}

impl Checked for TransferBody {
    fn check(&self, faults: &mut Faults) {
        let number = "write a number such as +4942112345, or an extension";
        faults.unless(dialled(&self.to).is_some(), "to", number);
        let timeout = self.ringing_timeout.is_none_or(|seconds| (1..=600).contains(&seconds));
        faults.unless(timeout, "ringing_timeout", "between 1 and 600 seconds");
    }
}

/// A phone that is led out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransferJson {
    /// Always `true`; what fails is a problem.
    begun: bool,
}

/// Leads a phone out of a room and rings somebody for it. It comes back when nobody answers.
#[utoipa::path(
    post, path = "/api/rooms/{id}/transfer", tag = "rooms", params(("id" = Uuid, Path, description = "The room's id")),
    request_body = TransferBody,
    responses((status = 202, description = "Somebody is being rung", body = TransferJson), Refusals, Named, Sent)
)]
pub(crate) async fn transfer(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<RoomId>,
    Body(body): Body<TransferBody>,
) -> Result<(StatusCode, Json<TransferJson>), Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let room = running(&found(&scope, id).await?);
    let timeout = body
        .ringing_timeout
        .map(|seconds| Duration::from_secs(u64::from(seconds)));
    let begun = state
        .calls
        .transfer_room_phone(&room, &body.identity, &body.to, timeout)
        .await;
    if !begun {
        let said = "no phone of that identity is there, or nobody can be rung at that number";
        return Err(Problem::conflict("no_transfer", said));
    }
    Ok((StatusCode::ACCEPTED, Json(TransferJson { begun })))
}
