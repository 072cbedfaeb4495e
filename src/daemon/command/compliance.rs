//! `strowger compliance report`: settings and facts held against checklists.

use anyhow::{Result, bail};
use clap::Subcommand;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use strowger_host::Config;
use strowger_model::compliance::{Line, Machine};
use strowger_store::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints each line with pass or fail. Ends with 1 when a line fails.
    Report {
        /// One tenant, by name or id; all without it.
        #[arg(long)]
        tenant: Option<String>,
        /// The configuration that names the database and the listeners.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// What is known of this machine by its configuration.
pub(crate) fn machine(config: &Config) -> Machine {
    let outside = |address: IpAddr| !address.is_loopback();
    let mode = std::fs::metadata(&config.master_key_file).map(|found| found.permissions().mode());
    Machine {
        http_in_clear: config.http.listen.iter().any(|listener| outside(listener.ip())),
        sip_in_clear: config
            .sip
            .udp
            .iter()
            .chain(&config.sip.tcp)
            .any(|listener| outside(listener.ip())),
        key_is_private: mode.is_ok_and(|mode| mode & 0o077 == 0),
        webhooks_anywhere: config.rooms.enabled && config.rooms.webhooks_anywhere,
    }
}

fn tell(line: &Line) {
    let rules: Vec<String> = line
        .rules
        .iter()
        .map(|(rules, part)| format!("{rules} {part}"))
        .collect();
    let mark = if line.passes { "pass" } else { "FAIL" };
    println!("{mark}  {} ({})", line.asked, rules.join(", "));
    println!("      {}", line.found);
    if !line.mend.is_empty() {
        println!("      to mend: {}", line.mend);
    }
}

/// Runs `strowger compliance`.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::Report { tenant, config } = command;
    let loaded = Config::load(config.as_deref())?;
    let machine = machine(&loaded);
    let failed = crate::serve::runtime()?.block_on(async {
        let store = super::doctor::open(config.as_deref()).await?;
        let mut failed = 0_usize;
        let mut seen = 0_usize;
        for known in store.tenants().list(&Page::first(10_000)).await?.items {
            let is_wanted = |wanted: &String| known.name == *wanted || known.id.to_string() == *wanted;
            if !tenant.as_ref().is_none_or(is_wanted) {
                continue;
            }
            seen += 1;
            println!("{}", known.name);
            for line in store.tenant(known.id).compliance().report(Some(machine)).await? {
                failed += usize::from(!line.passes);
                tell(&line);
            }
        }
        store.close().await;
        if seen == 0 {
            bail!("there is no such tenant");
        }
        Ok(failed)
    })?;
    println!("{failed} lines fail");
    Ok(ExitCode::from(u8::from(failed > 0)))
}
