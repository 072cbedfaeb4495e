//! How trunks answered, minute by minute.

use super::Trunks;
use crate::Result;
use crate::sql::args;
use std::time::Duration;
use strowger_model::TrunkId;
use time::OffsetDateTime;

const MINUTE_MS: i64 = 60_000;
/// How long the history is kept.
const KEPT: time::Duration = time::Duration::days(7);

/// A minute of a trunk's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkMinute {
    /// When it began.
    pub at: OffsetDateTime,
    /// Pings that were answered.
    pub answered: i64,
    /// Pings that were not.
    pub missed: i64,
    /// How long the answers took on average; zero without one.
    pub latency: Duration,
}

impl Trunks {
    /// Notes that a ping was answered after `latency`, or was not. What is older than a week goes with it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn pinged(&self, trunk: TrunkId, at: OffsetDateTime, latency: Option<Duration>) -> Result<()> {
        let millis = crate::sql::millis(at);
        let minute = millis - millis.rem_euclid(MINUTE_MS);
        let took = latency.map_or(0, |latency| i64::try_from(latency.as_micros()).unwrap_or(i64::MAX));
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        // A trunk that was removed meanwhile has no history.
        let added = tx
            .run(
                "insert into trunk_health (trunk_id, tenant_id, minute, answered, missed, latency_us) \
                 select id, tenant_id, $3, $4, $5, $6 from trunks where tenant_id = $1 and id = $2 \
                 on conflict (trunk_id, minute) do update set answered = trunk_health.answered + excluded.answered, \
                 missed = trunk_health.missed + excluded.missed, \
                 latency_us = trunk_health.latency_us + excluded.latency_us",
                args![
                    tenant,
                    trunk,
                    minute,
                    i64::from(latency.is_some()),
                    i64::from(latency.is_none()),
                    took
                ],
            )
            .await?;
        if added > 0 && minute % (60 * MINUTE_MS) == 0 {
            tx.run(
                "delete from trunk_health where tenant_id = $1 and trunk_id = $2 and minute < $3",
                args![tenant, trunk, at - KEPT],
            )
            .await?;
        }
        tx.commit().await
    }

    /// A trunk's history since a moment, oldest first. Minutes in which the machine did not run are not in it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn history(&self, trunk: TrunkId, since: OffsetDateTime) -> Result<Vec<TrunkMinute>> {
        self.scope
            .read()
            .await?
            .all(
                "select minute, answered, missed, latency_us from trunk_health \
                 where tenant_id = $1 and trunk_id = $2 and minute >= $3 order by minute",
                args![self.scope.tenant(), trunk, since],
            )
            .await?
            .iter()
            .map(|row| {
                let answered = row.int("answered")?;
                let micros = row.int("latency_us")? / answered.max(1);
                Ok(TrunkMinute {
                    at: row.time("minute")?,
                    answered,
                    missed: row.int("missed")?,
                    latency: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
                })
            })
            .collect()
    }
}
