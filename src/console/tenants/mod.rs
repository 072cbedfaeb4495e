//! Tenants, for platform administrators.

pub mod view;

use crate::desk::{PlatformDesk, PlatformSent};
use crate::fault::{Fault, Page};
use crate::lines::pool;
use crate::people::form::taken;
use crate::show::{Problems, Values};
use crate::state::ConsoleState;
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use strowger_model::TenantId;
use strowger_store::{NewTenant, Page as Keyset, TenantChange};

const TAKEN: [(&str, &str); 2] = [
    ("name", "Another tenant has this name."),
    ("realm", "Another tenant’s phones have this domain."),
];

/// The platform's routes.
pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/tenants", get(index).post(create))
        .route("/tenants/{id}/active", post(switch))
        .route(
            "/platform/settings",
            get(crate::govern::platform_settings).post(crate::govern::set_platform),
        )
        .route("/platform/numbers", get(pool::index).post(pool::add))
        .route("/platform/numbers/remove", post(pool::remove))
        .route("/platform/audit", get(crate::govern::platform_audit))
        .route("/platform/health", get(crate::system::health))
}

async fn list(desk: &PlatformDesk, values: &Values, problems: &Problems) -> Page {
    let tenants = desk.state.store().tenants().list(&Keyset::first(1000)).await?.items;
    let page = view::page(&desk.shell(), &tenants, (values, problems));
    Ok((problems.status(), page).into_response())
}

async fn index(desk: PlatformDesk) -> Page {
    list(&desk, &Values::default(), &Problems::default()).await
}

/// Reads a tenant from a form.
pub(crate) fn read(values: &Values, name: &str) -> Result<NewTenant, Problems> {
    let mut problems = Problems::default();
    problems.need(values, name, "Write the name of the organisation.");
    let realm = values.get("realm").to_ascii_lowercase();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-';
    if realm.is_empty() || realm.len() > 200 || !realm.chars().all(plain) {
        problems.add(
            "realm",
            "Write a domain of letters, digits, dots and hyphens, for example pbx.acme.example.",
        );
    }
    if problems.is_empty() {
        Ok(NewTenant {
            name: values.get(name).to_owned(),
            realm,
        })
    } else {
        Err(problems)
    }
}

async fn create(sent: PlatformSent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let new = match read(&values, "name") {
        Ok(new) => new,
        Err(problems) => return list(&desk, &values, &problems).await,
    };
    match desk.state.store().tenants().create(&desk.actor(), new).await {
        Ok(tenant) => {
            desk.state.exchange().reload();
            Ok(Redirect::to(&format!("/t/{}/users?done=added", tenant.id)).into_response())
        }
        Err(error) => {
            let problems = taken(error, &TAKEN)?;
            list(&desk, &values, &problems).await
        }
    }
}

async fn switch(Path(tenant): Path<TenantId>, sent: PlatformSent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let found = desk.state.store().tenants().get(tenant).await?.ok_or(Fault::NotFound)?;
    let change = TenantChange {
        name: found.name,
        active: values.ticked("active"),
    };
    desk.state
        .store()
        .tenants()
        .update(&desk.actor(), tenant, &change)
        .await?;
    desk.state.exchange().reload();
    Ok(Redirect::to("/tenants?done=saved").into_response())
}
