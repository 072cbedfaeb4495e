//! The worker as a supervised child, so that one command runs the whole product.
//!
//! Under systemd the worker is a unit of its own and this is turned off (`worker.supervise = false`).

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use strowger_host::Shutdown;
use tokio::process::{Child, Command};
use tracing::{info, warn};

/// How the child is started.
#[derive(Debug, Clone)]
pub(crate) struct WorkerChild {
    /// The program.
    pub(crate) program: PathBuf,
    arguments: Vec<String>,
    pid: Arc<AtomicU32>,
}

/// The worker's program: it lies beside this one.
///
/// # Errors
/// This program's own place cannot be told.
pub(crate) fn program() -> Result<PathBuf> {
    let us = std::env::current_exe().context("cannot tell where this program lies")?;
    Ok(us.with_file_name("strowger-worker"))
}

impl WorkerChild {
    /// The worker that lies beside this program, on the configuration in `file`.
    ///
    /// # Errors
    /// This program's own place cannot be told.
    pub(crate) fn beside_us(file: Option<&Path>) -> Result<Self> {
        let mut arguments = vec!["serve".to_owned(), "--supervised".to_owned()];
        if let Some(file) = file {
            arguments.extend(["--config".to_owned(), file.display().to_string()]);
        }
        Ok(Self {
            program: program()?,
            arguments,
            pid: Arc::default(),
        })
    }

    /// The process id of the running child; 0 when none runs.
    #[must_use]
    pub(crate) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    fn start(&self) -> Result<Child> {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        Ok(child)
    }

    /// Keeps one child running until the hard end: a child that ends is started again, at once the first
    /// time and after up to a minute when it keeps ending.
    pub(crate) async fn supervise(self, shutdown: Shutdown) {
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                () = shutdown.hard().cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let began = tokio::time::Instant::now();
            match self.start() {
                Ok(mut child) => {
                    tokio::select! {
                        () = shutdown.hard().cancelled() => {
                            self.stop(&mut child).await;
                            return;
                        }
                        status = child.wait() => {
                            self.pid.store(0, Ordering::Relaxed);
                            warn!(?status, "the worker ended; starting it again");
                        }
                    }
                }
                Err(error) => warn!("{error:#}"),
            }
            let lived = began.elapsed();
            pause = if lived > Duration::from_secs(60) {
                Duration::ZERO
            } else {
                next_pause(pause)
            };
        }
    }

    async fn stop(&self, child: &mut Child) {
        end(child).await;
        self.pid.store(0, Ordering::Relaxed);
        info!("the worker ended");
    }
}

/// Asks a child to end, so that a job can end cleanly, and ends it when it does not within five
/// seconds: such a job is repeated at the next start.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        let _ = Command::new("kill").arg("-TERM").arg(pid.to_string()).status().await;
    }
    if tokio::time::timeout(Duration::from_secs(5), child.wait())
        .await
        .is_err()
    {
        let _ = child.kill().await;
    }
}

fn next_pause(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_millis(200), Duration::from_secs(60))
}
