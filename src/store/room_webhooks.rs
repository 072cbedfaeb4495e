//! Addresses that are told what happens in a tenant's rooms.

mod posts;

pub(crate) use posts::post_all;

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, args};
use strowger_model::WebhookId;
use strowger_model::record::RoomWebhook;

area! {
    /// Addresses that are told what happens in the tenant's rooms.
    RoomWebhooks, room_webhooks
}

fn webhook_of(row: &Row) -> Result<RoomWebhook> {
    Ok(RoomWebhook {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        url: row.text("url")?,
        key: row.text("key_id")?,
        told_at: row.opt_time("told_at")?,
        problem: row.opt_text("problem")?,
        created_at: row.time("created_at")?,
    })
}

impl RoomWebhooks {
    /// The addresses, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<RoomWebhook>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, url, key_id, told_at, problem, created_at from room_webhooks \
                 where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(webhook_of)
            .collect()
    }

    /// Adds an address whose messages are signed with `key`, one of the tenant's.
    ///
    /// # Errors
    /// It is there already, there is no such key, or the database did not answer.
    pub async fn create(&self, actor: &Actor, url: &str, key: &str) -> Result<RoomWebhook> {
        // The reference alone would let one tenant name another's key.
        if self.scope.room_keys().known(key).await?.is_none() {
            return Err(crate::Error::Dangling);
        }
        let webhook = RoomWebhook {
            id: WebhookId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            url: url.to_owned(),
            key: key.to_owned(),
            told_at: None,
            problem: None,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into room_webhooks (id, tenant_id, url, key_id, told_at, problem, created_at) \
             values ($1, $2, $3, $4, null, null, $5)",
            args![webhook.id, webhook.tenant, webhook.url, webhook.key, webhook.created_at],
        )
        .await?;
        self.scope
            .note(&mut tx, actor, "room_webhook.create", &webhook.id, url)
            .await?;
        tx.commit().await?;
        Ok(webhook)
    }

    /// Removes an address. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, webhook: WebhookId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from room_webhooks where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), webhook],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope
            .note(&mut tx, actor, "room_webhook.remove", &webhook, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
