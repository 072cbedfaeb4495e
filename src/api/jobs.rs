//! `/api/jobs`: the work behind calls: what waits, how far what runs has come, what was given up and why.

use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_model::JobId;
use strowger_model::job::JobState;
use strowger_model::record::JobRow;
use strowger_model::role::Permission;
use strowger_store::queue::JobFilter;
use strowger_store::{Actor, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(retry))
        .routes(routes!(stop))
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// `process_recording`, `transcribe`, `analyse`, `notify`, `normalise_prompt`, `render_flow`,
    /// `render_greeting`, `prepare_greeting` or `retain`.
    kind: String,
    /// The ids it works on, by what they name.
    about: Value,
    /// `queued`, `running`, `done` or `dead`.
    state: &'static str,
    /// How much of the running try is done, 0 to 100; stays 0 for what ends in a moment.
    percent: i64,
    /// How often it was tried.
    attempts: i64,
    /// What went wrong last.
    problem: Option<String>,
    /// Who asked it to stop.
    stopped_by: Option<String>,
    /// Whether it can be stopped now.
    can_be_stopped: bool,
    /// Which worker has or had it.
    worker: Option<String>,
    /// When it was asked for.
    created_at: String,
    /// When it was last started.
    started_at: Option<String>,
    /// When it ended.
    finished_at: Option<String>,
}

impl From<JobRow> for JobJson {
    fn from(job: JobRow) -> Self {
        let can_be_stopped = job.can_be_stopped();
        let mut about = job.payload;
        if let Some(names) = about.as_object_mut() {
            names.remove("job");
            names.remove("tenant");
        }
        Self {
            id: job.id.uuid(),
            tenant_id: job.tenant.uuid(),
            kind: job.kind,
            about,
            state: job.state.code(),
            percent: if job.state == JobState::Done { 100 } else { job.percent },
            attempts: job.attempts,
            problem: job.problem,
            stopped_by: job.stopped_by,
            can_be_stopped,
            worker: job.worker,
            created_at: stamp(job.created_at),
            started_at: job.started_at.map(stamp),
            finished_at: job.finished_at.map(stamp),
        }
    }
}

/// Which jobs are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// `queued`, `running`, `done` or `dead`.
    state: Option<String>,
    /// One kind, as `transcribe`.
    kind: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's jobs, newest first.
#[utoipa::path(
    get, path = "/api/jobs", tag = "jobs", params(JobsQuery),
    responses((status = 200, description = "The jobs", body = Listing<JobJson>), Refusals)
)]
pub(crate) async fn list(caller: Caller, Asked(query): Asked<JobsQuery>) -> Result<Json<Listing<JobJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let state = match query.state.as_deref() {
        None => None,
        Some(code) => Some(
            JobState::from_code(code)
                .ok_or_else(|| Problem::field("state", "one of `queued`, `running`, `done` and `dead`"))?,
        ),
    };
    let filter = JobFilter {
        state,
        kind: query.kind,
    };
    let paged = scope
        .jobs()
        .list(&filter, &page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, JobJson::from)))
}

/// One job: how far it has come.
#[utoipa::path(
    get, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<JobId>) -> Result<Json<JobJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    shown(&scope, id).await
}

/// Tries a job again that was given up or stopped.
#[utoipa::path(
    post, path = "/api/jobs/{id}/retry", tag = "jobs",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses((status = 200, description = "It waits again", body = JobJson), Refusals, Named)
)]
pub(crate) async fn retry(caller: Caller, Id(id): Id<JobId>) -> Result<Json<JobJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    if !scope.jobs().retry(&Actor::named(caller.actor()), id).await? {
        return Err(Problem::not_found("job that was given up"));
    }
    shown(&scope, id).await
}

/// Stops a job that waits or runs: a transcript, its understanding, retention. One that runs ends within some
/// seconds; its state is `dead`, its problem says who stopped it.
#[utoipa::path(
    post, path = "/api/jobs/{id}/stop", tag = "jobs",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses((status = 200, description = "It is stopped, or will be in a moment", body = JobJson), Refusals, Named)
)]
pub(crate) async fn stop(caller: Caller, Id(id): Id<JobId>) -> Result<Json<JobJson>, Problem> {
    let scope = caller.may(Permission::ManageCalls)?;
    if !scope.jobs().stop(&Actor::named(caller.actor()), id).await? {
        return Err(Problem::not_found("job that can be stopped"));
    }
    shown(&scope, id).await
}

async fn shown(scope: &Scope, id: JobId) -> Result<Json<JobJson>, Problem> {
    let job = scope.jobs().get(id).await?;
    Ok(Json(job.ok_or_else(|| Problem::not_found("job"))?.into()))
}
