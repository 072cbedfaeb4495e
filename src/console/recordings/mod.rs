//! Recordings: the list, one recording, its audio.

mod audio;
mod upload;
pub mod view;

pub(crate) use audio::{respond as sealed, wave};

use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::show::{self, Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::collections::HashSet;
use strowger_model::RecordingId;
use strowger_model::record::Recording;
use strowger_model::retention::{Kind, RetentionPolicy};
use strowger_model::role::Permission;
use strowger_store::{AuditFilter, Page as Keyset};
use time::Duration;

const NAME_CHARACTERS: usize = 200;
const DESCRIPTION_CHARACTERS: usize = 1000;

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/recordings", get(index).post(upload::import))
        .route("/t/{tenant}/recordings/{recording}", get(show))
        .route("/t/{tenant}/recordings/{recording}/audio", get(audio::play))
        .route("/t/{tenant}/recordings/{recording}/name", post(name))
        .route("/t/{tenant}/recordings/{recording}/hold", post(hold))
        .route("/t/{tenant}/recordings/{recording}/erase", post(erase))
}

async fn index(desk: Desk) -> Page {
    let page = drawn(&desk, &Values::default(), &Problems::default()).await?;
    Ok(page.into_response())
}

async fn drawn(desk: &Desk, values: &Values, problems: &Problems) -> Page<show::Page> {
    let after = desk.query().get("after").to_owned();
    let page = Keyset {
        after: desk.query().optional("after"),
        limit: 50,
    };
    let found = match desk.sees_only() {
        None => desk.scope.recordings().list(&page).await?,
        Some(own) => desk.scope.shown().recordings_of(own, &page).await?,
    };
    let far = match (found.items.first(), found.items.last()) {
        (Some(first), Some(last)) => desk.scope.recordings().in_bucket(first.id, last.id).await?,
        _ => HashSet::new(),
    };
    let found = view::Found {
        recordings: found.items,
        far,
        bucket: desk.scope.recordings().bucket().await?,
        next: found.next,
        after,
    };
    let form = desk.can(Permission::ManageCalls).then_some((values, problems));
    Ok(view::list(&desk.shell(), &desk.base(), &found, form))
}

/// The recording, if this person may hear it.
pub(crate) async fn audible(desk: &Desk, recording: RecordingId) -> Page<Recording> {
    let found = desk.scope.recordings().get(recording).await?.ok_or(Fault::NotFound)?;
    if let Some(own) = desk.sees_only() {
        let call = desk.scope.calls().get(found.call).await?;
        let theirs = call.is_some_and(|call| call.user == Some(own));
        let message = !theirs && desk.scope.shown().is_message_of(own, recording).await?;
        if !theirs && !message {
            return Err(Fault::NotFound);
        }
    }
    Ok(found)
}

async fn show(Path((_, recording)): Path<(String, RecordingId)>, desk: Desk) -> Page {
    let found = audible(&desk, recording).await?;
    let values = Values::default()
        .with("name", found.name.clone())
        .with("description", found.description.clone());
    let page = drawn_one(&desk, &found, values, Problems::default()).await?;
    Ok(page.into_response())
}

async fn drawn_one(desk: &Desk, found: &Recording, values: Values, problems: Problems) -> Page<show::Page> {
    let policy = RetentionPolicy::of(&desk.scope.settings().resolve().await?);
    let until = (found.state == "ready").then(|| found.created_at + Duration::days(policy.days(Kind::Recording)));
    let looked = if desk.can(Permission::ReadAudit) {
        let filter = AuditFilter {
            target: Some(found.id.to_string()),
            ..AuditFilter::default()
        };
        desk.scope.audit().list(&filter, &Keyset::first(50)).await?.items
    } else {
        Vec::new()
    };
    let far = match &found.blob {
        Some(blob) => desk.scope.blobs().is_in_bucket(blob).await? == Some(true),
        None => false,
    };
    let beside = view::Beside {
        kept_until: until,
        looked,
        far,
        may_erase: desk.can(Permission::ManageTenant),
        naming: desk.can(Permission::ManageCalls).then_some((values, problems)),
    };
    Ok(view::one(&desk.shell(), &desk.base(), found, &beside))
}

async fn name(Path((_, recording)): Path<(String, RecordingId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageCalls)?;
    let found = audible(&desk, recording).await?;
    let mut problems = Problems::default();
    for (field, most) in [("name", NAME_CHARACTERS), ("description", DESCRIPTION_CHARACTERS)] {
        if values.get(field).chars().count() > most {
            problems.add(field, format!("Use at most {most} characters."));
        }
    }
    if !problems.is_empty() {
        let status = problems.status();
        let page = drawn_one(&desk, &found, values, problems).await?;
        return Ok((status, page).into_response());
    }
    let recordings = desk.scope.recordings();
    recordings
        .rename(&desk.actor(), recording, values.get("name"), values.get("description"))
        .await?;
    Ok(desk.back(&format!("/recordings/{recording}"), "saved"))
}

async fn hold(Path((_, recording)): Path<(String, RecordingId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    let held = sent.values.get("held") == "true";
    let recordings = desk.scope.recordings();
    let done = if held {
        recordings.hold(&desk.actor(), recording).await?
    } else {
        recordings.release(&desk.actor(), recording).await?
    };
    if !done {
        return Err(Fault::NotFound);
    }
    Ok(desk.back(
        &format!("/recordings/{recording}"),
        if held { "held" } else { "released" },
    ))
}

async fn erase(Path((_, recording)): Path<(String, RecordingId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.recordings().erase(&desk.actor(), recording).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back(&format!("/recordings/{recording}"), "erased"))
}
