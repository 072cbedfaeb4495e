//! Taking a job, keeping it, and ending a try.
//!
//! A try ends well, ends with a fault, or the worker ends in the middle of it. The last may be the job's doing (audio on
//! which a library crashes) or nobody's (the power). So such a try is counted apart and allowed more often, and from then
//! on the job runs alone in its worker: whatever else ran beside it does not share the blame.

use super::ask::ticket;
use crate::sql::{Engine, args};
use crate::{Result, Store};
use strowger_model::JobId;
use strowger_model::job::Job;
use time::{Duration, OffsetDateTime};

/// A worker that was not heard of for so long is dead, and its jobs are anybody's.
const SILENCE: Duration = Duration::seconds(45);
/// In so many tries a worker may end before the job is not tried again. Alone in its worker, it is that job's doing.
const CRASHES: u32 = 8;
/// A job whose worker ended waits no longer than this, seconds.
const CRASH_BACK_OFF_S: u64 = 60;
/// What is written of a try in which the worker ended.
const ENDED: &str = "the worker ended in the middle";

/// A job that is ours until its try ends or we fall silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: JobId,
    /// The work.
    pub job: Job,
    /// Which try this is: 1, 2, 3 …
    pub attempt: u32,
    /// In how many of the tries before the worker ended.
    pub crashes: u32,
    /// How many tries there are at most that end with a fault.
    pub max_attempts: u32,
}

impl Claimed {
    /// Whether a fault of this try is final.
    pub(crate) const fn is_last(&self) -> bool {
        self.attempt.saturating_sub(self.crashes) >= self.max_attempts
    }

    /// Why this try is not made: the worker ended in too many before.
    pub(crate) fn spent(&self) -> Option<String> {
        (self.crashes >= CRASHES).then(|| format!("{ENDED}, {} times", self.crashes))
    }
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// It went wrong and may go well another time.
    Retry(String),
    /// It will never go well.
    GiveUp(String),
}

impl Store {
    /// Claims the most urgent due job for a worker: lowest priority figure first; among those a tenant
    /// with fewer running jobs before one with more, then the oldest. Jobs of a figure above `lowest` are left.
    /// A job whose worker ended before is claimed when the worker runs no other, and no other beside it; errands,
    /// for which somebody waits, are let through.
    ///
    /// # Errors
    /// The database did not answer.
    pub(crate) async fn claim_up_to(&self, worker: &str, lowest: i32) -> Result<Option<Claimed>> {
        let now = self.now();
        // Looking costs no write lock; most looks find nothing.
        let due = "select count(*) as n from jobs where state = 'queued' and run_at <= $1 and priority <= $2";
        let lowest = i64::from(lowest);
        if self.read_all().await?.count(due, args![now, lowest]).await? == 0 {
            return Ok(None);
        }
        let mut tx = self.write_all().await?;
        let beside = tx
            .one(
                "select count(*) as running, count(case when crashes > 0 then 1 end) as suspects from jobs \
                 where state = 'running' and worker = $1 and priority > $2",
                args![worker, i64::from(Job::ERRAND)],
            )
            .await?;
        let beside = |what| beside.as_ref().map_or(Ok(0), |row| row.int(what));
        let is_errand = lowest <= i64::from(Job::ERRAND);
        if !is_errand && beside("suspects")? > 0 {
            return Ok(None);
        }
        let statement = match self.db().engine() {
            Engine::Sqlite => {
                "select j.id, j.crashes from jobs j where j.state = 'queued' and j.run_at <= $1 and j.priority <= $2 \
                 order by j.priority, (select count(*) from jobs r where r.tenant_id = j.tenant_id \
                 and r.state = 'running'), j.run_at, j.id limit 1"
            }
            Engine::Postgres => {
                "select j.id, j.crashes from jobs j where j.state = 'queued' and j.run_at <= $1 and j.priority <= $2 \
                 order by j.priority, (select count(*) from jobs r where r.tenant_id = j.tenant_id \
                 and r.state = 'running'), j.run_at, j.id limit 1 for update skip locked"
            }
        };
        let Some(row) = tx.one(statement, args![now, lowest]).await? else {
            return Ok(None);
        };
        if !is_errand && row.int("crashes")? > 0 && beside("running")? > 0 {
            return Ok(None);
        }
        let id: JobId = row.parse("id")?;
        let row = tx
            .one(
                "update jobs set state = 'running', attempts = attempts + 1, worker = $2, started_at = $3, \
                 heartbeat_at = $3, percent = 0 where id = $1 and state = 'queued' returning payload, attempts, crashes, max_attempts",
                args![id, worker, now],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let claimed = Claimed {
            id,
            job: row.json("payload")?,
            attempt: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
            crashes: u32::try_from(row.int("crashes")?).unwrap_or(u32::MAX),
            max_attempts: u32::try_from(row.int("max_attempts")?).unwrap_or(u32::MAX),
        };
        tx.commit().await?;
        Ok(Some(claimed))
    }

    /// As [`Store::claim_up_to`], whatever the figure.
    #[cfg(test)]
    pub(crate) async fn claim_job(&self, worker: &str) -> Result<Option<Claimed>> {
        self.claim_up_to(worker, i32::MAX).await
    }

    /// Says that a worker lives, for all its jobs.
    pub(crate) async fn keep_jobs(&self, worker: &str) -> Result<()> {
        let mut tx = self.write_all().await?;
        tx.run(
            "update jobs set heartbeat_at = $2 where worker = $1 and state = 'running'",
            args![worker, self.now()],
        )
        .await?;
        tx.commit().await
    }

    /// Ends a try. One that another worker has taken over meanwhile stays that worker's.
    pub(crate) async fn end_job(&self, worker: &str, claimed: &Claimed, outcome: &Outcome) -> Result<()> {
        let now = self.now();
        let mut tx = self.write_all().await?;
        let (state, problem, run_at, finished) = match outcome {
            Outcome::Done => ("done", None, now, Some(now)),
            Outcome::Retry(problem) if !claimed.is_last() => {
                let failed = claimed.attempt.saturating_sub(claimed.crashes);
                ("queued", Some(problem), self.after(failed), None)
            }
            Outcome::Retry(problem) | Outcome::GiveUp(problem) => ("dead", Some(problem), now, Some(now)),
        };
        let touched = tx
            .run(
                "update jobs set state = $3, problem = $4, run_at = $5, finished_at = $6, heartbeat_at = null \
                 where id = $1 and worker = $2 and state = 'running' and attempts = $7",
                args![
                    claimed.id,
                    worker,
                    state,
                    problem,
                    run_at,
                    finished,
                    i64::from(claimed.attempt)
                ],
            )
            .await?;
        if touched > 0 && state == "queued" {
            ticket(&mut tx, self, claimed.id, i64::from(claimed.job.priority()), run_at).await?;
        }
        tx.commit().await
    }

    fn after(&self, attempt: u32) -> OffsetDateTime {
        let wait = Job::back_off_s(attempt.saturating_add(1));
        self.now() + Duration::seconds(i64::try_from(wait).unwrap_or(300))
    }

    /// Takes jobs back from workers that fell silent: they are due again at once, and after a wait when it happens to
    /// the same job repeatedly. Returns how many.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn requeue_abandoned_jobs(&self) -> Result<u64> {
        let now = self.now();
        let mut tx = self.write_all().await?;
        let rows = tx
            .all(
                "update jobs set state = 'queued', problem = $3, run_at = $1, heartbeat_at = null, crashes = crashes + 1 \
                 where state = 'running' and heartbeat_at < $2 returning id, crashes, priority",
                args![now, now - SILENCE, ENDED],
            )
            .await?;
        for row in &rows {
            let (id, crashes): (JobId, _) = (row.parse("id")?, row.int("crashes")?);
            let due = match u32::try_from(crashes) {
                Ok(0 | 1) => now,
                crashes => {
                    let wait = Job::back_off_s(crashes.unwrap_or(u32::MAX)).min(CRASH_BACK_OFF_S);
                    now + Duration::seconds(i64::try_from(wait).unwrap_or(0))
                }
            };
            tx.run("update jobs set run_at = $2 where id = $1", args![id, due])
                .await?;
            ticket(&mut tx, self, id, row.int("priority")?, due).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Takes a worker's jobs back at once: it starts, so it is on none. Returns how many.
    pub(crate) async fn requeue_own_jobs(&self, worker: &str) -> Result<()> {
        let mut tx = self.write_all().await?;
        tx.run(
            "update jobs set heartbeat_at = 0 where worker = $1 and state = 'running'",
            args![worker],
        )
        .await?;
        tx.commit().await?;
        self.requeue_abandoned_jobs().await?;
        Ok(())
    }
}
