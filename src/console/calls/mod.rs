//! Calls: the list, the live board and the call page.

mod beside;
pub mod clock;
mod export;
mod handlers;
pub mod list;
mod live;
mod matter;
mod place;
pub mod verdict;
pub mod view;

pub use beside::{consent_state, consent_words, job_table};
pub(crate) use handlers::routes;
pub(crate) use live::now as live_now;

/// An audit action as words.
#[must_use]
pub fn audit_words(action: &str) -> String {
    action.replace(['.', '_'], " ")
}
