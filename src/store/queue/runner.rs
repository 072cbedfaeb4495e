//! What a worker process runs: a number of hands that claim jobs and do them.

use super::claim::{Claimed, Outcome};
use super::progress::Progress;
use super::transport::{Transport, carry};
use crate::{Result, Store};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use strowger_model::JobId;
use strowger_model::job::Job;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, info_span, warn};

/// Which worker, with how many hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerConfig {
    /// The worker's name, unique among those that run at the same time.
    pub name: String,
    /// How many jobs at once.
    pub hands: usize,
}

/// What a handler may know of its try.
#[derive(Debug, Clone)]
pub struct Context {
    /// Which try this is: 1, 2, 3 …
    pub attempt: u32,
    /// Whether it is the last: a failure of it is final.
    pub is_last: bool,
    /// Why the work is not to be done any more, only to be said failed: the worker ended in too many tries.
    pub spent: Option<String>,
    /// Cancelled when the worker is to end, so that the job is tried again elsewhere, or when somebody stopped it.
    pub cancelled: CancellationToken,
    /// Where to say how much is done.
    pub progress: Progress,
}

/// How a try went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// It may go well another time.
    #[error("{0}")]
    Retry(String),
    /// It will never go well.
    #[error("{0}")]
    GiveUp(String),
}

/// Claims jobs and hands them to a handler until told to end.
pub struct Runner {
    store: Store,
    config: RunnerConfig,
    wake: Arc<Notify>,
}

/// How often due jobs are looked for when no ticket came: covers what a lost ticket would hide.
const LOOK: Duration = Duration::from_secs(5);
/// How often a running job's progress is written down, and looked whether somebody stopped it.
const STEER: Duration = Duration::from_secs(2);
/// How old the copy of the database may be that a damaged one is put back from.
const COPY_EVERY: Duration = Duration::from_mins(5);
/// Copying takes at most one part in so many of a worker's time.
const COPY_SHARE: u32 = 20;
/// How often a worker says that it lives, and looks for those that do not.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// An hour, in heartbeats.
const UPKEEP_EVERY: u32 = 360;
/// Five minutes, in heartbeats: how often recordings are looked for whose time on this disk is over.
const MOVES_EVERY: u32 = 30;

impl Runner {
    /// A runner over a store.
    #[must_use]
    pub fn new(store: Store, config: RunnerConfig) -> Self {
        Self {
            store,
            config,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Runs until `shutdown`; then waits for the running jobs, which see their `cancelled`.
    ///
    /// # Errors
    /// The database did not answer at the start. Later faults are logged and tried again.
    pub async fn run<H, F>(self, handler: H, shutdown: CancellationToken) -> Result<()>
    where
        H: Fn(JobId, Job, Context) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.store.requeue_own_jobs(&self.config.name).await?;
        let handler = Arc::new(handler);
        let mut tasks = JoinSet::new();
        let (errands, claiming) = (Arc::new(Notify::new()), Arc::default());
        let hand = |lowest, wake: &Arc<Notify>| Hand {
            store: self.store.clone(),
            name: self.config.name.clone(),
            lowest,
            wake: Arc::clone(wake),
            claiming: Arc::clone(&claiming),
            handler: Arc::clone(&handler),
            shutdown: shutdown.clone(),
        };
        for _ in 0..self.config.hands.max(1) {
            tasks.spawn(hand(i32::MAX, &self.wake).work());
        }
        // While the others transcribe for minutes, this one runs errands for which somebody waits.
        tasks.spawn(hand(Job::ERRAND, &errands).work());
        tasks.spawn(beat(self.store.clone(), self.config.name.clone(), shutdown.clone()));
        tasks.spawn(copies(self.store.clone(), shutdown.clone()));
        tasks.spawn(tickets(
            self.store.clone(),
            self.config.name.clone(),
            [self.wake, errands],
            shutdown,
        ));
        while let Some(ended) = tasks.join_next().await {
            if let Err(problem) = ended {
                error!(%problem, "a task of the worker ended badly");
            }
        }
        Ok(())
    }
}

/// Carries tickets to the queue and rings for those that are due. Without the queue jobs are still done:
/// the hands look for them by themselves, a little later.
async fn tickets(store: Store, name: String, bells: [Arc<Notify>; 2], shutdown: CancellationToken) {
    let transport = match Transport::open(&store).await {
        Ok(transport) => transport,
        Err(problem) => {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "the queue cannot be opened; jobs are looked for instead"
            );
            return;
        }
    };
    // The queue wants a name that no other run of this worker had: the one before may look alive yet.
    let run = format!("{name} {}", JobId::generate(store.world()));
    let rung = transport.clone().ring(run, bells, shutdown.clone());
    let ((), rung) = tokio::join!(carry(store, transport, shutdown), rung);
    if let Err(problem) = rung {
        warn!(
            problem = &problem as &dyn std::error::Error,
            "the queue has ended; jobs are looked for instead"
        );
    }
}

async fn beat(store: Store, name: String, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    let mut turn = 0_u32;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        turn = (turn + 1) % UPKEEP_EVERY;
        let result = match upkeep(&store, &name).await {
            Ok(()) if turn == 6 => store.upkeep().await,
            Ok(()) if turn % MOVES_EVERY == 1 => store.ask_moves().await.map(drop),
            other => other,
        };
        if let Err(problem) = result {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "the queue's upkeep failed"
            );
        }
    }
}

/// Keeps a copy of the database that is at most [`COPY_EVERY`] old, or older where copying takes long.
async fn copies(store: Store, shutdown: CancellationToken) {
    loop {
        let took = match store.copy_database().await {
            Ok(took) => took.unwrap_or_default(),
            Err(problem) => {
                error!(
                    problem = &problem as &dyn std::error::Error,
                    "the database cannot be copied"
                );
                Duration::ZERO
            }
        };
        let next = tokio::time::Instant::now() + COPY_EVERY.max(took * COPY_SHARE);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

async fn upkeep(store: &Store, name: &str) -> Result<()> {
    store.keep_jobs(name).await?;
    let taken = store.requeue_abandoned_jobs().await?;
    if taken > 0 {
        warn!(jobs = taken, "took jobs back from a worker that ended");
    }
    store.queue().ask_retention().await?;
    Ok(())
}

struct Hand<H> {
    store: Store,
    name: String,
    /// The highest figure of priority it takes.
    lowest: i32,
    wake: Arc<Notify>,
    /// Held while claiming: who claims knows what the other hands run.
    claiming: Arc<tokio::sync::Mutex<()>>,
    handler: Arc<H>,
    shutdown: CancellationToken,
}

impl<H, F> Hand<H>
where
    H: Fn(JobId, Job, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), JobError>> + Send + 'static,
{
    async fn work(self) {
        while !self.shutdown.is_cancelled() {
            let claimed = {
                let _others = self.claiming.lock().await;
                self.store.claim_up_to(&self.name, self.lowest).await
            };
            match claimed {
                Ok(Some(claimed)) => self.one(claimed).await,
                Ok(None) => self.pause().await,
                Err(problem) => {
                    warn!(problem = &problem as &dyn std::error::Error, "cannot look for jobs");
                    self.pause().await;
                }
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = self.wake.notified() => {}
            _ = tokio::time::timeout(LOOK, std::future::pending::<()>()) => {}
        }
    }

    async fn one(&self, claimed: Claimed) {
        let span = info_span!("job", job = %claimed.id, kind = claimed.job.kind(), attempt = claimed.attempt);
        let context = Context {
            attempt: claimed.attempt,
            is_last: claimed.is_last(),
            spent: claimed.spent(),
            cancelled: self.shutdown.child_token(),
            progress: Progress::default(),
        };
        let (progress, cancelled) = (context.progress.clone(), context.cancelled.clone());
        // A task of its own, so that a handler that panics ends its try and nothing else.
        let mut task = JoinSet::new();
        task.spawn((self.handler)(claimed.id, claimed.job.clone(), context).instrument(span.clone()));
        // Neither branch is lost half-way: `steer` never ends before the task.
        let stopped = OnceLock::new();
        let ended = tokio::select! {
            ended = task.join_next() => ended,
            () = self.steer(&claimed, &progress, &cancelled, &stopped) => None,
        };
        let outcome = match ended {
            Some(Ok(Ok(()))) => Outcome::Done,
            Some(Ok(Err(JobError::Retry(problem)))) => Outcome::Retry(problem),
            Some(Ok(Err(JobError::GiveUp(problem)))) => Outcome::GiveUp(problem),
            Some(Err(problem)) => Outcome::Retry(format!("the job ended badly: {problem}")),
            None => Outcome::Retry("the job did not run".to_owned()),
        };
        let outcome = match stopped.get() {
            Some(who) if outcome != Outcome::Done => self.stopped(&claimed, who).await,
            Some(_) | None => outcome,
        };
        self.end(&claimed, &outcome).instrument(span).await;
    }

    /// Writes down how far the try has come, and cancels it once somebody stopped it.
    async fn steer(
        &self,
        claimed: &Claimed,
        progress: &Progress,
        cancelled: &CancellationToken,
        stopped: &OnceLock<String>,
    ) {
        let mut written = 0;
        let mut ticks = tokio::time::interval(STEER);
        // The first tick comes at once: most jobs are done before the second.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let percent = progress.percent();
            let news = (percent != written).then_some(percent);
            match self.store.steer_job(&self.name, claimed, news).await {
                Ok(who) => {
                    written = percent;
                    if let Some(who) = who
                        && stopped.set(who).is_ok()
                    {
                        cancelled.cancel();
                    }
                }
                Err(problem) => warn!(problem = &problem as &dyn std::error::Error, "cannot steer a job"),
            }
        }
    }

    async fn stopped(&self, claimed: &Claimed, who: &str) -> Outcome {
        match self.store.say_stopped(&claimed.job, who).await {
            Ok(reason) => Outcome::GiveUp(reason),
            Err(problem) => Outcome::GiveUp(format!("stopped by {who}, which could not be written down: {problem}")),
        }
    }

    async fn end(&self, claimed: &Claimed, outcome: &Outcome) {
        match outcome {
            Outcome::Done => info!("job done"),
            Outcome::Retry(problem) => warn!(problem, "job failed"),
            Outcome::GiveUp(problem) => warn!(problem, "job given up"),
        }
        if let Err(problem) = self.store.end_job(&self.name, claimed, outcome).await {
            // The job stays `running` without a heartbeat after our end and is taken back then.
            error!(
                problem = &problem as &dyn std::error::Error,
                "cannot write the end of a job"
            );
        }
    }
}
