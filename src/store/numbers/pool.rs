//! Numbers that nobody uses: claimed by one tenant at a time, and kept back for a while when they are given up.

use super::{NewNumber, Numbers, number_of, target_text};
use crate::audit::Actor;
use crate::scope::platform_area;
use crate::sql::{Page, Paged, Tx, args, cut};
use crate::{Error, Result};
use strowger_model::NumberId;
use strowger_model::record::Number;
use time::OffsetDateTime;

/// For how long a number that was given up is nobody's but that tenant's.
pub const QUARANTINE: time::Duration = time::Duration::days(30);

/// A number of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PooledNumber {
    /// The number as dialled.
    pub number: String,
    /// From when anybody may have it.
    pub free_from: OffsetDateTime,
}

platform_area! {
    /// The pool of numbers that nobody uses.
    NumberPool, number_pool
}

impl NumberPool {
    /// Adds numbers to the pool; those that are there or in use already are left alone. Returns how many were added.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn add(&self, actor: &Actor, numbers: &[String]) -> Result<u64> {
        let mut tx = self.store.write_all().await?;
        let (mut added, now) = (0, self.store.now());
        for number in numbers {
            added += tx
                .run(
                    "insert into number_pool (number, free_from, given_up_by) select $1, $2, null \
                     where not exists (select 1 from numbers where number = $1) on conflict (number) do nothing",
                    args![number, now],
                )
                .await?;
        }
        let line = actor.line(
            "pool.add",
            numbers.first().map_or("", String::as_str),
            &added.to_string(),
        );
        crate::audit::write(&mut tx, now, None, &line).await?;
        tx.commit().await?;
        Ok(added)
    }

    /// Takes a number out of the pool. Returns whether it was there.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, number: &str) -> Result<bool> {
        let mut tx = self.store.write_all().await?;
        let gone = tx
            .run("delete from number_pool where number = $1", args![number])
            .await?;
        let line = actor.line("pool.remove", number, "");
        crate::audit::write(&mut tx, self.store.now(), None, &line).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// The pool in the numbers' order, those in quarantine among them.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<PooledNumber>> {
        let rows = self
            .store
            .read_all()
            .await?
            .all(
                "select number, free_from from number_pool where number > $1 order by number limit $2",
                args![page.after_id(), page.fetch()],
            )
            .await?;
        let read = |row: &crate::sql::Row| {
            Ok(PooledNumber {
                number: row.text("number")?,
                free_from: row.time("free_from")?,
            })
        };
        cut(&rows, page, read, |pooled| pooled.number.clone())
    }
}

impl Numbers {
    /// Claims a number: one of the pool, one of the tenant's own that takes no calls, or one nobody has entered yet. Of
    /// several that want it at once one gets it.
    ///
    /// # Errors
    /// It is in use ([`Error::Taken`]) or in quarantine ([`Error::State`]), or the database did not answer.
    pub async fn claim(&self, actor: &Actor, new: NewNumber) -> Result<Number> {
        let tenant = self.scope.tenant();
        let now = self.scope.now();
        let mut tx = self.scope.write().await?;
        let pooled = tx
            .one(
                "select free_from, given_up_by from number_pool where number = $1",
                args![new.number],
            )
            .await?;
        if let Some(row) = &pooled {
            let is_own = row.opt_text("given_up_by")?.is_some_and(|by| by == tenant.to_string());
            if !is_own && row.time("free_from")? > now {
                return Err(Error::State {
                    what: "this number",
                    state: "in quarantine since it was given up".to_owned(),
                    wish: "be claimed",
                });
            }
            // Whoever removes the row has it; a second one finds none and is told by the number's own row.
            tx.run("delete from number_pool where number = $1", args![new.number])
                .await?;
        }
        let woken = tx
            .run(
                "update numbers set active = 1, friendly_name = $3, target = $4, record = $5 \
                 where tenant_id = $1 and number = $2 and active = 0",
                args![
                    tenant,
                    new.number,
                    new.friendly_name,
                    target_text(new.target),
                    new.record
                ],
            )
            .await?;
        if woken == 0 {
            let made = tx
                .run(
                    "insert into numbers (id, tenant_id, number, friendly_name, target, record, active, created_at) \
                     values ($1, $2, $3, $4, $5, $6, 1, $7) on conflict (number) do nothing",
                    args![
                        NumberId::generate(self.scope.world()),
                        tenant,
                        new.number,
                        new.friendly_name,
                        target_text(new.target),
                        new.record,
                        now
                    ],
                )
                .await?;
            if made == 0 {
                return Err(Error::Taken {
                    field: "number".to_owned(),
                });
            }
        }
        let row = tx
            .one(
                "select id, tenant_id, number, friendly_name, target, record, active, created_at from numbers \
                 where tenant_id = $1 and number = $2",
                args![tenant, new.number],
            )
            .await?;
        let number = row.map(|row| number_of(&row)).transpose()?;
        let number = number.ok_or(Error::Taken {
            field: "number".to_owned(),
        })?;
        self.scope
            .note_directory(&mut tx, actor, "number.claim", &number.id, &number.number)
            .await?;
        tx.commit().await?;
        Ok(number)
    }

    /// The numbers of the pool that this tenant may claim now, in their order.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn claimable(&self, page: &Page) -> Result<Paged<String>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select number from number_pool where number > $2 and (free_from <= $3 or given_up_by = $1) \
                 order by number limit $4",
                args![self.scope.tenant(), page.after_id(), self.scope.now(), page.fetch()],
            )
            .await?;
        cut(&rows, page, |row| row.text("number"), Clone::clone)
    }
}

/// Puts a number that a tenant gives up into the pool, in quarantine.
pub(super) async fn give_up(tx: &mut Tx, numbers: &Numbers, number: &str) -> Result<()> {
    let free_from = numbers.scope.now() + QUARANTINE;
    tx.run(
        "insert into number_pool (number, free_from, given_up_by) values ($1, $2, $3) \
         on conflict (number) do update set free_from = excluded.free_from, given_up_by = excluded.given_up_by",
        args![number, free_from, numbers.scope.tenant()],
    )
    .await?;
    Ok(())
}
