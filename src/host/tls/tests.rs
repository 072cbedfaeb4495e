//! Real handshakes over pipes: what a client sees before and after a renewal.

use super::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use time::macros::datetime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const DEADLINE: Duration = Duration::from_secs(60);

/// A clock that is set by hand.
#[derive(Clone)]
struct Wall(Arc<Mutex<OffsetDateTime>>);

impl Wall {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(datetime!(2030-01-01 00:00 UTC))))
    }

    fn clock(&self) -> Clock {
        let own = self.clone();
        Arc::new(move || *own.0.lock().unwrap())
    }

    fn pass(&self, span: time::Duration) {
        *self.0.lock().unwrap() += span;
    }
}

/// A pair written where an administrator would.
fn issue(files: &CertificateFiles, serial: u64) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["pbx.example".to_owned()]).unwrap();
    wanted.serial_number = Some(rcgen::SerialNumber::from(serial));
    let made = wanted.self_signed(&key).unwrap();
    write_pem(&files.chain, "CERTIFICATE", made.der());
    write_pem(&files.key, "PRIVATE KEY", &key.serialize_der());
    made.der().clone()
}

fn write_pem(file: &Path, label: &str, der: &[u8]) {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    std::fs::write(
        file,
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"),
    )
    .unwrap();
}

fn files_in(folder: &Path) -> CertificateFiles {
    CertificateFiles {
        chain: folder.join("chain.pem"),
        key: folder.join("key.pem"),
    }
}

type Pair = (client::TlsStream<DuplexStream>, server::TlsStream<DuplexStream>);

async fn meet(config: &Arc<ServerConfig>, trusted: &CertificateDer<'static>) -> std::io::Result<Pair> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("pbx.example").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let (near, far) = tokio::join!(
        connector.connect(name, near),
        TlsAcceptor::from(Arc::clone(config)).accept(far)
    );
    Ok((near?, far?))
}

async fn speak((near, far): &mut Pair) {
    near.write_all(b"still there?").await.unwrap();
    near.flush().await.unwrap();
    let mut heard = [0; 12];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still there?");
}

async fn until(certificates: &mut Certificates, is_so: impl FnMut(&State) -> bool) {
    let waited = tokio::time::timeout(DEADLINE, certificates.state.wait_for(is_so));
    waited.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_renewed_pair_serves_new_connections_and_cuts_none_and_a_wrong_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(folder.path());
    let first = issue(&files, 0x11);
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let origin = Origin::Files(files.clone());
    let mut certificates = Certificates::open(origin, Wall::new().clock(), &tasks, end.clone()).unwrap();
    let config = certificates.serving(&[]).unwrap();
    let mut before = meet(&config, &first).await.unwrap();
    speak(&mut before).await;

    // Only the certificate was replaced as yet: a pair that does not fit.
    let elsewhere = tempfile::tempdir().unwrap();
    let newer = files_in(elsewhere.path());
    let second = issue(&newer, 0x22);
    std::fs::copy(&newer.chain, &files.chain).unwrap();
    certificates.look();
    until(&mut certificates, |state| state.problem.is_some()).await;
    let status = certificates.status();
    assert!(status.serial.ends_with("11"), "the old one stays: {status:?}");
    let problem = status.problem.unwrap();
    assert!(
        problem.contains("key.pem") && problem.contains("chain.pem"),
        "{problem}"
    );
    speak(&mut meet(&config, &first).await.unwrap()).await;

    std::fs::copy(&newer.key, &files.key).unwrap();
    certificates.look();
    until(&mut certificates, |state| state.problem.is_none()).await;
    assert!(certificates.status().serial.ends_with("22"));
    speak(&mut before).await;
    assert!(meet(&config, &first).await.is_err(), "the old one is served no more");
    speak(&mut meet(&config, &second).await.unwrap()).await;
    end.cancel();
}

#[tokio::test]
async fn one_made_here_is_private_kept_and_made_anew_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let wall = Wall::new();
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let of = |names: &[&str]| Origin::Own {
        folder: folder.path().join("tls"),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let open = |names: &[&str]| Certificates::open(of(names), wall.clock(), &tasks, end.clone()).unwrap();
    let first = open(&["pbx.example", "10.0.0.7"]).status();
    assert!(first.is_own);
    let mode = |name: &str| {
        let found = std::fs::metadata(folder.path().join("tls").join(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("key.pem"), mode("")), (0o600, 0o700));
    assert_eq!(open(&["pbx.example"]).status(), first, "a restart keeps it");
    let mut wider = open(&["pbx.example", "pbx2.example"]);
    let second = wider.status();
    assert_ne!(second.serial, first.serial, "a name it lacked");

    wall.pass(time::Duration::days(360));
    wider.look();
    wider.state.mark_unchanged();
    assert_eq!(wider.status(), second, "not yet");
    wall.pass(time::Duration::days(8));
    wider.look();
    until(&mut wider, |state| state.loaded.facts.serial != second.serial).await;
    let left = wider.status().ends_at - (wall.clock())();
    assert_eq!(stage(left), Stage::Fine);
    end.cancel();
}

#[test]
fn what_cannot_be_used_says_which_file_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let files = files_in(folder.path());
    let said = |files: &CertificateFiles| chain_of(&examine(files).unwrap_err());
    assert!(said(&files).contains("chain.pem"));
    issue(&files, 1);
    assert!(examine(&files).is_ok());
    std::fs::write(&files.key, "no key").unwrap();
    assert!(said(&files).contains("key.pem"), "{}", said(&files));
    write_pem(&files.chain, "CERTIFICATE", b"no certificate");
    assert!(said(&files).contains("X.509"), "{}", said(&files));
}
