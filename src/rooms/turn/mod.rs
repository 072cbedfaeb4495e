//! TURN and STUN (RFC 8489, RFC 8656): a relay for networks that let nothing else through.
//!
//! Pure. [`server::TurnServer`] is the machine: datagrams, streams and relayed packets go in, the same come
//! out, and time is a parameter. Whom it lets in is [`credentials`], where it relays to is [`policy`], how
//! messages are cut out of a stream is [`framing`], and what a participant is told is [`ice`]. Bytes are read
//! and written by the crates `stun-types` and `turn-types` behind [`wire`]; decision page 0011 says why no
//! library serves whole. Sockets, TLS and clocks are in [`crate::io::turn`].

pub mod credentials;
pub mod framing;
pub mod ice;
pub mod policy;
pub mod server;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod wire;

pub use credentials::{Credential, Secret};
pub use ice::Directory;
pub use policy::{MediaAddress, Network, PeerPolicy};
pub use server::{Client, Figures, Input, Limits, Output, Path, Refusal, RelayId, ServerConfig, TurnServer};
