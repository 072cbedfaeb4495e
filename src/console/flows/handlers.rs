//! The list, the editor, publishing and trying.

use super::check;
use super::view::{self, Editor};
use crate::desk::{Desk, Sent, sees_routing};
use crate::fault::{Fault, Page};
use crate::people::form::taken;
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use strowger_model::record::Flow;
use strowger_model::role::Permission;
use strowger_model::{FlowId, FlowVersionId};
use strowger_store::{NewFlow, Page as Keyset};

const TAKEN: [(&str, &str); 1] = [("name", "Another flow has this name.")];

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/flows", get(index).post(create))
        .route("/t/{tenant}/flows/{flow}", get(show).post(save))
        .route("/t/{tenant}/flows/{flow}/publish", post(publish))
        .route("/t/{tenant}/flows/{flow}/simulate", post(simulate))
        .route("/t/{tenant}/flows/{flow}/roll-back", post(roll_back))
        .route("/t/{tenant}/flows/{flow}/remove", post(remove))
        .route("/t/{tenant}/flows/{flow}/versions/{number}", get(version))
}

/// What a new flow begins with: something that can be published as it is.
fn first_draft() -> Value {
    json!({
        "nodes": [
            {"id": "start", "type": "start", "position": {"x": 0, "y": 0}, "data": {}},
            {"id": "greeting", "type": "say", "position": {"x": 220, "y": 0}, "data": {"text": "Welcome."}},
            {"id": "end", "type": "hangup", "position": {"x": 440, "y": 0}, "data": {}},
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "greeting"},
            {"id": "e2", "source": "greeting", "target": "end"},
        ],
    })
}

async fn list(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let flows = desk.scope.flows().list(&Keyset::first(500)).await?.items;
    let may_change = desk.can(Permission::ManageFlows);
    let page = view::list(&desk.shell(), &desk.base(), &flows, (values, problems), may_change);
    Ok((problems.status(), page).into_response())
}

async fn index(desk: Desk) -> Page {
    sees_routing(&desk)?;
    list(&desk, &Values::default(), &Problems::default()).await
}

async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageFlows)?;
    let mut problems = Problems::default();
    problems.need(&values, "name", "Give it a name.");
    if !problems.is_empty() {
        return list(&desk, &values, &problems).await;
    }
    let new = NewFlow {
        name: values.get("name").to_owned(),
        description: values.get("description").to_owned(),
        draft: first_draft(),
    };
    match desk.scope.flows().create(&desk.actor(), new).await {
        Ok(flow) => Ok(desk.back(&format!("/flows/{}", flow.id), "added")),
        Err(error) => {
            let problems = taken(error, &TAKEN)?;
            list(&desk, &values, &problems).await
        }
    }
}

async fn found(desk: &Desk, flow: FlowId) -> Page<Flow> {
    desk.scope.flows().get(flow).await?.ok_or(Fault::NotFound)
}

async fn editor(desk: &Desk, flow: Flow, text: Option<String>) -> Page<Editor> {
    let versions = desk.scope.flows().history(flow.id).await?;
    let pretty = || serde_json::to_string_pretty(&flow.draft).unwrap_or_default();
    let text = text.unwrap_or_else(pretty);
    let read = serde_json::from_str::<Value>(&text);
    let problem = read
        .as_ref()
        .err()
        .map(|error| format!("This is no JSON: {error}."))
        .unwrap_or_default();
    let graph = read.unwrap_or_else(|_| flow.draft.clone());
    let catalogue = check::catalogue(desk).await?;
    Ok(Editor {
        findings: check::findings(&graph, &catalogue),
        flow,
        text,
        graph,
        versions,
        run: None,
        problem,
        may_change: desk.can(Permission::ManageFlows),
    })
}

fn drawn(desk: &Desk, editor: &Editor) -> Page {
    let status = if editor.problem.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, view::editor(&desk.shell(), &desk.base(), editor)).into_response())
}

async fn show(Path((_, flow)): Path<(String, FlowId)>, desk: Desk) -> Page {
    sees_routing(&desk)?;
    let flow = found(&desk, flow).await?;
    drawn(&desk, &editor(&desk, flow, None).await?)
}

/// Saves the draft, with findings too; with `check` it only looks.
async fn save(Path((_, flow)): Path<(String, FlowId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageFlows)?;
    let flow = found(&desk, flow).await?;
    let text = values.raw("draft").replace("\r\n", "\n");
    let mut page = editor(&desk, flow.clone(), Some(text)).await?;
    if page.problem.is_empty() && values.get("check").is_empty() {
        let new = NewFlow {
            name: values.optional("name").unwrap_or(flow.name),
            description: values.get("description").to_owned(),
            draft: page.graph.clone(),
        };
        match desk.scope.flows().save_draft(&desk.actor(), flow.id, &new).await {
            Ok(_) => return Ok(desk.back(&format!("/flows/{}", flow.id), "saved")),
            Err(error) => {
                let problems = taken(error, &TAKEN)?;
                page.problem = problems.of("name").unwrap_or("It could not be saved.").to_owned();
            }
        }
    }
    drawn(&desk, &page)
}

async fn publish(Path((_, flow)): Path<(String, FlowId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageFlows)?;
    let flow = found(&desk, flow).await?;
    let page = editor(&desk, flow, None).await?;
    if page.findings.iter().any(|finding| finding.blocks) {
        return Ok((
            StatusCode::UNPROCESSABLE_ENTITY,
            view::editor(&desk.shell(), &desk.base(), &page),
        )
            .into_response());
    }
    let path = format!("/flows/{}", page.flow.id);
    desk.scope
        .flows()
        .publish(&desk.actor(), page.flow.id)
        .await?
        .ok_or(Fault::NotFound)?;
    desk.state.exchange().reload();
    Ok(desk.back(&path, "publishing"))
}

async fn simulate(Path((_, flow)): Path<(String, FlowId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageFlows)?;
    let flow = found(&desk, flow).await?;
    let mut page = editor(&desk, flow, None).await?;
    let catalogue = check::catalogue(&desk).await?;
    page.run = Some(check::run(
        &page.graph,
        &catalogue,
        values.get("press"),
        desk.state.now(),
    ));
    drawn(&desk, &page)
}

async fn roll_back(Path((_, flow)): Path<(String, FlowId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageFlows)?;
    let version: FlowVersionId = values.get("version").parse().map_err(|_| Fault::NotFound)?;
    if !desk.scope.flows().roll_back(&desk.actor(), flow, version).await? {
        return Err(Fault::NotFound);
    }
    desk.state.exchange().reload();
    Ok(desk.back(&format!("/flows/{flow}"), "rolled-back"))
}

async fn remove(Path((_, flow)): Path<(String, FlowId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageFlows)?;
    match desk.scope.flows().remove(&desk.actor(), flow).await {
        Ok(true) => {}
        Ok(false) => return Err(Fault::NotFound),
        Err(strowger_store::Error::Dangling) => {
            return Err(Fault::Conflict(
                "A number leads to this flow, or calls ran it. Lead the number elsewhere first.".into(),
            ));
        }
        Err(error) => return Err(error.into()),
    }
    desk.state.exchange().reload();
    Ok(desk.back("/flows", "removed"))
}

async fn version(Path((_, flow, number)): Path<(String, FlowId, i64)>, desk: Desk) -> Page {
    sees_routing(&desk)?;
    let flow = found(&desk, flow).await?;
    let versions = desk.scope.flows().history(flow.id).await?;
    let version = versions
        .into_iter()
        .find(|version| version.number == number)
        .ok_or(Fault::NotFound)?;
    let changed = view::changes(&version.definition, &flow.draft);
    Ok(view::version(&desk.shell(), &desk.base(), &flow, &version, &changed).into_response())
}
