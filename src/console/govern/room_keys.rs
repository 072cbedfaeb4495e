//! Keys to rooms, shown once, and the addresses that are told what happens in rooms.

use super::room_view::{self, Made};
use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use axum::extract::Path;
use axum::response::IntoResponse;
use strowger_model::WebhookId;
use strowger_model::role::Permission;

/// How many of the last events are shown.
const LAST: i64 = 50;

async fn list(desk: &Desk, made: Option<&Made>, values: &Values, problems: &Problems) -> Page {
    let keys = desk.scope.room_keys().list().await?;
    let area = desk.scope.room_webhooks();
    let (webhooks, posts) = (area.list().await?, area.last_posts(LAST).await?);
    let page = room_view::keys(
        &desk.shell(),
        &desk.base(),
        (&keys, &webhooks, &posts),
        &desk.state.agents(desk.tenant.id),
        made,
        (values, problems),
    );
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    list(&desk, None, &Values::default(), &Problems::default()).await
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let mut problems = Problems::default();
    problems.need(&values, "name", "Say which program it is for.");
    let name = values.get("name").trim();
    if desk.scope.room_keys().list().await?.iter().any(|key| key.name == name) {
        problems.add("name", "Another key has this name.");
    }
    if !problems.is_empty() {
        return list(&desk, None, &values, &problems).await;
    }
    let access = desk.state.access();
    let (key, secret) = access.create_room_key(&desk.actor(), desk.tenant.id, name).await?;
    let made = Made {
        name: key.name,
        key: key.id,
        secret,
    };
    list(&desk, Some(&made), &Values::default(), &Problems::default()).await
}

pub(super) async fn remove(Path((_, key)): Path<(String, String)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.room_keys().remove(&desk.actor(), &key).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/room-keys", "removed"))
}

pub(super) async fn add_webhook(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let mut problems = Problems::default();
    let url = values.get("url").trim();
    if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() > 2000 {
        problems.add("url", "Write an address that begins with https:// or http://.");
    }
    let webhooks = desk.scope.room_webhooks();
    if webhooks.list().await?.iter().any(|webhook| webhook.url == url) {
        problems.add("url", "This address is told already.");
    }
    let keys = desk.scope.room_keys().list().await?;
    let key = keys.iter().find(|key| key.id == values.get("key"));
    if key.is_none() {
        problems.add("key", "Choose the key its receiver knows.");
    }
    let (Some(key), true) = (key, problems.is_empty()) else {
        return list(&desk, None, &values, &problems).await;
    };
    webhooks.create(&desk.actor(), url, &key.id).await?;
    Ok(desk.back("/room-keys", "added"))
}

pub(super) async fn remove_webhook(Path((_, webhook)): Path<(String, WebhookId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.room_webhooks().remove(&desk.actor(), webhook).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/room-keys", "removed"))
}
