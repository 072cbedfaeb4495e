//! Passwords people choose: argon2id, and a check that takes as long for people who do not exist.
//!
//! Both functions take tens of milliseconds of processor: [`crate::Access`] calls them off the
//! runtime, a few at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use strowger_model::World;

/// The fewest characters a password may have.
pub const SHORTEST: usize = 10;
/// The most bytes a password may have; what is longer is an attack on the processor.
pub const LONGEST: usize = 256;

/// A hash of no password anybody has, in the shape of the others.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c3Ryb3dnZXItbm9ib2R5IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too few characters.
    #[error("use at least {SHORTEST} characters")]
    Short,
    /// Too many bytes.
    #[error("use at most {LONGEST} bytes")]
    Long,
    /// One character over and over.
    #[error("use more than two different characters")]
    Monotone,
}

/// Says whether a new password will do.
///
/// # Errors
/// Names what is wrong with it.
pub fn check(password: &str) -> Result<(), Weak> {
    if password.chars().count() < SHORTEST {
        return Err(Weak::Short);
    }
    if password.len() > LONGEST {
        return Err(Weak::Long);
    }
    let mut seen: Vec<char> = password.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    if seen.len() <= 2 {
        return Err(Weak::Monotone);
    }
    Ok(())
}

/// OWASP's first choice: 19 MiB, two passes, one lane.
fn argon2id() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or(Params::DEFAULT);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password with fresh salt into a PHC string.
///
/// # Errors
/// The password is longer than the algorithm takes.
pub fn hash(password: &str, world: &dyn World) -> Result<String, argon2::password_hash::Error> {
    let mut salt = [0u8; 16];
    world.fill(&mut salt);
    Ok(argon2id()
        .hash_password_with_salt(password.as_bytes(), &salt)?
        .to_string())
}

/// Whether the password fits the hash. With no hash it works as long and says no.
#[must_use]
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let known = parsed.is_some();
    let Some(against) = parsed.or_else(|| PasswordHash::new(NOBODY).ok()) else {
        return false;
    };
    let fits = password.len() <= LONGEST && argon2id().verify_password(password.as_bytes(), &against).is_ok();
    fits && known
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hashed = hash("correct horse", &SeededWorld::new(1, 0)).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify("correct horse", Some(&hashed)));
        assert!(!verify("correct horsf", Some(&hashed)));
    }

    #[test]
    fn nobodys_hash_is_well_formed_and_fits_nothing() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!verify("", None));
        assert!(!verify("x", Some("not a hash")));
    }

    #[test]
    fn weak_passwords_are_named() {
        assert_eq!(check("short"), Err(Weak::Short));
        assert_eq!(check("aaaaaaaaaaab"), Err(Weak::Monotone));
        assert_eq!(check(&"ab c".repeat(100)), Err(Weak::Long));
        assert_eq!(check("long enough to do"), Ok(()));
    }
}
