//! The token that proves a form came from our own page: derived from the session's secret, so it
//! needs no row, dies with the session and is of no use to whoever lacks the cookie.

use aws_lc_rs::{constant_time, hmac};

/// The form field that carries it.
pub const FIELD: &str = "csrf";
/// The header that carries it for requests without a form.
pub const HEADER: &str = "x-csrf-token";

/// The token of a session.
#[must_use]
pub fn token(session_secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_secret.as_bytes());
    hex::encode(hmac::sign(&key, b"strowger form"))
}

/// Whether `given` is the session's token, in constant time.
#[must_use]
pub fn verify(session_secret: &str, given: &str) -> bool {
    constant_time::verify_slices_are_equal(token(session_secret).as_bytes(), given.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sessions_token_is_refused() {
        assert!(verify("one", &token("one")));
        assert!(!verify("one", &token("two")));
        assert!(!verify("one", ""));
    }
}
