//! Placing a call.

use super::wire::CallJson;
use crate::body::{Body, Checked, Faults};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use strowger_model::number::normalise;
use strowger_model::role::Permission;
use strowger_model::{CallId, FlowId, Metadata, UserId};
use strowger_store::Scope;
use strowger_switch::live::{PlaceCall, PlaceError};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most bytes of metadata.
const METADATA_BYTES: usize = 16 * 1024;

/// A call that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OutboundBody {
    /// Who is called: a number, an extension, or the user name of a device.
    #[schema(example = "+4942112345")]
    to: String,
    /// Who calls: an extension, whose phones ring once `to` has answered, or a number of the tenant to
    /// show; the tenant's default number when absent.
    #[serde(default)]
    from: Option<String>,
    /// Whether to record; the settings decide when absent.
    #[serde(default)]
    record: Option<bool>,
    /// Whether a transcript is wanted; needs a recording.
    #[serde(default)]
    transcribe: Option<bool>,
    /// Seconds to ring, 1 to 600; the setting when absent.
    #[serde(default)]
    timeout: Option<u32>,
    /// An object that is kept with the call and returned as it came.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Metadata>,
    /// The user whose call it is.
    #[serde(default)]
    user_id: Option<Uuid>,
    /// The flow that talks to whoever answers.
    #[serde(default)]
    flow_id: Option<Uuid>,
}

/// What is dialled, without the punctuation people write; a device's user name stays as it is.
pub(crate) fn dialled(text: &str) -> Option<String> {
    let name = |text: &str| {
        text.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    let text = text.trim();
    normalise(text).or_else(|| ((1..=64).contains(&text.len()) && name(text)).then(|| text.to_owned()))
}

impl Checked for OutboundBody {
    fn check(&self, faults: &mut Faults) {
        let number = "write a number such as +4942112345, or an extension";
        faults.unless(dialled(&self.to).is_some(), "to", number);
        let from = self.from.as_deref().filter(|from| !from.is_empty());
        faults.unless(from.is_none_or(|from| normalise(from).is_some()), "from", number);
        let timeout = self.timeout.is_none_or(|seconds| (1..=600).contains(&seconds));
        faults.unless(timeout, "timeout", "between 1 and 600 seconds");
        check_metadata(self.metadata.as_ref(), faults);
    }
}

/// Refuses metadata that is no object or too much.
pub(super) fn check_metadata(metadata: Option<&Metadata>, faults: &mut Faults) {
    let Some(metadata) = metadata else {
        return;
    };
    faults.unless(metadata.value().is_object(), "metadata", "an object");
    let small = metadata.text().len() <= METADATA_BYTES;
    faults.unless(small, "metadata", &format!("at most {METADATA_BYTES} bytes"));
}

/// Places a call.
///
/// The answer comes at once, with the call as it begins; `GET /api/calls/{id}` or `/api/events`
/// tell how it goes on.
#[utoipa::path(
    post, path = "/api/calls/outbound", tag = "calls", request_body = OutboundBody,
    responses((status = 201, description = "The call begins", body = CallJson), Refusals, Sent)
)]
pub(crate) async fn outbound(
    State(state): State<ApiState>,
    caller: Caller,
    Body(body): Body<OutboundBody>,
) -> Result<Response, Problem> {
    let scope = caller.may(Permission::UsePhone)?;
    let user = body.user_id.map(UserId::from_uuid);
    if let Some(user) = user
        && scope.users().get(user).await?.is_none()
    {
        return Err(Problem::field("user_id", "there is no such user"));
    }
    let flow = body.flow_id.map(FlowId::from_uuid);
    if let Some(flow) = flow
        && scope.flows().get(flow).await?.is_none()
    {
        return Err(Problem::field("flow_id", "there is no such flow"));
    }
    let order = PlaceCall {
        tenant: caller.tenant(),
        user,
        from: body.from.as_deref().and_then(normalise),
        to: dialled(&body.to).unwrap_or_default(),
        record: body.record,
        transcribe: body.transcribe.unwrap_or(false),
        ring_timeout: body.timeout.map(|seconds| Duration::from_secs(u64::from(seconds))),
        metadata: body.metadata.unwrap_or_else(Metadata::empty),
        flow,
    };
    let id = state.calls.place(order).await.map_err(refused)?;
    let call = written(&scope, id).await?;
    let location = (header::LOCATION, format!("/api/calls/{id}"));
    Ok((StatusCode::CREATED, [location], Json(call)).into_response())
}

/// The call's row. Calls do not wait for the database, so the row may come a moment after the call.
async fn written(scope: &Scope, id: CallId) -> Result<CallJson, Problem> {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..200 {
        look.tick().await;
        if let Ok(call) = super::one::find(scope, id).await {
            return Ok(call);
        }
    }
    super::one::find(scope, id).await
}

pub(crate) fn refused(refused: PlaceError) -> Problem {
    let said = refused.to_string();
    match refused {
        PlaceError::ForeignCaller => Problem::new(StatusCode::FORBIDDEN, "foreign_caller_number", said)
            .hint("GET /api/numbers lists the tenant's numbers; without `from` the default is used"),
        PlaceError::NoRoute => {
            Problem::conflict("no_route", said).hint("add a trunk whose prefix fits, or call an extension")
        }
        PlaceError::Unreachable => Problem::conflict("unreachable", said).hint("register one of the user's phones"),
        PlaceError::Busy | PlaceError::ShuttingDown => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "at_limit", said).retry_after(Duration::from_secs(5))
        }
    }
}
