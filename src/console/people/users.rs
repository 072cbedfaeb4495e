//! Users.

use super::devices::phones_of;
use super::form::{self, taken};
use super::view;
use crate::desk::{Desk, Sent, sees_tenant};
use crate::fault::{Fault, Page};
use crate::show::{Problems, Values};
use axum::extract::Path;
use axum::response::IntoResponse;
use strowger_model::record::User;
use strowger_model::role::Permission;
use strowger_model::{Role, UserId};
use strowger_store::{NewUser, Page as Keyset, UserChange};

const TAKEN: [(&str, &str); 2] = [
    ("email", "Somebody signs in with this address already."),
    ("extension", "Somebody has this extension. Choose another."),
];

async fn list(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let users = desk.scope.users().list(&Keyset::first(1000)).await?.items;
    let may_change = desk.can(Permission::ManageTenant);
    let pages = desk.state.phones().map(|phones| phones.phone_pages(desk.tenant.id));
    let people = view::People {
        users: &users,
        pages: &pages.unwrap_or_default(),
        may_call: desk.can(Permission::UsePhone) && desk.principal().tenant() == Some(desk.tenant.id),
    };
    let page = view::users(&desk.shell(), &desk.base(), &people, (values, problems), may_change);
    Ok((problems.status(), page).into_response())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    list(&desk, &Values::default(), &Problems::default()).await
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let written = match form::user(&values, |_| true) {
        Ok(written) => written,
        Err(problems) => return list(&desk, &values, &problems).await,
    };
    let password_hash = match &written.password {
        Some(password) => Some(desk.state.access().hash_password(password).await?),
        None => None,
    };
    let new = NewUser {
        email: written.email,
        name: written.name,
        role: written.role,
        extension: written.extension,
        password_hash,
    };
    match desk.scope.users().create(&desk.actor(), new).await {
        Ok(user) => {
            desk.state.exchange().reload();
            Ok(desk.back(&format!("/users/{}", user.id), "added"))
        }
        Err(error) => {
            let problems = taken(error, &TAKEN)?;
            list(&desk, &values, &problems).await
        }
    }
}

async fn one(desk: &Desk, user: &User, values: &Values, problems: &Problems) -> Page {
    let phones = phones_of(desk, Some(user.id)).await?;
    let page = view::user(&desk.shell(), &desk.base(), user, &phones, (values, problems));
    Ok((problems.status(), page).into_response())
}

fn as_typed(user: &User) -> Values {
    Values::default()
        .with("name", user.name.clone())
        .with("email", user.email.clone())
        .with("role", user.role.code())
        .with("extension", user.extension.clone().unwrap_or_default())
        .with("active", user.active.to_string())
}

pub(super) async fn show(Path((_, user)): Path<(String, UserId)>, desk: Desk) -> Page {
    desk.may(Permission::ManageTenant)?;
    let user = desk.scope.users().get(user).await?.ok_or(Fault::NotFound)?;
    one(&desk, &user, &as_typed(&user), &Problems::default()).await
}

pub(super) async fn update(Path((_, user)): Path<(String, UserId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::ManageTenant)?;
    let found = desk.scope.users().get(user).await?.ok_or(Fault::NotFound)?;
    let written = match form::user(&values, |_| true) {
        Ok(written) => written,
        Err(problems) => return one(&desk, &found, &values, &problems).await,
    };
    let active = values.ticked("active");
    if desk.user() == Some(user) && (!active || (written.role != found.role && found.role == Role::TenantAdmin)) {
        let problems = Problems::one("", "You cannot switch yourself off or take your own role away.");
        return one(&desk, &found, &values, &problems).await;
    }
    let change = UserChange {
        email: written.email,
        name: written.name,
        role: written.role,
        extension: written.extension,
        active,
    };
    if let Err(error) = desk.scope.users().update(&desk.actor(), user, &change).await {
        let problems = taken(error, &TAKEN)?;
        return one(&desk, &found, &values, &problems).await;
    }
    if let Some(password) = written.password
        && let Err(error) = desk.state.access().set_password(&desk.actor(), user, &password).await
    {
        let problems = form::weak(error)?;
        return one(&desk, &found, &values, &problems).await;
    }
    if found.role != change.role || !active {
        desk.state.access().end_sessions_of(user).await?;
    }
    desk.state.exchange().reload();
    Ok(desk.back(&format!("/users/{user}"), "saved"))
}

pub(super) async fn remove(Path((_, user)): Path<(String, UserId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    desk.may(Permission::ManageTenant)?;
    if desk.user() == Some(user) {
        return Err(Fault::Conflict("You cannot remove yourself.".into()));
    }
    match desk.scope.users().remove(&desk.actor(), user).await {
        Ok(true) => {}
        Ok(false) => return Err(Fault::NotFound),
        Err(strowger_store::Error::Dangling) => {
            let why = "Calls or messages belong to this person. Switch them off instead.";
            return Err(Fault::Conflict(why.into()));
        }
        Err(error) => return Err(error.into()),
    }
    desk.state.exchange().reload();
    Ok(desk.back("/users", "removed"))
}
