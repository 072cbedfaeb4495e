//! Background work: asked for in the transaction of the change that needs it, done by workers.
//!
//! The `jobs` table is the truth: what is to be done, how often it was tried, who is on it, why it was
//! given up. A ticket for each try goes through the outbox to the queue ([`transport`]); a worker that
//! takes a ticket claims the most urgent due job ([`claim`]), so that a ticket lost or delivered twice
//! changes nothing. [`Runner`] is what a worker process runs.

mod ask;
mod claim;
mod jobs;
mod progress;
mod runner;
mod stop;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use ask::{ask, ask_at};
pub use claim::{Claimed, Outcome};
pub(crate) use jobs::job_of;
pub use jobs::{AllJobs, JobFilter, Jobs};
pub use progress::Progress;
pub use runner::{Context, JobError, Runner, RunnerConfig};
