//! Two stages of ending: *soft* takes no new work and lets calls end, *hard* ends what is left.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// How often a supervised process looks whether its parent is still there.
const PARENT_LOOK: Duration = Duration::from_millis(250);

/// The process's end, shared by every task. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// A shutdown that nobody has asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when no new work is to be taken.
    #[must_use]
    pub const fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when everything is to end now.
    #[must_use]
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// The owner of every long-lived task: what is spawned here is waited for at the end.
    #[must_use]
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Asks for the soft stage.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Asks for the hard stage, which includes the soft one.
    pub fn force(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Forces the hard stage as soon as the process that started this one is gone: a child that outlived
    /// its parent would hold ports and files that the parent's successor needs.
    pub fn force_without_parent(&self) {
        let (parent, ending) = (std::os::unix::process::parent_id(), self.clone());
        self.tasks.spawn(async move {
            let mut look = tokio::time::interval(PARENT_LOOK);
            loop {
                tokio::select! {
                    () = ending.hard.cancelled() => return,
                    _ = look.tick() => {}
                }
                if std::os::unix::process::parent_id() != parent {
                    warn!("the process that started this one is gone");
                    ending.force();
                    return;
                }
            }
        });
    }

    /// Waits for SIGTERM or SIGINT and begins the soft stage; a second signal, or `drain` running out
    /// while `is_idle` stays false, forces the hard one. Then waits for all tasks, at most `grace`.
    pub async fn run(&self, drain: Duration, grace: Duration, mut is_idle: impl FnMut() -> bool) {
        let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            warn!("cannot listen for signals; ending at once");
            self.force();
            return;
        };
        tokio::select! {
            _ = term.recv() => info!("told to end; taking no new calls"),
            _ = interrupt.recv() => info!("interrupted; taking no new calls"),
            () = self.soft.cancelled() => info!("ending; taking no new calls"),
        }
        self.begin();
        let deadline = tokio::time::Instant::now() + drain;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !is_idle() && tokio::time::Instant::now() < deadline {
            tokio::select! {
                _ = tick.tick() => {}
                _ = term.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        self.force();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            warn!(
                grace_s = grace.as_secs(),
                left = self.tasks.len(),
                "some tasks did not end in time"
            );
        }
    }
}
