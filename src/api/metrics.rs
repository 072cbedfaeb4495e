//! `GET /metrics`: what was counted, for Prometheus. Open to this machine, to others only when the
//! configuration says so: names of trunks and figures of calls are nobody else's business.

use crate::problem::Problem;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strowger_access::Source;

/// Counters in the Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", tag = "system", security(()),
    responses(
        (status = 200, description = "The counters", content_type = "text/plain", body = String),
        (status = 403, description = "Asked from another machine", body = crate::problem::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn metrics(
    State(state): State<ApiState>,
    source: Source,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // What came through a proxy on this machine came from elsewhere.
    let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    let local = source.address.to_canonical().is_loopback() && !forwarded;
    if !state.metrics_public && !local {
        let detail = "metrics answer this machine only";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .hint("set http.metrics_public to let others read them"));
    }
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    Ok(([kind], state.metrics.render()).into_response())
}
