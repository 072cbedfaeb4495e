//! One call: read, note, end, delete.

use super::outbound::check_metadata;
use super::wire::{CallJson, ConsentJson, EventJson, LegJson};
use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use strowger_model::record::Call;
use strowger_model::role::Permission;
use strowger_model::{CallId, Metadata, disposition};
use strowger_store::{Actor, Beside, Scope};
use strowger_switch::live::Steer;
use utoipa::ToSchema;

/// One call with its legs and what happened in it.
#[utoipa::path(
    get, path = "/api/calls/{id}", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    responses((status = 200, description = "The call", body = CallJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<CallId>) -> Result<Json<CallJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    Ok(Json(find(&scope, id).await?))
}

/// What of a call may be changed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CallChangeBody {
    /// The note of a person.
    #[serde(default)]
    notes: Option<String>,
    /// Replaces the metadata.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Metadata>,
    /// How it ended up: small letters, figures, `_` and `-`. Of a call that is over.
    #[serde(default)]
    disposition: Option<String>,
    /// Replaces the tags.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Checked for CallChangeBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(10_000, "notes", self.notes.as_deref());
        check_metadata(self.metadata.as_ref(), faults);
        let is_word = self.disposition.as_deref().is_none_or(disposition::is_word);
        faults.unless(is_word, "disposition", "at most 40 small letters, figures, `_` and `-`");
        for tag in self.tags.iter().flatten() {
            faults.unless(super::tags::is_tag(tag), "tags", super::tags::RULE);
        }
    }
}

/// Changes a call's notes, metadata, disposition or tags.
#[utoipa::path(
    patch, path = "/api/calls/{id}", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    request_body = CallChangeBody,
    responses((status = 200, description = "The call as it is now", body = CallJson), Refusals, Named, Sent)
)]
pub(crate) async fn update(
    caller: Caller,
    Id(id): Id<CallId>,
    Body(body): Body<CallChangeBody>,
) -> Result<Json<CallJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let actor = Actor::named(caller.actor());
    let calls = scope.calls();
    if calls.get(id).await?.is_none() {
        return Err(Problem::not_found("call"));
    }
    if body.notes.is_some() || body.metadata.is_some() {
        let (notes, metadata) = (body.notes.as_deref(), body.metadata.as_ref());
        calls.update(&actor, id, notes, metadata).await?;
    }
    if let Some(word) = &body.disposition
        && !calls.set_disposition(&actor, id, word).await?
    {
        return Err(Problem::conflict("call_running", "the call is still running"));
    }
    if let Some(tags) = &body.tags {
        calls.set_tags(&actor, id, tags).await?;
    }
    Ok(Json(find(&scope, id).await?))
}

/// Takes the suggested disposition as the call's own. What a person chose is never overwritten.
#[utoipa::path(
    post, path = "/api/calls/{id}/disposition/accept", tag = "calls",
    params(("id" = Uuid, Path, description = "The call's id")),
    responses((status = 200, description = "The call as it is now", body = CallJson), Refusals, Named, Sent)
)]
pub(crate) async fn accept(caller: Caller, Id(id): Id<CallId>) -> Result<Json<CallJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    if scope.calls().get(id).await?.is_none() {
        return Err(Problem::not_found("call"));
    }
    let taken = scope
        .calls()
        .accept_suggestion(&Actor::named(caller.actor()), id)
        .await?;
    if taken.is_none() {
        let detail = "nothing is suggested, or a person said how the call ended up";
        return Err(Problem::conflict("nothing_to_accept", detail));
    }
    Ok(Json(find(&scope, id).await?))
}

/// Deletes a call with its recordings and transcripts. A running call has to be ended first.
#[utoipa::path(
    delete, path = "/api/calls/{id}", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named, Sent)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<CallId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let call = scope.calls().get(id).await?.ok_or_else(|| Problem::not_found("call"))?;
    if !call.state.is_final() {
        return Err(Problem::conflict("call_running", "the call is still running").hint("end it first"));
    }
    scope.calls().remove(&Actor::named(caller.actor()), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a running call.
#[utoipa::path(
    post, path = "/api/calls/{id}/hangup", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    responses((status = 202, description = "It is being ended"), Refusals, Named, Sent)
)]
pub(crate) async fn hang_up(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<CallId>,
) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let call = scope.calls().get(id).await?.ok_or_else(|| Problem::not_found("call"))?;
    if call.state.is_final() || !state.calls.steer(caller.tenant(), id, Steer::HangUp).await {
        return Err(Problem::conflict("call_over", "the call is over"));
    }
    let actor = Actor::named(caller.actor());
    scope.audit().write(&actor, "call.hang_up", &id.to_string(), "").await?;
    Ok(StatusCode::ACCEPTED)
}

/// A call with everything that is shown beside it.
pub(super) async fn find(scope: &Scope, id: CallId) -> Result<CallJson, Problem> {
    let detail = scope.calls().detail(id).await?;
    let detail = detail.ok_or_else(|| Problem::not_found("call"))?;
    let beside = detail.recordings.first().map(|recording| Beside {
        recording: recording.id,
        is_ready: recording.state == "ready",
        transcript: detail.transcripts.first().map(|transcript| transcript.id),
    });
    let ended = scope.calls().ended(&[id]).await?.remove(&id);
    let mut json = CallJson::of(detail.call, beside.as_ref()).ended(ended);
    json.legs = Some(detail.legs.into_iter().map(LegJson::from).collect());
    json.consents = Some(detail.consents.into_iter().map(ConsentJson::from).collect());
    json.events = Some(detail.events.into_iter().map(EventJson::from).collect());
    Ok(json)
}

/// Calls of a list with their recordings and transcripts.
pub(super) async fn with_beside(scope: &Scope, calls: Vec<Call>) -> Result<Vec<CallJson>, Problem> {
    let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
    let beside = scope.calls().beside(&ids).await?;
    let mut ended = scope.calls().ended(&ids).await?;
    let written = calls.into_iter().map(|call| {
        let (beside, ended) = (beside.get(&call.id), ended.remove(&call.id));
        CallJson::of(call, beside).ended(ended)
    });
    Ok(written.collect())
}
