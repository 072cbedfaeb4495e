//! `strowger doctor recordings` and `strowger audit verify`: whether what is kept is whole.

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use strowger_host::Config;
use strowger_store::{Store, Verdict};

#[derive(Debug, Subcommand)]
pub(crate) enum Doctor {
    /// Compares recordings, messages and captures with what lies on the disk, and reads every recording. Changes
    /// nothing; ends with 1 when something is amiss.
    Recordings {
        /// The configuration that names the database and the data folder.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Walks the chain of hashes of every tenant's audit log. Ends with 1 when a line was changed or taken out.
    Verify {
        /// The configuration that names the database.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Opens the store of an installation that exists; a mistaken configuration must not make a new one.
pub(super) async fn open(file: Option<&Path>) -> Result<Store> {
    let config = Config::load(file).context("cannot read the configuration")?;
    if !config.master_key_file.exists() {
        bail!(
            "there is no installation here: {} (master_key_file) does not exist",
            config.master_key_file.display()
        );
    }
    crate::serve::open_store(&config).await
}

/// Runs `strowger doctor`.
pub(crate) fn examine(command: &Doctor) -> Result<ExitCode> {
    let Doctor::Recordings { config } = command;
    let seen = crate::serve::runtime()?.block_on(async {
        let store = open(config.as_deref()).await?;
        let seen = store
            .examine_recordings()
            .await
            .context("cannot compare rows and files")?;
        store.close().await;
        Ok::<_, anyhow::Error>(seen)
    })?;
    for finding in &seen.findings {
        println!("{finding}");
    }
    println!(
        "{} recordings and {} captures looked at, {} amiss",
        seen.recordings,
        seen.captures,
        seen.findings.len()
    );
    Ok(ExitCode::from(u8::from(!seen.findings.is_empty())))
}

/// Runs `strowger audit`.
pub(crate) fn audit(command: &Audit) -> Result<ExitCode> {
    let Audit::Verify { config } = command;
    let verdicts = crate::serve::runtime()?.block_on(async {
        let store = open(config.as_deref()).await?;
        let verdicts = store.verify_audit().await.context("cannot read the audit log")?;
        store.close().await;
        Ok::<_, anyhow::Error>(verdicts)
    })?;
    let mut whole = true;
    for (tenant, verdict) in verdicts {
        let whose = tenant.map_or_else(|| "platform".to_owned(), |tenant| format!("tenant {tenant}"));
        match verdict {
            Verdict::Whole { lines } => println!("{whose}: {lines} lines, whole"),
            Verdict::BrokenAt(line) => {
                whole = false;
                println!("{whose}: line {line} was changed or taken out");
            }
        }
    }
    Ok(ExitCode::from(u8::from(!whole)))
}
