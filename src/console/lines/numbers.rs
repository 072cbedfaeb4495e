//! Numbers: what callers dial and whom they reach.

use super::form;
use super::view::{self, Targets};
use crate::desk::{Desk, Sent, sees_tenant};
use crate::fault::{Fault, Page};
use crate::people::form::taken;
use crate::show::{Problems, Values};
use axum::extract::Path;
use axum::response::IntoResponse;
use strowger_model::NumberId;
use strowger_model::record::Number;
use strowger_model::role::Permission;
use strowger_store::Page as Keyset;

const TAKEN: [(&str, &str); 1] = [("number", "This number belongs to somebody on this machine already.")];

const KEPT_BACK: &str = "Another tenant gave this number up a short while ago. It is free again after 30 days.";
/// Numbers of the pool that are offered on the page; the others are claimed by typing them.
const FREE_SHOWN: i64 = 20;

async fn targets(desk: &Desk) -> Page<Targets> {
    let mut out = Vec::new();
    for flow in desk.scope.flows().list(&Keyset::first(500)).await?.items {
        let state = if flow.published.is_some() {
            ""
        } else {
            " (not published)"
        };
        out.push((format!("flow:{}", flow.id), format!("Flow {}{state}", flow.name)));
    }
    for user in desk.scope.users().list(&Keyset::first(1000)).await?.items {
        let extension = user
            .extension
            .clone()
            .map(|digits| format!(", {digits}"))
            .unwrap_or_default();
        out.push((format!("user:{}", user.id), format!("{}{extension}", user.name)));
        out.push((format!("voicemail:{}", user.id), format!("Voicemail of {}", user.name)));
    }
    for room in desk.scope.rooms().list().await? {
        out.push((format!("room:{}", room.id), format!("Room {}", room.name)));
    }
    out.push(("conference:".to_owned(), "The meeting whose PIN they type".to_owned()));
    out.push(("trunk:".to_owned(), "Out again through the trunks".to_owned()));
    Ok(Targets(out))
}

async fn list(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let numbers = desk.scope.numbers().list(&Keyset::first(1000)).await?.items;
    let targets = targets(desk).await?;
    let claimable = desk.scope.numbers().claimable(&Keyset::first(FREE_SHOWN)).await?.items;
    let may_change = desk.can(Permission::ManageTenant);
    let page = view::numbers(
        &desk.shell(),
        &desk.base(),
        (&numbers, &claimable),
        &targets,
        (values, problems),
        may_change,
    );
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    list(&desk, &Values::default(), &Problems::default()).await
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let new = match form::number(&values) {
        Ok(new) => new,
        Err(problems) => return list(&desk, &values, &problems).await,
    };
    if let Err(error) = desk.scope.numbers().claim(&desk.actor(), new).await {
        let problems = if matches!(error, strowger_store::Error::State { .. }) {
            Problems::one("number", KEPT_BACK)
        } else {
            taken(error, &TAKEN)?
        };
        return list(&desk, &values, &problems).await;
    }
    desk.state.exchange().reload();
    Ok(desk.back("/numbers", "added"))
}

async fn one(desk: &Desk, number: &Number, values: &Values, problems: &Problems) -> Page {
    let page = view::number(
        &desk.shell(),
        &desk.base(),
        number,
        &targets(desk).await?,
        (values, problems),
    );
    Ok((problems.status(), page).into_response())
}

pub(super) async fn show(Path((_, number)): Path<(String, NumberId)>, desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    let found = desk.scope.numbers().get(number).await?.ok_or(Fault::NotFound)?;
    let values = Values::default()
        .with("friendly_name", found.friendly_name.clone())
        .with(
            "target",
            found.target.as_ref().map(view::target_code).unwrap_or_default(),
        )
        .with("record", found.record.map(|on| on.to_string()).unwrap_or_default())
        .with("active", found.active.to_string());
    one(&desk, &found, &values, &Problems::default()).await
}

pub(super) async fn update(Path((_, number)): Path<(String, NumberId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let found = desk.scope.numbers().get(number).await?.ok_or(Fault::NotFound)?;
    let change = match form::change(&values) {
        Ok(change) => change,
        Err(problems) => return one(&desk, &found, &values, &problems).await,
    };
    desk.scope.numbers().update(&desk.actor(), number, &change).await?;
    desk.state.exchange().reload();
    Ok(desk.back(&format!("/numbers/{number}"), "saved"))
}

pub(super) async fn remove(Path((_, number)): Path<(String, NumberId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if !desk.scope.numbers().remove(&desk.actor(), number).await? {
        return Err(Fault::NotFound);
    }
    desk.state.exchange().reload();
    Ok(desk.back("/numbers", "removed"))
}
