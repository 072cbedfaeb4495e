//! SIPp as phone or provider: one scenario file per behaviour, in `tests/sipp/`.

use crate::pings::Pings;
use crate::process;
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A scenario that runs.
#[derive(Debug)]
pub struct Scenario {
    name: String,
    child: Child,
    folder: tempfile::TempDir,
    pings: Option<Pings>,
    /// The port it speaks SIP on.
    pub port: u16,
}

/// Starts a scenario against `server` (`host:port`) on a free port, or on `port`, with further arguments.
///
/// # Errors
/// There is no such scenario, or SIPp is not installed.
pub fn start(name: &str, server: &str, port: Option<u16>, arguments: &[&str]) -> Result<Scenario> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sipp")
        .join(format!("{name}.xml"));
    let folder = tempfile::tempdir()?;
    let port = match port {
        Some(port) => port,
        None => process::free_port()?,
    };
    let output = std::fs::File::create(folder.path().join("output"))?;
    let mut command = Command::new("sipp");
    command
        .arg(server)
        .arg("-sf")
        .arg(&file)
        .args([
            "-i",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-m",
            "1",
            "-nostdin",
            "-trace_err",
            "-timeout",
            "60",
        ])
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::from(output.try_clone()?))
        .stderr(Stdio::from(output));
    let child = process::start(&mut command)?;
    Ok(Scenario {
        name: name.to_owned(),
        child,
        folder,
        pings: None,
        port,
    })
}

/// Starts a scenario in which we call a provider at `port`; our pings are answered before they reach it.
///
/// # Errors
/// There is no such scenario, SIPp is not installed, or the port is taken.
pub async fn provider(name: &str, port: u16, arguments: &[&str]) -> Result<Scenario> {
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let mut scenario = start(name, &here.to_string(), None, arguments)?;
    let there = SocketAddr::from(([127, 0, 0, 1], scenario.port));
    scenario.pings = Some(Pings::start(here, there).await?);
    Ok(scenario)
}

impl Scenario {
    /// Waits until the scenario has ended as written.
    ///
    /// # Errors
    /// It went another way, or takes longer than `limit`.
    pub async fn finish(mut self, limit: Duration) -> Result<()> {
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("scenario {} did not end within {limit:?}", self.name))??;
        if status.success() {
            return Ok(());
        }
        bail!("scenario {} ended with {status}:\n{}", self.name, self.errors())
    }

    fn errors(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().contains("errors") {
                text.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default());
            }
        }
        if text.is_empty() {
            let output = std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
            let lines: Vec<&str> = output.lines().collect();
            text = lines[lines.len().saturating_sub(30)..].join("\n");
        }
        text
    }
}
