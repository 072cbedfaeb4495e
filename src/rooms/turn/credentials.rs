//! Time-limited credentials: the user name carries its own end, the password is a digest of it.
//!
//! `username = "<unix seconds>:<member>"`, `password = base64(HMAC-SHA1(secret, username))`: what coturn calls
//! `use-auth-secret`, so one function serves the built-in relay and outside ones. Nothing is stored: a password
//! is computed again when it is needed.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use strowger_model::World;

/// The longest life of a credential. An allocation made with it lives on while it is refreshed.
pub const LIFE: Duration = Duration::from_secs(600);
/// The longest user name: RFC 8489 §14.3 allows 508 bytes, ours are shorter.
const LONGEST_NAME: usize = 256;

/// What passwords are made with. Shown to nobody.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// What a client proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user name, which says when it ends.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Credential({})", self.username)
    }
}

/// A user name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// Unix seconds after which it opens nothing new.
    pub ends_at: u64,
    /// Whom it was given to.
    pub member: &'a str,
}

impl<'a> Name<'a> {
    /// Takes a user name apart; `None` when it is none of ours.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST_NAME {
            return None;
        }
        let (ends_at, member) = text.split_once(':')?;
        let ends_at = ends_at.parse().ok()?;
        (!member.is_empty()).then_some(Self { ends_at, member })
    }
}

impl Secret {
    /// A secret nobody knows, good until the process ends.
    #[must_use]
    pub fn random(world: &dyn World) -> Self {
        let mut bytes = [0_u8; 32];
        world.fill(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// A secret that is shared with an outside relay.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        // SHA-1 is what clients and coturn compute; its weakness is collisions, which an HMAC does not need.
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes))
    }

    /// The password that belongs to a user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        STANDARD.encode(hmac::sign(&self.0, username.as_bytes()))
    }

    /// A credential for `member` that opens relays for [`LIFE`] from `unix_now` on.
    #[must_use]
    pub fn issue(&self, member: &str, unix_now: u64) -> Credential {
        let username = format!("{}:{member}", unix_now.saturating_add(LIFE.as_secs()));
        Credential {
            password: self.password(&username),
            username,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_password_is_what_coturn_computes() {
        // printf '%s' '1700000600:PA_x' | openssl dgst -sha1 -hmac north -binary | base64
        let secret = Secret::from_text("north");
        let credential = secret.issue("PA_x", 1_700_000_000);
        assert_eq!(credential.username, "1700000600:PA_x");
        assert_eq!(credential.password, "BF6ArjEo9xYd5dBvHZRs6enW3Sc=");
    }

    #[test]
    fn a_name_says_when_it_ends_and_whose_it_is() {
        assert_eq!(
            Name::parse("17:PA_x:y"),
            Some(Name {
                ends_at: 17,
                member: "PA_x:y"
            })
        );
        for strange in ["", ":", "17:", "x:PA", "17", "-1:PA", &"9".repeat(300)] {
            assert_eq!(Name::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn two_starts_share_no_secret_and_none_is_shown() {
        let (one, other) = (
            Secret::random(&SeededWorld::new(1, 0)),
            Secret::random(&SeededWorld::new(2, 0)),
        );
        assert_ne!(one.password("1:a"), other.password("1:a"));
        assert_eq!(format!("{one:?}"), "Secret");
        assert!(!format!("{:?}", one.issue("a", 1)).contains(&one.issue("a", 1).password));
    }
}
