//! The worker as a supervised child, so that one command runs the whole product.
//!
//! Under systemd the worker is a unit of its own and this is turned off (`worker.supervise = false`).

use anyhow::{Context, Result};
use std::path::PathBuf;
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
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables set for it besides our own.
    pub(crate) environment: Vec<(String, String)>,
    pid: Arc<AtomicU32>,
}

impl WorkerChild {
    /// The worker that lies beside this program.
    ///
    /// # Errors
    /// This program's own place cannot be told.
    pub(crate) fn beside_us(arguments: Vec<String>, environment: Vec<(String, String)>) -> Result<Self> {
        let us = std::env::current_exe().context("cannot tell where this program lies")?;
        let program = us.with_file_name("strowger-worker");
        Ok(Self {
            program,
            arguments,
            environment,
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
            .envs(self.environment.iter().cloned())
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
        if let Some(pid) = child.id() {
            // Asking first lets a job end cleanly; a job that does not is repeated at the next start.
            let _ = Command::new("kill").arg("-TERM").arg(pid.to_string()).status().await;
        }
        if tokio::time::timeout(Duration::from_secs(5), child.wait())
            .await
            .is_err()
        {
            let _ = child.kill().await;
        }
        self.pid.store(0, Ordering::Relaxed);
        info!("the worker ended");
    }
}

fn next_pause(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_millis(200), Duration::from_secs(60))
}
