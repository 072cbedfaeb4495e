//! Real connections to a real listener: encrypted, in clear, and over a renewal.

use super::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::time::Duration;
use strowger_host::Config;
use strowger_host::tls::Origin;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

const DEADLINE: Duration = Duration::from_secs(60);

struct Scene {
    folder: tempfile::TempDir,
    certificates: Certificates,
    address: SocketAddr,
    shutdown: Shutdown,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}

impl Scene {
    async fn start(tls: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = Shutdown::new();
        let origin = Origin::Own {
            folder: folder.path().to_owned(),
            names: vec!["pbx.example".to_owned()],
        };
        let (tasks, end) = (shutdown.tasks(), shutdown.hard().clone());
        let certificates = Certificates::open(origin, Arc::new(time::OffsetDateTime::now_utc), tasks, end).unwrap();
        let text = format!("[http]\ntls = \"{tls}\"");
        let (config, _) = Config::from_parts(Some(&text), &std::collections::BTreeMap::new()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rule = Rule {
            http: Arc::new(config.http),
            port: address.port(),
            certificates: certificates.clone(),
        };
        let how = |ConnectInfo(remote): ConnectInfo<SocketAddr>, request: Request| async move {
            let is_encrypted = request.extensions().get::<Encrypted>().is_some();
            format!("{} {is_encrypted}", remote.ip())
        };
        let router = Router::new().route("/how", axum::routing::any(how));
        encrypted(listener, rule, router, &shutdown).unwrap();
        Self {
            folder,
            certificates,
            address,
            shutdown,
        }
    }

    async fn encrypted(&self, trusted: &Path) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("pbx.example").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// Asks and reads the whole answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut read = Vec::new();
    let whole = async {
        while !is_whole(&read) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "it was cut off");
        }
        String::from_utf8(read).unwrap()
    };
    tokio::time::timeout(DEADLINE, whole).await.unwrap()
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

const HOW: &str = "GET /how?a=1 HTTP/1.1\r\nHost: pbx.example\r\n\r\n";

#[tokio::test]
async fn who_comes_encrypted_is_served_and_who_comes_in_clear_is_sent_there() {
    let scene = Scene::start("always").await;
    let trusted = scene.folder.path().join("certificate.pem");
    let mut stream = scene.encrypted(&trusted).await.unwrap();
    let answer = ask(&mut stream, HOW).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("127.0.0.1 true"),
        "{answer}"
    );
    assert!(
        !answer.contains("strict-transport-security"),
        "a certificate made here: {answer}"
    );

    let port = scene.address.port();
    let request = format!("POST /how?a=1 HTTP/1.1\r\nHost: pbx.example:{port}\r\nContent-Length: 0\r\n\r\n");
    let answer = ask(&mut TcpStream::connect(scene.address).await.unwrap(), &request).await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    let place = format!("location: https://pbx.example:{port}/how?a=1\r\n");
    assert!(
        answer.contains(&place) && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn this_machine_may_ask_in_clear() {
    let scene = Scene::start("auto").await;
    let answer = ask(&mut TcpStream::connect(scene.address).await.unwrap(), HOW).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("127.0.0.1 false"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_shows_nothing_keeps_nobody_else_out() {
    let scene = Scene::start("always").await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(scene.address).await.unwrap());
    }
    let trusted = scene.folder.path().join("certificate.pem");
    let mut stream = scene.encrypted(&trusted).await.unwrap();
    assert!(ask(&mut stream, HOW).await.ends_with("true"));
    assert!(scene.certificates.status().is_own);
}
