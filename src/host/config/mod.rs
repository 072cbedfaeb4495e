//! The one configuration: a TOML file, then `STROWGER__SECTION__KEY` from the environment.
//!
//! It is read whole and checked before any port opens; all faults are reported together; an unknown
//! key is answered with the nearest known name. [`fields`] is the list of everything there is.

mod explain;
mod fields;
mod http;
mod read;
mod rooms;
mod storage;
mod turn;
mod voice_apps;

pub use explain::{Explained, Origin};
pub use fields::{FIELDS, Field};
pub use http::{Http, HttpTls};
pub use read::{Fault, Faults};
pub use rooms::Rooms;
pub use storage::Storage;
pub use turn::Turn;
pub use voice_apps::VoiceApps;

use crate::tls::CertificateFiles;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything the daemon and the worker are told at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the product keeps its state.
    pub data_dir: PathBuf,
    /// The file with the master key; made at first start.
    pub master_key_file: PathBuf,
    /// The console and the REST interface.
    pub http: Http,
    /// The certificate of the console and of SIP; `None`: one is made.
    pub certificate: Option<CertificateFiles>,
    /// Phones and providers.
    pub sip: Sip,
    /// Audio.
    pub media: Media,
    /// Meetings of browsers and phones.
    pub rooms: Rooms,
    /// The relay for networks that let nothing else through.
    pub turn: Turn,
    /// Voice apps of flows.
    pub voice_apps: VoiceApps,
    /// Rows.
    pub database: Database,
    /// Capturing calls.
    pub recording: Recording,
    /// The bucket that finished recordings move to; `None` where none is named.
    pub storage: Option<Storage>,
    /// Background work.
    pub worker: Worker,
    /// What is written where.
    pub log: Log,
    /// How the end goes.
    pub shutdown: Ending,
}

/// Phones and providers.
#[derive(Debug, Clone)]
pub struct Sip {
    /// UDP listeners.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls: Vec<SocketAddr>,
    /// A PEM file with authorities that providers' certificates may be from, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The address written into Contact and Via; `None` takes the listener's own.
    pub advertised: Option<IpAddr>,
    /// The most calls at once; further ones get 503.
    pub max_calls: usize,
    /// New requests a second taken from one address before the rest is dropped.
    pub requests_per_second: u32,
    /// What we call ourselves.
    pub user_agent: String,
}

/// Audio.
#[derive(Debug, Clone)]
pub struct Media {
    /// The address RTP is bound to.
    pub bind: IpAddr,
    /// The address written into SDP; `None` takes `bind`.
    pub advertised: Option<IpAddr>,
    /// The first and the last RTP port.
    pub ports: (u16, u16),
    /// Media threads; 0 is one a core.
    pub threads: usize,
    /// Seconds without RTP after which a leg that should hear something is ended; 0 is never.
    pub silence_timeout: Duration,
}

/// Rows.
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
}

/// Capturing calls.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Free bytes below which no new audio is captured.
    pub reserve_bytes: u64,
}

/// Background work.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Whether the daemon starts a worker of its own.
    pub supervise: bool,
    /// Jobs at once; 0 is half the cores.
    pub concurrency: usize,
    /// Where speech models lie.
    pub models_dir: PathBuf,
    /// The speech model to use.
    pub model: String,
    /// The list of language services outside of the worker, if there are any.
    pub providers_file: Option<PathBuf>,
}

/// What is written where.
#[derive(Debug, Clone)]
pub struct Log {
    /// A filter such as `info,strowger_sip=debug`.
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One object a line.
    Json,
    /// To systemd's journal.
    Journald,
}

/// How the end goes.
#[derive(Debug, Clone)]
pub struct Ending {
    /// How long calls may go on after the process was told to end.
    pub drain: Duration,
}

impl Config {
    /// Reads `file` (the built-in defaults when `None`) and the process's environment.
    ///
    /// # Errors
    /// All faults at once, each naming its key and where it stands.
    pub fn load(file: Option<&Path>) -> Result<Self, Faults> {
        Self::explained(file).map(|(config, _)| config)
    }

    /// As [`Config::load`], and says where each value came from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn explained(file: Option<&Path>) -> Result<(Self, Vec<Explained>), Faults> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("STROWGER__"))
            .collect();
        let text = match file {
            None => None,
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some(text),
                Err(source) => return Err(Faults::unreadable(path, &source)),
            },
        };
        Self::from_parts(text.as_deref(), &environment)
    }

    /// Reads the text of a file and an environment that are given: for tests and checks.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_parts(
        text: Option<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Explained>), Faults> {
        read::read(text.unwrap_or_default(), environment)
    }

    /// Where the SQLite file of the default database lies, or the given URL.
    #[must_use]
    pub fn database_url(&self) -> String {
        if self.database.url.is_empty() {
            format!("sqlite:{}", self.data_dir.join("strowger.db").display())
        } else {
            self.database.url.clone()
        }
    }
}
