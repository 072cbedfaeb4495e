//! Whether the database answers, for the health page and probes.

use crate::capture;
use crate::sql::{Engine, args};
use crate::{Result, Store};
use std::sync::PoisonError;
use std::time::Instant;
use strowger_model::disk::{DiskState, DiskWatch};

/// What the store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// Jobs that wait.
    pub jobs_queued: i64,
    /// Jobs a worker is on.
    pub jobs_running: i64,
    /// Jobs given up.
    pub jobs_dead: i64,
    /// How long the oldest job that is due has waited for a worker.
    pub longest_wait: Option<time::Duration>,
    /// The disk of the data folder; `None` where the system does not say.
    pub disk: Option<DiskState>,
    /// The bucket recordings move to; `None` where there is none.
    pub bucket: Option<BucketHealth>,
}

/// How the bucket stands, as rows say: nothing is asked of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketHealth {
    /// Its name and its host.
    pub place: String,
    /// Objects that lie there.
    pub moved: i64,
    /// Objects that are due there and still here.
    pub waiting: i64,
    /// Erased objects that are still to be removed there.
    pub to_remove: i64,
    /// Why the last try to move some came to nothing.
    pub problem: Option<String>,
}

impl Store {
    /// Measures the disk of the data folder, of which `reserve_bytes` are kept free; to be called every few seconds. The
    /// new state, when it is another one than before. It may wait for the disk.
    pub fn watch_disk(&self, reserve_bytes: u64, now: Instant) -> Option<DiskState> {
        let (free, size) = capture::room(self.data_dir())?;
        let mut watch = self.disk_watch().lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watch.get_or_insert_with(|| DiskWatch::new(reserve_bytes));
        watch.measure(free, size, now)
    }

    /// The disk of the data folder as it was measured last, or as it is where nobody measures.
    #[must_use]
    pub fn disk(&self) -> Option<DiskState> {
        let watch = self.disk_watch().lock().unwrap_or_else(PoisonError::into_inner);
        let measured = watch.as_ref().and_then(DiskWatch::state);
        drop(watch);
        measured.or_else(|| capture::room(self.data_dir()).map(|(free, size)| DiskState::once(free, size)))
    }

    /// Asks the database a question and looks at the disk.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn health(&self) -> Result<Health> {
        let rows = self
            .read_all()
            .await?
            .all("select state, count(*) as n from jobs group by state", args![])
            .await?;
        let mut health = Health {
            engine: match self.db().engine() {
                Engine::Sqlite => "sqlite",
                Engine::Postgres => "postgres",
            },
            jobs_queued: 0,
            jobs_running: 0,
            jobs_dead: 0,
            longest_wait: None,
            disk: self.disk(),
            bucket: self.bucket_health(None).await?,
        };
        for row in &rows {
            let count = row.int("n")?;
            match row.text("state")?.as_str() {
                "queued" => health.jobs_queued = count,
                "running" => health.jobs_running = count,
                "dead" => health.jobs_dead = count,
                _ => {}
            }
        }
        let now = self.now();
        let oldest = self
            .read_all()
            .await?
            .one(
                "select min(run_at) as due from jobs where state = 'queued' and run_at <= $1",
                args![now],
            )
            .await?;
        if let Some(row) = oldest {
            health.longest_wait = row.opt_time("due")?.map(|due| now - due);
        }
        Ok(health)
    }
}
