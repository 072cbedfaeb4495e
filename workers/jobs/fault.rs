//! How a job goes wrong.

use strowger_store::queue::JobError;

/// Why a try of a job did not succeed.
#[derive(Debug)]
pub enum Fault {
    /// Another try can help.
    Retry(anyhow::Error),
    /// No other try will help.
    GiveUp(anyhow::Error),
}

impl Fault {
    /// Whether no other try will help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Retry(_) => false,
            Self::GiveUp(_) => true,
        }
    }

    /// Another try can help, and this is why this one failed.
    pub(super) fn again(problem: &str) -> Self {
        Self::Retry(anyhow::Error::msg(problem.to_owned()))
    }

    /// No other try will help.
    pub(super) fn never(problem: impl Into<anyhow::Error>) -> Self {
        Self::GiveUp(problem.into())
    }
}

/// The message with all its sources, as people read it beside the job.
impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retry(problem) | Self::GiveUp(problem) => write!(out, "{problem:#}"),
        }
    }
}

/// What is not said to be final can be tried again.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Fault {
    fn from(problem: E) -> Self {
        Self::Retry(problem.into())
    }
}

impl From<Fault> for JobError {
    fn from(fault: Fault) -> Self {
        let problem = fault.to_string();
        match fault {
            Fault::Retry(_) => Self::Retry(problem),
            Fault::GiveUp(_) => Self::GiveUp(problem),
        }
    }
}
