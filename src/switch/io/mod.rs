//! Clocks, tasks and channels of the switch: the only place of this crate where they occur.
//!
//! [`SwitchHandle`] is the way in for the console and the REST interface.

mod board;
mod handle;

pub use handle::SwitchHandle;
