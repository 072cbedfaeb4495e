//! Who did what. Each line is written in the transaction of the change it tells of and holds the hash
//! of the line before it, so that a line cannot be changed or taken out unseen.

use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args};
use crate::{Result, Scope};
use aws_lc_rs::digest;
use std::collections::BTreeMap;
use strowger_model::TenantId;
use strowger_model::record::AuditEntry;
use time::OffsetDateTime;

/// Who makes a change, as the audit log shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    name: String,
}

impl Actor {
    /// A person (their e-mail address) or a program (`token NAME`).
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// The product itself.
    #[must_use]
    pub fn system() -> Self {
        Self::named("system")
    }

    /// The name as shown.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn line(&self, action: &'static str, target: &str, detail: &str) -> Line {
        Line {
            actor: self.name.clone(),
            action,
            target: target.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

/// A line before it has its place in the chain.
pub(crate) struct Line {
    actor: String,
    action: &'static str,
    target: String,
    detail: String,
}

/// Which lines of the audit log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Lines by this actor.
    pub actor: Option<String>,
    /// Lines whose action begins so: `recording.` or `user.create`.
    pub action: Option<String>,
    /// Lines about this thing.
    pub target: Option<String>,
}

/// What a walk along the chain of hashes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All lines stand as they were written.
    Whole {
        /// How many there are.
        lines: i64,
    },
    /// The line at this position, or one before it, was changed or taken out.
    BrokenAt(i64),
}

area! {
    /// The tenant's audit log.
    Audit, audit
}

impl Audit {
    /// Writes a line that goes with no change: somebody listened, somebody was refused.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn write(&self, actor: &Actor, action: &'static str, target: &str, detail: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        let line = actor.line(action, target, detail);
        write(&mut tx, self.scope.now(), Some(self.scope.tenant()), &line).await?;
        tx.commit().await
    }

    /// The tenant's lines, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>> {
        let mut tx = self.scope.read().await?;
        list(&mut tx, Some(self.scope.tenant()), filter, page).await
    }

    /// Walks the tenant's chain of hashes.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn verify(&self) -> Result<Verdict> {
        verify(&mut self.scope.read().await?, Some(self.scope.tenant())).await
    }
}

impl crate::Store {
    /// Writes a line of the platform's own audit log.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn write_audit(&self, actor: &Actor, action: &'static str, target: &str, detail: &str) -> Result<()> {
        let mut tx = self.write_all().await?;
        write(&mut tx, self.now(), None, &actor.line(action, target, detail)).await?;
        tx.commit().await
    }

    /// The platform's own audit lines, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list_audit(&self, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>> {
        list(&mut self.read_all().await?, None, filter, page).await
    }

    /// Walks every chain of hashes: the platform's (`None`) first, then each tenant's.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn verify_audit(&self) -> Result<Vec<(Option<TenantId>, Verdict)>> {
        let mut verdicts = vec![(None, verify(&mut self.read_all().await?, None).await?)];
        for tenant in self.every_tenant().await? {
            verdicts.push((Some(tenant), self.tenant(tenant).audit().verify().await?));
        }
        Ok(verdicts)
    }
}

fn chain_of(tenant: Option<TenantId>) -> String {
    tenant.map_or_else(|| "platform".to_owned(), |tenant| tenant.to_string())
}

/// Appends a line to its chain. Taking the head's row serialises writers on both engines.
pub(crate) async fn write(tx: &mut Tx, now: OffsetDateTime, tenant: Option<TenantId>, line: &Line) -> Result<()> {
    let chain = chain_of(tenant);
    let head = tx
        .one(
            "insert into audit_heads (chain, position, hash) values ($1, 1, '') \
             on conflict (chain) do update set position = audit_heads.position + 1 \
             returning position, hash",
            args![chain],
        )
        .await?;
    let (position, previous) = match head {
        Some(row) => (row.int("position")?, row.text("hash")?),
        None => return Ok(()),
    };
    let hash = hash_of(&previous, &chain, position, now, line);
    tx.run(
        "insert into audit (chain, position, at, tenant_id, actor, action, target, detail, previous, hash) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            chain,
            position,
            now,
            tenant,
            line.actor,
            line.action,
            line.target,
            line.detail,
            previous,
            hash
        ],
    )
    .await?;
    tx.run("update audit_heads set hash = $2 where chain = $1", args![chain, hash])
        .await?;
    Ok(())
}

fn hash_of(previous: &str, chain: &str, position: i64, at: OffsetDateTime, line: &Line) -> String {
    chained(
        previous,
        &[
            chain,
            &position.to_string(),
            &(at.unix_timestamp_nanos() / 1_000_000).to_string(),
            &line.actor,
            line.action,
            &line.target,
            &line.detail,
        ],
    )
}

/// Each part with its length before it, so that no two lines hash the same text.
fn chained(previous: &str, parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(previous.as_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    hex::encode(context.finish())
}

/// How many lines of a tenant's log hold words that `is_theirs` knows.
pub(crate) async fn naming(tx: &mut Tx, scope: &Scope, is_theirs: impl Fn(&str) -> bool) -> Result<i64> {
    let (mut count, mut after) = (0, 0_i64);
    loop {
        let rows = lines_after(tx, scope, after).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.int("position")?;
        for row in &rows {
            if is_theirs(&row.text("target")?) || is_theirs(&row.text("detail")?) {
                count += 1;
            }
        }
    }
}

/// Takes words out of a tenant's log. A line keeps its hash, so that the chain holds, and a new line says of each
/// which hash was kept: nobody else can take words out unseen.
pub(crate) async fn redact(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    without: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let (mut after, mut proofs) = (0_i64, Vec::new());
    loop {
        let rows = lines_after(tx, scope, after).await?;
        let Some(last) = rows.last() else { break };
        after = last.int("position")?;
        for row in &rows {
            let (target, detail) = (row.text("target")?, row.text("detail")?);
            let left = (without(&target), without(&detail));
            if left == (None, None) {
                continue;
            }
            let position = row.int("position")?;
            tx.run(
                "update audit set target = $3, detail = $4, redacted = 1 where chain = $1 and position = $2",
                args![
                    chain_of(Some(scope.tenant())),
                    position,
                    left.0.unwrap_or(target),
                    left.1.unwrap_or(detail)
                ],
            )
            .await?;
            proofs.push(proof_of(position, &row.text("hash")?));
        }
    }
    for proof in proofs {
        scope.note(tx, actor, REDACTION, &"audit", &proof).await?;
    }
    Ok(())
}

/// The action of a line that says that words were taken out of another one.
const REDACTION: &str = "audit.redact";

fn proof_of(position: i64, hash: &str) -> String {
    format!("line {position} keeps {hash}")
}

async fn lines_after(tx: &mut Tx, scope: &Scope, after: i64) -> Result<Vec<Row>> {
    tx.all(
        "select position, target, detail, hash from audit where chain = $1 and position > $2 order by position limit 1000",
        args![chain_of(Some(scope.tenant())), after],
    )
    .await
}

async fn list(tx: &mut Tx, tenant: Option<TenantId>, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>> {
    let before = page
        .after
        .as_deref()
        .and_then(|text| text.parse::<i64>().ok())
        .unwrap_or(i64::MAX);
    let action = filter
        .action
        .as_ref()
        .map(|prefix| format!("{}%", crate::sql::escape_like(prefix)));
    let rows = tx
        .all(
            "select position, at, tenant_id, actor, action, target, detail from audit \
             where chain = $1 and position < $2 \
             and ($3 is null or actor = $3) and ($4 is null or action like $4 escape '\\') \
             and ($5 is null or target = $5) \
             order by position desc limit $6",
            args![
                chain_of(tenant),
                before,
                filter.actor,
                action,
                filter.target,
                page.fetch()
            ],
        )
        .await?;
    let items = rows
        .iter()
        .map(|row| Ok((row.int("position")?, entry(row)?)))
        .collect::<Result<Vec<_>>>()?;
    let cut = crate::sql::cut_by(items, page, |(position, _)| position.to_string());
    Ok(Paged {
        items: cut.items.into_iter().map(|(_, entry)| entry).collect(),
        next: cut.next,
    })
}

fn entry(row: &Row) -> Result<AuditEntry> {
    Ok(AuditEntry {
        at: row.time("at")?,
        tenant: row.opt_parse("tenant_id")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        target: row.text("target")?,
        detail: row.text("detail")?,
    })
}

pub(crate) async fn verify(tx: &mut Tx, tenant: Option<TenantId>) -> Result<Verdict> {
    let chain = chain_of(tenant);
    // The head is read first: lines written while the chain is walked stand after it.
    let head = tx
        .one("select position, hash from audit_heads where chain = $1", args![chain])
        .await?;
    let (head, last) = match head {
        Some(row) => (row.int("position")?, row.text("hash")?),
        None => {
            let lines = tx.count("select count(*) as n from audit where chain = $1", args![chain]);
            let is_headless = lines.await? > 0;
            return Ok(if is_headless {
                Verdict::BrokenAt(1)
            } else {
                Verdict::Whole { lines: 0 }
            });
        }
    };
    let mut previous = String::new();
    let mut done = 0_i64;
    let mut redacted = BTreeMap::new();
    while done < head {
        let rows = tx
            .all(
                "select position, at, actor, action, target, detail, previous, hash, redacted from audit \
                 where chain = $1 and position > $2 and position <= $3 order by position limit 1000",
                args![chain, done, head],
            )
            .await?;
        if rows.is_empty() {
            return Ok(Verdict::BrokenAt(done + 1));
        }
        for row in &rows {
            let position = row.int("position")?;
            let hash = chained(
                &previous,
                &[
                    &chain,
                    &position.to_string(),
                    &row.int("at")?.to_string(),
                    &row.text("actor")?,
                    &row.text("action")?,
                    &row.text("target")?,
                    &row.text("detail")?,
                ],
            );
            let stands = row.text("hash")?;
            let is_redacted = row.switch("redacted")?;
            if position != done + 1 || row.text("previous")? != previous || (stands != hash && !is_redacted) {
                return Ok(Verdict::BrokenAt(done + 1));
            }
            if is_redacted {
                redacted.insert(proof_of(position, &stands), position);
            } else if row.text("action")? == REDACTION {
                redacted.remove(&row.text("detail")?);
            }
            previous = stands;
            done = position;
        }
    }
    // The last line was written anew, hash and all.
    if previous != last {
        return Ok(Verdict::BrokenAt(done));
    }
    // A line without its words that no later line speaks of was not redacted by us.
    if let Some(position) = redacted.values().min() {
        return Ok(Verdict::BrokenAt(*position));
    }
    Ok(Verdict::Whole { lines: done })
}
