//! Tests that need an engine.

mod accounts;
mod calls;
pub(crate) mod harness;
mod places;
mod queue;
mod retention;
