//! `/api/numbers`: the numbers callers dial.

use crate::body::{Asked, Body, Checked, Faults, given};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, items, page, stamp};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strowger_model::number::normalise;
use strowger_model::record::Number;
use strowger_model::role::Permission;
use strowger_model::trunk::NumberTarget;
use strowger_model::{FlowId, NumberId, RoomId, UserId};
use strowger_store::{Actor, Error, NewNumber, NumberChange, Page, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(available))
        .routes(routes!(purchase))
        .routes(routes!(get, update, release))
}

/// A number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// The number as dialled.
    phone_number: String,
    /// What people call it.
    friendly_name: String,
    /// What can be done with it.
    capabilities: Capabilities,
    /// What happens to callers: `flow`, `user`, `room`, `voicemail`, `trunk`; null refuses them.
    target: Option<TargetJson>,
    /// The flow that answers, when the target is one.
    ivr_flow_id: Option<Uuid>,
    /// Whether calls to it are recorded; null leaves it to the settings.
    record: Option<bool>,
    /// Whether calls are taken.
    is_active: bool,
    /// When it was made.
    created_at: String,
}

/// What can be done with a number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Capabilities {
    /// Calls.
    #[serde(default)]
    voice: bool,
    /// Text messages.
    #[serde(default)]
    sms: bool,
    /// Messages with pictures.
    #[serde(default)]
    mms: bool,
}

/// What happens to callers of a number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TargetJson {
    /// `flow`, `user`, `room`, `voicemail`, `conference` (the caller types the PIN of a room) or `trunk`.
    kind: String,
    /// The flow, user or room; absent for `conference` and `trunk`.
    #[serde(default)]
    id: Option<Uuid>,
}

impl From<Number> for NumberJson {
    fn from(number: Number) -> Self {
        let target = number.target.map(target_json);
        let flow = match number.target {
            Some(NumberTarget::Flow(flow)) => Some(flow.uuid()),
            Some(
                NumberTarget::User(_)
                | NumberTarget::Room(_)
                | NumberTarget::Voicemail(_)
                | NumberTarget::Conference
                | NumberTarget::Trunk,
            )
            | None => None,
        };
        Self {
            id: number.id.uuid(),
            tenant_id: number.tenant.uuid(),
            phone_number: number.number,
            friendly_name: number.friendly_name,
            capabilities: Capabilities {
                voice: true,
                sms: false,
                mms: false,
            },
            target,
            ivr_flow_id: flow,
            record: number.record,
            is_active: number.active,
            created_at: stamp(number.created_at),
        }
    }
}

fn target_json(target: NumberTarget) -> TargetJson {
    let (kind, id) = match target {
        NumberTarget::Flow(flow) => ("flow", Some(flow.uuid())),
        NumberTarget::User(user) => ("user", Some(user.uuid())),
        NumberTarget::Room(room) => ("room", Some(room.uuid())),
        NumberTarget::Voicemail(user) => ("voicemail", Some(user.uuid())),
        NumberTarget::Conference => ("conference", None),
        NumberTarget::Trunk => ("trunk", None),
    };
    TargetJson {
        kind: kind.to_owned(),
        id,
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NumbersQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's numbers in their order.
#[utoipa::path(
    get, path = "/api/numbers", tag = "numbers", params(NumbersQuery),
    responses((status = 200, description = "The numbers", body = Listing<NumberJson>), Refusals)
)]
pub(crate) async fn list(
    caller: Caller,
    Asked(query): Asked<NumbersQuery>,
) -> Result<Json<Listing<NumberJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope
        .numbers()
        .list(&page(query.cursor, query.limit, Cursor::Name)?)
        .await?;
    Ok(Json(Listing::of(paged, NumberJson::from)))
}

/// A number that can be taken into use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AvailableJson {
    /// The number as dialled.
    phone_number: String,
    /// What people call it, where it is the tenant's.
    friendly_name: String,
    /// Whether it is of the pool that all tenants share.
    pooled: bool,
}

/// Which free numbers are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AvailableQuery {
    /// Numbers with this area code: the digits after `+`, the country's code left out or not.
    area_code: Option<String>,
    /// Numbers that contain these digits.
    contains: Option<String>,
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Lists numbers that can be taken into use: the tenant's that take no calls, and those of the pool that are free.
#[utoipa::path(
    get, path = "/api/numbers/available", tag = "numbers", params(AvailableQuery),
    responses((status = 200, description = "Free numbers", body = Listing<AvailableJson>), Refusals)
)]
pub(crate) async fn available(
    caller: Caller,
    Asked(query): Asked<AvailableQuery>,
) -> Result<Json<Listing<AvailableJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let most = usize::try_from(items(query.limit)?).unwrap_or(50);
    let mut items = Vec::new();
    let mut next = Page::first(500);
    loop {
        let paged = scope.numbers().list(&next).await?;
        let free = paged
            .items
            .into_iter()
            .filter(|number| !number.active && fits(&number.number, &query));
        items.extend(free.map(|number| AvailableJson {
            phone_number: number.number,
            friendly_name: number.friendly_name,
            pooled: false,
        }));
        match paged.next {
            Some(after) if items.len() < most => next.after = Some(after),
            Some(_) | None => break,
        }
    }
    let mut next = Page::first(500);
    while items.len() < most {
        let paged = scope.numbers().claimable(&next).await?;
        let free = paged.items.into_iter().filter(|number| fits(number, &query));
        items.extend(free.map(|number| AvailableJson {
            phone_number: number,
            friendly_name: String::new(),
            pooled: true,
        }));
        match paged.next {
            Some(after) => next.after = Some(after),
            None => break,
        }
    }
    items.truncate(most);
    Ok(Json(Listing {
        items,
        next_cursor: None,
    }))
}

fn fits(number: &str, query: &AvailableQuery) -> bool {
    let digits = number.trim_start_matches('+');
    // A country's code has one to three digits.
    let area = query
        .area_code
        .as_deref()
        .is_none_or(|area| (0..=3).any(|country| digits.get(country..).is_some_and(|rest| rest.starts_with(area))));
    area && query.contains.as_deref().is_none_or(|part| digits.contains(part))
}

/// A number that is to be taken into use.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PurchaseBody {
    /// The number as dialled.
    #[schema(example = "+4942112345")]
    phone_number: String,
    /// What people call it.
    #[serde(default)]
    friendly_name: Option<String>,
    /// What happens to callers.
    #[serde(default)]
    target: Option<TargetJson>,
    /// The flow that answers.
    #[serde(default)]
    ivr_flow_id: Option<Uuid>,
    /// Whether calls to it are recorded.
    #[serde(default)]
    record: Option<bool>,
}

impl Checked for PurchaseBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(
            normalise(&self.phone_number).is_some(),
            "phone_number",
            "write a number such as +4942112345",
        );
        faults.at_most(100, "friendly_name", self.friendly_name.as_deref());
    }
}

/// Takes a number into use: one of the pool, one of the tenant's that takes no calls, or a new one. Of several programs that want the
/// same number one gets it, the others are answered 409.
#[utoipa::path(
    post, path = "/api/numbers/purchase", tag = "numbers", request_body = PurchaseBody,
    responses((status = 201, description = "The number is in use", body = NumberJson), Refusals, Sent)
)]
pub(crate) async fn purchase(
    caller: Caller,
    Body(body): Body<PurchaseBody>,
) -> Result<(StatusCode, Json<NumberJson>), Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let actor = Actor::named(caller.actor());
    let number = normalise(&body.phone_number).unwrap_or_default();
    let wanted = body.target.as_ref();
    let target = target_of(&scope, wanted, body.ivr_flow_id).await?;
    let name = body.friendly_name.unwrap_or_else(|| number.clone());
    let new = NewNumber {
        number,
        friendly_name: name,
        target,
        record: body.record,
    };
    match scope.numbers().claim(&actor, new).await {
        Ok(made) => Ok((StatusCode::CREATED, Json(made.into()))),
        Err(Error::Taken { .. }) => Err(Problem::conflict("number_taken", "this number is in use already")),
        Err(Error::State { .. }) => {
            let said = "this number was given up lately; it can be had once its quarantine is over";
            Err(Problem::conflict("number_quarantined", said))
        }
        Err(error) => Err(error.into()),
    }
}

/// One number.
#[utoipa::path(
    get, path = "/api/numbers/{phone_number}", tag = "numbers",
    params(("phone_number" = String, Path, description = "The number as dialled, or its id")),
    responses((status = 200, description = "The number", body = NumberJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Path(named): Path<String>) -> Result<Json<NumberJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    Ok(Json(find(&scope, &named).await?.into()))
}

/// What of a number may be changed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NumberChangeBody {
    /// What people call it.
    #[serde(default)]
    friendly_name: Option<String>,
    /// What happens to callers; null refuses them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<TargetJson>)]
    target: Option<Option<TargetJson>>,
    /// The flow that answers; null refuses callers.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    ivr_flow_id: Option<Option<Uuid>>,
    /// Whether calls to it are recorded; null leaves it to the settings.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    record: Option<Option<bool>>,
    /// Whether calls are taken.
    #[serde(default)]
    is_active: Option<bool>,
    /// Only `{"voice": true}` can be had.
    #[serde(default)]
    capabilities: Option<Capabilities>,
}

impl Checked for NumberChangeBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(100, "friendly_name", self.friendly_name.as_deref());
        let voice_only = self
            .capabilities
            .as_ref()
            .is_none_or(|able| able.voice && !able.sms && !able.mms);
        faults.unless(voice_only, "capabilities", "numbers carry calls, no text messages");
    }
}

/// Changes a number. The next call follows; calls in progress go on as they began.
#[utoipa::path(
    patch, path = "/api/numbers/{phone_number}", tag = "numbers", request_body = NumberChangeBody,
    params(("phone_number" = String, Path, description = "The number as dialled, or its id")),
    responses((status = 200, description = "The number as it is now", body = NumberJson), Refusals, Named, Sent)
)]
pub(crate) async fn update(
    caller: Caller,
    Path(named): Path<String>,
    Body(body): Body<NumberChangeBody>,
) -> Result<Json<NumberJson>, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let number = find(&scope, &named).await?;
    let target = match (&body.target, body.ivr_flow_id) {
        (None, None) => number.target,
        (target, flow) => target_of(&scope, target.as_ref().and_then(Option::as_ref), flow.flatten()).await?,
    };
    let change = NumberChange {
        friendly_name: body.friendly_name.unwrap_or(number.friendly_name),
        target,
        record: body.record.unwrap_or(number.record),
        active: body.is_active.unwrap_or(number.active),
    };
    let actor = Actor::named(caller.actor());
    let changed = scope.numbers().update(&actor, number.id, &change).await?;
    Ok(Json(changed.ok_or_else(|| Problem::not_found("number"))?.into()))
}

/// Gives a number up. Calls to it are answered 404 from then on; the history stays. It goes into the pool, where for
/// thirty days nobody but this tenant can have it.
#[utoipa::path(
    delete, path = "/api/numbers/{phone_number}", tag = "numbers",
    params(("phone_number" = String, Path, description = "The number as dialled, or its id")),
    responses((status = 204, description = "It is given up"), Refusals, Named)
)]
pub(crate) async fn release(caller: Caller, Path(named): Path<String>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageTenant)?;
    let number = find(&scope, &named).await?;
    scope.numbers().remove(&Actor::named(caller.actor()), number.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A number by what is dialled (with or without its `+`) or by its id.
async fn find(scope: &Scope, named: &str) -> Result<Number, Problem> {
    let missing = || Problem::not_found("number");
    if let Ok(id) = named.parse::<NumberId>() {
        return scope.numbers().get(id).await?.ok_or_else(missing);
    }
    let number = normalise(named).ok_or_else(missing)?;
    if let Some(found) = scope.numbers().by_number(&number).await? {
        return Ok(found);
    }
    // A `+` in a path that was not escaped is often dropped on the way.
    scope
        .numbers()
        .by_number(&format!("+{number}"))
        .await?
        .ok_or_else(missing)
}

/// What callers are to get, once it is known to be the tenant's.
async fn target_of(
    scope: &Scope,
    target: Option<&TargetJson>,
    flow: Option<Uuid>,
) -> Result<Option<NumberTarget>, Problem> {
    let (kind, id) = match (target, flow) {
        (Some(target), _) => (target.kind.as_str(), target.id),
        (None, Some(flow)) => ("flow", Some(flow)),
        (None, None) => return Ok(None),
    };
    match kind {
        "trunk" => return Ok(Some(NumberTarget::Trunk)),
        "conference" => return Ok(Some(NumberTarget::Conference)),
        _ => {}
    }
    let id = id.ok_or_else(|| Problem::field("target.id", "say which one"))?;
    let (found, target) = match kind {
        "flow" => {
            let flow = FlowId::from_uuid(id);
            (scope.flows().get(flow).await?.is_some(), NumberTarget::Flow(flow))
        }
        "user" | "voicemail" => {
            let user = UserId::from_uuid(id);
            let target = if kind == "user" {
                NumberTarget::User(user)
            } else {
                NumberTarget::Voicemail(user)
            };
            (scope.users().get(user).await?.is_some(), target)
        }
        "room" => {
            let room = RoomId::from_uuid(id);
            (scope.rooms().get(room).await?.is_some(), NumberTarget::Room(room))
        }
        _ => return Err(Problem::field("target.kind", "flow, user, room, voicemail or trunk")),
    };
    if found {
        Ok(Some(target))
    } else {
        Err(Problem::field("target.id", format!("there is no such {kind}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_code_is_found_behind_any_countrys_code() {
        let query = |area: &str| AvailableQuery {
            area_code: Some(area.into()),
            ..AvailableQuery::default()
        };
        assert!(fits("+14155550100", &query("415")));
        assert!(fits("+4942112345", &query("421")));
        assert!(!fits("+4942112345", &query("345")));
    }
}
