//! What can be run: `serve`, `transcribe`, `convert`, `models`, `check`.

mod check;
mod convert;
mod models;
mod serve;
mod transcribe;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use strowger_host::Config;

/// The background worker of Strowger.
#[derive(Debug, Parser)]
#[command(name = "strowger-worker", version)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, global = true, env = "STROWGER_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes jobs from the queue until told to end.
    Serve {
        /// What this worker is called; unique among those that run at once. The host's name by default.
        #[arg(long)]
        name: Option<String>,
        /// Ends when the process that started it is gone, so that a daemon that died leaves no worker behind.
        #[arg(long)]
        supervised: bool,
    },
    /// Says whether processor, models and espeak-ng are there, and what mends what is not.
    Check,
    /// Turns audio files into text, with no store and no queue.
    Transcribe(transcribe::Arguments),
    /// Turns a recording on standard input into another format on standard output.
    Convert(convert::Arguments),
    /// Lists, fetches, imports and verifies speech models.
    Models(models::Arguments),
}

/// Where models lie.
#[derive(Debug, Clone, Args)]
struct ModelFolder {
    /// The folder with speech models; the configured one by default.
    #[arg(long = "dir", visible_alias = "models", global = true)]
    folder: Option<PathBuf>,
}

impl ModelFolder {
    /// The folder given, or the configured one.
    fn resolve(&self, config: Option<&Path>) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        Ok(load(config)?.worker.models_dir)
    }
}

fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    Config::load(file).context("cannot start")
}

/// Runs what was asked for.
///
/// # Errors
/// What went wrong, for a person.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.config.as_deref();
    match &arguments.command {
        Command::Serve { name, supervised } => serve::run(config, name.as_deref(), *supervised),
        Command::Check => check::run(config),
        Command::Transcribe(arguments) => transcribe::run(arguments, config),
        Command::Convert(arguments) => convert::run(arguments),
        Command::Models(arguments) => models::run(arguments, config),
    }
}
