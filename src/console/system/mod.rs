//! Jobs and health.

mod health;
pub mod view;

pub(crate) use health::health;

use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use strowger_model::JobId;
use strowger_model::job::JobState;
use strowger_model::role::Permission;
use strowger_store::Page as Keyset;
use strowger_store::queue::JobFilter;

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/jobs", get(index))
        .route("/t/{tenant}/jobs/{job}/retry", post(retry))
        .route("/t/{tenant}/jobs/{job}/stop", post(stop))
}

async fn index(desk: Desk) -> Page {
    if !desk.can(Permission::ReadAudit) {
        desk.may(Permission::ManageCalls)?;
    }
    let state = JobState::from_code(desk.query().get("state"));
    let page = Keyset {
        after: desk.query().optional("after"),
        limit: 100,
    };
    let found = desk.scope.jobs().list(&JobFilter { state, kind: None }, &page).await?;
    let may_retry = desk.can(Permission::ManageCalls);
    let page = view::jobs(
        &desk.shell(),
        &desk.base(),
        &found.items,
        state,
        found.next.as_deref(),
        may_retry,
    );
    Ok(page.into_response())
}

async fn retry(Path((_, job)): Path<(String, JobId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    if !desk.scope.jobs().retry(&desk.actor(), job).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/jobs", "retried"))
}

async fn stop(Path((_, job)): Path<(String, JobId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageCalls)?;
    if !desk.scope.jobs().stop(&desk.actor(), job).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/jobs", "stopped"))
}
