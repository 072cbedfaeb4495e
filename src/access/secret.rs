//! Secrets: made from the world's chance, kept only as SHA-256, compared in constant time.

use aws_lc_rs::digest;
use strowger_model::{TokenId, World};

/// Letters and digits that cannot be mistaken for each other and that a phone's keypad types
/// without changing case: 32 of them, five bits each.
const TYPABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// 256 unpredictable bits in hexadecimal: a session cookie or the secret of a token.
#[must_use]
pub fn random_hex(world: &dyn World) -> String {
    let mut bytes = [0u8; 32];
    world.fill(&mut bytes);
    hex::encode(bytes)
}

fn typable(world: &dyn World, length: usize) -> String {
    let mut bytes = vec![0u8; length];
    world.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(TYPABLE[usize::from(byte % 32)]))
        .collect()
}

/// A password for a device: 26 lower-case letters and digits, 130 bits, no two of which look alike.
#[must_use]
pub fn device_password(world: &dyn World) -> String {
    typable(world, 26)
}

/// A one-time code for the first administrator, `xxxx-xxxx-xxxx-xxxx`: 80 bits.
#[must_use]
pub fn one_time_code(world: &dyn World) -> String {
    let code = typable(world, 16);
    let groups: Vec<&str> = [0, 4, 8, 12].iter().filter_map(|at| code.get(*at..at + 4)).collect();
    groups.join("-")
}

/// The code as typed, without the dashes, spaces and capitals people add.
#[must_use]
pub fn plain_code(typed: &str) -> String {
    typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

/// What names a key to rooms, as LiveKit's keys look: `API` and 60 bits.
#[must_use]
pub fn room_key(world: &dyn World) -> String {
    format!("API{}", typable(world, 12))
}

/// What is kept of a secret: its SHA-256 in hexadecimal. Right for secrets of 80 bits and more, not
/// for passwords people choose.
#[must_use]
pub fn digest_hex(secret: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// An API token as shown once: `swt_<id>_<secret>`.
#[must_use]
pub fn write_token(id: TokenId, secret: &str) -> String {
    format!("swt_{}_{secret}", id.uuid().simple())
}

/// The two parts of an API token, or `None` when it is none.
#[must_use]
pub fn read_token(written: &str) -> Option<(TokenId, &str)> {
    let (id, secret) = written.trim().strip_prefix("swt_")?.split_once('_')?;
    let hexadecimal = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    (id.len() == 32 && hexadecimal).then_some(())?;
    Some((id.parse().ok()?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let world = SeededWorld::new(1, 1_700_000_000_000);
        let id = TokenId::generate(&world);
        let secret = random_hex(&world);
        let written = write_token(id, &secret);
        assert_eq!(read_token(&written), Some((id, secret.as_str())));
        for broken in [
            "",
            "swt_",
            "swt__",
            "swt_x_y",
            &written[..written.len() - 1],
            &written.replace("swt_", "swx_"),
        ] {
            assert_eq!(read_token(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_device_password_has_130_bits_and_only_typable_characters() {
        let world = SeededWorld::new(7, 0);
        let password = device_password(&world);
        assert_eq!(password.len(), 26);
        assert!(password.bytes().all(|byte| TYPABLE.contains(&byte)));
        assert_ne!(password, device_password(&world));
    }

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = one_time_code(&SeededWorld::new(3, 0));
        assert_eq!(code.len(), 19);
        let typed = format!(" {} ", code.to_uppercase().replace('-', " "));
        assert_eq!(plain_code(&typed), plain_code(&code));
    }
}
