//! `strowger config check|explain`.

use anyhow::Result;
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_host::Config;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says every fault at once, or that there is none.
    Check {
        /// The file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Lists every key with its value, where it came from and what it does.
    Explain {
        /// The file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Runs it.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check { config } => {
            let loaded = Config::load(config.as_deref())?;
            for said in crate::certificates::check(&loaded)? {
                println!("certificate: {said}");
            }
            println!("the configuration has no faults");
        }
        Command::Explain { config } => {
            let (_, explained) = Config::explained(config.as_deref())?;
            let width = explained.iter().map(|field| field.path.len()).max().unwrap_or(0);
            for field in explained {
                println!(
                    "{:width$}  {}  # {}; {}",
                    field.path, field.value, field.origin, field.about
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
