//! What waits to be told to webhooks, and how the last tellings went.

use super::{RoomWebhooks, webhook_of};
use crate::sql::{Row, Tx, args};
use crate::{Result, Scope, Store};
use strowger_model::WebhookId;
use strowger_model::record::{RoomWebhook, WebhookPost};
use time::OffsetDateTime;

/// Events that wait for one address; beyond, what comes next is dropped.
const WAITING: i64 = 1_000;

/// Finished tellings that are kept for each address.
const KEPT: i64 = 50;

/// Holds the addresses' rows, so that no two events want the same number.
const HOLD: &str = "update room_webhooks set told_at = told_at where tenant_id = $1";

/// Lets an event wait for all addresses of a tenant, in the transaction of what it tells of.
pub(crate) async fn post_all(tx: &mut Tx, scope: &Scope, event: &str, about: &serde_json::Value) -> Result<()> {
    let held = tx.run(HOLD, args![scope.tenant()]).await?;
    if held == 0 {
        return Ok(());
    }
    let body = serde_json::json!({
        "event": event, "id": format!("EV_{}", scope.fresh_name()),
        "createdAt": scope.now().unix_timestamp(), "recording": about,
    });
    tx.run(
        "insert into webhook_posts \
         (webhook_id, number, tenant_id, event, body, state, tries, problem, due_at, told_at, created_at) \
         select w.id, coalesce((select max(number) from webhook_posts p where p.webhook_id = w.id), 0) + 1, \
         w.tenant_id, $2, $3, 'waiting', 0, null, $4, null, $4 from room_webhooks w where w.tenant_id = $1 \
         and (select count(*) from webhook_posts p where p.webhook_id = w.id and p.state = 'waiting') < $5",
        args![scope.tenant(), event, body, scope.now(), WAITING],
    )
    .await?;
    Ok(())
}

fn post_of(row: &Row) -> Result<WebhookPost> {
    Ok(WebhookPost {
        number: row.int("number")?,
        event: row.text("event")?,
        state: row.text("state")?,
        tries: row.int("tries")?,
        problem: row.opt_text("problem")?,
        due_at: row.time("due_at")?,
        told_at: row.opt_time("told_at")?,
        created_at: row.time("created_at")?,
    })
}

impl RoomWebhooks {
    /// Lets an event wait for an address. Returns whether there was space.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn post(&self, webhook: WebhookId, event: &str, body: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        tx.run(HOLD, args![self.scope.tenant()]).await?;
        let touched = tx
            .run(
                "insert into webhook_posts \
                 (webhook_id, number, tenant_id, event, body, state, tries, problem, due_at, told_at, created_at) \
                 select $2, coalesce((select max(number) from webhook_posts where webhook_id = $2), 0) + 1, \
                 $1, $3, $4, 'waiting', 0, null, $5, null, $5 \
                 where (select count(*) from webhook_posts where webhook_id = $2 and state = 'waiting') < $6",
                args![self.scope.tenant(), webhook, event, body, self.scope.now(), WAITING],
            )
            .await?;
        tx.commit().await?;
        Ok(touched > 0)
    }

    /// The next event for an address, with its body.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn next_post(&self, webhook: WebhookId) -> Result<Option<(WebhookPost, String)>> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select number, event, body, state, tries, problem, due_at, told_at, created_at from webhook_posts \
                 where tenant_id = $1 and webhook_id = $2 and state = 'waiting' order by number limit 1",
                args![self.scope.tenant(), webhook],
            )
            .await?;
        row.map(|row| Ok((post_of(&row)?, row.text("body")?))).transpose()
    }

    /// The last tellings of all addresses, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn last_posts(&self, limit: i64) -> Result<Vec<(WebhookId, WebhookPost)>> {
        self.scope
            .read()
            .await?
            .all(
                "select webhook_id, number, event, state, tries, problem, due_at, told_at, created_at \
                 from webhook_posts where tenant_id = $1 order by created_at desc, number desc limit $2",
                args![self.scope.tenant(), limit],
            )
            .await?
            .iter()
            .map(|row| Ok((row.parse("webhook_id")?, post_of(row)?)))
            .collect()
    }

    /// An event was taken.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn post_taken(&self, webhook: WebhookId, number: i64) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update webhook_posts set state = 'taken', body = '', problem = null, tries = tries + 1, told_at = $4 \
             where tenant_id = $1 and webhook_id = $2 and number = $3",
            args![self.scope.tenant(), webhook, number, self.scope.now()],
        )
        .await?;
        self.told(&mut tx, webhook, None).await?;
        self.prune(&mut tx, webhook, number).await?;
        tx.commit().await
    }

    /// An event was not taken: it is told again at `again`, or given up.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn post_failed(
        &self,
        webhook: WebhookId,
        number: i64,
        problem: &str,
        again: Option<OffsetDateTime>,
    ) -> Result<()> {
        let now = self.scope.now();
        let mut tx = self.scope.write().await?;
        if let Some(again) = again {
            tx.run(
                "update webhook_posts set tries = tries + 1, problem = $4, due_at = $5 \
                 where tenant_id = $1 and webhook_id = $2 and number = $3",
                args![self.scope.tenant(), webhook, number, problem, again],
            )
            .await?;
        } else {
            tx.run(
                "update webhook_posts set state = 'given_up', body = '', tries = tries + 1, problem = $4, told_at = $5 \
                 where tenant_id = $1 and webhook_id = $2 and number = $3",
                args![self.scope.tenant(), webhook, number, problem, now],
            )
            .await?;
            self.prune(&mut tx, webhook, number).await?;
        }
        self.told(&mut tx, webhook, Some(problem)).await?;
        tx.commit().await
    }

    async fn told(&self, tx: &mut Tx, webhook: WebhookId, problem: Option<&str>) -> Result<()> {
        tx.run(
            "update room_webhooks set told_at = $3, problem = $4 where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), webhook, self.scope.now(), problem],
        )
        .await?;
        Ok(())
    }

    async fn prune(&self, tx: &mut Tx, webhook: WebhookId, number: i64) -> Result<()> {
        tx.run(
            "delete from webhook_posts \
             where tenant_id = $1 and webhook_id = $2 and state <> 'waiting' and number <= $3",
            args![self.scope.tenant(), webhook, number - KEPT],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// The addresses of all tenants for which events wait: what an earlier run left.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn webhooks_with_posts(&self) -> Result<Vec<RoomWebhook>> {
        self.read_all()
            .await?
            .all(
                "select id, tenant_id, url, key_id, told_at, problem, created_at from room_webhooks \
                 where id in (select webhook_id from webhook_posts where state = 'waiting') order by id",
                args![],
            )
            .await?
            .iter()
            .map(webhook_of)
            .collect()
    }
}
