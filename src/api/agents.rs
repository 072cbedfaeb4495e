//! `/api/agents`: programs of agents that stand by to be sent into the tenant's rooms.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::state::ApiState;
use crate::wire::{Listing, stamp};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strowger_model::role::Permission;
use strowger_rooms::AgentWorker;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A worker of agents that stands by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentWorkerJson {
    /// Its id while it is connected.
    #[schema(example = "AW_3f2a9c00001")]
    worker_id: String,
    /// The name by which its agents are sent for; empty: they come into every room by themselves.
    #[schema(example = "receptionist")]
    agent_name: String,
    /// The release of the library it is made with; empty when it does not say.
    version: String,
    /// What its agents come for: `room`, `publisher` or `participant`.
    kind: &'static str,
    /// Whether it takes further jobs.
    available: bool,
    /// How busy it says it is: 0 idle, 1 full.
    load: f32,
    /// Its jobs that go on.
    jobs: usize,
    /// Since when it stands by.
    since: String,
}

impl From<AgentWorker> for AgentWorkerJson {
    fn from(worker: AgentWorker) -> Self {
        Self {
            worker_id: worker.id,
            agent_name: worker.agent_name,
            version: worker.version,
            kind: worker.kind,
            available: worker.is_available,
            load: worker.load,
            jobs: worker.jobs,
            since: stamp(worker.since),
        }
    }
}

/// Lists the workers of agents that stand by for the tenant, oldest first.
#[utoipa::path(
    get, path = "/api/agents", tag = "rooms",
    responses((status = 200, description = "The workers", body = Listing<AgentWorkerJson>), Refusals)
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<Listing<AgentWorkerJson>>, Problem> {
    caller.may(Permission::ReadAllCalls)?;
    let standing = state.agents.as_ref().map(|agents| agents.board().of(caller.tenant()));
    Ok(Json(Listing {
        items: standing.unwrap_or_default().into_iter().map(Into::into).collect(),
        next_cursor: None,
    }))
}
