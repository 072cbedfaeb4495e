//! Programs under test and their partners, ended when the test ends.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A program of this workspace, built beside the running test.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("cannot tell where this test runs")?;
    let found = test
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| format!("{name} was not built: run `cargo build --workspace --bins` first"))
}

/// Starts a command that is killed when the value is dropped.
///
/// # Errors
/// It cannot be started.
pub fn start(command: &mut Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.as_std().get_program()))
}

/// Sends a signal by its number.
///
/// # Errors
/// The process is gone or may not be signalled.
pub async fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .await?;
    if !status.success() {
        bail!("kill -{name} {pid} failed");
    }
    Ok(())
}

/// Whether a process is still there.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A free UDP and TCP port on loopback, chosen by the system. Another program may take it before it
/// is used; partners that cannot bind port 0 need it all the same.
///
/// # Errors
/// No port is free.
#[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
pub fn free_port() -> Result<u16> {
    loop {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let port = udp.local_addr()?.port();
        // Partners open neighbours of the port they are given, so the last ones are no use.
        if port < 65_000 && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}
