//! `GET /metrics`: what was counted, for Prometheus. Open to this machine, to others only when the
//! configuration says so: names of trunks and figures of calls are nobody else's business.

use crate::problem::Problem;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use strowger_access::Source;
use strowger_store::ProviderSpend;

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
    let mut text = state.metrics.render();
    // Workers ask providers, and count it where the daemon can read it.
    match state.access.store().known_providers().spend_since(EVER).await {
        Ok(spend) => text.push_str(&providers(&spend)),
        Err(problem) => tracing::warn!(%problem, "what providers were asked is not counted"),
    }
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    Ok(([kind], text).into_response())
}

/// Before the first day of any row.
const EVER: &str = "";

/// What was asked of providers, over all tenants.
fn providers(spend: &[ProviderSpend]) -> String {
    let mut requests: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    let mut tokens: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    let mut cost: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    let mut spent: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for one in spend.iter().map(|one| &one.figures) {
        let key = |third: &'static str| (one.provider.as_str(), one.task.as_str(), third);
        *requests.entry(key("answered")).or_default() += one.asked - one.failed;
        *requests.entry(key("failed")).or_default() += one.failed;
        *tokens.entry(key("asked")).or_default() += one.tokens_asked;
        *tokens.entry(key("answered")).or_default() += one.tokens_answered;
        *cost.entry(key("")).or_default() += one.cost_micros;
        *spent.entry(key("")).or_default() += one.spent_ms;
    }
    let mut out = String::new();
    for (name, third, figures) in [
        ("strowger_provider_requests_total", "outcome", requests),
        ("strowger_provider_tokens_total", "direction", tokens),
        ("strowger_provider_cost_micros_total", "", cost),
        ("strowger_provider_milliseconds_total", "", spent),
    ] {
        if !figures.is_empty() {
            let _ = writeln!(out, "# TYPE {name} counter");
        }
        // Names of providers are small letters, figures and dashes: nothing to escape.
        for ((provider, task, value), figure) in figures {
            let more = if third.is_empty() {
                String::new()
            } else {
                format!(",{third}=\"{value}\"")
            };
            let _ = writeln!(out, "{name}{{provider=\"{provider}\",task=\"{task}\"{more}}} {figure}");
        }
    }
    out
}
