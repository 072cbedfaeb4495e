//! `strowger-worker serve`: takes jobs until told to end.

use crate::jobs::{Desk, tell_breakers};
use crate::providers::chain::Providers;
use crate::whisper::cpu;
use crate::whisper::models::ModelStore;
use crate::{priority, prompts};
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use strowger_host::{Config, Shutdown, log, service};
use strowger_model::World;
use strowger_store::queue::{Runner, RunnerConfig};
use strowger_store::{Bucket, KnownProvider, Store, StoreConfig, SystemWorld, keys};
use tracing::{error, info, warn};

/// How long running jobs may go on after we were told to end; what is cut is done again.
const DRAIN: Duration = Duration::from_secs(20);
/// How long they have to notice that they are cut.
const GRACE: Duration = Duration::from_secs(30);

pub(super) fn run(config: Option<&Path>, name: Option<&str>, supervised: bool) -> anyhow::Result<()> {
    let config = super::load(config)?;
    log::start(&config.log).context("cannot start the log")?;
    priority::step_back();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("strowger-worker")
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(&config, name, supervised))?;
    // A transcription that does not hear the end must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn serve(config: &Config, name: Option<&str>, supervised: bool) -> anyhow::Result<()> {
    let world: Arc<dyn World> = Arc::new(SystemWorld);
    let store = open(config, Arc::clone(&world)).await?;
    let models = ModelStore::new(&config.worker.models_dir);
    say_what_is_missing(&models, &config.worker.model);
    let hands = hands(config.worker.concurrency);
    let name = name.map_or_else(host_name, str::to_owned);
    let providers = Arc::new(Providers::new(config.worker.providers_file.clone()).of_worker(&name));
    make_known(&store, &providers).await?;
    tell_breakers(&store, world.as_ref(), &providers)
        .await
        .context("cannot write to the database")?;
    let desk = Desk::new(store.clone(), world, models, config.worker.model.clone()).with_providers(providers);
    let runner = Runner::new(
        store.clone(),
        RunnerConfig {
            name: name.clone(),
            hands,
        },
    );

    let shutdown = Shutdown::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, token, ending) = (Arc::clone(&is_over), shutdown.soft().clone(), shutdown.clone());
    shutdown.tasks().spawn(async move {
        let handler = move |_, job, context| {
            let desk = desk.clone();
            async move { desk.run(job, context).await }
        };
        if let Err(problem) = runner.run(handler, token).await {
            error!(problem = &problem as &dyn std::error::Error, "cannot take jobs");
        }
        over.store(true, Ordering::Relaxed);
        ending.begin();
    });
    if supervised {
        // A supervisor that comes back starts a worker of its own.
        shutdown.force_without_parent();
    }
    service::feed_watchdog(&shutdown, || true);
    service::ready();
    info!(worker = name, hands, "taking jobs");
    shutdown
        .run(DRAIN, GRACE, move || is_over.load(Ordering::Relaxed))
        .await;
    service::stopping();
    store.close().await;
    Ok(())
}

async fn open(config: &Config, world: Arc<dyn World>) -> anyhow::Result<Store> {
    let master_key = keys::load_or_create(&config.master_key_file, world.as_ref())
        .context("cannot load the master key (master_key_file)")?;
    let settings = StoreConfig {
        url: config.database_url(),
        data_dir: config.data_dir.clone(),
        master_key,
    };
    let bucket = config.storage.as_ref().map(Bucket::open).transpose();
    let bucket = bucket.context("cannot use the bucket (storage)")?;
    let store = Store::open(&settings, world).await;
    Ok(store
        .context("cannot open the database (database.url)")?
        .with_bucket(bucket))
}

/// Tells the console which providers there are. A list that cannot be used is said and asked of nobody.
async fn make_known(store: &Store, providers: &Providers) -> anyhow::Result<()> {
    let list = providers.list().unwrap_or_else(|problem| {
        warn!(
            problem = &problem as &dyn std::error::Error,
            "no provider is asked (worker.providers_file)"
        );
        Vec::new()
    });
    let known: Vec<KnownProvider> = list
        .into_iter()
        .map(|provider| KnownProvider {
            host: provider.host().to_owned(),
            name: provider.name,
            kind: provider.kind,
            on_premises: provider.on_premises,
            chats: provider.chats,
            hears: provider.hears,
            embeds: provider.embeds,
        })
        .collect();
    Ok(store.known_providers().publish(&known).await?)
}

/// Jobs that need what is missing fail with the same words; calls do not notice.
fn say_what_is_missing(models: &ModelStore, model: &str) {
    if let Err(problem) = cpu::check() {
        warn!("{problem}");
    }
    if let Err(problem) = models.speech(model).and_then(|model| models.path(&model)) {
        warn!("{problem}");
    }
    if let Err(problem) = prompts::check() {
        warn!("{problem}");
    }
}

/// As configured, or half the cores: calls come first.
fn hands(configured: usize) -> usize {
    if configured > 0 {
        return configured;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

/// The same after a restart, so that what was cut is taken up at once.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "worker".to_owned()
    } else {
        name.to_owned()
    }
}
