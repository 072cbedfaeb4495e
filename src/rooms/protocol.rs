//! The words on the wire: `LiveKit`'s protocol messages, generated from its public definitions.
//!
//! They cross this crate's border on purpose (docs/decisions/0010): they are a vocabulary, not a library,
//! and the interface above speaks the same one.

pub use livekit_protocol::*;
