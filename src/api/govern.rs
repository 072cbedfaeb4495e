//! `/api/audit` and `/api/retention`: who did what, and what goes when.

use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_model::job::Job;
use strowger_model::record::AuditEntry;
use strowger_model::role::Permission;
use strowger_store::{Actor, AuditFilter, Due};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Things listed of each kind; the counts have all.
const LISTED: i64 = 200;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(audit))
        .routes(routes!(retention))
        .routes(routes!(run))
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditJson {
    /// When.
    at: String,
    /// Who: an e-mail address, `token NAME`, `retention` or `system`.
    actor: String,
    /// What, as `area.verb`: `recording.play`, `user.create`.
    action: String,
    /// On what: an id or name.
    target: String,
    /// More, for people.
    detail: String,
}

impl From<AuditEntry> for AuditJson {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: stamp(entry.at),
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        }
    }
}

/// Which lines are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Lines by this actor.
    actor: Option<String>,
    /// Lines whose action begins so: `recording.` or `user.create`.
    action: Option<String>,
    /// Lines about this thing.
    target: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the lines of the tenant's audit log, newest first. `strowger audit verify` holds them against their hashes.
#[utoipa::path(
    get, path = "/api/audit", tag = "privacy", params(AuditQuery),
    responses((status = 200, description = "The lines", body = Listing<AuditJson>), Refusals)
)]
pub(crate) async fn audit(
    caller: Caller,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<Listing<AuditJson>>, Problem> {
    let scope = caller.may(Permission::ReadAudit)?;
    let page = page(query.cursor, query.limit, Cursor::Whole)?;
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action,
        target: query.target,
    };
    let paged = scope.audit().list(&filter, &page).await?;
    Ok(Json(Listing::of(paged, AuditJson::from)))
}

/// How long things are kept, and what a run would remove now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionJson {
    /// Days a call's row is kept (`call_retention_days`).
    call_days: i64,
    /// Days a recording is kept (`recording_retention_days`).
    recording_days: i64,
    /// Days a message is kept (`voicemail_retention_days`).
    voicemail_days: i64,
    /// Days the signalling of a call is kept (`signalling_retention_days`).
    signalling_days: i64,
    /// Days the proof of a consent is kept (`consent_retention_days`).
    consent_days: i64,
    /// Days the proof of an erasure is kept (`erasure_retention_days`).
    erasure_days: i64,
    /// Calls that would go.
    calls: i64,
    /// Recordings that would go.
    recordings: i64,
    /// Messages that would go.
    voicemails: i64,
    /// Stretches of signalling that would go.
    signalling: i64,
    /// Proofs that would go.
    proofs: i64,
    /// Recordings and messages past their time that a legal hold keeps.
    held: i64,
    /// Bytes of audio that would go.
    size_bytes: i64,
    /// The calls, recordings and messages that would go, the oldest first, at most 200 of each kind.
    due: Vec<DueJson>,
}

/// One thing that is past its time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DueJson {
    /// `call`, `recording` or `voicemail`.
    kind: &'static str,
    /// Its id.
    id: String,
    /// When it began.
    since: String,
    /// Bytes of its audio.
    size_bytes: i64,
}

impl From<Due> for DueJson {
    fn from(due: Due) -> Self {
        Self {
            kind: due.kind.code(),
            id: due.id,
            since: stamp(due.since),
            size_bytes: due.bytes,
        }
    }
}

/// How long things are kept, and what a run of retention would remove now. Nothing is removed.
#[utoipa::path(
    get, path = "/api/retention", tag = "privacy",
    responses((status = 200, description = "What would go", body = RetentionJson), Refusals)
)]
pub(crate) async fn retention(caller: Caller) -> Result<Json<RetentionJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let (area, now) = (scope.retention(), scope.now());
    let policy = area.policy().await?;
    let report = area.dry_run(&policy, now).await?;
    let due = area.due(&policy, now, LISTED).await?;
    Ok(Json(RetentionJson {
        call_days: policy.call_days,
        recording_days: policy.recording_days,
        voicemail_days: policy.voicemail_days,
        signalling_days: policy.signalling_days,
        consent_days: policy.consent_days,
        erasure_days: policy.erasure_days,
        calls: report.calls,
        recordings: report.recordings,
        voicemails: report.voicemails,
        signalling: report.signalling,
        proofs: report.proofs,
        held: report.held,
        size_bytes: report.bytes,
        due: due.into_iter().map(DueJson::from).collect(),
    }))
}

/// Asks for a run of retention now, beside the one of each day. `GET /api/jobs?kind=retain` says how it goes.
#[utoipa::path(
    post, path = "/api/retention/run", tag = "privacy",
    responses((status = 202, description = "It is asked for"), Refusals)
)]
pub(crate) async fn run(caller: Caller) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    let tenant = scope.tenant();
    scope
        .audit()
        .write(&actor, "retention.ask", &tenant.to_string(), "by hand")
        .await?;
    scope.jobs().ask(&Job::Retain { tenant }).await?;
    Ok(StatusCode::ACCEPTED)
}
