//! Tags of a call.

use super::one::find;
use super::wire::CallJson;
use crate::body::{Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use strowger_model::CallId;
use strowger_model::role::Permission;
use strowger_store::Actor;
use utoipa::ToSchema;

/// What a tag may be.
pub(super) const RULE: &str = "1 to 50 letters, digits, spaces, `-`, `_`, `.` or `:`";

/// Whether a text can be a tag.
pub(super) fn is_tag(text: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || " -_.:".contains(character);
    !text.trim().is_empty() && text.trim() == text && text.chars().count() <= 50 && text.chars().all(plain)
}

/// A tag.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TagBody {
    /// The tag.
    #[schema(example = "complaint")]
    tag: String,
}

impl Checked for TagBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(is_tag(&self.tag), "tag", RULE);
    }
}

/// Tags a call. A tag it has already changes nothing.
#[utoipa::path(
    post, path = "/api/calls/{id}/tags", tag = "calls", params(("id" = Uuid, Path, description = "The call's id")),
    request_body = TagBody,
    responses((status = 200, description = "The call as it is now", body = CallJson), Refusals, Named, Sent)
)]
pub(crate) async fn add(
    caller: Caller,
    Id(id): Id<CallId>,
    Body(body): Body<TagBody>,
) -> Result<Json<CallJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    scope.calls().get(id).await?.ok_or_else(|| Problem::not_found("call"))?;
    scope
        .calls()
        .add_tag(&Actor::named(caller.actor()), id, &body.tag)
        .await?;
    Ok(Json(find(&scope, id).await?))
}

/// Takes a tag off a call. A tag it does not have changes nothing.
#[utoipa::path(
    delete, path = "/api/calls/{id}/tags/{tag}", tag = "calls",
    params(("id" = Uuid, Path, description = "The call's id"), ("tag" = String, Path, description = "The tag")),
    responses((status = 200, description = "The call as it is now", body = CallJson), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Path((id, tag)): Path<(String, String)>) -> Result<Json<CallJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    let id: CallId = id.parse().map_err(|_| Problem::not_found("call"))?;
    scope.calls().get(id).await?.ok_or_else(|| Problem::not_found("call"))?;
    if is_tag(&tag) {
        let actor = Actor::named(caller.actor());
        scope.calls().remove_tag(&actor, id, &tag).await?;
    }
    Ok(Json(find(&scope, id).await?))
}
