//! `GET /api/voip/history`: the calls a user had a part in.

use crate::body::Asked;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::rooms::known_user;
use crate::wire::{MOST_ITEMS, seconds, stamp};
use axum::Json;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use strowger_model::UserId;
use strowger_model::record::{Call, User};
use strowger_model::role::Permission;
use strowger_store::{Page, Part};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Whose calls.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// The user; all of the tenant when absent.
    #[serde(alias = "userId")]
    user_id: Option<Uuid>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// A user of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonJson {
    /// Their id.
    id: Uuid,
    /// Their name.
    name: String,
}

/// A call of the history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastCallJson {
    /// The call.
    id: Uuid,
    /// Who called, where it is a user of the tenant.
    from_user: Option<PersonJson>,
    /// Who was called or took it, where it is a user of the tenant.
    to_user: Option<PersonJson>,
    /// The caller's number.
    from_number: String,
    /// The dialled number.
    to_number: String,
    /// Whole seconds both talked.
    duration: i64,
    /// `INITIATED`, `RINGING`, `ACTIVE`, `COMPLETED`, `CANCELLED`, `MISSED` or `FAILED`.
    status: &'static str,
    /// `inbound`, `outbound` or `internal`.
    direction: &'static str,
    /// When it began.
    start_time: String,
    /// When it ended.
    end_time: Option<String>,
}

/// The calls a user placed, took or was rung for, newest first.
#[utoipa::path(
    get, path = "/api/voip/history", tag = "voip", params(HistoryQuery),
    responses((status = 200, description = "The calls", body = Vec<PastCallJson>), Refusals)
)]
pub(crate) async fn history(
    caller: Caller,
    Asked(query): Asked<HistoryQuery>,
) -> Result<Json<Vec<PastCallJson>>, Problem> {
    let (scope, user) = match query.user_id {
        Some(user) => {
            let scope = caller
                .may(Permission::UsePhone)
                .or_else(|_| caller.may(Permission::ReadAllCalls))?;
            let user = known_user(&scope, "userId", user).await?;
            (scope, Some(user))
        }
        None => (caller.may(Permission::ReadAllCalls)?, None),
    };
    let most = query.limit.unwrap_or(50).clamp(1, MOST_ITEMS);
    let calls = scope.calls().history(user, i64::from(most)).await?;
    let ids: Vec<_> = calls.iter().map(|call| call.id).collect();
    let parts = scope.calls().parts(&ids).await?;
    let users = scope.users().list(&Page::first(1000)).await?.items;
    let names: HashMap<UserId, &User> = users.iter().map(|user| (user.id, user)).collect();
    Ok(Json(calls.iter().map(|call| past(call, &parts, &names)).collect()))
}

fn past(call: &Call, parts: &[Part], names: &HashMap<UserId, &User>) -> PastCallJson {
    let of_side = |side: &str| {
        let mut own = parts.iter().filter(|part| part.call == call.id && part.side == side);
        let taken = own.clone().find(|part| part.is_answered);
        taken.or_else(|| own.next()).map(|part| part.user)
    };
    let person = |user: Option<UserId>| {
        let known = names.get(&user?)?;
        Some(PersonJson {
            id: known.id.uuid(),
            name: known.name.clone(),
        })
    };
    let by_extension = || {
        let mut users = names.values();
        users
            .find(|user| user.extension.as_deref() == Some(call.to_number.as_str()))
            .map(|user| user.id)
    };
    PastCallJson {
        id: call.id.uuid(),
        from_user: person(of_side("caller")),
        to_user: person(of_side("callee").or_else(by_extension)),
        from_number: call.from_number.clone(),
        to_number: call.to_number.clone(),
        duration: seconds(call.duration_ms),
        status: call.state.seed_word(),
        direction: call.direction.code(),
        start_time: stamp(call.started_at),
        end_time: call.ended_at.map(stamp),
    }
}
