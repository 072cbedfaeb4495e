//! SIP: messages, transactions, dialogs, registrations. It knows nothing of calls or audio; bodies are bytes.
//!
//! The whole of it is one machine, [`endpoint::Endpoint`], fed with datagrams, bytes of connections, commands and a
//! clock; sockets are in [`io`] alone. Start reading at [`event`] and [`command`] for what it tells and takes, then at
//! [`endpoint`] for how a message becomes an event.

pub mod auth;
pub mod command;
pub mod config;
pub mod directory;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod io;
pub mod message;
pub mod standing;
pub mod trace;
pub mod transaction;

mod guard;
mod register;
mod trunk;

pub use command::{Command, Invite, PingTrunk, RegisterTrunk, Target, TrunkTarget};
pub use config::{Limits, SipConfig};
pub use directory::{DeviceAuth, Directory, Ha1, TrunkAuth};
pub use endpoint::Endpoint;
pub use error::Error;
pub use event::{DialogKey, EndReason, Incoming, Origin, SipEvent, TrunkState};
pub use io::SipHandle;
