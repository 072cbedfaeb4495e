//! What the kernel says of processes.

use anyhow::{Context as _, Result};

/// CPU seconds a process has used so far; 0 when it is gone.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some minutes")]
pub(crate) fn cpu(pid: u32) -> f64 {
    // Nanoseconds of every thread: `stat` counts in hundredths of a second only.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let total: u64 = threads
        .into_iter()
        .flatten()
        .filter_map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        })
        .sum();
    total as f64 / 1e9
}

/// CPU nanoseconds of the thread that asks.
pub(crate) fn thread_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    text.split(' ').next().context("no time")?.parse().context("no number")
}

/// Resident memory of a process.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}
