//! Tickets on their way from the outbox to a worker, through apalis.
//!
//! On SQLite the queue has a file of its own, `queue.db`, so that its polling never takes the
//! database's write lock; on PostgreSQL a schema of its own. apalis' types do not leave this file. Its
//! set-up function is not used: on SQLite it turns `synchronous` off.

use crate::sql::{Engine, args, millis};
use crate::store::take_turn;
use crate::{Error, Result, Store};
use apalis::prelude::{TaskBuilder, TaskSink as _, WorkerBuilder, WorkerError};
use apalis_postgres::PostgresStorage;
use apalis_sqlite::{SqliteConnectOptions, SqlitePool, SqliteStorage};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const QUEUE: &str = "strowger";
/// apalis runs high figures first, we run low ones first.
const URGENT: i64 = 10;
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One try of one job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    job: String,
}

/// The queue on either engine. Cheap to clone.
#[derive(Clone)]
pub(super) enum Transport {
    Sqlite(SqliteStorage<Ticket>),
    Postgres(PostgresStorage<Ticket>),
}

fn fault<E: std::error::Error + Send + Sync + 'static>(problem: E) -> Error {
    Error::Queue(Box::new(problem))
}

/// Whether the queue has the ticket already: PostgreSQL says so as a broken unique index, which apalis
/// hands through without a type of its own.
fn is_repeat(problem: &Error) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(problem);
    while let Some(now) = next {
        if now.to_string().contains("idx_jobs_idempotency_key")
            || format!("{now:?}").contains("idx_jobs_idempotency_key")
        {
            return true;
        }
        next = now.source();
    }
    false
}

impl Transport {
    /// Opens the queue and brings its tables up to date.
    pub(super) async fn open(store: &Store) -> Result<Self> {
        match store.db().engine() {
            Engine::Sqlite => {
                let options = SqliteConnectOptions::new()
                    .filename(store.data_dir().join("queue.db"))
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .busy_timeout(Duration::from_secs(10));
                let pool = SqlitePoolOptions::new()
                    .max_connections(2)
                    .connect_with(options)
                    .await?;
                let turn = take_turn(store.data_dir()).await?;
                SqliteStorage::<()>::migrations().run(&pool).await.map_err(fault)?;
                drop(turn);
                let config = apalis_sqlite::Config::default()
                    .queue(QUEUE)
                    .heartbeat_interval(HEARTBEAT)
                    .missed_heartbeats(2);
                Ok(Self::Sqlite(SqliteStorage::new(&pool).with_config(config)))
            }
            Engine::Postgres => {
                let pool = PgPoolOptions::new().max_connections(3).connect(store.url()).await?;
                PostgresStorage::<()>::migrations().run(&pool).await.map_err(fault)?;
                let config = apalis_postgres::Config::default()
                    .queue(QUEUE)
                    .heartbeat_interval(HEARTBEAT)
                    .missed_heartbeats(2);
                Ok(Self::Postgres(PostgresStorage::new(&pool).with_config(config)))
            }
        }
    }

    /// Hands the outbox's tickets over. A ticket handed over twice, because we died in between, makes
    /// one task: its id is the task's idempotency key.
    pub(super) async fn relay(&mut self, store: &Store) -> Result<u64> {
        let rows = store
            .read_all()
            .await?
            .all(
                "select id, job_id, priority, run_at from outbox order by id limit 100",
                args![],
            )
            .await?;
        for row in &rows {
            let id = row.text("id")?;
            let ticket = Ticket {
                job: row.text("job_id")?,
            };
            self.push(&id, ticket, row.int("priority")?, row.time("run_at")?)
                .await?;
            let mut tx = store.write_all().await?;
            tx.run("delete from outbox where id = $1", args![id]).await?;
            tx.commit().await?;
        }
        Ok(rows.len() as u64)
    }

    async fn push(&mut self, id: &str, ticket: Ticket, priority: i64, run_at: OffsetDateTime) -> Result<()> {
        // Whole seconds, rounded up: a ticket that came early would find its job not yet due.
        let at_s = u64::try_from(millis(run_at).div_euclid(1000) + i64::from(millis(run_at) % 1000 > 0)).unwrap_or(0);
        let task = TaskBuilder::new(ticket)
            .idempotency_key(id)
            .priority(usize::try_from(URGENT - priority).unwrap_or(0))
            .max_attempts(1)
            .run_at_timestamp(at_s)
            .build();
        match self {
            Self::Sqlite(storage) => storage.push_task(task).await.map_err(fault),
            Self::Postgres(storage) => match storage.push_task(task).await.map_err(fault) {
                // A relay that died between push and deletion hands over what is there already.
                Err(problem) if is_repeat(&problem) => Ok(()),
                other => other,
            },
        }
    }

    /// Rings the bells for every ticket whose time has come, until told to end.
    pub(super) async fn ring(self, worker: String, bells: [Arc<Notify>; 2], shutdown: CancellationToken) -> Result<()> {
        let ring = move |_ticket: Ticket| {
            let bells = bells.clone();
            async move { bells.iter().for_each(|bell| bell.notify_one()) }
        };
        let end = async move {
            shutdown.cancelled().await;
            Ok::<(), WorkerError>(())
        };
        let ended = match self {
            Self::Sqlite(storage) => {
                WorkerBuilder::new(worker)
                    .backend(storage)
                    .build(ring)
                    .run_until(end)
                    .await
            }
            Self::Postgres(storage) => {
                WorkerBuilder::new(worker)
                    .backend(storage)
                    .build(ring)
                    .run_until(end)
                    .await
            }
        };
        ended.map_err(fault)
    }

    /// How many tickets wait in the queue.
    #[cfg(test)]
    pub(super) async fn waiting(&self) -> Result<i64> {
        Ok(match self {
            Self::Sqlite(storage) => {
                sqlx::query_scalar("select count(*) from Jobs where status = 'Pending'")
                    .fetch_one(storage.pool() as &SqlitePool)
                    .await?
            }
            Self::Postgres(storage) => {
                sqlx::query_scalar("select count(*) from apalis.jobs where status = 'Pending'")
                    .fetch_one(storage.pool())
                    .await?
            }
        })
    }

    /// Forgets tickets that are used up.
    pub(super) async fn sweep(&self) -> Result<()> {
        match self {
            Self::Sqlite(storage) => {
                sqlx::query("delete from Jobs where status = 'Done'")
                    .execute(storage.pool() as &SqlitePool)
                    .await?;
            }
            Self::Postgres(storage) => {
                sqlx::query("delete from apalis.jobs where status = 'Done'")
                    .execute(storage.pool())
                    .await?;
            }
        }
        Ok(())
    }
}

/// Carries tickets from the outbox to the queue until told to end.
pub(super) async fn carry(store: Store, mut transport: Transport, shutdown: CancellationToken) {
    const LOOK: Duration = Duration::from_millis(500);
    const SWEEP_EVERY: u32 = 600;
    let mut ticks = tokio::time::interval(LOOK);
    let mut turn = 0_u32;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(problem) = transport.relay(&store).await {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "tickets wait in the outbox"
            );
        }
        turn = (turn + 1) % SWEEP_EVERY;
        if turn == 0
            && let Err(problem) = transport.sweep().await
        {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "used tickets were not swept"
            );
        }
    }
}
