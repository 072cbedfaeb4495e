//! `/api/flows`: IVR graphs, their drafts and versions.

use crate::body::{Asked, Body, Checked, Faults, Id};
use crate::caller::Caller;
use crate::problem::{FieldError, Problem};
use crate::refusals::{Named, Refusals, Sent};
use crate::state::ApiState;
use crate::wire::{Cursor, Listing, page, stamp};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use strowger_ivr::{Catalogue, Finding};
use strowger_model::FlowId;
use strowger_model::record::{Flow, FlowVersion};
use strowger_model::role::Permission;
use strowger_store::{Actor, NewFlow, Page, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(validate))
        .routes(routes!(get, update, remove))
        .routes(routes!(publish))
}

/// A flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowJson {
    /// Its id.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// What people call it.
    name: String,
    /// One sentence.
    description: String,
    /// The draft: nodes and edges.
    #[schema(value_type = Object)]
    flow_definition: Value,
    /// The number of the version calls take.
    version: Option<i64>,
    /// Whether calls can take it.
    is_active: bool,
    /// How many calls it has taken.
    total_calls: i64,
    /// When it last took one.
    last_used_at: Option<String>,
    /// When its draft last changed.
    updated_at: String,
    /// What is wrong with the draft, in answers for one flow only.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<FindingJson>>,
}

/// Something that is wrong with a flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingJson {
    /// The node; null for the whole flow.
    node: Option<String>,
    /// `warning` or `error`.
    severity: &'static str,
    /// A stable word.
    code: &'static str,
    /// What is wrong, and the mend.
    message: String,
}

impl From<Flow> for FlowJson {
    fn from(flow: Flow) -> Self {
        Self {
            id: flow.id.uuid(),
            tenant_id: flow.tenant.uuid(),
            name: flow.name,
            description: flow.description,
            flow_definition: flow.draft,
            version: flow.published_number,
            is_active: flow.published.is_some(),
            total_calls: flow.total_calls,
            last_used_at: flow.last_used_at.map(stamp),
            updated_at: stamp(flow.updated_at),
            findings: None,
        }
    }
}

impl From<Finding> for FindingJson {
    fn from(finding: Finding) -> Self {
        Self {
            severity: if finding.is_error() { "error" } else { "warning" },
            code: finding.code.as_str(),
            node: finding.node,
            message: finding.message,
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FlowsQuery {
    /// Items to answer, 1 to 200; 50 when absent.
    limit: Option<u32>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Lists the tenant's flows.
#[utoipa::path(
    get, path = "/api/flows", tag = "flows", params(FlowsQuery),
    responses((status = 200, description = "The flows", body = Listing<FlowJson>), Refusals)
)]
pub(crate) async fn list(caller: Caller, Asked(query): Asked<FlowsQuery>) -> Result<Json<Listing<FlowJson>>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let paged = scope
        .flows()
        .list(&page(query.cursor, query.limit, Cursor::Id)?)
        .await?;
    Ok(Json(Listing::of(paged, FlowJson::from)))
}

/// A flow that is to be kept.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FlowBody {
    /// What people call it.
    name: String,
    /// One sentence.
    #[serde(default)]
    description: Option<String>,
    /// Nodes and edges; may have faults, which are told.
    #[schema(value_type = Object)]
    flow_definition: Value,
}

impl Checked for FlowBody {
    fn check(&self, faults: &mut Faults) {
        faults.unless(!self.name.trim().is_empty(), "name", "give it a name");
        faults.at_most(100, "name", Some(&self.name));
        faults.at_most(500, "description", self.description.as_deref());
        faults.unless(
            self.flow_definition.is_object(),
            "flow_definition",
            "an object with nodes and edges",
        );
    }
}

/// Keeps a new flow as a draft and says what is wrong with it.
#[utoipa::path(
    post, path = "/api/flows", tag = "flows", request_body = FlowBody,
    responses((status = 201, description = "The draft with its findings", body = FlowJson), Refusals, Sent)
)]
pub(crate) async fn create(
    caller: Caller,
    Body(body): Body<FlowBody>,
) -> Result<(StatusCode, Json<FlowJson>), Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let new = NewFlow {
        name: body.name.trim().to_owned(),
        description: body.description.unwrap_or_default(),
        draft: body.flow_definition,
    };
    let flow = scope.flows().create(&Actor::named(caller.actor()), new).await?;
    Ok((StatusCode::CREATED, Json(with_findings(&scope, flow).await?)))
}

/// One flow with what is wrong with its draft.
#[utoipa::path(
    get, path = "/api/flows/{id}", tag = "flows", params(("id" = Uuid, Path, description = "The flow's id")),
    responses((status = 200, description = "The flow", body = FlowJson), Refusals, Named)
)]
pub(crate) async fn get(caller: Caller, Id(id): Id<FlowId>) -> Result<Json<FlowJson>, Problem> {
    let scope = caller.may(Permission::ReadAllCalls)?;
    let flow = scope.flows().get(id).await?.ok_or_else(|| Problem::not_found("flow"))?;
    Ok(Json(with_findings(&scope, flow).await?))
}

/// What of a flow may be changed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct FlowChangeBody {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// One sentence.
    #[serde(default)]
    description: Option<String>,
    /// Replaces the draft.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    flow_definition: Option<Value>,
}

impl Checked for FlowChangeBody {
    fn check(&self, faults: &mut Faults) {
        let named = self.name.as_deref().is_none_or(|name| !name.trim().is_empty());
        faults.unless(named, "name", "give it a name");
        faults.at_most(100, "name", self.name.as_deref());
        faults.at_most(500, "description", self.description.as_deref());
        let object = self.flow_definition.as_ref().is_none_or(Value::is_object);
        faults.unless(object, "flow_definition", "an object with nodes and edges");
    }
}

/// Changes a flow's draft. Calls go on taking the published version.
#[utoipa::path(
    patch, path = "/api/flows/{id}", tag = "flows", params(("id" = Uuid, Path, description = "The flow's id")),
    request_body = FlowChangeBody,
    responses((status = 200, description = "The flow as it is now", body = FlowJson), Refusals, Named, Sent)
)]
pub(crate) async fn update(
    caller: Caller,
    Id(id): Id<FlowId>,
    Body(body): Body<FlowChangeBody>,
) -> Result<Json<FlowJson>, Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let missing = || Problem::not_found("flow");
    let flow = scope.flows().get(id).await?.ok_or_else(missing)?;
    let change = NewFlow {
        name: body.name.unwrap_or(flow.name),
        description: body.description.unwrap_or(flow.description),
        draft: body.flow_definition.unwrap_or(flow.draft),
    };
    let actor = Actor::named(caller.actor());
    let flow = scope
        .flows()
        .save_draft(&actor, id, &change)
        .await?
        .ok_or_else(missing)?;
    Ok(Json(with_findings(&scope, flow).await?))
}

/// Removes a flow. Numbers that pointed to it refuse their callers.
#[utoipa::path(
    delete, path = "/api/flows/{id}", tag = "flows", params(("id" = Uuid, Path, description = "The flow's id")),
    responses((status = 204, description = "It is gone"), Refusals, Named)
)]
pub(crate) async fn remove(caller: Caller, Id(id): Id<FlowId>) -> Result<StatusCode, Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let removed = scope.flows().remove(&Actor::named(caller.actor()), id).await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("flow"))
    }
}

/// A version of a flow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowVersionJson {
    /// Its id.
    id: Uuid,
    /// The flow.
    flow_id: Uuid,
    /// 1, 2, 3 …
    version: i64,
    /// `rendering` until all its texts are spoken, then `ready`; calls take it from then on.
    status: String,
    /// Why it failed.
    problem: Option<String>,
    /// Who published it.
    published_by: String,
    /// When.
    created_at: String,
}

impl From<FlowVersion> for FlowVersionJson {
    fn from(version: FlowVersion) -> Self {
        Self {
            id: version.id.uuid(),
            flow_id: version.flow.uuid(),
            version: version.number,
            status: version.state,
            problem: version.problem,
            published_by: version.published_by,
            created_at: stamp(version.created_at),
        }
    }
}

/// Freezes the draft as a version. Calls take it as soon as its texts are spoken; calls in progress
/// keep the version they began with. A draft with errors is refused with its findings.
#[utoipa::path(
    post, path = "/api/flows/{id}/publish", tag = "flows", params(("id" = Uuid, Path, description = "The flow's id")),
    responses((status = 201, description = "The version", body = FlowVersionJson), Refusals, Named)
)]
pub(crate) async fn publish(
    caller: Caller,
    Id(id): Id<FlowId>,
) -> Result<(StatusCode, Json<FlowVersionJson>), Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let flow = scope.flows().get(id).await?.ok_or_else(|| Problem::not_found("flow"))?;
    let (checked, findings) = strowger_ivr::check(&flow.draft, &catalogue(&scope).await?);
    if checked.is_none() {
        let errors = findings
            .into_iter()
            .filter(Finding::is_error)
            .map(|finding| FieldError {
                field: finding
                    .node
                    .map_or_else(|| "flow_definition".to_owned(), |node| format!("nodes.{node}")),
                message: finding.message,
            });
        return Err(Problem::invalid(errors.collect()));
    }
    let version = scope.flows().publish(&Actor::named(caller.actor()), id).await?;
    let version = version.ok_or_else(|| Problem::not_found("flow"))?;
    Ok((StatusCode::CREATED, Json(version.into())))
}

/// A flow that is to be checked.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ValidateBody {
    /// Nodes and edges.
    #[schema(value_type = Object)]
    flow_definition: Value,
}

impl Checked for ValidateBody {
    fn check(&self, _faults: &mut Faults) {}
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValidityJson {
    /// Whether calls could take it.
    valid: bool,
    /// Errors and warnings.
    findings: Vec<FindingJson>,
}

/// Checks a flow and keeps nothing.
#[utoipa::path(
    post, path = "/api/flows/validate", tag = "flows", request_body = ValidateBody,
    responses((status = 200, description = "What was found", body = ValidityJson), Refusals, Sent)
)]
pub(crate) async fn validate(caller: Caller, Body(body): Body<ValidateBody>) -> Result<Json<ValidityJson>, Problem> {
    let scope = caller.may(Permission::ManageFlows)?;
    let (flow, findings) = strowger_ivr::check(&body.flow_definition, &catalogue(&scope).await?);
    Ok(Json(ValidityJson {
        valid: flow.is_some(),
        findings: findings.into_iter().map(FindingJson::from).collect(),
    }))
}

async fn with_findings(scope: &Scope, flow: Flow) -> Result<FlowJson, Problem> {
    let (_, findings) = strowger_ivr::check(&flow.draft, &catalogue(scope).await?);
    let mut json = FlowJson::from(flow);
    json.findings = Some(findings.into_iter().map(FindingJson::from).collect());
    Ok(json)
}

/// What the tenant has, as far as a flow may name it.
async fn catalogue(scope: &Scope) -> Result<Catalogue, Problem> {
    let mut prompts = BTreeSet::new();
    let mut page = Page::first(1000);
    loop {
        let paged = scope.prompts().list(&page).await?;
        for prompt in paged.items {
            prompts.extend([prompt.name, prompt.id.to_string()]);
        }
        page.after = paged.next;
        if page.after.is_none() {
            break;
        }
    }
    let (mut users, mut extensions) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let paged = scope.users().list(&page).await?;
        for user in paged.items {
            users.extend([user.name, user.email, user.id.to_string()]);
            extensions.extend(user.extension);
        }
        page.after = paged.next;
        if page.after.is_none() {
            break;
        }
    }
    Ok(Catalogue {
        prompts: Some(prompts),
        users: Some(users),
        extensions: Some(extensions),
        rooms: None,
    })
}
