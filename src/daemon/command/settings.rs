//! `strowger settings list`.

use anyhow::Result;
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_model::settings::{KEYS, Layer, PLATFORM_DEFAULTS, Settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the platform's settings, or the built-in defaults.
    List {
        /// The configuration that names the database.
        #[arg(long)]
        config: Option<PathBuf>,
        /// The thirteen defaults that the platform gives its tenants, and nothing else.
        #[arg(long)]
        platform: bool,
        /// The built-in defaults, without looking at a database.
        #[arg(long)]
        defaults: bool,
    },
}

/// Runs it.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::List {
        config,
        defaults,
        platform: only_platform,
    } = command;
    let platform = if *defaults {
        Layer::new()
    } else {
        crate::serve::platform_settings(config.as_deref())?
    };
    let settings = Settings::resolve(platform, Layer::new(), Layer::new());
    let shown = if *only_platform { PLATFORM_DEFAULTS } else { KEYS.len() };
    for key in KEYS.iter().take(shown) {
        println!("{} = {}", key.name, settings.effective(key.name).value);
    }
    Ok(ExitCode::SUCCESS)
}
