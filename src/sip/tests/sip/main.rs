//! The SIP side as a value: endpoints on a lossy, reordering wire in virtual time, torture messages, arbitrary bytes,
//! and its sockets on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: helpers give up at once, and look for one event among many"
)]

mod absent;
mod calls;
mod connections;
mod encrypted;
mod loopback;
mod mutated;
mod register;
mod sim;
mod standing;
mod streams;
mod torture;
mod trunks;
