//! Jobs as people see them.

use super::ask::{ask, ticket};
use crate::Scope;
use crate::audit::Actor;
use crate::scope::{area, platform_area};
use crate::sql::{Page, Paged, Row, args, cut};
use crate::{Result, audit};
use strowger_model::JobId;
use strowger_model::job::{Job, JobState};
use strowger_model::record::JobRow;

/// Which jobs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Those in this state.
    pub state: Option<JobState>,
    /// Those of this kind.
    pub kind: Option<String>,
}

area! {
    /// The jobs of the tenant.
    Jobs, jobs
}

platform_area! {
    /// The jobs of all tenants.
    AllJobs, queue
}

pub(crate) fn job_of(row: &Row) -> Result<JobRow> {
    Ok(JobRow {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        kind: row.text("kind")?,
        payload: row.json("payload")?,
        state: row.code("state", JobState::from_code)?,
        attempts: row.int("attempts")?,
        problem: row.opt_text("problem")?,
        worker: row.opt_text("worker")?,
        percent: row.int("percent")?,
        stopped_by: row.opt_text("stopped_by")?,
        created_at: row.time("created_at")?,
        started_at: row.opt_time("started_at")?,
        finished_at: row.opt_time("finished_at")?,
    })
}

impl Jobs {
    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The jobs, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &JobFilter, page: &Page) -> Result<Paged<JobRow>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, kind, payload, state, attempts, problem, worker, percent, stopped_by, created_at, started_at, \
                 finished_at from jobs where tenant_id = $1 and id < $2 and ($3 is null or state = $3) \
                 and ($4 is null or kind = $4) order by id desc limit $5",
                args![
                    self.scope.tenant(),
                    page.before_id(),
                    filter.state,
                    filter.kind,
                    page.fetch()
                ],
            )
            .await?;
        cut(&rows, page, job_of, |job| job.id.to_string())
    }

    /// One job.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, job: JobId) -> Result<Option<JobRow>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, kind, payload, state, attempts, problem, worker, percent, stopped_by, created_at, started_at, \
                 finished_at from jobs where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), job],
            )
            .await?
            .map(|row| job_of(&row))
            .transpose()
    }

    /// Asks for work that goes with no change of rows.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask(&self, job: &Job) -> Result<JobId> {
        let mut tx = self.scope.write().await?;
        let id = ask(&mut tx, self.scope.store(), job).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Tries a job again that was given up, with all its tries before it. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn retry(&self, actor: &Actor, job: JobId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let now = self.scope.now();
        let row = tx
            .one(
                "update jobs set state = 'queued', attempts = 0, crashes = 0, run_at = $3, finished_at = null, worker = null, \
                 percent = 0, stopped_by = null where tenant_id = $1 and id = $2 and state = 'dead' returning priority",
                args![self.scope.tenant(), job, now],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        ticket(&mut tx, self.scope.store(), job, row.int("priority")?, now).await?;
        self.scope.note(&mut tx, actor, "job.retry", &job, "").await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl AllJobs {
    /// The jobs of all tenants, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, filter: &JobFilter, page: &Page) -> Result<Paged<JobRow>> {
        let rows = self
            .store
            .read_all()
            .await?
            .all(
                "select id, tenant_id, kind, payload, state, attempts, problem, worker, percent, stopped_by, created_at, started_at, \
                 finished_at from jobs where id < $1 and ($2 is null or state = $2) and ($3 is null or kind = $3) \
                 order by id desc limit $4",
                args![page.before_id(), filter.state, filter.kind, page.fetch()],
            )
            .await?;
        cut(&rows, page, job_of, |job| job.id.to_string())
    }

    /// Tries a job of any tenant again that was given up. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn retry(&self, actor: &Actor, job: JobId) -> Result<bool> {
        let row = self
            .store
            .read_all()
            .await?
            .one("select tenant_id from jobs where id = $1", args![job])
            .await?;
        match row {
            Some(row) => {
                self.store
                    .tenant(row.parse("tenant_id")?)
                    .jobs()
                    .retry(actor, job)
                    .await
            }
            None => Ok(false),
        }
    }

    /// Asks for one retention run a tenant, unless somebody did so today. Returns how many were asked.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask_retention(&self) -> Result<u64> {
        const MARK: &str = "retention_asked_on";
        let store = &self.store;
        let today = store.now().date().to_string();
        let mut tx = store.write_all().await?;
        // The row is the lock: whichever process writes today's date first asks.
        let first = tx
            .run(
                "insert into platform_values (name, value) values ($1, $2) \
                 on conflict (name) do update set value = excluded.value where platform_values.value <> excluded.value",
                args![MARK, today],
            )
            .await?;
        if first == 0 {
            return Ok(0);
        }
        let tenants = tx.all("select id from tenants where active = 1", args![]).await?;
        for row in &tenants {
            let job = Job::Retain {
                tenant: row.parse("id")?,
            };
            ask(&mut tx, store, &job).await?;
        }
        let line = Actor::system().line("retention.ask", &today, "");
        audit::write(&mut tx, store.now(), None, &line).await?;
        tx.commit().await?;
        Ok(tenants.len() as u64)
    }
}
