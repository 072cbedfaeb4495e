//! Who understands and hears for the tenant: the order, the consent, and how the providers do.

use super::provider_view::{self, Known};
use crate::desk::{Desk, Sent, sees_tenant};
use crate::fault::Page;
use crate::people::form::sentence;
use crate::show::{Problems, Values};
use axum::response::IntoResponse;
use strowger_model::role::Permission;
use strowger_model::settings::{Entry, Lock};
use strowger_store::Error;
use time::Duration;

/// The settings that this page steers.
const ORDERS: [&str; 3] = ["ai_understanding_order", "ai_transcription_order", "ai_embedding_order"];
const CONSENT: &str = "ai_may_leave_site";
const BUDGET: &str = "ai_budget_seconds";

async fn drawn(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let settings = desk.scope.settings().resolve().await?;
    let since = (desk.state.now() - Duration::days(29)).date().to_string();
    let known = Known {
        providers: desk.scope.provider_days().known().await?,
        figures: desk.scope.provider_days().since(&since).await?,
        settings,
        may_change: desk.can(Permission::ManageTenant),
    };
    let page = provider_view::page(&desk.shell(), &desk.base(), &known, (values, problems));
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    drawn(&desk, &Values::default(), &Problems::default()).await
}

pub(super) async fn set(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let area = desk.scope.settings();
    let (layer, resolved) = (area.layer().await?, area.resolve().await?);
    let mut wanted: Vec<(&str, String)> = ORDERS.map(|name| (name, values.get(name).to_owned())).into();
    wanted.push((CONSENT, values.ticked(CONSENT).to_string()));
    wanted.push((BUDGET, values.get(BUDGET).to_owned()));
    for (name, value) in wanted {
        if resolved.text(name) == value {
            continue;
        }
        let entry = Entry {
            value: Some(value),
            lock: layer.get(name).map_or(Lock::Unlocked, |entry| entry.lock),
        };
        match area.set(&desk.actor(), name, &entry).await {
            Ok(()) => {}
            Err(Error::Setting(invalid)) => {
                let problems = Problems::one(name, format!("{}.", sentence(&invalid.to_string())));
                return drawn(&desk, &values, &problems).await;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(desk.back("/providers", "saved"))
}
