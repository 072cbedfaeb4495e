//! Calls on a bench: lists of inputs, what came of them, and what holds whatever comes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod apps;
mod bench;
mod browsers;
mod codecs;
mod disclosure;
mod house;
mod properties;
mod providers;
mod reattach;
mod refer;
mod rooms;
mod states;
mod stories;
mod walks;
