//! The way out to addresses that somebody typed: webhooks and voice apps. A name is looked up once, every address
//! found must be permitted, and the connection goes to the very address that was looked at: a name that answers
//! differently the second time leads nowhere.

use std::net::SocketAddr;
use strowger_host::tls::trust::connecting;
use strowger_rooms::turn::{Network, PeerPolicy};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connection, encrypted or not.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OutwardError {
    /// The name is not known.
    #[error("the name cannot be looked up")]
    Unknown(#[source] std::io::Error),
    /// The administrator of this machine has not permitted the address.
    #[error("the address lies inside this machine or a private network")]
    Private,
    /// Nobody answers there, or not with a certificate that this machine trusts.
    #[error("nobody answers")]
    Connect(#[source] std::io::Error),
    /// No certificate can be asked of it.
    #[error("it has no name for a certificate")]
    Name,
    /// This machine cannot encrypt.
    #[error("encryption is not available")]
    Encryption,
}

/// How far connections that somebody asked for reach.
pub struct Outward {
    /// Public addresses and what was listed; `None`: anywhere, this machine included.
    only: Option<PeerPolicy>,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Outward {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Outward")
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

impl Outward {
    /// To public addresses, and to these networks whatever they are.
    #[must_use]
    pub fn public_and(networks: Vec<Network>) -> Self {
        let policy = PeerPolicy {
            public: true,
            allowed: networks,
            ..PeerPolicy::default()
        };
        Self {
            only: Some(policy),
            tls: connector(),
        }
    }

    /// Anywhere, private networks and this machine included.
    #[must_use]
    pub fn anywhere() -> Self {
        Self {
            only: None,
            tls: connector(),
        }
    }

    /// The same, where the authorities of this file are trusted too.
    #[cfg(test)]
    fn trusting(self, authorities: &std::path::Path) -> Self {
        let config = connecting(Some(authorities)).unwrap();
        Self {
            tls: Some(TlsConnector::from(config)),
            ..self
        }
    }

    /// Connects, encrypted as far as this machine trusts the host's certificate.
    ///
    /// # Errors
    /// Says why not. There is no deadline: whoever asks has one.
    pub async fn connect(&self, host: &str, port: u16, encrypted: bool) -> Result<Box<dyn Connection>, OutwardError> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .map_err(OutwardError::Unknown)?
            .collect();
        if found.is_empty() || !found.iter().all(|address| self.permits(address)) {
            return Err(OutwardError::Private);
        }
        let stream = TcpStream::connect(found.as_slice())
            .await
            .map_err(OutwardError::Connect)?;
        // Messages are small and wait for nothing; where it cannot be set they are merely later.
        let _ = stream.set_nodelay(true);
        if !encrypted {
            return Ok(Box::new(stream));
        }
        let tls = self.tls.as_ref().ok_or(OutwardError::Encryption)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| OutwardError::Name)?;
        let stream = tls.connect(name, stream).await.map_err(OutwardError::Connect)?;
        Ok(Box::new(stream))
    }

    fn permits(&self, address: &SocketAddr) -> bool {
        self.only.as_ref().is_none_or(|only| only.permits_address(address.ip()))
    }
}

/// What connections are encrypted with; `None` where the library cannot.
fn connector() -> Option<TlsConnector> {
    connecting(None).ok().map(TlsConnector::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn only_the_public_internet_and_what_was_listed_is_reached() {
        let listed = Network::new("10.1.0.0".parse().unwrap(), 16).unwrap();
        let outward = Outward::public_and(vec![listed]);
        let permits = |address: &str| outward.permits(&SocketAddr::new(address.parse().unwrap(), 443));
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "::1",
            "::ffff:127.0.0.1",
            "fd00::1",
            "0.0.0.0",
        ] {
            assert!(!permits(inside), "{inside}");
            assert!(Outward::anywhere().permits(&SocketAddr::new(inside.parse().unwrap(), 443)));
        }
        assert!(permits("198.51.101.7") && permits("10.1.2.3"));
    }

    #[tokio::test]
    async fn an_encrypted_connection_is_as_good_as_its_certificate() {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"hello").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let authorities = folder.path().join("authorities.pem");
        let der = base64::engine::general_purpose::STANDARD.encode(issued.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        std::fs::write(&authorities, pem).unwrap();
        let outward = Outward::anywhere().trusting(&authorities);
        let mut stream = outward.connect("localhost", port, true).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        let foreign = outward.connect("127.0.0.1", port, true).await;
        assert!(matches!(foreign, Err(OutwardError::Connect(_))), "it is not its name");
        let untrusted = Outward::anywhere().connect("localhost", port, true).await;
        assert!(matches!(untrusted, Err(OutwardError::Connect(_))), "nobody trusts it");
        let inside = Outward::public_and(Vec::new()).connect("localhost", port, true).await;
        assert!(matches!(inside, Err(OutwardError::Private)));
    }
}
