//! The notice that something finished.

use super::{Desk, Fault};
use strowger_model::job::NoticeKind;
use strowger_model::{CallId, TenantId};
use strowger_store::Page;

/// Looked through for a notice that was written before.
const RECENT: i64 = 200;

pub(super) async fn run(desk: &Desk, tenant: TenantId, call: CallId, what: NoticeKind) -> Result<(), Fault> {
    let notices = desk.store.tenant(tenant).notices();
    let page = Page {
        after: None,
        limit: RECENT,
    };
    let recent = notices.list(&page).await?;
    if recent
        .items
        .iter()
        .any(|notice| notice.call == Some(call) && notice.kind == what)
    {
        return Ok(());
    }
    Ok(notices.write(Some(call), what, "").await?)
}
