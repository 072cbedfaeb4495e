//! Trunks as the `LiveKit` dialect knows them. Behind one may stand a trunk of ours, which comes and goes
//! with it; a crash in between leaves a trunk that the console shows and removes.

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, args};
use crate::trunks::{NewTrunk, TrunkChange};
use serde_json::Value;
use strowger_model::TrunkId;
use strowger_model::record::SipTrunk;

/// A trunk to be made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSipTrunk {
    /// What programs wrote, without passwords.
    pub definition: Value,
    /// The trunk of ours behind it; `None`: none is needed.
    pub trunk: Option<NewTrunk>,
}

area! {
    /// The tenant's trunks as the `LiveKit` dialect knows them.
    SipTrunks, sip_trunks
}

fn trunk_of(row: &Row) -> Result<SipTrunk> {
    Ok(SipTrunk {
        id: row.text("id")?,
        tenant: row.parse("tenant_id")?,
        direction: row.text("direction")?,
        definition: row.json("definition")?,
        trunk: row.opt_text("trunk_id")?.and_then(|id| id.parse().ok()),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

impl SipTrunks {
    /// The trunks, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<SipTrunk>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, direction, definition, trunk_id, created_at, updated_at from sip_trunks \
                 where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(trunk_of)
            .collect()
    }

    /// One trunk.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, id: &str) -> Result<Option<SipTrunk>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, direction, definition, trunk_id, created_at, updated_at from sip_trunks \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?
            .map(|row| trunk_of(&row))
            .transpose()
    }

    /// Makes a trunk, `inbound` or `outbound`, and the one of ours behind it.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, id: &str, direction: &str, new: NewSipTrunk) -> Result<SipTrunk> {
        let behind = self.make(actor, new.trunk).await?;
        let now = self.scope.now();
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into sip_trunks (id, tenant_id, direction, definition, trunk_id, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $6)",
            args![id, self.scope.tenant(), direction, new.definition, behind, now],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "sip_trunk.create", &id, direction)
            .await?;
        tx.commit().await?;
        Ok(SipTrunk {
            id: id.to_owned(),
            tenant: self.scope.tenant(),
            direction: direction.to_owned(),
            definition: new.definition,
            trunk: behind,
            created_at: now,
            updated_at: now,
        })
    }

    async fn make(&self, actor: &Actor, new: Option<NewTrunk>) -> Result<Option<TrunkId>> {
        match new {
            Some(new) => Ok(Some(self.scope.trunks().create(actor, new).await?.id)),
            None => Ok(None),
        }
    }

    /// Changes a trunk and the one of ours behind it; `None` when there is none.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn update(&self, actor: &Actor, id: &str, change: NewSipTrunk) -> Result<Option<SipTrunk>> {
        let Some(present) = self.get(id).await? else {
            return Ok(None);
        };
        let trunks = self.scope.trunks();
        let behind = match (present.trunk, change.trunk) {
            (Some(trunk), Some(values)) => {
                let values = TrunkChange { values, active: true };
                match trunks.update(actor, trunk, &values).await? {
                    Some(_) => Some(trunk),
                    None => self.make(actor, Some(values.values)).await?,
                }
            }
            (Some(trunk), None) => {
                trunks.remove(actor, trunk).await?;
                None
            }
            (None, new) => self.make(actor, new).await?,
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "update sip_trunks set definition = $3, trunk_id = $4, updated_at = $5 where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), id, change.definition, behind, self.scope.now()],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "sip_trunk.update", &id, "")
            .await?;
        tx.commit().await?;
        self.get(id).await
    }

    /// Removes a trunk and the one of ours behind it. Returns what it was.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, id: &str) -> Result<Option<SipTrunk>> {
        let Some(present) = self.get(id).await? else {
            return Ok(None);
        };
        if let Some(trunk) = present.trunk {
            self.scope.trunks().remove(actor, trunk).await?;
        }
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from sip_trunks where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), id],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "sip_trunk.remove", &id, "")
            .await?;
        tx.commit().await?;
        Ok(Some(present))
    }
}
