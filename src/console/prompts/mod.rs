//! Prompts: audio that flows play.

pub mod view;

use crate::desk::{Desk, Sent, SentFile};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::time::Duration;
use strowger_model::PromptId;
use strowger_model::role::Permission;
use strowger_store::{Error, Page as Keyset};

/// How long an upload waits to hear from a worker that the file is of no use. Without a worker it is kept, and the
/// list says later what became of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/prompts", get(index).post(upload))
        .route("/t/{tenant}/prompts/{prompt}/audio", get(play))
        .route("/t/{tenant}/prompts/{prompt}/remove", post(remove))
}

async fn drawn(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let prompts = desk.scope.prompts().list(&Keyset::first(500)).await?.items;
    let may_change = desk.can(Permission::ManageFlows);
    Ok(view::page(&desk.shell(), &desk.base(), &prompts, (values, problems), may_change).into_response())
}

async fn index(desk: Desk) -> Page {
    crate::desk::sees_routing(&desk)?;
    drawn(&desk, &Values::default(), &Problems::default()).await
}

async fn refused(desk: &Desk, values: &Values, problems: &Problems) -> Page<Response> {
    let page = drawn(desk, values, problems).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn upload(sent: SentFile) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageFlows)?;
    let mut problems = Problems::default();
    problems.need(&sent.values, "name", "Give it a name; flows play it by that.");
    let Some(file) = sent.file else {
        problems.add("file", "Choose an audio file.");
        return refused(&desk, &sent.values, &problems).await;
    };
    if !problems.is_empty() {
        return refused(&desk, &sent.values, &problems).await;
    }
    let name = sent.values.get("name");
    match desk
        .scope
        .prompts()
        .create(&desk.actor(), name, &file.name, &file.bytes)
        .await
    {
        Ok(prompt) => {
            let settled = desk.scope.prompts().settled(prompt.id, PATIENCE).await?;
            let is_ready = settled.as_ref().is_some_and(|prompt| prompt.state == "ready");
            let Some(problem) = settled.filter(|prompt| prompt.state == "failed") else {
                return Ok(desk.back("/prompts", if is_ready { "added" } else { "asked" }));
            };
            // A file nobody can play is not kept.
            desk.scope.prompts().remove(&desk.actor(), prompt.id).await?;
            let why = problem
                .problem
                .unwrap_or_else(|| "this is no audio we can read".to_owned());
            let problems = Problems::one("file", format!("{}: {why}.", file.name));
            refused(&desk, &sent.values, &problems).await
        }
        Err(Error::Taken { .. }) => {
            let problems = Problems::one("name", "Another prompt has this name. Choose another.");
            refused(&desk, &sent.values, &problems).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn play(Path((_, prompt)): Path<(String, PromptId)>, desk: Desk, request: HeaderMap) -> Page {
    crate::desk::sees_routing(&desk)?;
    let audio = desk.scope.prompts().audio(prompt).await?.ok_or(Fault::NotFound)?;
    let blob = audio.audio.ok_or(Fault::NotFound)?;
    let bytes = desk.scope.blobs().get(&blob).await?;
    Ok(crate::recordings::wave(&bytes, &request))
}

async fn remove(Path((_, prompt)): Path<(String, PromptId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageFlows)?;
    if !desk.scope.prompts().remove(&desk.actor(), prompt).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/prompts", "removed"))
}
