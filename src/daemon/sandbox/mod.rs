//! `strowger sandbox`: a throw-away instance for trying, testing and measuring.
//!
//! It makes a folder, fills a demo tenant, runs an ordinary daemon and an ordinary worker as its children,
//! prints one line of JSON when every port answers, and takes the folder away when it is told to end.
//! After a crash of the daemon the folder stays, with its configuration, so that
//! `strowger serve --config` can pick it up.

mod card;
mod children;
mod ports;
mod stage;

use crate::serve;
use anyhow::{Context, Result};
use card::Card;
use children::DaemonChild;
use clap::Args;
use ports::{Kind, Ports};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;
use strowger_host::{Config, Shutdown, log};

/// How the instance is to be.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where the console and the REST interface listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Where SIP listens, on UDP and TCP.
    #[arg(long, default_value = "127.0.0.1:0")]
    sip: SocketAddr,
    /// Another database than SQLite in the folder; it should be empty.
    #[arg(long)]
    database: Option<String>,
    /// A provider: calls from this address are its, and numbers beginning with + go to it.
    #[arg(long)]
    trunk: Option<SocketAddr>,
    /// The folder with speech models; without it, transcripts wait for a model.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Sets up what the benchmark dials: 1000 bridge, 1001 bridge and record, 1003 flow; calls come from
    /// 127.0.0.1:7060 and go to 127.0.0.1:7070; devices u00000/p00000 and so on.
    #[arg(long)]
    bench: bool,
    /// How many devices the benchmark can register.
    #[arg(long, default_value_t = 10_000)]
    bench_devices: u32,
    /// What is logged, to standard error.
    #[arg(long, default_value = "warn")]
    log: String,
}

/// Runs it until it is told to end.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("strowger-sandbox-")
        .tempdir()
        .context("cannot make a folder")?;
    let file = write_config(folder.path(), options)?;
    let config = Config::load(Some(&file))?;
    log::start(&config.log)?;
    let ended = serve::runtime()?.block_on(play(&config, &file, options))?;
    if !ended.success() {
        let kept = folder.keep();
        eprintln!(
            "strowger: the daemon ended with {ended}; its folder stays: {}",
            kept.display()
        );
        return Ok(ExitCode::FAILURE);
    }
    folder.close().context("cannot take the folder away")?;
    Ok(ExitCode::SUCCESS)
}

/// Fills the folder, starts worker and daemon, prints the card and waits for the end.
async fn play(config: &Config, file: &Path, options: &Options) -> Result<ExitStatus> {
    let store = serve::open_store(config).await?;
    let staged = stage::fill(&store, options)
        .await
        .context("cannot fill the demo tenant")?;
    let shutdown = Shutdown::new();
    let worker = children::worker(file, &shutdown).await?;
    // The daemon reads prompts at its start, so the worker renders them before.
    if let Err(error) = stage::until_rendered(&store, &staged).await {
        eprintln!("strowger: {error:#}; callers of the flow's number are refused until then");
    }
    store.close().await;
    let http = *config.http.listen.first().context("no HTTP listener")?;
    let daemon = DaemonChild::start(file, http).await?;
    let card = Card::of(&staged, config, daemon.pid(), worker)?;
    println!("{}", serde_json::to_string(&card)?);
    let ended = daemon.until_ended().await?;
    shutdown.force();
    shutdown.tasks().close();
    shutdown.tasks().wait().await;
    Ok(ended)
}

fn write_config(folder: &Path, options: &Options) -> Result<PathBuf> {
    let mut ports = Ports::of(std::process::id());
    let http = ports.fixed(options.http, Kind::Tcp)?;
    let sip = ports.fixed(options.sip, Kind::Both)?;
    let table = toml::toml! {
        [worker]
        supervise = true
        [media]
        bind = "127.0.0.1"
    };
    let mut table = table;
    let text = |value: &Path| value.to_str().map(str::to_owned).context("a folder with an odd name");
    let mut set = |section: &str, key: &str, value: toml::Value| {
        let entry = table
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(section) = entry.as_table_mut() {
            section.insert(key.to_owned(), value);
        }
    };
    let list = |address: SocketAddr| toml::Value::Array(vec![toml::Value::String(address.to_string())]);
    set("http", "listen", list(http));
    // Whoever asks for a throw-away instance on another address than the loopback wants it as simple.
    set("http", "tls", toml::Value::String("never".to_owned()));
    set("sip", "udp", list(sip));
    set("sip", "tcp", list(sip));
    // Its usual port is the machine's, and a throw-away instance is not alone there.
    set("sip", "tls", toml::Value::Array(Vec::new()));
    set("sip", "requests_per_second", toml::Value::Integer(100_000));
    set("sip", "max_calls", toml::Value::Integer(5000));
    let turn = ports.fixed(SocketAddr::from(([127, 0, 0, 1], 0)), Kind::Both)?;
    set("turn", "udp", list(turn));
    set("turn", "tcp", list(turn));
    let rooms = ports.fixed(SocketAddr::from(([127, 0, 0, 1], 0)), Kind::Both)?;
    set("rooms", "webhooks_anywhere", toml::Value::Boolean(true));
    let near = ["127.0.0.0/8", "::1/128"].map(|range| toml::Value::String(range.to_owned()));
    set("voice_apps", "networks", toml::Value::Array(near.to_vec()));
    set("rooms", "udp", toml::Value::String(rooms.to_string()));
    set("rooms", "tcp", toml::Value::String(rooms.to_string()));
    set("log", "level", toml::Value::String(options.log.clone()));
    if let Some(url) = &options.database {
        set("database", "url", toml::Value::String(url.clone()));
    }
    if let Some(models) = &options.models {
        let models = models
            .canonicalize()
            .with_context(|| format!("no folder {}", models.display()))?;
        set("worker", "models_dir", toml::Value::String(text(&models)?));
    }
    let data = text(folder)?;
    table.insert("data_dir".to_owned(), toml::Value::String(data));
    let file = folder.join("strowger.toml");
    std::fs::write(&file, toml::to_string(&table)?).context("cannot write the configuration")?;
    Ok(file)
}

/// How long the instance may take to render its flow's texts before it says so.
const RENDERING: Duration = Duration::from_secs(30);
