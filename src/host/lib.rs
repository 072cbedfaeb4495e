//! What every process of the product needs from its machine: configuration, logs, metrics and an
//! orderly end.
//!
//! Nothing here knows of calls. Start reading at [`config`].

pub mod config;
pub mod log;
pub mod metrics;
pub mod service;
pub mod shutdown;
pub mod tls;

pub use config::Config;
pub use shutdown::Shutdown;
