//! What can go wrong at start.

use std::net::SocketAddr;

/// An error of the SIP side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("cannot listen for SIP on {transport} {address}")]
    Listen {
        /// `udp` or `tcp`.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The SIP side has ended.
    #[error("the SIP side has ended")]
    Ended,
}
