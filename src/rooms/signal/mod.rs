//! Signalling: requests and responses as bytes, and how a client of either generation asks to join.

/// Which of the two ways of connecting a client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// One connection for both directions; the client always offers (`/rtc/v1`).
    One,
    /// Two connections: the client offers what it publishes, the server what is subscribed (`/rtc`).
    Two,
}
