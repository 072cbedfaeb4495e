//! Certificates: read from files or made here, read again when they change, and how long they last.
//!
//! [`Certificates`] holds the pair that counts. Every listener with TLS (console, SIP, TURN) gets a
//! [`rustls::ServerConfig`] of it once; a renewed pair serves the connections that come after it, and those that
//! stand live on. Towards others [`trust`] says whose certificates are believed.

mod der;
mod own;
mod term;
#[cfg(test)]
mod tests;
pub mod trust;

pub use own::own_names;
pub use term::{Stage, stage};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// What time it is: certificates end by the wall clock.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Where a certificate of somebody else's making lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain in PEM, the server's own certificate first.
    pub chain: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From files, which somebody else renews.
    Files(CertificateFiles),
    /// Made here and renewed here. Browsers and phones do not trust it by themselves.
    Own {
        /// Where it is kept.
        folder: PathBuf,
        /// The names and addresses it is for.
        names: Vec<String>,
    },
}

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM of the kind.
    #[error("cannot read {file}")]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// What lies in a file is no X.509 certificate.
    #[error("{file} does not begin with an X.509 certificate")]
    Strange {
        /// Which file.
        file: PathBuf,
    },
    /// Certificate and key do not belong together.
    #[error("the key in {key} does not belong to the first certificate in {chain}")]
    Mismatch {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library says.
        source: rustls::Error,
    },
    /// None could be made.
    #[error("cannot make a certificate")]
    Making(#[from] rcgen::Error),
    /// The one that was made cannot be kept.
    #[error("cannot keep the certificate made here in {file}")]
    Keeping {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The library refuses its own defaults.
    #[error("cannot serve TLS")]
    Library(#[from] rustls::Error),
}

/// What is known of the certificate that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// When it ends.
    pub ends_at: OffsetDateTime,
    /// SHA-256 of it, in hexadecimal with colons, as browsers show it.
    pub fingerprint: String,
    /// Whether it was made here.
    pub is_own: bool,
    /// Why the last look at the files brought no new one, where it should have.
    pub problem: Option<String>,
}

#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    facts: der::Facts,
}

#[derive(Debug, Clone)]
struct State {
    loaded: Arc<Loaded>,
    problem: Option<String>,
}

/// The certificate that counts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates {
    state: watch::Receiver<State>,
    look: Arc<Notify>,
    is_own: bool,
}

impl Certificates {
    /// Reads or makes the certificate; `tasks` owns the task that looks for a newer one until `end`.
    ///
    /// # Errors
    /// The pair cannot be read or does not fit, or none can be made.
    pub fn open(origin: Origin, clock: Clock, tasks: &TaskTracker, end: CancellationToken) -> Result<Self, TlsError> {
        let seen = Seen::of(&origin);
        let loaded = Arc::new(load(&origin, clock())?);
        let is_own = matches!(origin, Origin::Own { .. });
        let (publish, state) = watch::channel(State { loaded, problem: None });
        let look = Arc::new(Notify::new());
        let keeper = Keeper {
            origin,
            clock,
            publish,
            look: Arc::clone(&look),
            seen,
            told: Stage::Fine,
        };
        tasks.spawn(keeper.run(end));
        Ok(Self { state, look, is_own })
    }

    /// Looks at the files now instead of within a minute.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// What is known of the certificate that counts.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = self.state.borrow();
        let facts = &state.loaded.facts;
        Status {
            serial: facts.serial.clone(),
            ends_at: facts.ends_at,
            fingerprint: facts.fingerprint.clone(),
            is_own: self.is_own,
            problem: state.problem.clone(),
        }
    }

    /// How a listener serves: TLS 1.2 and 1.3, the certificate that counts when the connection comes. `protocols`
    /// are the ALPN names; none takes what comes.
    ///
    /// # Errors
    /// The library refuses its own defaults.
    pub fn serving(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current(self.state.clone())));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// Reads a pair and says what is known of it: for `config check`.
///
/// # Errors
/// As [`Certificates::open`].
pub fn examine(files: &CertificateFiles) -> Result<Status, TlsError> {
    let facts = read(files)?.facts;
    Ok(Status {
        serial: facts.serial,
        ends_at: facts.ends_at,
        fingerprint: facts.fingerprint,
        is_own: false,
        problem: None,
    })
}

/// The one library of ciphers.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Answers each handshake with the certificate of that moment.
#[derive(Debug)]
struct Current(watch::Receiver<State>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow().loaded.key))
    }
}

/// What tells a file that was replaced from one that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen([Option<(SystemTime, u64, u64)>; 2]);

impl Seen {
    fn of(origin: &Origin) -> Self {
        let of = |file: &Path| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len(), found.ino()))
        };
        match origin {
            Origin::Files(files) => Self([of(&files.chain), of(&files.key)]),
            Origin::Own { .. } => Self([None; 2]),
        }
    }
}

/// Looks for a newer certificate.
struct Keeper {
    origin: Origin,
    clock: Clock,
    publish: watch::Sender<State>,
    look: Arc<Notify>,
    seen: Seen,
    /// The last stage that the log was told of.
    told: Stage,
}

impl Keeper {
    async fn run(mut self, end: CancellationToken) {
        let mut minute = tokio::time::interval(LOOK);
        loop {
            let is_asked = tokio::select! {
                () = end.cancelled() => return,
                () = self.look.notified() => true,
                _ = minute.tick() => false,
            };
            if let Err(problem) = self.renew(is_asked) {
                self.refuse(&problem);
            }
            self.warn();
        }
    }

    /// Once when three weeks, a week and a day are left, and when nothing is.
    fn warn(&mut self) {
        let ends_at = self.publish.borrow().loaded.facts.ends_at;
        let now = stage(ends_at - (self.clock)());
        let is_new = now > std::mem::replace(&mut self.told, now);
        match now {
            Stage::Over if is_new => {
                error!(%ends_at, "a certificate has ended: nobody who looks at it connects any more")
            }
            Stage::Weeks | Stage::Week | Stage::Day if is_new => warn!(%ends_at, "a certificate ends soon: renew it"),
            Stage::Fine | Stage::Weeks | Stage::Week | Stage::Day | Stage::Over => {}
        }
    }

    fn renew(&mut self, is_asked: bool) -> Result<(), TlsError> {
        let now = (self.clock)();
        let seen = Seen::of(&self.origin);
        let is_due = match &self.origin {
            Origin::Files(_) => is_asked || seen != self.seen,
            Origin::Own { .. } => own::is_due(self.publish.borrow().loaded.facts.ends_at, now),
        };
        if !is_due {
            return Ok(());
        }
        let loaded = load(&self.origin, now)?;
        self.seen = seen;
        let before = self.publish.borrow().clone();
        if loaded.facts != before.loaded.facts {
            info!(serial = loaded.facts.serial, ends_at = %loaded.facts.ends_at, "a renewed certificate is in use");
        } else if before.problem.is_none() {
            return Ok(());
        }
        self.publish.send_replace(State {
            loaded: Arc::new(loaded),
            problem: None,
        });
        Ok(())
    }

    /// Perhaps one file is written and the other is not yet: the old pair serves until both fit. Said once.
    fn refuse(&self, problem: &TlsError) {
        let said = chain_of(problem);
        self.publish.send_if_modified(|state| {
            if state.problem.as_ref() == Some(&said) {
                return false;
            }
            warn!("the renewed certificate is refused, the old one stays in use: {said}");
            state.problem = Some(said);
            true
        });
    }
}

fn chain_of(error: &TlsError) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}

fn load(origin: &Origin, now: OffsetDateTime) -> Result<Loaded, TlsError> {
    match origin {
        Origin::Files(files) => read(files),
        Origin::Own { folder, names } => own::load_or_make(folder, names, now),
    }
}

fn read(files: &CertificateFiles) -> Result<Loaded, TlsError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |source| TlsError::Unreadable { file, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect)
        .map_err(unreadable(&files.chain))?;
    let strange = || TlsError::Strange {
        file: files.chain.clone(),
    };
    let facts = chain.first().and_then(|first| der::facts(first)).ok_or_else(strange)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Mismatch {
        chain: files.chain.clone(),
        key: files.key.clone(),
        source,
    })?;
    let key = Arc::new(key);
    Ok(Loaded { key, facts })
}
