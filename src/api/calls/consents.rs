//! `/api/consents`: what parties were told and answered before they were recorded. It outlives calls and audio.

use super::wire::ConsentJson;
use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::wire::{Cursor, Listing, page};
use axum::Json;
use serde::{Deserialize, Serialize};
use strowger_model::role::Permission;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A consent with its call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentOfCallJson {
    /// The call; it may be gone already.
    call_id: Uuid,
    /// What was told and answered.
    #[serde(flatten)]
    consent: ConsentJson,
}

/// Which consents are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsentsQuery {
    /// Those of this number or name alone.
    party: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists what parties of calls were told and answered before they were recorded, newest first.
#[utoipa::path(
    get, path = "/api/consents", tag = "recordings", params(ConsentsQuery),
    responses((status = 200, description = "The consents", body = Listing<ConsentOfCallJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<ConsentsQuery>,
) -> Result<Json<Listing<ConsentOfCallJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let page = page(query.cursor, query.limit, Cursor::TimeIdAndPosition)?;
    let paged = scope.consents().list(query.party.as_deref(), &page).await?;
    Ok(Json(Listing::of(paged, |(call, consent)| ConsentOfCallJson {
        call_id: call.uuid(),
        consent: ConsentJson::from(consent),
    })))
}
