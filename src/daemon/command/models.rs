//! `strowger models …`: the worker's command, so that people need to know one program only.

use anyhow::{Context, Result};
use std::process::ExitCode;

/// Hands the arguments to `strowger-worker models`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let us = std::env::current_exe().context("cannot tell where this program lies")?;
    let worker = us.with_file_name("strowger-worker");
    let status = std::process::Command::new(&worker)
        .arg("models")
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {}", worker.display()))?;
    Ok(u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from))
}
