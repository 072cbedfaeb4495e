//! `strowger keys rotate`.

use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use strowger_host::Config;
use strowger_store::keys::{Rotation, rotate_master_key};
use strowger_store::{StoreConfig, SystemWorld};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes another master key and wraps every tenant's key by it. No recording is written again. Stop
    /// the daemon before, start it after.
    Rotate {
        /// The configuration that names the database and the key file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Runs it.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::Rotate { config } = command;
    let config = Config::load(config.as_deref()).context("cannot read the configuration")?;
    let store = StoreConfig {
        url: config.database_url(),
        data_dir: config.data_dir.clone(),
        master_key: [0; 32],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let done = runtime
        .block_on(rotate_master_key(
            &config.master_key_file,
            &store,
            Arc::new(SystemWorld),
        ))
        .context("cannot rotate the master key")?;
    match done {
        Rotation::Wrapped(count) => println!("the keys of {count} tenants are wrapped by a new master key"),
        Rotation::Finished => println!("a rotation that was cut short is finished"),
    }
    println!(
        "start the daemon again; keep a copy of {}",
        config.master_key_file.display()
    );
    Ok(ExitCode::SUCCESS)
}
