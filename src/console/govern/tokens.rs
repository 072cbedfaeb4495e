//! API tokens: shown once.

use super::view;
use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use axum::extract::Path;
use axum::response::IntoResponse;
use strowger_access::NewToken;
use strowger_model::role::Permission;
use strowger_model::{Role, TokenId};
use time::Duration;

async fn list(desk: &Desk, made: Option<&(String, String)>, values: &Values, problems: &Problems) -> Page {
    let tokens = desk.scope.tokens().list().await?;
    let page = view::tokens(&desk.shell(), &desk.base(), &tokens, made, (values, problems));
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
    let role = Role::from_code(values.get("role")).filter(|role| *role != Role::PlatformAdmin);
    if role.is_none() {
        problems.add("role", "Choose what it acts as.");
    }
    let days = match values.get("days") {
        "" => Some(None),
        text => text
            .parse::<i64>()
            .ok()
            .filter(|days| (1..=36_500).contains(days))
            .map(Some),
    };
    if days.is_none() {
        problems.add("days", "Write a number of days, or leave it empty.");
    }
    let (Some(role), Some(days), true) = (role, days, problems.is_empty()) else {
        return list(&desk, None, &values, &problems).await;
    };
    let new = NewToken {
        name: values.get("name").to_owned(),
        role,
        expires_at: days.map(|days| desk.state.now() + Duration::days(days)),
    };
    let (token, secret) = desk
        .state
        .access()
        .create_token(&desk.actor(), desk.tenant.id, new)
        .await?;
    list(
        &desk,
        Some(&(token.name, secret)),
        &Values::default(),
        &Problems::default(),
    )
    .await
}

pub(super) async fn remove(Path((_, token)): Path<(String, TokenId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.tokens().remove(&desk.actor(), token).await? {
        return Err(Fault::NotFound);
    }
    Ok(desk.back("/tokens", "removed"))
}
