//! `/api/trunks`: the providers, how they stand and how they stood. [`write`] makes and changes them.

mod write;

use crate::body::{Asked, Id};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals};
use crate::state::ApiState;
use crate::wire::{Listing, stamp};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use strowger_model::TrunkId;
use strowger_model::record::Trunk;
use strowger_model::role::Permission;
use strowger_switch::live::{TrunkCondition, TrunkView};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The most hours of history that are kept.
const MOST_HOURS: i64 = 7 * 24;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, write::create))
        .routes(routes!(get, write::update, write::remove))
        .routes(routes!(history))
}

/// A trunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// What people call it.
    name: String,
    /// `address`, or `registration` where we register there.
    kind: &'static str,
    /// The provider's host.
    host: String,
    /// Its port.
    port: u16,
    /// `udp` or `tcp`.
    transport: &'static str,
    /// Addresses or networks its calls come from besides the host.
    addresses: Vec<String>,
    /// The user name it knows us by.
    username: Option<String>,
    /// The prefix of dialled numbers that go out here.
    prefix: String,
    /// The most calls at once.
    max_calls: i64,
    /// Whether it is used.
    is_active: bool,
    /// `up`, `registered`, `down` or `unknown`.
    status: &'static str,
    /// Why it is down.
    reason: Option<String>,
    /// Since when it stands so.
    since: Option<String>,
    /// Calls through it now.
    calls: usize,
}

fn shown(trunk: Trunk, views: &[TrunkView]) -> TrunkJson {
    let view = views.iter().find(|view| view.trunk == trunk.id);
    let (status, reason) = match view.map(|view| &view.condition) {
        None | Some(TrunkCondition::Unknown) => ("unknown", None),
        Some(TrunkCondition::Up) => ("up", None),
        Some(TrunkCondition::Registered { .. }) => ("registered", None),
        Some(TrunkCondition::Down { reason }) => ("down", Some(reason.clone())),
    };
    TrunkJson {
        id: trunk.id.uuid(),
        tenant_id: trunk.tenant.uuid(),
        name: trunk.name,
        kind: trunk.kind.code(),
        host: trunk.host,
        port: trunk.port,
        transport: trunk.transport.code(),
        addresses: trunk.addresses,
        username: trunk.username,
        prefix: trunk.prefix,
        max_calls: trunk.max_calls,
        is_active: trunk.active,
        status,
        reason,
        since: view.map(|view| stamp(view.since)),
        calls: view.map_or(0, |view| view.calls),
    }
}

/// Lists the tenant's trunks with how they stand.
#[utoipa::path(
    get, path = "/api/trunks", tag = "trunks",
    responses((status = 200, description = "The trunks", body = Listing<TrunkJson>), Refusals)
)]
pub(crate) async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Listing<TrunkJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let views = state.calls.trunks();
    let items = scope.trunks().list().await?.into_iter();
    Ok(Json(Listing {
        items: items.map(|trunk| shown(trunk, &views)).collect(),
        next_cursor: None,
    }))
}

/// One trunk.
#[utoipa::path(
    get, path = "/api/trunks/{id}", tag = "trunks", params(("id" = Uuid, Path, description = "The trunk's id")),
    responses((status = 200, description = "The trunk", body = TrunkJson), Refusals, Named)
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TrunkId>,
) -> Result<Json<TrunkJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let trunk = scope
        .trunks()
        .get(id)
        .await?
        .ok_or_else(|| Problem::not_found("trunk"))?;
    Ok(Json(shown(trunk, &state.calls.trunks())))
}

/// How much history is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// Hours back, 1 to 168; 24 when absent.
    hours: Option<i64>,
}

/// A minute of a trunk's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkMinuteJson {
    /// When it began.
    at: String,
    /// Pings that were answered.
    answered: i64,
    /// Pings that were not.
    missed: i64,
    /// How long the answers took on average, milliseconds.
    latency_ms: f64,
}

/// How a trunk answered, minute by minute, oldest first. A week is kept; minutes in which nothing was asked are left
/// out.
#[utoipa::path(
    get, path = "/api/trunks/{id}/history", tag = "trunks",
    params(("id" = Uuid, Path, description = "The trunk's id"), HistoryQuery),
    responses((status = 200, description = "The history", body = Listing<TrunkMinuteJson>), Refusals, Named)
)]
pub(crate) async fn history(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    Asked(query): Asked<HistoryQuery>,
) -> Result<Json<Listing<TrunkMinuteJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    scope
        .trunks()
        .get(id)
        .await?
        .ok_or_else(|| Problem::not_found("trunk"))?;
    let hours = query.hours.unwrap_or(24).clamp(1, MOST_HOURS);
    let since = state.access.world().now() - time::Duration::hours(hours);
    let items = scope.trunks().history(id, since).await?.into_iter();
    let items = items.map(|minute| TrunkMinuteJson {
        at: stamp(minute.at),
        answered: minute.answered,
        missed: minute.missed,
        latency_ms: minute.latency.as_secs_f64() * 1000.0,
    });
    Ok(Json(Listing {
        items: items.collect(),
        next_cursor: None,
    }))
}
