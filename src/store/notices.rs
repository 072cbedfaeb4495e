//! What the people and programs of a tenant are told.

use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut};
use crate::{Result, Scope, Store};
use strowger_model::job::NoticeKind;
use strowger_model::record::Notice;
use strowger_model::{CallId, NoticeId};

area! {
    /// The notices of the tenant.
    Notices, notices
}

fn notice_of(row: &Row) -> Result<Notice> {
    Ok(Notice {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        call: row.opt_parse("call_id")?,
        kind: row.code("kind", NoticeKind::from_code)?,
        detail: row.text("detail")?,
        created_at: row.time("created_at")?,
    })
}

/// Writes a notice in the transaction of what it tells of.
pub(crate) async fn write(
    tx: &mut Tx,
    scope: &Scope,
    call: Option<CallId>,
    kind: NoticeKind,
    detail: &str,
) -> Result<()> {
    tx.run(
        "insert into notices (id, tenant_id, call_id, kind, detail, created_at) values ($1, $2, $3, $4, $5, $6)",
        args![
            NoticeId::generate(scope.world()),
            scope.tenant(),
            call,
            kind,
            detail,
            scope.now()
        ],
    )
    .await?;
    Ok(())
}

impl Notices {
    /// The notices, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Notice>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, kind, detail, created_at from notices \
                 where tenant_id = $1 and id < $2 order by id desc limit $3",
                args![self.scope.tenant(), page.before_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, notice_of, |notice| notice.id.to_string())
    }

    /// The notices after this one, oldest first: for those who follow along.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn since(&self, after: Option<NoticeId>, limit: i64) -> Result<Vec<Notice>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, kind, detail, created_at from notices \
                 where tenant_id = $1 and id > $2 order by id limit $3",
                args![self.scope.tenant(), after, limit],
            )
            .await?
            .iter()
            .map(notice_of)
            .collect()
    }

    /// Writes a notice.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn write(&self, call: Option<CallId>, kind: NoticeKind, detail: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        write(&mut tx, &self.scope, call, kind, detail).await?;
        tx.commit().await
    }
}

impl Store {
    /// Writes a notice of this machine to every tenant that was not told the same before. Returns how many were.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tell_all(&self, kind: NoticeKind, detail: &str) -> Result<u64> {
        let mut count = 0;
        for tenant in self.every_tenant().await? {
            let scope = self.tenant(tenant);
            let mut tx = scope.write().await?;
            let before = tx
                .one(
                    "select 1 from notices where tenant_id = $1 and kind = $2 and detail = $3 limit 1",
                    args![tenant, kind, detail],
                )
                .await?;
            if before.is_none() {
                write(&mut tx, &scope, None, kind, detail).await?;
                tx.commit().await?;
                count += 1;
            }
        }
        Ok(count)
    }
}
