//! Logs: pretty for people, JSON for collectors, journald under systemd.

use crate::config::{Log, LogFormat};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter of `log.level` does not parse.
    #[error("log.level is not a filter such as `info` or `info,strowger_sip=debug`")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// There is no journal here.
    #[error("log.format is journald but no journal answers; use pretty or json")]
    Journal(#[source] std::io::Error),
    /// Somebody installed a subscriber before.
    #[error("logging was started twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Crates that warn of each malformed packet anybody sends. Named first, so that `log.level` may name them again.
const HUSHED: &str = "stun_types=error";

/// Starts logging to standard error or the journal.
///
/// # Errors
/// The filter is wrong, or the journal was asked for and is not there.
pub fn start(log: &Log) -> Result<(), Error> {
    let filter = EnvFilter::try_new(format!("{HUSHED},{}", log.level)).map_err(Error::Filter)?;
    let registry = Registry::default().with(filter);
    match log.format {
        LogFormat::Pretty => registry
            .with(fmt::layer().with_writer(std::io::stderr).with_target(false))
            .try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Journald => registry
            .with(tracing_journald::layer().map_err(Error::Journal)?)
            .try_init(),
    }
    .map_err(Error::Twice)
}
