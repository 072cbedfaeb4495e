//! The words of the domain and the decisions that need only them.
//!
//! This crate is pure: no clock, no random numbers, no files, no sockets. Time and chance come in
//! through [`World`]. Start reading at [`call`] for what a call is, at [`settings`] for the cascade
//! of platform, tenant and user, and at [`capture`] for what travels from a leg to the disk.

pub mod bucket;
pub mod calendar;
pub mod call;
pub mod captions;
pub mod capture;
pub mod card;
pub mod cause;
pub mod compliance;
pub mod disk;
pub mod dispatch;
pub mod disposition;
pub mod id;
pub mod job;
pub mod meaning;
pub mod meeting;
pub mod metadata;
pub mod minutes;
pub mod number;
pub mod pcap;
pub mod record;
mod restart;
pub mod retention;
pub mod role;
pub mod search;
pub mod settings;
mod sound;
pub mod speech;
pub mod steady;
pub mod subject;
pub mod topics;
pub mod transcript;
pub mod trunk;
pub mod world;

pub use call::{CallState, CallType, ConsentOutcome, Direction};
pub use cause::HangupCause;
pub use id::*;
pub use metadata::Metadata;
pub use role::Role;
pub use world::World;
