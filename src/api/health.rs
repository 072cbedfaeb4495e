//! `GET /health`: what works and what does not, a line a dependency. 503 only when calls stop.

use crate::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mood {
    /// It works.
    Pass,
    /// Calls go on; something else suffers.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of `/health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub mood: Mood,
    /// Whether calls stop when it fails.
    pub stops_calls: bool,
    /// What is known, and how to mend it. Nothing a stranger may not read.
    pub detail: String,
}

/// The answer of `/health`.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthBody {
    /// The worst that matters.
    pub status: Mood,
    /// This release.
    pub version: &'static str,
    /// Calls that are running.
    pub calls: usize,
    /// A line a dependency.
    pub checks: BTreeMap<&'static str, HealthLine>,
}

/// One dependency.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthLine {
    /// How it is.
    pub status: Mood,
    /// What is known, and how to mend it.
    pub detail: String,
}

/// Whether the daemon and what it stands on work.
#[utoipa::path(
    get, path = "/health", tag = "system", security(()),
    responses(
        (status = 200, description = "Calls work; a line may still be `warn` or `fail`", body = HealthBody),
        (status = 503, description = "Calls do not work", body = HealthBody, content_type = "application/health+json"),
    )
)]
pub(crate) async fn health(State(state): State<ApiState>) -> Response {
    let mut checks = crate::probe::look(&state).await;
    checks.extend(state.probes.iter().map(|probe| probe()));
    let stopped = checks.iter().any(|check| check.stops_calls && check.mood == Mood::Fail);
    let worst = checks.iter().map(|check| check.mood).max().unwrap_or(Mood::Pass);
    let body = HealthBody {
        status: if stopped { Mood::Fail } else { worst.min(Mood::Warn) },
        version: env!("CARGO_PKG_VERSION"),
        calls: state.calls.count(),
        checks: checks
            .into_iter()
            .map(|check| {
                let line = HealthLine {
                    status: check.mood,
                    detail: check.detail,
                };
                (check.name, line)
            })
            .collect(),
    };
    let status = if stopped {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let mut response = (status, Json(body)).into_response();
    if stopped {
        let kind = HeaderValue::from_static("application/health+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}
