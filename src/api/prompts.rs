//! `/api/prompts`: audio that flows play.

use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strowger_model::PromptId;
use strowger_model::record::Prompt;
use strowger_model::role::Permission;
use strowger_store::Actor;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The largest file taken: ten minutes of uncompressed stereo.
const LARGEST_BYTES: usize = 128 * 1024 * 1024;

/// How long an upload waits to hear from a worker that the file is of no use.
const PATIENCE: Duration = Duration::from_secs(5);

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let upload = OpenApiRouter::new()
        .routes(routes!(list, upload))
        .layer(DefaultBodyLimit::max(LARGEST_BYTES));
    upload.routes(routes!(get, remove))
}

/// Audio that flows play.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromptJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// The name flows play it by.
    name: String,
    /// `pending` until a worker has prepared it, `ready`, or `failed`.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Its length in milliseconds, once ready.
    duration_ms: i64,
    /// The name of the uploaded file.
    file_name: String,
    /// When it was uploaded.
    created_at: String,
}

impl From<Prompt> for PromptJson {
    fn from(prompt: Prompt) -> Self {
        Self {
            id: prompt.id.uuid(),
            tenant_id: prompt.tenant.uuid(),
            name: prompt.name,
            status: prompt.state,
            problem: prompt.problem,
            duration_ms: prompt.duration_ms,
            file_name: prompt.source_name,
            created_at: stamp(prompt.created_at),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PromptsQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's prompts by name.
#[utoipa::path(
    get, path = "/api/prompts", tag = "flows", params(PromptsQuery),
    responses((status = 200, description = "The prompts", body = Listing<PromptJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<PromptsQuery>,
) -> Result<Json<Listing<PromptJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope
        .prompts()
        .list(&page(query.cursor, query.limit, Cursor::Name)?)
        .await?;
    Ok(Json(Listing::of(paged, PromptJson::from)))
}

/// What is uploaded.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// The name flows play it by, unique in the tenant.
    name: Option<String>,
    /// The file's own name; its ending helps to tell formats apart.
    file_name: Option<String>,
}

/// Uploads a prompt: a WAV, MP3, Ogg, FLAC or M4A file as the body. A file that cannot be played is answered 422 with
/// the reason and not kept. Where no worker runs, the answer comes with status `pending`.
#[utoipa::path(
    post, path = "/api/prompts", tag = "flows", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses((status = 201, description = "The prompt", body = PromptJson), Refusals, Sent)
)]
pub(crate) async fn upload(
    caller: Caller,
    Asked(query): Asked<UploadQuery>,
    file: Bytes,
) -> Result<(StatusCode, Json<PromptJson>), Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let name = query.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Problem::field("name", "give it a name; flows play it by that"))?;
    if name.chars().count() > 100 {
        return Err(Problem::field("name", "at most 100 characters"));
    }
    if file.is_empty() {
        return Err(Problem::field("file", "send the audio file as the body"));
    }
    let actor = Actor::named(caller.actor());
    let file_name = query.file_name.unwrap_or_default();
    let prompts = scope.prompts();
    let made = prompts.create(&actor, name, &file_name, &file).await?;
    let made = prompts.settled(made.id, PATIENCE).await?;
    let made = made.ok_or_else(|| Problem::not_found("prompt"))?;
    if made.state != "failed" {
        return Ok((StatusCode::CREATED, Json(made.into())));
    }
    // A file nobody can play is not kept.
    prompts.remove(&actor, made.id).await?;
    let why = made
        .problem
        .unwrap_or_else(|| "this is no audio we can read".to_owned());
    Err(Problem::field("file", why))
}

/// One prompt.
#[utoipa::path(
    get, path = "/api/prompts/{id}", tag = "flows", params(("id" = Uuid, Path, description = "The prompt's id")),
    responses((status = 200, description = "The prompt", body = PromptJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<PromptId>) -> Result<Json<PromptJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let prompt = scope.prompts().get(id).await?;
    Ok(Json(prompt.ok_or_else(|| Problem::not_found("prompt"))?.into()))
}

/// Removes a prompt with its audio.
#[utoipa::path(
    delete, path = "/api/prompts/{id}", tag = "flows", params(("id" = Uuid, Path, description = "The prompt's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<PromptId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    if scope.prompts().remove(&Actor::named(caller.actor()), id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("prompt"))
    }
}
