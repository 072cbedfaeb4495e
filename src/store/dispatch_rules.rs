//! Which room a call goes to: what calls obey, and what programs wrote.

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, Tx, args};
use serde_json::Value;
use strowger_model::dispatch::DispatchRule;
use strowger_model::record::SipDispatchRule;

area! {
    /// The tenant's dispatch rules.
    DispatchRules, dispatch_rules
}

fn rule_of(row: &Row) -> Result<SipDispatchRule> {
    Ok(SipDispatchRule {
        rule: row.json("rule")?,
        definition: row.json("definition")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Every tenant's rules as calls obey them.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<DispatchRule>> {
    let rows = tx.all("select rule from dispatch_rules order by id", args![]).await?;
    rows.iter().map(|row| row.json("rule")).collect()
}

impl DispatchRules {
    /// The rules, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<SipDispatchRule>> {
        self.scope
            .read()
            .await?
            .all(
                "select rule, definition, created_at, updated_at from dispatch_rules where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(rule_of)
            .collect()
    }

    /// One rule.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, id: &str) -> Result<Option<SipDispatchRule>> {
        self.scope
            .read()
            .await?
            .one(
                "select rule, definition, created_at, updated_at from dispatch_rules \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?
            .map(|row| rule_of(&row))
            .transpose()
    }

    /// Makes a rule, or writes it anew. Whatever tenant it names, it is this one's.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn put(&self, actor: &Actor, rule: DispatchRule, definition: &Value) -> Result<()> {
        let rule = DispatchRule {
            tenant: self.scope.tenant(),
            ..rule
        };
        let mut tx = self.scope.write().await?;
        let written = serde_json::json!(rule);
        let touched = tx
            .run(
                "update dispatch_rules set rule = $3, definition = $4, updated_at = $5 \
                 where tenant_id = $1 and id = $2",
                args![rule.tenant, rule.id, written, definition, self.scope.now()],
            )
            .await?;
        let action = if touched == 0 {
            tx.run(
                "insert into dispatch_rules (id, tenant_id, rule, definition, created_at, updated_at) \
                 values ($1, $2, $3, $4, $5, $5)",
                args![rule.id, rule.tenant, written, definition, self.scope.now()],
            )
            .await?;
            "dispatch_rule.create"
        } else {
            "dispatch_rule.update"
        };
        self.scope
            .note_directory(&mut tx, actor, action, &rule.id, &rule.name)
            .await?;
        tx.commit().await
    }

    /// Removes a rule. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, id: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from dispatch_rules where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope
            .note_directory(&mut tx, actor, "dispatch_rule.remove", &id, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
