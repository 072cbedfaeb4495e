//! The daemon: how the parts are wired, started in order and ended in order.

use crate::certificates::Held;
use crate::room_desk::HostDesk;
use crate::worker_child::{self, WorkerChild};
use crate::{disk, http, programs, rooms, turn};
use anyhow::{Context, Result};
use axum::Router;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use strowger_access::{Access, AccessConfig};
use strowger_api::{ApiState, Check, Converter, Mood, Probe};
use strowger_console::{ConsoleConfig, ConsoleState};
use strowger_host::metrics::Metrics;
use strowger_host::{Config, Shutdown, log, service};
use strowger_media::{MediaConfig, MediaHandle};
use strowger_model::World;
use strowger_model::settings::Layer;
use strowger_rooms::RoomsHandle;
use strowger_rooms::io::turn::TurnHandle;
use strowger_rooms::turn::Network;
use strowger_sip::{Limits, SipConfig};
use strowger_store::{Bucket, PutBack, Store, StoreConfig, SystemWorld, keys};
use strowger_switch::io::{self as switch, Outward, SwitchHandle};
use time::OffsetDateTime;
use tracing::{error, info, warn};

/// How long tasks may take to end once they are told to.
const GRACE: Duration = Duration::from_secs(15);

/// `strowger serve`.
pub(crate) fn run(file: Option<&Path>, supervised: bool) -> Result<ExitCode> {
    let config = Config::load(file)?;
    log::start(&config.log)?;
    runtime()?.block_on(async {
        let shutdown = Shutdown::new();
        if supervised {
            shutdown.force_without_parent();
        }
        let daemon = Daemon::start(&config, file, &shutdown).await?;
        daemon.greet(&config).await?;
        daemon.run_until_told(&config, &shutdown).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The runtime of HTTP, SIP and rows. Media has threads of its own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("strowger")
        .build()
        .context("cannot start the runtime")
}

/// Opens the store for the daemon, which alone may put a damaged database back from its last copy: whoever else has it
/// open writes nothing to it from then on.
async fn open_whole_store(config: &Config) -> Result<Store> {
    const CANNOT: &str = "cannot put the database back (database.url)";
    let store = store_config(config)?;
    told(strowger_store::mend(&store).await.context(CANNOT)?);
    match open_store(config).await {
        Ok(store) => Ok(store),
        Err(problem) => match strowger_store::mend_thoroughly(&store).await.context(CANNOT)? {
            None => Err(problem),
            back => {
                told(back);
                open_store(config).await
            }
        },
    }
}

fn told(back: Option<PutBack>) {
    if let Some(back) = back {
        error!(
            problem = back.problem,
            aside = %back.aside.display(),
            copied_at = %OffsetDateTime::from(back.copied_at),
            "the database was damaged: it is put back as it was copied last; the damaged one is kept"
        );
    }
}

/// Opens the store that the configuration names.
pub(crate) async fn open_store(config: &Config) -> Result<Store> {
    let store = store_config(config)?;
    let bucket = config.storage.as_ref().map(Bucket::open).transpose();
    let bucket = bucket.context("cannot use the bucket (storage)")?;
    let store = Store::open(&store, Arc::new(SystemWorld)).await;
    Ok(store
        .context("cannot open the database (database.url)")?
        .with_bucket(bucket))
}

fn store_config(config: &Config) -> Result<StoreConfig> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make the folder {} (data_dir)", config.data_dir.display()))?;
    let master_key = keys::load_or_create(&config.master_key_file, &SystemWorld)
        .context("cannot load the master key (master_key_file)")?;
    Ok(StoreConfig {
        url: config.database_url(),
        data_dir: config.data_dir.clone(),
        master_key,
    })
}

/// The platform tier of the settings, for a command that runs beside the daemon.
pub(crate) fn platform_settings(file: Option<&Path>) -> Result<Layer> {
    let config = Config::load(file)?;
    runtime()?.block_on(async {
        let store = open_store(&config).await?;
        let layer = store.platform_settings().layer().await?;
        store.close().await;
        Ok(layer)
    })
}

/// The running parts.
pub(crate) struct Daemon {
    store: Store,
    access: Access,
    switch: SwitchHandle,
}

impl Daemon {
    /// Starts everything; returns when every port answers.
    pub(crate) async fn start(config: &Config, file: Option<&Path>, shutdown: &Shutdown) -> Result<Self> {
        let metrics = Metrics::install().context("cannot install the metrics registry")?;
        let world: Arc<dyn World> = Arc::new(SystemWorld);
        let store = open_whole_store(config).await?;
        let access = Access::new(
            store.clone(),
            Arc::clone(&world),
            AccessConfig {
                secure_cookies: config.http.secure_cookies,
                trusted_proxies: config.http.trusted_proxies.clone(),
                ..AccessConfig::default()
            },
        );
        let certificates = Held::open(config, &world, shutdown)?;
        let relay = turn::start(config, certificates.turn.clone(), Arc::clone(&world), shutdown).await?;
        let rooms = rooms::start(config, relay.as_ref(), Arc::clone(&world), shutdown).await?;
        let (media, media_events) =
            MediaHandle::start(media_config(config), world.as_ref()).context("cannot start media")?;
        let parts = switch::Parts {
            store: store.clone(),
            world: Arc::clone(&world),
            sip: sip_config(config, &certificates),
            media,
            media_events,
            rooms: rooms.clone(),
            voice_apps: voice_apps(config),
            max_calls: config.sip.max_calls,
            reserve_bytes: config.recording.reserve_bytes,
        };
        let switch = switch::start(parts, shutdown)
            .await
            .context("cannot start the switch")?;
        let running = Running {
            switch: switch.clone(),
            rooms,
            relay,
            certificates: certificates.clone(),
        };
        let router = router(config, &store, &access, &running, &metrics, shutdown);
        http::listen(&config.http, certificates.shared.as_ref(), &router, shutdown).await?;
        start_worker(config, file, shutdown)?;
        tidy(&metrics, shutdown);
        certificates.tell(&store, Arc::clone(&world), shutdown);
        disk::watch(&store, config.recording.reserve_bytes, shutdown);
        service::ready();
        let health = switch.clone();
        service::feed_watchdog(shutdown, move || health.is_alive());
        Ok(Self { store, access, switch })
    }

    /// Says where the console is and, on a fresh installation, the one-time code.
    async fn greet(&self, config: &Config) -> Result<()> {
        for address in &config.http.listen {
            let scheme = if config.http.speaks_tls(*address) {
                "https"
            } else {
                "http"
            };
            info!("the console is at {scheme}://{address}");
        }
        if let Some(code) = self.access.first_run_code().await? {
            // The code is of use once, to whoever may read this log, which is the point of it.
            warn!("no administrator yet: open the console and use the one-time code {code}");
        }
        Ok(())
    }

    /// Runs until a signal, then ends in two stages.
    pub(crate) async fn run_until_told(&self, config: &Config, shutdown: &Shutdown) {
        let switch = self.switch.clone();
        shutdown
            .run(config.shutdown.drain, GRACE, move || switch.count() == 0)
            .await;
        service::stopping();
        self.store.close().await;
    }
}

fn media_config(config: &Config) -> MediaConfig {
    let (first, last) = config.media.ports;
    MediaConfig {
        bind: config.media.bind,
        advertised: config.media.advertised,
        ports: first..=last,
        threads: config.media.threads,
        silence_after: config.media.silence_timeout,
        ..MediaConfig::default()
    }
}

/// Voice apps may be at public addresses and where the administrator of this machine lets them be.
fn voice_apps(config: &Config) -> Outward {
    let networks = config.voice_apps.networks.iter();
    Outward::public_and(
        networks
            .filter_map(|(address, prefix)| Network::new(*address, *prefix))
            .collect(),
    )
}

fn sip_config(config: &Config, certificates: &Held) -> SipConfig {
    SipConfig {
        udp: config.sip.udp.clone(),
        tcp: config.sip.tcp.clone(),
        tls: config.sip.tls.clone(),
        certificates: certificates.shared.clone(),
        ca_file: config.sip.ca_file.clone(),
        advertised: config.sip.advertised,
        user_agent: config.sip.user_agent.clone(),
        limits: Limits {
            dialogs: config.sip.max_calls.saturating_mul(4),
            messages_per_second: config.sip.requests_per_second,
            ..Limits::default()
        },
        ..SipConfig::default()
    }
}

/// What pages and programs ask.
struct Running {
    switch: SwitchHandle,
    rooms: Option<RoomsHandle>,
    relay: Option<TurnHandle>,
    certificates: Held,
}

fn router(
    config: &Config,
    store: &Store,
    access: &Access,
    running: &Running,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Router {
    let switch = &running.switch;
    let program = worker_child::program().unwrap_or_else(|_| "strowger-worker".into());
    let converter = Converter::new(program);
    let api = ApiState::new(access.clone(), Arc::new(switch.clone()), metrics.clone())
        .with_public_metrics(config.http.metrics_public)
        .with_converter(converter.clone())
        .with_phones(switch.clone())
        .with_probes(vec![
            recording_probe(switch.clone(), config.recording.reserve_bytes),
            running.certificates.probe(Arc::new(SystemWorld)),
        ])
        .ending_with(shutdown.soft().clone());
    let api = match switch.recorder() {
        Some(recorder) => api.with_recorder(recorder.clone()),
        None => api,
    };
    let (api, agents) = match &running.rooms {
        Some(rooms) => {
            let (api, agents) = programs::attach(api, config, access, rooms, shutdown);
            (api, Some(agents))
        }
        None => (api, None),
    };
    let server = config
        .sip
        .udp
        .first()
        .or(config.sip.tcp.first())
        .or(config.sip.tls.first())
        .map(ToString::to_string);
    let console = ConsoleConfig {
        store: store.clone(),
        access: access.clone(),
        exchange: Arc::new(switch.clone()),
        rooms: running.rooms.clone(),
        agents,
        phones: Some(switch.clone()),
        room_desk: Arc::new(HostDesk(switch.clone())),
        relay: running.relay.clone(),
        convert: Some(Arc::new(move |file, format, name| {
            let converter = converter.clone();
            Box::pin(async move { converter.answer(file, &format, &name).await })
        })),
        world: Arc::new(SystemWorld),
        zone: "UTC".to_owned(),
        sip_server: server.unwrap_or_default(),
        machine: Some(crate::command::compliance::machine(config)),
        certificates: Some(running.certificates.watch(Arc::new(SystemWorld))),
        facts: vec![("Data".to_owned(), config.data_dir.display().to_string())],
        shutdown: shutdown.soft().clone(),
    };
    strowger_api::router(api)
        .merge(strowger_console::router(ConsoleState::new(console)))
        .fallback(strowger_console::not_found)
}

/// What `/health` says of recording: it is the first thing that stops when the disk fills up.
fn recording_probe(switch: SwitchHandle, reserve_bytes: u64) -> Probe {
    let reserve_mb = reserve_bytes / (1024 * 1024);
    Arc::new(move || {
        let state = switch.spool();
        let detail = if state.is_stopped {
            format!("stopped: less than recording.reserve_mb ({reserve_mb}) is free; calls go on unrecorded")
        } else {
            format!(
                "{} captures run, {} chunks lost since the start; stops below {reserve_mb} MiB",
                state.open, state.lost
            )
        };
        Check {
            name: "recording",
            mood: if state.is_stopped { Mood::Fail } else { Mood::Pass },
            stops_calls: false,
            detail,
        }
    })
}

/// Starts a worker and keeps it running, unless the configuration says that somebody else does.
fn start_worker(config: &Config, file: Option<&Path>, shutdown: &Shutdown) -> Result<()> {
    if !config.worker.supervise {
        return Ok(());
    }
    let child = WorkerChild::beside_us(file)?;
    if !child.program.is_file() {
        warn!(program = %child.program.display(), "there is no worker: recordings and transcripts wait until one runs");
        return Ok(());
    }
    shutdown.tasks().spawn(child.supervise(shutdown.clone()));
    Ok(())
}

fn tidy(metrics: &Metrics, shutdown: &Shutdown) {
    let (metrics, hard) = (metrics.clone(), shutdown.hard().clone());
    shutdown.tasks().spawn(async move {
        let mut minute = tokio::time::interval(Duration::from_secs(60));
        loop {
            tokio::select! {
                () = hard.cancelled() => return,
                _ = minute.tick() => metrics.tidy(),
            }
        }
    });
}
