//! How providers of language services do, over all tenants and workers: for health pages and counters.

use crate::Result;
use crate::providers::{KnownProvider, KnownProviders, ProviderFigures, figures_of};
use crate::sql::{args, escape_like, millis};
use serde::{Deserialize, Serialize};
use strowger_model::TenantId;
use time::{Duration, OffsetDateTime};

/// What the names of the platform's values of breakers begin with; the worker's name follows.
const BREAKERS: &str = "provider_breakers:";

/// A worker whose breaker was not heard of for so long is gone.
const FORGOTTEN: Duration = Duration::days(1);

/// How a worker's breaker of one provider stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderBreaker {
    /// Which provider.
    pub provider: String,
    /// Failures in a row.
    pub failures: u32,
    /// Until when nothing is asked, milliseconds since 1970; after that one request tries it.
    pub rests_until_ms: Option<i64>,
    /// When the worker said so, milliseconds since 1970.
    pub told_at_ms: i64,
}

/// How a provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProviderState {
    /// Nobody asked it of late.
    Unused,
    /// Its last answer was good.
    Works,
    /// Its last answer was none.
    Failing,
    /// It failed again and again and rested; the next request tries it.
    Trying,
    /// It failed again and again and is not asked until then.
    Resting(OffsetDateTime),
}

impl ProviderState {
    /// The circuit breaker's state in its field's words: `closed`, `half_open` or `open`.
    #[must_use]
    pub const fn circuit(self) -> &'static str {
        match self {
            Self::Unused | Self::Works | Self::Failing => "closed",
            Self::Trying => "half_open",
            Self::Resting(_) => "open",
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_ill(self) -> bool {
        match self {
            Self::Unused | Self::Works => false,
            Self::Failing | Self::Trying | Self::Resting(_) => true,
        }
    }
}

/// A provider and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderHealth {
    /// Which.
    pub provider: KnownProvider,
    /// How it stands with the worker it stands worst with.
    pub state: ProviderState,
    /// When it last failed.
    pub last_failed_at: Option<OffsetDateTime>,
    /// Why.
    pub last_problem: Option<String>,
}

/// What a tenant had a provider do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSpend {
    /// Whose.
    pub tenant: TenantId,
    /// Their name.
    pub tenant_name: String,
    /// What was asked.
    pub figures: ProviderFigures,
}

impl KnownProviders {
    /// Keeps how a worker's breakers stand.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tell_breakers(&self, worker: &str, breakers: &[ProviderBreaker]) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        tx.run(
            "insert into platform_values (name, value) values ($1, $2) \
             on conflict (name) do update set value = excluded.value",
            args![format!("{BREAKERS}{worker}"), serde_json::json!(breakers)],
        )
        .await?;
        tx.commit().await
    }

    async fn breakers(&self) -> Result<Vec<ProviderBreaker>> {
        let rows = self
            .store
            .read_all()
            .await?
            .all(
                "select value from platform_values where name like $1 escape '\\'",
                args![format!("{}%", escape_like(BREAKERS))],
            )
            .await?;
        let mut all = Vec::new();
        for row in &rows {
            all.extend(row.json::<Vec<ProviderBreaker>>("value")?);
        }
        Ok(all)
    }

    /// What each tenant had each provider do since a day, `2026-11-01`.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn spend_since(&self, day: &str) -> Result<Vec<ProviderSpend>> {
        let rows = self
            .store
            .read_all()
            .await?
            .all(
                "select d.tenant_id, t.name as tenant_name, d.provider, d.task, cast(sum(d.asked) as bigint) as asked, \
                 cast(sum(d.failed) as bigint) as failed, cast(sum(d.tokens_asked) as bigint) as tokens_asked, \
                 cast(sum(d.tokens_answered) as bigint) as tokens_answered, \
                 cast(sum(d.cost_micros) as bigint) as cost_micros, cast(sum(d.spent_ms) as bigint) as spent_ms, \
                 max(d.last_answered_at) as last_answered_at, max(d.last_failed_at) as last_failed_at, \
                 (select l.last_problem from provider_days l where l.tenant_id = d.tenant_id and l.provider = d.provider \
                 and l.task = d.task and l.last_problem is not null order by l.day desc limit 1) as last_problem \
                 from provider_days d join tenants t on t.id = d.tenant_id where d.day >= $1 \
                 group by d.tenant_id, t.name, d.provider, d.task order by t.name, d.tenant_id, d.provider, d.task",
                args![day],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ProviderSpend {
                    tenant: row.parse("tenant_id")?,
                    tenant_name: row.text("tenant_name")?,
                    figures: figures_of(row)?,
                })
            })
            .collect()
    }

    /// What each tenant had each provider do this month.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn spend_of_the_month(&self) -> Result<Vec<ProviderSpend>> {
        self.spend_since(&first_of_the_month(self.store.now())).await
    }

    /// How each provider that workers know stands.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn health(&self) -> Result<Vec<ProviderHealth>> {
        let known = self.list().await?;
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.store.now();
        let spend = self.spend_since(&(now - Duration::days(29)).date().to_string()).await?;
        let breakers = self.breakers().await?;
        Ok(known
            .into_iter()
            .map(|provider| health_of(provider, &spend, &breakers, now))
            .collect())
    }
}

/// The first day of the month, `2026-11-01`.
#[must_use]
pub fn first_of_the_month(now: OffsetDateTime) -> String {
    let today = now.date();
    today.replace_day(1).unwrap_or(today).to_string()
}

fn health_of(
    provider: KnownProvider,
    spend: &[ProviderSpend],
    breakers: &[ProviderBreaker],
    now: OffsetDateTime,
) -> ProviderHealth {
    let own = || {
        let figures = spend.iter().map(|one| &one.figures);
        figures.filter(|one| one.provider == provider.name)
    };
    let answered = own().filter_map(|one| one.last_answered_at).max();
    let failed = own().filter_map(|one| one.last_failed_at).max();
    let worst = own().max_by_key(|one| one.last_failed_at);
    let asked = match (answered, failed) {
        (None, None) => ProviderState::Unused,
        (answered, Some(failed)) if answered.is_none_or(|answered| failed > answered) => ProviderState::Failing,
        _ => ProviderState::Works,
    };
    let now_ms = millis(now);
    let broken = breakers
        .iter()
        .filter(|one| one.provider == provider.name)
        .filter(|one| now_ms - one.told_at_ms < i64::try_from(FORGOTTEN.whole_milliseconds()).unwrap_or(i64::MAX))
        .filter_map(|one| one.rests_until_ms)
        .max()
        .and_then(|ms| OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok())
        .map(|until| {
            if until > now {
                ProviderState::Resting(until)
            } else {
                ProviderState::Trying
            }
        });
    ProviderHealth {
        state: broken.map_or(asked, |broken| broken.max(asked)),
        last_failed_at: failed,
        last_problem: worst
            .filter(|_| failed.is_some())
            .and_then(|one| one.last_problem.clone()),
        provider,
    }
}
