//! The audit log.

use super::view;
use crate::desk::{Desk, PlatformDesk};
use crate::fault::Page;
use crate::show::Values;
use axum::response::IntoResponse;
use strowger_model::role::Permission;
use strowger_store::{AuditFilter, Page as Keyset};

fn wanted(values: &Values) -> (AuditFilter, Keyset) {
    let filter = AuditFilter {
        actor: values.optional("actor"),
        action: values.optional("action"),
        target: values.optional("target"),
    };
    let page = Keyset {
        after: values.optional("after"),
        limit: 100,
    };
    (filter, page)
}

pub(super) async fn index(desk: Desk) -> Page {
    desk.may(Permission::ReadAudit)?;
    let values = desk.query().clone();
    let (filter, page) = wanted(&values);
    let found = desk.scope.audit().list(&filter, &page).await?;
    let here = format!("{}/audit", desk.base());
    Ok(view::audit(&desk.shell(), &here, &found.items, &values, found.next.as_deref()).into_response())
}

pub(crate) async fn platform(desk: PlatformDesk) -> Page {
    let values = desk.query().clone();
    let (filter, page) = wanted(&values);
    let found = desk.state.store().list_audit(&filter, &page).await?;
    let page = view::audit(
        &desk.shell(),
        "/platform/audit",
        &found.items,
        &values,
        found.next.as_deref(),
    );
    Ok(page.into_response())
}
