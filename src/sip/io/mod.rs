//! Sockets, clocks and tasks of the SIP side; everything it decides is decided by the endpoint.

#![expect(
    clippy::disallowed_methods,
    reason = "sockets, clocks and tasks of this crate live here"
)]

mod handle;
mod keep;
mod socket;
mod task;
mod tcp;

pub use handle::SipHandle;

use crate::{Directory, Error, SipConfig, SipEvent};
use std::net::SocketAddr;
use std::sync::Arc;
use strowger_host::Shutdown;
use strowger_model::World;
use strowger_model::record::Binding;
use tokio::sync::mpsc;

/// Listens and runs until the shutdown's hard stage: at the soft stage new calls are answered 503, at the hard one
/// every dialog is ended and every trunk registration taken back.
///
/// # Errors
///
/// When an address cannot be listened on.
pub async fn start(
    config: SipConfig,
    directory: Arc<dyn Directory>,
    world: Arc<dyn World>,
    bindings: Vec<Binding>,
    shutdown: &Shutdown,
) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), Error> {
    task::start(config, directory, world, bindings, shutdown).await
}

/// The address of a host name, an address written as text included.
pub async fn resolve(host: &str, port: u16) -> Option<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Some(SocketAddr::new(address, port));
    }
    let mut found: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await.ok()?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.into_iter().next()
}
