//! Scheduled meetings whose doors open: their hosts are told once for each time that was set.

use crate::notices;
use crate::sql::args;
use crate::{Result, Store};
use strowger_model::job::NoticeKind;
use strowger_model::meeting::GRACE;
use strowger_model::{RoomId, TenantId};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Meetings that are told of at once; the rest is told a moment later.
const MOST: i64 = 100;

impl Store {
    /// Writes a notice for every meeting that opens now, of all tenants, and returns how many there were.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tell_of_due_meetings(&self) -> Result<usize> {
        let now = self.now();
        let due = self
            .read_all()
            .await?
            .all(
                "select id, tenant_id, name, title, starts_at from rooms \
                 where starts_at <= $1 and ends_at > $2 and (told_of is null or told_of <> starts_at) \
                 order by starts_at limit $3",
                args![now + GRACE, now, MOST],
            )
            .await?;
        let mut told = 0;
        for row in &due {
            let (name, title) = (row.text("name")?, row.text("title")?);
            let name = if title.is_empty() {
                name
            } else {
                format!("{title} ({name})")
            };
            let room = row.parse("id")?;
            told += usize::from(
                self.tell_of(row.parse("tenant_id")?, room, &name, row.time("starts_at")?)
                    .await?,
            );
        }
        Ok(told)
    }

    async fn tell_of(&self, tenant: TenantId, room: RoomId, name: &str, starts_at: OffsetDateTime) -> Result<bool> {
        let scope = self.tenant(tenant);
        let hosts = scope
            .read()
            .await?
            .all(
                "select u.name from room_roles r join users u on u.id = r.user_id \
                 where r.tenant_id = $1 and r.room_id = $2 and r.role = 'host' order by u.name",
                args![tenant, room],
            )
            .await?;
        let hosts: Vec<String> = hosts.iter().map(|row| row.text("name")).collect::<Result<_>>()?;
        let mut detail = format!(
            "{name} begins at {}",
            starts_at.format(&Rfc3339).unwrap_or_else(|_| starts_at.to_string())
        );
        if !hosts.is_empty() {
            detail = format!("{detail}; its host: {}", hosts.join(", "));
        }
        let mut tx = scope.write().await?;
        // Of two daemons one comes first.
        let touched = tx
            .run(
                "update rooms set told_of = starts_at where tenant_id = $1 and id = $2 and starts_at = $3 \
                 and (told_of is null or told_of <> starts_at)",
                args![tenant, room, starts_at],
            )
            .await?;
        if touched > 0 {
            notices::write(&mut tx, &scope, None, NoticeKind::MeetingOpens, &detail).await?;
        }
        tx.commit().await?;
        Ok(touched > 0)
    }
}
