//! `/api/notices`: what the people of a tenant are told: trunks that fall silent, recordings that are ready.

use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use serde::{Deserialize, Serialize};
use strowger_model::record::Notice;
use strowger_model::role::Permission;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoticeJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// The call it is about.
    call_id: Option<Uuid>,
    /// What happened: `trunk_down`, `trunk_up`, `call_missed`, `voicemail_ready`, `recording_ready`,
    /// `recording_failed`, `transcript_ready`, `transcript_failed`, `meeting_opens` or `certificate_ends`.
    kind: &'static str,
    /// For people.
    detail: String,
    /// When.
    created_at: String,
}

impl From<Notice> for NoticeJson {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id.uuid(),
            tenant_id: notice.tenant.uuid(),
            call_id: notice.call.map(|call| call.uuid()),
            kind: notice.kind.code(),
            detail: notice.detail,
            created_at: stamp(notice.created_at),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticesQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's notices, newest first.
#[utoipa::path(
    get, path = "/api/notices", tag = "events", params(NoticesQuery),
    responses((status = 200, description = "The notices", body = Listing<NoticeJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<NoticesQuery>,
) -> Result<Json<Listing<NoticeJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope
        .notices()
        .list(&page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, NoticeJson::from)))
}
