//! What callers of a mailbox hear first.

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::wire::{Listing, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_model::record::Greeting;
use strowger_model::role::Permission;
use strowger_model::{GreetingId, UserId};
use strowger_store::{Actor, NewGreeting};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const KINDS: [&str; 4] = ["personal", "business", "after-hours", "holiday"];

/// A greeting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GreetingJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// Whose mailbox.
    user_id: Uuid,
    /// What people call it.
    name: String,
    /// `personal`, `business`, `after-hours` or `holiday`.
    #[serde(rename = "type")]
    kind: String,
    /// Its text, when spoken by the machine.
    text_to_speech: Option<String>,
    /// `pending`, `ready` or `failed`.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Whether callers hear it.
    is_default: bool,
    /// Whether it can be heard.
    is_active: bool,
    /// When it was made.
    created_at: String,
}

impl From<Greeting> for GreetingJson {
    fn from(greeting: Greeting) -> Self {
        Self {
            id: greeting.id.uuid(),
            tenant_id: greeting.tenant.uuid(),
            user_id: greeting.user.uuid(),
            name: greeting.name,
            kind: greeting.kind,
            text_to_speech: greeting.text,
            is_active: greeting.state == "ready",
            status: greeting.state,
            problem: greeting.problem,
            is_default: greeting.is_default,
            created_at: stamp(greeting.created_at),
        }
    }
}

/// Whose greetings are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GreetingsQuery {
    /// Greetings of this user; all of the tenant's when absent.
    user_id: Option<Uuid>,
}

/// Lists greetings, oldest first.
#[utoipa::path(
    get, path = "/api/voicemail/greetings", tag = "voicemail", params(GreetingsQuery),
    responses((status = 200, description = "The greetings", body = Listing<GreetingJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<GreetingsQuery>,
) -> Result<Json<Listing<GreetingJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let greetings = match query.user_id {
        Some(user) => scope.greetings().of_user(UserId::from_uuid(user)).await?,
        None => scope.greetings().list().await?,
    };
    let items = greetings.into_iter().map(GreetingJson::from).collect();
    Ok(Json(Listing {
        items,
        next_cursor: None,
    }))
}

/// A greeting that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct GreetingBody {
    /// Whose mailbox.
    user_id: Uuid,
    /// What people call it.
    #[schema(example = "On holiday")]
    name: String,
    /// `personal` (when absent), `business`, `after-hours` or `holiday`.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// The text the machine speaks.
    #[schema(example = "I am away until Monday. Please leave a message.")]
    text_to_speech: String,
}

impl Checked for GreetingBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(!self.name.trim().is_empty(), "name", "give it a name");
        faults.at_most(100, "name", Some(&self.name));
        faults.unless(
            !self.text_to_speech.trim().is_empty(),
            "text_to_speech",
            "write what is to be said",
        );
        faults.at_most(500, "text_to_speech", Some(&self.text_to_speech));
        let known = self.kind.as_deref().is_none_or(|kind| KINDS.contains(&kind));
        faults.unless(known, "type", "personal, business, after-hours or holiday");
    }
}

/// Makes a greeting; it can be heard a few seconds later.
#[utoipa::path(
    post, path = "/api/voicemail/greetings", tag = "voicemail", request_body = GreetingBody,
    responses((status = 201, description = "The greeting", body = GreetingJson), Refusals, Sent)
)]
pub(crate) async fn create(
    caller: Caller,
    Body(body): Body<GreetingBody>,
) -> Result<(StatusCode, Json<GreetingJson>), Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let user = UserId::from_uuid(body.user_id);
    if scope.users().get(user).await?.is_none() {
        return Err(Problem::field("user_id", "there is no such user"));
    }
    let new = NewGreeting {
        user,
        name: body.name.trim().to_owned(),
        kind: body.kind.unwrap_or_else(|| "personal".to_owned()),
        text: Some(body.text_to_speech),
        file: None,
    };
    let greeting = scope.greetings().create(&Actor::named(caller.actor()), new).await?;
    Ok((StatusCode::CREATED, Json(greeting.into())))
}

/// Makes this greeting the one callers hear.
#[utoipa::path(
    patch, path = "/api/voicemail/greetings/{id}/default", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The greeting's id")),
    responses((status = 200, description = "The greeting as it is now", body = GreetingJson), Refusals, Named)
)]
pub(crate) async fn set_default(caller: Caller, Id(id): Id<GreetingId>) -> Result<Json<GreetingJson>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    scope.greetings().set_default(&Actor::named(caller.actor()), id).await?;
    let greeting = scope.greetings().get(id).await?;
    Ok(Json(greeting.ok_or_else(|| Problem::not_found("greeting"))?.into()))
}

/// Removes a greeting with its audio.
#[utoipa::path(
    delete, path = "/api/voicemail/greetings/{id}", tag = "voicemail",
    params(("id" = Uuid, Path, description = "The greeting's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<GreetingId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let removed = scope.greetings().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("greeting"))
    }
}
