//! The certificate of TURN over TLS: read from files and read again when they change, or made at start.

use super::{CertificateFiles, TurnError, TurnSetup};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// Holds the certificate that counts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keeper(watch::Receiver<Arc<ServerConfig>>);

impl Keeper {
    /// Reads or makes the certificate; `tasks` owns the task that reads it again.
    pub(super) fn open(setup: &TurnSetup, tasks: &TaskTracker, end: &CancellationToken) -> Result<Self, TurnError> {
        let Some(files) = setup.certificate.clone() else {
            warn!("TURN over TLS uses a certificate made at start, which browsers refuse: name files with a real one");
            let (_, kept) = watch::channel(Arc::new(made(setup)?));
            return Ok(Self(kept));
        };
        let (renewed, kept) = watch::channel(Arc::new(read(&files)?));
        tasks.spawn(renew(files, renewed, end.clone()));
        Ok(Self(kept))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.borrow()))
    }
}

async fn renew(files: CertificateFiles, renewed: watch::Sender<Arc<ServerConfig>>, end: CancellationToken) {
    let mut look = tokio::time::interval(LOOK);
    let mut seen = changed_at(&files);
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = look.tick() => {}
        }
        let changed = changed_at(&files);
        if changed == seen {
            continue;
        }
        match read(&files) {
            Ok(config) => {
                info!("the certificate of TURN was renewed");
                renewed.send_replace(Arc::new(config));
                seen = changed;
            }
            // Perhaps one file is written and the other is not yet: the old one serves until both fit.
            Err(error) => warn!(%error, "the renewed certificate cannot be used yet"),
        }
    }
}

fn changed_at(files: &CertificateFiles) -> [Option<SystemTime>; 2] {
    let of = |file: &Path| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    [of(&files.chain), of(&files.key)]
}

fn read(files: &CertificateFiles) -> Result<ServerConfig, TurnError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |source| TurnError::Unreadable { file, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect)
        .map_err(unreadable(&files.chain))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    serving(chain, key)
}

fn made(setup: &TurnSetup) -> Result<ServerConfig, TurnError> {
    let names = match &setup.host {
        Some(host) => vec![host.clone()],
        None => super::told_addresses(setup).iter().map(ToString::to_string).collect(),
    };
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    serving(vec![made.cert.der().clone()], key.into())
}

fn serving(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, TurnError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}
