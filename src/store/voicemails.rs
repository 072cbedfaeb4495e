//! Messages that callers left.

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Page, Paged, Row, args, cut};
use strowger_model::record::Voicemail;
use strowger_model::{UserId, VoicemailId};

/// Which messages are wanted. Without more said: all that do not lie in the trash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoicemailFilter {
    /// Messages of this mailbox.
    pub user: Option<UserId>,
    /// Messages listened to, or not.
    pub is_read: Option<bool>,
    /// Those in the trash in place of those outside it.
    pub in_trash: bool,
}

area! {
    /// The messages of the tenant.
    Voicemails, voicemails
}

pub(crate) fn voicemail_of(row: &Row) -> Result<Voicemail> {
    Ok(Voicemail {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        user: row.parse("user_id")?,
        call: row.parse("call_id")?,
        recording: row.parse("recording_id")?,
        from_number: row.text("from_number")?,
        to_number: row.text("to_number")?,
        duration_ms: row.int("duration_ms")?,
        is_read: row.switch("is_read")?,
        is_deleted: row.switch("is_deleted")?,
        created_at: row.time("created_at")?,
    })
}

impl Voicemails {
    /// The messages, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &VoicemailFilter, page: &Page) -> Result<Paged<Voicemail>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, user_id, call_id, recording_id, from_number, to_number, duration_ms, is_read, \
                 is_deleted, created_at from voicemails where tenant_id = $1 and id < $2 \
                 and ($3 is null or user_id = $3) and ($4 is null or is_read = $4) and is_deleted = $5 \
                 order by id desc limit $6",
                args![
                    self.scope.tenant(),
                    page.before_id(),
                    filter.user,
                    filter.is_read,
                    filter.in_trash,
                    page.fetch()
                ],
            )
            .await?;
        cut(&rows, page, voicemail_of, |message| message.id.to_string())
    }

    /// One message, in the trash or not.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, message: VoicemailId) -> Result<Option<Voicemail>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, user_id, call_id, recording_id, from_number, to_number, duration_ms, is_read, \
                 is_deleted, created_at from voicemails where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), message],
            )
            .await?
            .map(|row| voicemail_of(&row))
            .transpose()
    }

    /// How many messages of a mailbox nobody listened to.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn unread(&self, user: UserId) -> Result<i64> {
        self.scope
            .read()
            .await?
            .count(
                "select count(*) as n from voicemails \
                 where tenant_id = $1 and user_id = $2 and is_read = 0 and is_deleted = 0",
                args![self.scope.tenant(), user],
            )
            .await
    }

    /// Somebody listened. Returns whether there is such a message.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn mark_read(&self, actor: &Actor, message: VoicemailId) -> Result<bool> {
        self.mark(
            actor,
            message,
            "voicemail.read",
            "update voicemails set is_read = 1 where tenant_id = $1 and id = $2",
        )
        .await
    }

    /// Nobody listened after all.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn mark_unread(&self, actor: &Actor, message: VoicemailId) -> Result<bool> {
        self.mark(
            actor,
            message,
            "voicemail.unread",
            "update voicemails set is_read = 0 where tenant_id = $1 and id = $2",
        )
        .await
    }

    /// Lays a message into the trash, where it stays until its retention ends.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, message: VoicemailId) -> Result<bool> {
        self.mark(
            actor,
            message,
            "voicemail.remove",
            "update voicemails set is_deleted = 1 where tenant_id = $1 and id = $2",
        )
        .await
    }

    /// Takes a message out of the trash.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn restore(&self, actor: &Actor, message: VoicemailId) -> Result<bool> {
        self.mark(
            actor,
            message,
            "voicemail.restore",
            "update voicemails set is_deleted = 0 where tenant_id = $1 and id = $2",
        )
        .await
    }

    async fn mark(
        &self,
        actor: &Actor,
        message: VoicemailId,
        action: &'static str,
        statement: &'static str,
    ) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx.run(statement, args![self.scope.tenant(), message]).await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope.note(&mut tx, actor, action, &message, "").await?;
        tx.commit().await?;
        Ok(true)
    }
}
