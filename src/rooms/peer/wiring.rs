//! What a connection stands on: our addresses, and the certificate all connections of this run share.

use std::net::SocketAddr;
use std::sync::Arc;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::net::{Protocol, TcpType};
use str0m::{Candidate, Rtc, RtcConfig};

/// How datagrams come in and go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Door {
    /// UDP.
    Udp,
    /// TCP, framed (RFC 4571).
    Tcp,
}

impl Door {
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Tcp => Protocol::Tcp,
        }
    }

    pub(super) const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Udp => Self::Udp,
            Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => Self::Tcp,
        }
    }
}

/// An address browsers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LocalAddress {
    /// How it is reached.
    pub(crate) door: Door,
    /// Where.
    pub(crate) address: SocketAddr,
}

impl LocalAddress {
    pub(super) fn candidate(self) -> Option<Candidate> {
        match self.door {
            Door::Udp => Candidate::host(self.address, Protocol::Udp).ok(),
            Door::Tcp => Candidate::builder()
                .tcp()
                .host(self.address)
                .tcptype(TcpType::Passive)
                .build()
                .ok(),
        }
    }
}

/// The certificate of this run. Browsers check it by the fingerprint in the session description, so one made
/// at start serves every connection; making one for each would cost more than everything else at joining.
#[derive(Clone)]
pub(crate) struct Identity {
    crypto: Arc<CryptoProvider>,
    certificate: Option<DtlsCert>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Identity")
    }
}

impl Identity {
    /// A fresh one.
    pub(crate) fn generate() -> Self {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate();
        Self { crypto, certificate }
    }

    pub(super) fn config(&self) -> RtcConfig {
        let config = Rtc::builder().set_crypto_provider(Arc::clone(&self.crypto));
        match &self.certificate {
            Some(certificate) => config.set_dtls_cert(certificate.clone()),
            None => config,
        }
    }
}
