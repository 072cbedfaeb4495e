//! `strowger subject`: what is known of a person or number, all of it as a file, or erased.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_model::subject::Subject;
use strowger_store::{Actor, Findings, Page, Scope, Store};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says how much is known, and what stands in the way of erasing it.
    Find(Whom),
    /// Writes everything into a ZIP file that only its owner can read.
    Export {
        #[command(flatten)]
        whom: Whom,
        /// The file, which must not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
    /// Erases everything and prints the proof. Ends with 1 when a legal hold keeps some of it.
    Erase(Whom),
}

#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// A number with the country's code, or a name, e-mail address or identity.
    subject: String,
    /// The tenant, by name or id.
    #[arg(long)]
    tenant: String,
    /// The configuration that names the database and the data folder.
    #[arg(long)]
    config: Option<PathBuf>,
}

async fn scope_of(store: &Store, written: &str) -> Result<Scope> {
    let tenants = store.tenants().list(&Page::first(10_000)).await?;
    let tenant = tenants
        .items
        .into_iter()
        .find(|tenant| tenant.name == written || tenant.id.to_string() == written);
    match tenant {
        Some(tenant) => Ok(store.tenant(tenant.id)),
        None => bail!("there is no tenant `{written}`"),
    }
}

fn tell(findings: &Findings) {
    println!(
        "{} calls, {} recordings, {} messages",
        findings.calls, findings.recordings, findings.messages
    );
    for (table, rows) in &findings.rows {
        println!("{table}: {rows}");
    }
    for (table, rows) in &findings.settings {
        println!("{table}: {rows}, to be changed by hand");
    }
    for call in &findings.held {
        println!("call {call} is under a legal hold");
    }
}

/// Runs `strowger subject`.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let (Command::Find(whom) | Command::Export { whom, .. } | Command::Erase(whom)) = command;
    let subject = Subject::read(&whom.subject)?;
    let actor = Actor::named("strowger subject");
    crate::serve::runtime()?.block_on(async {
        let store = super::doctor::open(whom.config.as_deref()).await?;
        let scope = scope_of(&store, &whom.tenant).await?;
        let subjects = scope.subjects();
        let code = match command {
            Command::Find(_) => {
                tell(&subjects.find(&subject).await?);
                ExitCode::SUCCESS
            }
            Command::Export { out, .. } => {
                let mut archive = subjects.export(&actor, &subject, &whom.subject).await?;
                let mut options = std::fs::OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(out);
                let mut file = file.with_context(|| format!("cannot make {}", out.display()))?;
                while let Some(piece) = archive.next().await? {
                    file.write_all(&piece).context("cannot write the archive")?;
                }
                file.sync_all().context("cannot write the archive")?;
                ExitCode::SUCCESS
            }
            Command::Erase(_) => match subjects.erase(&actor, &subject).await {
                Ok(proof) => {
                    println!("erased as {}; what was there:", proof.id);
                    tell(&proof.before);
                    println!("what is left:");
                    tell(&proof.after);
                    if let Some(until) = proof.damaged_until {
                        println!(
                            "a damaged database that was put aside (strowger.db.damaged-*) still holds all of it: remove the \
                             file, or it goes by itself on {}",
                            until.date()
                        );
                    }
                    ExitCode::SUCCESS
                }
                Err(refused @ strowger_store::Error::State { .. }) => {
                    eprintln!("strowger: {refused}");
                    ExitCode::FAILURE
                }
                Err(problem) => return Err(problem.into()),
            },
        };
        store.close().await;
        Ok(code)
    })
}
