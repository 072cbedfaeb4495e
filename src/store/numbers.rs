//! The numbers that callers dial.

mod pool;

pub use pool::{NumberPool, PooledNumber, QUARANTINE};

use crate::Result;
use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut};
use strowger_model::record::Number;
use strowger_model::trunk::NumberTarget;
use strowger_model::{NumberId, TenantId};

/// A number to be taken into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNumber {
    /// The number as dialled, normalised, unique on this machine.
    pub number: String,
    /// What people call it.
    pub friendly_name: String,
    /// What happens to callers.
    pub target: Option<NumberTarget>,
    /// Says record or not; `None` leaves it to the settings.
    pub record: Option<bool>,
}

/// What may change of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberChange {
    /// What people call it.
    pub friendly_name: String,
    /// What happens to callers.
    pub target: Option<NumberTarget>,
    /// Says record or not; `None` leaves it to the settings.
    pub record: Option<bool>,
    /// Whether calls are taken.
    pub active: bool,
}

area! {
    /// The numbers of the tenant.
    Numbers, numbers
}

pub(crate) fn number_of(row: &Row) -> Result<Number> {
    Ok(Number {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        number: row.text("number")?,
        friendly_name: row.text("friendly_name")?,
        target: row.opt_json("target")?,
        record: row.opt_int("record")?.map(|switch| switch != 0),
        active: row.switch("active")?,
        created_at: row.time("created_at")?,
    })
}

fn target_text(target: Option<NumberTarget>) -> Option<String> {
    target.map(|target| serde_json::json!(target).to_string())
}

/// Takes a removed target out of every number that points to it: its callers are refused.
pub(crate) async fn forget_target(tx: &mut Tx, tenant: TenantId, target: NumberTarget) -> Result<()> {
    tx.run(
        "update numbers set target = null where tenant_id = $1 and target = $2",
        args![tenant, target_text(Some(target))],
    )
    .await?;
    Ok(())
}

impl Numbers {
    /// The numbers of the tenant in their order.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Number>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, number, friendly_name, target, record, active, created_at from numbers \
                 where tenant_id = $1 and number > $2 order by number limit $3",
                args![self.scope.tenant(), page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, number_of, |number| number.number.clone())
    }

    /// One number by its id.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, number: NumberId) -> Result<Option<Number>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, number, friendly_name, target, record, active, created_at from numbers \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), number],
            )
            .await?
            .map(|row| number_of(&row))
            .transpose()
    }

    /// One number as dialled.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn by_number(&self, number: &str) -> Result<Option<Number>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, number, friendly_name, target, record, active, created_at from numbers \
                 where tenant_id = $1 and number = $2",
                args![self.scope.tenant(), number],
            )
            .await?
            .map(|row| number_of(&row))
            .transpose()
    }

    /// Takes a number into use.
    ///
    /// # Errors
    /// The number is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewNumber) -> Result<Number> {
        let number = Number {
            id: NumberId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            number: new.number,
            friendly_name: new.friendly_name,
            target: new.target,
            record: new.record,
            active: true,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        // What is entered by hand is no longer the pool's.
        tx.run(
            "delete from number_pool where number = $1 and (free_from <= $2 or given_up_by = $3)",
            args![number.number, number.created_at, number.tenant],
        )
        .await?;
        tx.run(
            "insert into numbers (id, tenant_id, number, friendly_name, target, record, active, created_at) \
             values ($1, $2, $3, $4, $5, $6, 1, $7)",
            args![
                number.id,
                number.tenant,
                number.number,
                number.friendly_name,
                target_text(number.target),
                number.record,
                number.created_at
            ],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "number.create", &number.id, &number.number)
            .await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Changes a number; `None` when there is none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn update(&self, actor: &Actor, number: NumberId, change: &NumberChange) -> Result<Option<Number>> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update numbers set friendly_name = $3, target = $4, record = $5, active = $6 \
                 where tenant_id = $1 and id = $2",
                args![
                    self.scope.tenant(),
                    number,
                    change.friendly_name,
                    target_text(change.target),
                    change.record,
                    change.active
                ],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        let detail = target_text(change.target).unwrap_or_else(|| "no target".to_owned());
        self.scope
            .note_directory(&mut tx, actor, "number.update", &number, &detail)
            .await?;
        tx.commit().await?;
        self.get(number).await
    }

    /// Gives a number up: it goes into the pool, and for [`QUARANTINE`] nobody else may have it. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, number: NumberId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let key = || args![self.scope.tenant(), number];
        let standing = tx
            .one("select number from numbers where tenant_id = $1 and id = $2", key())
            .await?;
        let Some(standing) = standing else {
            return Ok(false);
        };
        tx.run("delete from numbers where tenant_id = $1 and id = $2", key())
            .await?;
        pool::give_up(&mut tx, self, &standing.text("number")?).await?;
        self.scope
            .note_directory(&mut tx, actor, "number.remove", &number, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
