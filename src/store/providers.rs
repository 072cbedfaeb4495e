//! Providers of language services: which there are, and what each was asked, a row a day.

use crate::Result;
use crate::provider_health::ProviderHealth;
use crate::scope::{area, platform_area};
use crate::sql::{Row, args};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The platform's value that holds the known providers.
const KNOWN: &str = "providers";

/// A provider that an administrator named for the workers, as they last read it. Without any key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownProvider {
    /// What tenants' settings call it.
    pub name: String,
    /// `azure`, `openai` or `gemini`.
    pub kind: String,
    /// Where it lies.
    pub host: String,
    /// Whether nothing leaves the house by it.
    pub on_premises: bool,
    /// Whether it understands text.
    pub chats: bool,
    /// Whether it hears audio.
    pub hears: bool,
    /// Whether it tells what texts mean.
    #[serde(default)]
    pub embeds: bool,
}

/// One request that was made of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTry {
    /// Of whom.
    pub provider: String,
    /// `understanding`, `transcription` or `embedding`.
    pub task: &'static str,
    /// Why it failed, if it did.
    pub problem: Option<String>,
    /// Tokens asked with.
    pub tokens_asked: i64,
    /// Tokens answered with.
    pub tokens_answered: i64,
    /// Millionths of the currency.
    pub cost_micros: i64,
    /// How long it took.
    pub spent_ms: i64,
}

/// What a provider was asked for one task since a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFigures {
    /// Which.
    pub provider: String,
    /// `understanding`, `transcription` or `embedding`.
    pub task: String,
    /// Requests.
    pub asked: i64,
    /// Those that failed.
    pub failed: i64,
    /// Tokens asked with.
    pub tokens_asked: i64,
    /// Tokens answered with.
    pub tokens_answered: i64,
    /// Millionths of the currency.
    pub cost_micros: i64,
    /// How long all took.
    pub spent_ms: i64,
    /// When it last answered.
    pub last_answered_at: Option<OffsetDateTime>,
    /// When it last failed.
    pub last_failed_at: Option<OffsetDateTime>,
    /// Why.
    pub last_problem: Option<String>,
}

impl ProviderFigures {
    /// Whether the last request failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.last_failed_at
            .is_some_and(|failed| self.last_answered_at.is_none_or(|answered| failed > answered))
    }
}

area! {
    /// What was asked of providers for the tenant.
    ProviderDays, provider_days
}

platform_area! {
    /// The providers that workers know.
    KnownProviders, known_providers
}

impl KnownProviders {
    /// Keeps what a worker read.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn publish(&self, providers: &[KnownProvider]) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        tx.run(
            "insert into platform_values (name, value) values ($1, $2) \
             on conflict (name) do update set value = excluded.value",
            args![KNOWN, serde_json::json!(providers)],
        )
        .await?;
        tx.commit().await
    }

    /// What a worker last read.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<KnownProvider>> {
        let row = self
            .store
            .read_all()
            .await?
            .one("select value from platform_values where name = $1", args![KNOWN])
            .await?;
        row.map_or(Ok(Vec::new()), |row| row.json("value"))
    }
}

pub(crate) fn figures_of(row: &Row) -> Result<ProviderFigures> {
    Ok(ProviderFigures {
        provider: row.text("provider")?,
        task: row.text("task")?,
        asked: row.int("asked")?,
        failed: row.int("failed")?,
        tokens_asked: row.int("tokens_asked")?,
        tokens_answered: row.int("tokens_answered")?,
        cost_micros: row.int("cost_micros")?,
        spent_ms: row.int("spent_ms")?,
        last_answered_at: row.opt_time("last_answered_at")?,
        last_failed_at: row.opt_time("last_failed_at")?,
        last_problem: row.opt_text("last_problem")?,
    })
}

impl ProviderDays {
    /// The providers that workers know.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn known(&self) -> Result<Vec<KnownProvider>> {
        self.scope.store().known_providers().list().await
    }

    /// How each of them stands.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn health(&self) -> Result<Vec<ProviderHealth>> {
        self.scope.store().known_providers().health().await
    }

    /// Counts requests.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn count(&self, tries: &[ProviderTry]) -> Result<()> {
        if tries.is_empty() {
            return Ok(());
        }
        let now = self.scope.now();
        let mut tx = self.scope.write().await?;
        for one in tries {
            let failed = one.problem.is_some();
            tx.run(
                "insert into provider_days (tenant_id, provider, task, day, asked, failed, tokens_asked, \
                 tokens_answered, cost_micros, spent_ms, last_answered_at, last_failed_at, last_problem) \
                 values ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12) \
                 on conflict (tenant_id, provider, task, day) do update set asked = provider_days.asked + 1, \
                 failed = provider_days.failed + excluded.failed, \
                 tokens_asked = provider_days.tokens_asked + excluded.tokens_asked, \
                 tokens_answered = provider_days.tokens_answered + excluded.tokens_answered, \
                 cost_micros = provider_days.cost_micros + excluded.cost_micros, \
                 spent_ms = provider_days.spent_ms + excluded.spent_ms, \
                 last_answered_at = coalesce(excluded.last_answered_at, provider_days.last_answered_at), \
                 last_failed_at = coalesce(excluded.last_failed_at, provider_days.last_failed_at), \
                 last_problem = coalesce(excluded.last_problem, provider_days.last_problem)",
                args![
                    self.scope.tenant(),
                    one.provider,
                    one.task,
                    now.date().to_string(),
                    failed,
                    one.tokens_asked,
                    one.tokens_answered,
                    one.cost_micros,
                    one.spent_ms,
                    (!failed).then_some(now),
                    failed.then_some(now),
                    one.problem
                ],
            )
            .await?;
        }
        tx.commit().await
    }

    /// The figures since a day, `2026-11-21`, by provider and task.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn since(&self, day: &str) -> Result<Vec<ProviderFigures>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select d.provider, d.task, cast(sum(d.asked) as bigint) as asked, \
                 cast(sum(d.failed) as bigint) as failed, cast(sum(d.tokens_asked) as bigint) as tokens_asked, \
                 cast(sum(d.tokens_answered) as bigint) as tokens_answered, \
                 cast(sum(d.cost_micros) as bigint) as cost_micros, cast(sum(d.spent_ms) as bigint) as spent_ms, \
                 max(d.last_answered_at) as last_answered_at, max(d.last_failed_at) as last_failed_at, \
                 (select l.last_problem from provider_days l where l.tenant_id = $1 and l.provider = d.provider \
                 and l.task = d.task and l.last_problem is not null order by l.day desc limit 1) as last_problem \
                 from provider_days d where d.tenant_id = $1 and d.day >= $2 \
                 group by d.provider, d.task order by d.provider, d.task",
                args![self.scope.tenant(), day],
            )
            .await?;
        rows.iter().map(figures_of).collect()
    }
}
