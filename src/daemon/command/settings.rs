//! `strowger settings list`.

use anyhow::Result;
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_model::settings::{KEYS, Layer, Settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the platform's settings, or the built-in defaults.
    List {
        /// The configuration that names the database.
        #[arg(long)]
        config: Option<PathBuf>,
        /// The platform tier of the running instance.
        #[arg(long, conflicts_with = "defaults")]
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
        platform: _,
    } = command;
    let platform = if *defaults {
        Layer::new()
    } else {
        crate::serve::platform_settings(config.as_deref())?
    };
    let settings = Settings::resolve(platform, Layer::new(), Layer::new());
    for key in KEYS {
        println!("{} = {}", key.name, settings.effective(key.name).value);
    }
    Ok(ExitCode::SUCCESS)
}
