//! What can go wrong at start.

use std::net::SocketAddr;

/// An error of the SIP side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("cannot listen for SIP on {transport} {address}")]
    Listen {
        /// `udp` or `tcp`, over which TLS goes too.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS is asked for without a certificate.
    #[error("SIP over TLS needs a certificate")]
    NoCertificate,
    /// The certificate cannot be served.
    #[error("cannot serve SIP over TLS")]
    Certificate(#[from] strowger_host::tls::TlsError),
    /// The SIP side has ended.
    #[error("the SIP side has ended")]
    Ended,
}
