//! Asking for work.

use crate::sql::{Tx, args};
use crate::{Result, Store};
use strowger_model::JobId;
use strowger_model::job::Job;
use time::OffsetDateTime;

/// Writes a job and its first ticket in the caller's transaction.
pub(crate) async fn ask(tx: &mut Tx, store: &Store, job: &Job) -> Result<JobId> {
    ask_at(tx, store, job, job.priority()).await
}

/// As [`ask`], at a priority that the job alone does not know.
pub(crate) async fn ask_at(tx: &mut Tx, store: &Store, job: &Job, priority: i32) -> Result<JobId> {
    let id = JobId::generate(store.world());
    let now = store.now();
    tx.run(
        "insert into jobs (id, tenant_id, kind, payload, state, priority, attempts, max_attempts, run_at, problem, \
         worker, heartbeat_at, created_at, started_at, finished_at) \
         values ($1, $2, $3, $4, 'queued', $5, 0, $6, $7, null, null, null, $7, null, null)",
        args![
            id,
            job.tenant(),
            job.kind(),
            serde_json::json!(job),
            i64::from(priority),
            i64::from(job.attempts()),
            now
        ],
    )
    .await?;
    ticket(tx, store, id, i64::from(priority), now).await?;
    Ok(id)
}

/// Writes a ticket for a try at or after `run_at`.
pub(super) async fn ticket(
    tx: &mut Tx,
    store: &Store,
    job: JobId,
    priority: i64,
    run_at: OffsetDateTime,
) -> Result<()> {
    tx.run(
        "insert into outbox (id, job_id, priority, run_at) values ($1, $2, $3, $4)",
        args![JobId::generate(store.world()), job, priority, run_at],
    )
    .await?;
    Ok(())
}
