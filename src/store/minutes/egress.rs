//! What programs asked to have recorded. How far it is, the recording's row says.

use super::MinutesArea;
use crate::recordings::recording_of;
use crate::sql::{Row, args};
use crate::{Result, Store};
use strowger_model::CallId;
use strowger_model::minutes::Egress;
use strowger_model::record::Recording;

fn egress_of(row: &Row) -> Result<(Egress, Recording)> {
    let egress = Egress {
        id: row.text("egress_id")?,
        call: row.parse("call_id")?,
        recording: row.parse("id")?,
        request: row.json("request")?,
        started_at: row.time("started_at")?,
        stopped_at: row.opt_time("stopped_at")?,
        told_at: row.opt_time("told_at")?,
    };
    Ok((egress, recording_of(row)?))
}

impl MinutesArea {
    /// Writes what a program asked for.
    ///
    /// # Errors
    /// There is no such meeting, or the database did not answer.
    pub async fn egress_begins(&self, egress: &Egress) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into egresses (id, tenant_id, call_id, recording_id, request, started_at, stopped_at, told_at) \
             values ($1, $2, $3, $4, $5, $6, null, null) on conflict (id) do nothing",
            args![
                egress.id,
                self.scope.tenant(),
                egress.call,
                egress.recording,
                egress.request,
                egress.started_at
            ],
        )
        .await?;
        tx.commit().await
    }

    /// What programs asked for, newest first, each with its recording: one of them by its id, those of
    /// one meeting, or all.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn egresses(
        &self,
        id: Option<&str>,
        call: Option<CallId>,
        limit: i64,
    ) -> Result<Vec<(Egress, Recording)>> {
        self.scope
            .read()
            .await?
            .all(
                "select e.id as egress_id, e.request, e.started_at, e.stopped_at, e.told_at, \
                 r.id, r.tenant_id, r.call_id, r.capture_id, r.state, r.problem, r.name, r.description, r.format, \
                 r.duration_ms, r.size_bytes, r.sha256, r.blob, r.peaks, r.recorded_by, r.held, r.created_at, r.sample_rate_hz \
                 from egresses e join recordings r on r.id = e.recording_id \
                 where e.tenant_id = $1 and ($2 is null or e.id = $2) and ($3 is null or e.call_id = $3) \
                 order by e.started_at desc, e.id desc limit $4",
                args![self.scope.tenant(), id, call, limit],
            )
            .await?
            .iter()
            .map(egress_of)
            .collect()
    }

    /// The program was told of an egress' end. Returns whether it was the first time.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn egress_told(&self, id: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update egresses set told_at = $3 where tenant_id = $1 and id = $2 and told_at is null",
                args![self.scope.tenant(), id, self.scope.now()],
            )
            .await?;
        tx.commit().await?;
        Ok(touched > 0)
    }
}

impl Store {
    /// The egresses of all tenants of whose end programs were not told: those that run, those whose files
    /// are being made, and those that have just ended.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn untold_egresses(&self) -> Result<Vec<(Egress, Recording)>> {
        self.read_all()
            .await?
            .all(
                "select e.id as egress_id, e.request, e.started_at, e.stopped_at, e.told_at, \
                 r.id, r.tenant_id, r.call_id, r.capture_id, r.state, r.problem, r.name, r.description, r.format, \
                 r.duration_ms, r.size_bytes, r.sha256, r.blob, r.peaks, r.recorded_by, r.held, r.created_at, r.sample_rate_hz \
                 from egresses e join recordings r on r.id = e.recording_id \
                 where e.told_at is null order by e.id limit 1000",
                args![],
            )
            .await?
            .iter()
            .map(egress_of)
            .collect()
    }
}
