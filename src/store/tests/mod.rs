//! Tests that need an engine.

mod accounts;
mod calls;
mod consents;
mod doctor;
mod documents;
pub(crate) mod harness;
mod keys;
mod log;
mod meanings;
mod meetings;
mod minutes;
mod notices;
mod places;
mod providers;
mod queue;
mod retention;
mod signalling;
mod snapshot;
mod subjects;
mod topics;
mod uploads;
mod webhooks;
