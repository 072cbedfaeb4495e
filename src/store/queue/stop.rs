//! Stopping a job by hand: one that waits ends at once, one that runs is told by the hand that runs it.

use super::claim::Claimed;
use super::jobs::Jobs;
use crate::audit::Actor;
use crate::sql::{Tx, args};
use crate::{Result, Store};
use strowger_model::job::Job;
use strowger_model::record::STOPPABLE_JOBS;
use strowger_model::{JobId, TenantId};

impl Jobs {
    /// Asks a job to stop that waits or runs. It ends as given up, with who stopped it as the reason, and can be
    /// tried again. Returns whether there is such a job; what others wait for, as a recording, cannot be stopped.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn stop(&self, actor: &Actor, job: JobId) -> Result<bool> {
        let [transcribe, analyse, retain] = STOPPABLE_JOBS;
        let tenant = self.scope().tenant();
        let who = actor.name();
        let mut tx = self.scope().write().await?;
        let row = tx
            .one(
                "update jobs set stopped_by = $3, finished_at = case when state = 'queued' then $4 else null end, \
                 problem = case when state = 'queued' then $5 else problem end, \
                 state = case when state = 'queued' then 'dead' else state end \
                 where tenant_id = $1 and id = $2 and state in ('queued', 'running') and kind in ($6, $7, $8) \
                 returning state, payload",
                args![
                    tenant,
                    job,
                    who,
                    self.scope().now(),
                    reason(who),
                    transcribe,
                    analyse,
                    retain
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        if row.text("state")? == "dead" {
            say(&mut tx, tenant, &row.json("payload")?, &reason(who)).await?;
        }
        self.scope().note(&mut tx, actor, "job.stop", &job, "").await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Store {
    /// Writes down how far a running try has come, and says who asked it to stop, if anybody did.
    pub(super) async fn steer_job(
        &self,
        worker: &str,
        claimed: &Claimed,
        percent: Option<u8>,
    ) -> Result<Option<String>> {
        let key = || args![claimed.id, worker, i64::from(claimed.attempt)];
        let row = match percent {
            Some(percent) => {
                let mut values = key();
                values.extend(args![i64::from(percent)]);
                let mut tx = self.write_all().await?;
                let row = tx
                    .one(
                        "update jobs set percent = $4 where id = $1 and worker = $2 and attempts = $3 \
                         and state = 'running' returning stopped_by",
                        values,
                    )
                    .await?;
                tx.commit().await?;
                row
            }
            None => {
                self.read_all()
                    .await?
                    .one(
                        "select stopped_by from jobs where id = $1 and worker = $2 and attempts = $3 \
                         and state = 'running'",
                        key(),
                    )
                    .await?
            }
        };
        row.map_or(Ok(None), |row| row.opt_text("stopped_by"))
    }

    /// Writes where people look for the result that it was stopped. Returns the reason.
    pub(super) async fn say_stopped(&self, job: &Job, who: &str) -> Result<String> {
        let reason = reason(who);
        let mut tx = self.write_all().await?;
        say(&mut tx, job.tenant(), job, &reason).await?;
        tx.commit().await?;
        Ok(reason)
    }
}

fn reason(who: &str) -> String {
    format!("stopped by {who}")
}

/// Whoever stopped it knows: no notice is written.
async fn say(tx: &mut Tx, tenant: TenantId, job: &Job, reason: &str) -> Result<()> {
    if let Job::Transcribe { transcript, .. } = job {
        tx.run(
            "update transcripts set state = 'failed', problem = $3 \
             where tenant_id = $1 and id = $2 and state in ('queued', 'running')",
            args![tenant, *transcript, reason],
        )
        .await?;
    }
    Ok(())
}
