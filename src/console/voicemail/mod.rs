//! Voicemail: the inbox and the trash.

pub mod view;

use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::collections::HashMap;
use strowger_model::record::Greeting;
use strowger_model::role::Permission;
use strowger_model::{UserId, VoicemailId};
use strowger_store::{Page as Keyset, VoicemailFilter};

/// The routes below a tenant.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/t/{tenant}/voicemail", get(index))
        .route("/t/{tenant}/voicemail/{message}/{verb}", post(change))
}

async fn index(desk: Desk) -> Page {
    let trash = desk.query().get("folder") == "trash";
    let filter = VoicemailFilter {
        user: desk.sees_only(),
        is_read: None,
        in_trash: trash,
    };
    let page = Keyset {
        after: desk.query().optional("after"),
        limit: 50,
    };
    let found = desk.scope.voicemails().list(&filter, &page).await?;
    let users = desk.scope.users().list(&Keyset::first(1000)).await?;
    let names: HashMap<UserId, String> = users.items.into_iter().map(|user| (user.id, user.name)).collect();
    let mut messages = Vec::new();
    for voicemail in found.items {
        let transcript = desk.scope.transcripts().of_recording(voicemail.recording).await?;
        let recording = desk.scope.recordings().get(voicemail.recording).await?;
        messages.push(view::Message {
            mailbox: names.get(&voicemail.user).cloned().unwrap_or_default(),
            text: transcript.map(|transcript| transcript.text).unwrap_or_default(),
            ready: recording.is_some_and(|recording| recording.state == "ready"),
            voicemail,
        });
    }
    let greetings = match desk.sees_only() {
        Some(user) => desk.scope.greetings().of_user(user).await?,
        None => desk.scope.greetings().list().await?,
    };
    let named = |greeting: Greeting| {
        let of = names.get(&greeting.user).cloned().unwrap_or_default();
        (greeting, of)
    };
    let greetings: Vec<_> = greetings.into_iter().map(named).collect();
    let page = view::page(
        &desk.shell(),
        &desk.base(),
        (&messages, &greetings),
        trash,
        found.next.as_deref(),
    );
    Ok(page.into_response())
}

async fn change(Path((_, message, verb)): Path<(String, VoicemailId, String)>, sent: Sent) -> Page {
    let desk = sent.desk;
    let found = desk.scope.voicemails().get(message).await?.ok_or(Fault::NotFound)?;
    if desk.user() != Some(found.user) {
        if desk.sees_only().is_some() {
            return Err(Fault::NotFound);
        }
        desk.may(Permission::ManageCalls)?;
    }
    let (area, actor) = (desk.scope.voicemails(), desk.actor());
    let (path, done) = match verb.as_str() {
        "read" => {
            area.mark_read(&actor, message).await?;
            ("/voicemail", "read")
        }
        "unread" => {
            area.mark_unread(&actor, message).await?;
            ("/voicemail", "read")
        }
        "delete" => {
            area.remove(&actor, message).await?;
            ("/voicemail", "trashed")
        }
        "undelete" => {
            area.restore(&actor, message).await?;
            ("/voicemail?folder=trash", "restored")
        }
        _ => return Err(Fault::NotFound),
    };
    Ok(desk.back(path, done))
}
