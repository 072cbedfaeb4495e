//! Sockets, clocks and tasks of the rooms.

mod handle;

pub use handle::{JoinBrowser, JoinPhone, PhoneEvent, PhoneSession, RoomsHandle, Session, SignalSink};
