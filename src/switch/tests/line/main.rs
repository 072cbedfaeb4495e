//! The whole line with real sockets: phones register, call, talk and hang up; what was said lies in a
//! capture and what happened in the database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod apps;
mod exchange;
mod partner;
mod stories;
mod trunks;
