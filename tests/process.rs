//! Programs under test and their partners, ended when the test ends.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Where partners listen: below the ports of media and of outgoing connections.
const PARTNERS: std::ops::Range<u32> = 10_000..16_000;

/// A free UDP and TCP port on loopback, with three more above it for partners that open neighbours. Each process looks
/// somewhere else and nowhere twice, so that two tests that start at once do not choose the same one.
///
/// # Errors
/// No port is free.
#[expect(clippy::disallowed_methods, reason = "this is the outside of the product")]
pub fn free_port() -> Result<u16> {
    static CHOSEN: AtomicU32 = AtomicU32::new(0);
    let blocks = PARTNERS.len() as u32 / 4;
    for _ in 0..blocks {
        let block = std::process::id().wrapping_mul(61) + CHOSEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(PARTNERS.start + block % blocks * 4)?;
        let is_free = |port| {
            let at = ("127.0.0.1", port);
            std::net::UdpSocket::bind(at).is_ok() && std::net::TcpListener::bind(at).is_ok()
        };
        if (port..port + 4).all(is_free) {
            return Ok(port);
        }
    }
    bail!("no port is free in {PARTNERS:?}")
}
