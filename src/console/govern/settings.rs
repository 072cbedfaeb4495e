//! The cascade of settings: platform, tenant, user.

use super::view;
use crate::desk::{Desk, PlatformDesk, PlatformSent, Sent, sees_tenant};
use crate::fault::{Fault, Page};
use crate::people::form::sentence;
use crate::show::{Problems, Values};
use axum::response::{IntoResponse, Redirect, Response};
use strowger_model::UserId;
use strowger_model::role::Permission;
use strowger_model::settings::{Entry, Layer, Lock, Settings, Tier};
use strowger_store::Error;

/// Whose settings the address asks for: a user's with `?user=ID`, else the tenant's.
fn user_of(values: &Values) -> Page<Option<UserId>> {
    match values.get("user") {
        "" => Ok(None),
        id => id.parse().map(Some).map_err(|_| Fault::NotFound),
    }
}

fn answer(page: crate::show::Page, problems: &Problems) -> Response {
    (problems.status(), page).into_response()
}

async fn drawn(desk: &Desk, user: Option<UserId>, values: &Values, problems: &Problems) -> Page {
    let area = desk.scope.settings();
    let may_change = desk.can(Permission::ManageTenant);
    let here = format!("{}/settings", desk.base());
    let shell = desk.shell();
    let page = match user {
        None => {
            let (resolved, layer) = (area.resolve().await?, area.layer().await?);
            let whose = (Tier::Tenant, desk.tenant.name.as_str());
            view::settings(
                &shell,
                &here,
                whose,
                (&resolved, &layer),
                (values, problems),
                may_change,
            )
        }
        Some(user) => {
            let person = desk.scope.users().get(user).await?.ok_or(Fault::NotFound)?;
            let (resolved, layer) = (area.resolve_for(user).await?, area.user_layer(user).await?);
            let whose = (Tier::User, person.name.as_str());
            let action = format!("{here}?user={user}");
            view::settings(
                &shell,
                &action,
                whose,
                (&resolved, &layer),
                (values, problems),
                may_change,
            )
            .crumb(format!("{}/users", desk.base()), "Users")
            .crumb(format!("{}/users/{user}", desk.base()), &person.name)
        }
    };
    Ok(answer(page, problems))
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    let user = user_of(desk.query())?;
    drawn(&desk, user, &Values::default(), &Problems::default()).await
}

fn entry_of(values: &Values) -> Entry {
    Entry {
        value: values.optional("value"),
        lock: Lock::from_code(values.get("lock")).unwrap_or(Lock::Unlocked),
    }
}

/// What a refusal says beside the value, or the error when it is none.
fn refused(error: Error) -> Result<Problems, Error> {
    let Error::Setting(invalid) = error else {
        return Err(error);
    };
    Ok(Problems::one("value", format!("{}.", sentence(&invalid.to_string()))))
}

/// What is wrong with a time zone that does not exist.
fn no_zone(key: &str, values: &Values) -> Option<Problems> {
    let zone = values.get("value");
    let is_wrong = key == "time_zone" && !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err();
    is_wrong.then(|| Problems::one("value", "There is no such time zone. Write it like Europe/Berlin."))
}

pub(super) async fn set(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let user = user_of(desk.query())?;
    let (key, entry) = (values.get("key"), entry_of(&values));
    let area = desk.scope.settings();
    if let Some(problems) = no_zone(key, &values) {
        return drawn(&desk, user, &values, &problems).await;
    }
    let written = match user {
        None => area.set(&desk.actor(), key, &entry).await,
        Some(user) => area.set_for(&desk.actor(), user, key, entry.value).await,
    };
    match written {
        Ok(()) => {
            desk.state.exchange().reload();
            let whose = user.map(|user| format!("?user={user}")).unwrap_or_default();
            Ok(desk.back(&format!("/settings{whose}#s-{key}"), "saved"))
        }
        Err(error) => {
            let problems = refused(error)?;
            drawn(&desk, user, &values, &problems).await
        }
    }
}

async fn platform_drawn(desk: &PlatformDesk, values: &Values, problems: &Problems) -> Page {
    let layer = desk.state.store().platform_settings().layer().await?;
    let resolved = Settings::resolve(layer.clone(), Layer::new(), Layer::new());
    let whose = (Tier::Platform, "the platform");
    let page = view::settings(
        &desk.shell(),
        "/platform/settings",
        whose,
        (&resolved, &layer),
        (values, problems),
        true,
    );
    Ok(answer(page, problems))
}

pub(crate) async fn platform(desk: PlatformDesk) -> Page {
    platform_drawn(&desk, &Values::default(), &Problems::default()).await
}

pub(crate) async fn set_platform(sent: PlatformSent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let key = values.get("key");
    if let Some(problems) = no_zone(key, &values) {
        return platform_drawn(&desk, &values, &problems).await;
    }
    let area = desk.state.store().platform_settings();
    match area.set(&desk.actor(), key, &entry_of(&values)).await {
        Ok(()) => {
            desk.state.exchange().reload();
            Ok(Redirect::to(&format!("/platform/settings?done=saved#s-{key}")).into_response())
        }
        Err(error) => {
            let problems = refused(error)?;
            platform_drawn(&desk, &values, &problems).await
        }
    }
}
