//! Sockets, clocks and tasks of the rooms.

mod handle;
pub mod turn;

pub use handle::{JoinBrowser, JoinPhone, PhoneEvent, PhoneSession, RoomsHandle, Session, SignalSink};
