//! `/api/subjects`: everything about a person or number: found, given out, erased. The name or number is sent in
//! the body, never in the address, which proxies write down.

use crate::body::{Asked, Body, Checked, Faults};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use axum::body::Body as Stream;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strowger_model::role::Permission;
use strowger_model::subject::Subject;
use strowger_store::{Actor, Erasure, Findings};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(find))
        .routes(routes!(export))
        .routes(routes!(erase))
        .routes(routes!(erasures))
}

/// About whom.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SubjectBody {
    /// A number with the country's code, or a name, e-mail address or identity.
    #[schema(example = "+49 421 100200")]
    subject: String,
}

impl Checked for SubjectBody {
    fn check(&self, faults: &mut Faults) {
        if let Err(unfit) = Subject::read(&self.subject) {
            faults.unless(false, "subject", &unfit.to_string());
        }
    }
}

impl SubjectBody {
    fn read(&self) -> Result<Subject, Problem> {
        Subject::read(&self.subject).map_err(|unfit| Problem::field("subject", unfit.to_string()))
    }
}

/// How much is known of somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingsJson {
    /// Calls in which they took part.
    calls: i64,
    /// Recordings of those that have audio.
    recordings: i64,
    /// Messages in those.
    messages: i64,
    /// Rows that name them, by table.
    rows: BTreeMap<String, i64>,
    /// Rows of what somebody set up that name them, by table: these are changed by hand.
    settings: BTreeMap<String, i64>,
    /// Calls that a legal hold keeps. While there is one nothing is erased.
    held_calls: Vec<Uuid>,
    /// Calls that are still running. While there is one nothing is erased.
    running_calls: i64,
}

impl From<Findings> for FindingsJson {
    fn from(findings: Findings) -> Self {
        Self {
            calls: findings.calls,
            recordings: findings.recordings,
            messages: findings.messages,
            rows: findings.rows,
            settings: findings.settings,
            held_calls: findings.held.into_iter().map(|call| call.uuid()).collect(),
            running_calls: findings.running,
        }
    }
}

/// The proof that somebody was erased; it names nobody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasureJson {
    /// Its id.
    id: String,
    /// When.
    at: String,
    /// Who did it.
    actor: String,
    /// What was there before.
    before: FindingsJson,
    /// What was left.
    after: FindingsJson,
    /// Until when a damaged database that was put aside on the machine still holds what was erased, unless somebody
    /// removes its file; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_database_until: Option<String>,
}

impl From<Erasure> for ErasureJson {
    fn from(erasure: Erasure) -> Self {
        Self {
            id: erasure.id,
            at: stamp(erasure.at),
            actor: erasure.actor,
            before: erasure.before.into(),
            after: erasure.after.into(),
            damaged_database_until: erasure.damaged_until.map(stamp),
        }
    }
}

/// Says how much is known of a person or number, and what stands in the way of erasing it.
#[utoipa::path(
    post, path = "/api/subjects/find", tag = "privacy", request_body = SubjectBody,
    responses((status = 200, description = "How much there is", body = FindingsJson), Refusals, Sent)
)]
pub(crate) async fn find(caller: Caller, Body(body): Body<SubjectBody>) -> Result<Json<FindingsJson>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    Ok(Json(scope.subjects().find(&body.read()?).await?.into()))
}

/// Gives out everything about a person or number: rows, calls whole, transcripts and audio, as a ZIP file.
#[utoipa::path(
    post, path = "/api/subjects/export", tag = "privacy", request_body = SubjectBody,
    responses((status = 200, description = "The archive", content_type = "application/zip", body = Vec<u8>), Refusals, Sent)
)]
pub(crate) async fn export(caller: Caller, Body(body): Body<SubjectBody>) -> Result<Response, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    let archive = scope
        .subjects()
        .export(&actor, &body.read()?, body.subject.trim())
        .await?;
    // One piece at a time: a slow reader holds one recording in memory.
    let pieces = stream::try_unfold(archive, |mut archive| async move {
        let piece = archive.next().await?;
        Ok::<_, strowger_store::Error>(piece.map(|piece| (piece, archive)))
    });
    let head = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"subject.zip\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((head, Stream::from_stream(pieces)).into_response())
}

/// Erases everything about a person or number. Rows of calls stay without numbers, so that figures count on.
#[utoipa::path(
    post, path = "/api/subjects/erase", tag = "privacy", request_body = SubjectBody,
    responses(
        (status = 200, description = "The proof", body = ErasureJson),
        (status = 409, description = "A legal hold keeps a call of theirs, or one is running: nothing was changed", body = crate::problem::ProblemBody),
        Refusals, Sent
    )
)]
pub(crate) async fn erase(caller: Caller, Body(body): Body<SubjectBody>) -> Result<Json<ErasureJson>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    Ok(Json(scope.subjects().erase(&actor, &body.read()?).await?.into()))
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ErasuresQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the proofs of what was erased, newest first.
#[utoipa::path(
    get, path = "/api/erasures", tag = "privacy", params(ErasuresQuery),
    responses((status = 200, description = "The proofs", body = Listing<ErasureJson>), Refusals)
)]
pub(crate) async fn erasures(
    caller: Caller,
    Asked(query): Asked<ErasuresQuery>,
) -> Result<Json<Listing<ErasureJson>>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let paged = scope
        .subjects()
        .erasures(&page(query.cursor, query.limit, Cursor::Whole)?)
        .await?;
    Ok(Json(Listing::of(paged, ErasureJson::from)))
}
