//! Figures of calls.

use super::log::{coded, moment};
use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::wire::seconds;
use axum::Json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strowger_model::role::Permission;
use strowger_model::{CallType, Direction, UserId};
use strowger_store::CallFilter;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which calls are counted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsQuery {
    /// Calls of this user; the whole tenant's when absent.
    user_id: Option<Uuid>,
    /// Calls of this type: `CUSTOMER_INBOUND`, `CUSTOMER_OUTBOUND`, `INTERNAL` …
    call_type: Option<String>,
    /// `inbound`, `outbound` or `internal`.
    direction: Option<String>,
    /// Calls that began at this time or later: RFC 3339, or a date.
    from: Option<String>,
    /// Calls that began before this time: RFC 3339, or a date.
    to: Option<String>,
}

/// Figures of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SummaryJson {
    /// All calls.
    total_calls: i64,
    /// Calls from a trunk.
    inbound_calls: i64,
    /// Calls to a trunk.
    outbound_calls: i64,
    /// Calls between the tenant's own devices.
    internal_calls: i64,
    /// Calls that were answered.
    answered_calls: i64,
    /// Inbound calls nobody answered.
    missed_calls: i64,
    /// Calls that could not be made or broke.
    failed_calls: i64,
    /// Mean length of answered calls.
    average_duration_seconds: f64,
    /// Length of all calls together.
    total_duration_seconds: i64,
    /// What they cost.
    total_cost: f64,
    /// How many ended up how: `answered`, `missed`, `voicemail`, and words that people gave.
    by_disposition: BTreeMap<String, i64>,
}

/// Counts calls.
#[utoipa::path(
    get, path = "/api/calls/stats/summary", tag = "calls", params(StatsQuery),
    responses((status = 200, description = "The figures", body = SummaryJson), Refusals)
)]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) async fn summary(caller: Caller, Asked(query): Asked<StatsQuery>) -> Result<Json<SummaryJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let filter = CallFilter {
        user: query.user_id.map(UserId::from_uuid),
        call_type: coded("call_type", query.call_type.as_deref(), CallType::from_code)?,
        direction: coded("direction", query.direction.as_deref(), Direction::from_code)?,
        from: moment("from", query.from.as_deref())?,
        until: moment("to", query.to.as_deref())?,
        ..CallFilter::default()
    };
    let counted = scope.calls().stats(&filter).await?;
    Ok(Json(SummaryJson {
        total_calls: counted.total,
        inbound_calls: counted.inbound,
        outbound_calls: counted.outbound,
        internal_calls: counted.internal,
        answered_calls: counted.answered,
        missed_calls: counted.missed,
        failed_calls: counted.failed,
        average_duration_seconds: counted.average_duration_ms as f64 / 1000.0,
        total_duration_seconds: seconds(counted.total_duration_ms),
        total_cost: counted.cost_micros as f64 / 1e6,
        by_disposition: scope.calls().by_disposition(&filter).await?.into_iter().collect(),
    }))
}
