//! The two processes of an instance: an ordinary daemon and an ordinary worker, side by side as systemd
//! would run them, so that who measures the daemon measures it alone.

use crate::worker_child::WorkerChild;
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use strowger_host::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval};

/// How long a process may take to start.
const STARTING: Duration = Duration::from_secs(30);

/// Starts the worker; it runs until the shutdown's hard stage.
pub(super) async fn worker(file: &Path, shutdown: &Shutdown) -> Result<u32> {
    let child = WorkerChild::beside_us(Some(file))?;
    if !child.program.is_file() {
        eprintln!("strowger: no {}: recordings stay as they are", child.program.display());
        return Ok(0);
    }
    shutdown.tasks().spawn(child.clone().supervise(shutdown.clone()));
    let deadline = Instant::now() + STARTING;
    let mut tick = interval(Duration::from_millis(20));
    while child.pid() == 0 && Instant::now() < deadline {
        tick.tick().await;
    }
    Ok(child.pid())
}

/// The daemon of an instance.
#[derive(Debug)]
pub(super) struct DaemonChild {
    child: Child,
    pid: u32,
}

impl DaemonChild {
    /// Starts it and returns when every port answers.
    pub(super) async fn start(file: &Path, http: SocketAddr) -> Result<Self> {
        let us = std::env::current_exe().context("cannot tell where this program lies")?;
        let child = Command::new(us)
            .args(["serve", "--supervised", "--config"])
            .arg(file)
            // The worker is ours; who serves this folder later starts one as the file says.
            .env("STROWGER__WORKER__SUPERVISE", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the daemon")?;
        let pid = child.id().context("the daemon ended at once")?;
        let mut started = Self { child, pid };
        started.until_healthy(http).await?;
        Ok(started)
    }

    /// Its process id.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    async fn until_healthy(&mut self, http: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + STARTING;
        let mut tick = interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if let Some(status) = self.child.try_wait()? {
                bail!("the daemon did not start: {status}");
            }
            if is_healthy(http).await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("the daemon did not answer within {STARTING:?}");
            }
        }
    }

    /// Waits until it has ended, by itself or because we were told to end, which it is told then.
    pub(super) async fn until_ended(mut self) -> Result<ExitStatus> {
        let mut term = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
        loop {
            tokio::select! {
                status = self.child.wait() => return status.context("cannot tell how the daemon ended"),
                _ = term.recv() => self.tell().await,
                _ = interrupt.recv() => self.tell().await,
            }
        }
    }

    async fn tell(&self) {
        let _ = Command::new("kill")
            .arg("-TERM")
            .arg(self.pid.to_string())
            .status()
            .await;
    }
}

/// Whether `GET /health` says yes.
async fn is_healthy(http: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(http).await?;
        stream
            .write_all(b"GET /health HTTP/1.0\r\nHost: sandbox\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
    matches!(answer, Ok(Ok(bytes)) if bytes.get(8..12) == Some(b" 200"))
}
