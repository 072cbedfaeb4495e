//! A key in memory and what it does.

use super::CryptoError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use strowger_model::World;
use zeroize::Zeroizing;

/// Bytes that sealing adds after the text.
pub(crate) const TAG: usize = 16;

/// A 256-bit key. Its memory is overwritten when it is dropped.
pub(crate) struct Key {
    bytes: Zeroizing<[u8; 32]>,
    cipher: LessSafeKey,
}

impl Key {
    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<Self, CryptoError> {
        let cipher = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|_| CryptoError::Cipher)?;
        Ok(Self {
            bytes,
            cipher: LessSafeKey::new(cipher),
        })
    }

    pub(crate) fn generate(world: &dyn World) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        world.fill(bytes.as_mut_slice());
        Self::from_bytes(bytes)
    }

    /// Seals in place under a nonce that this key never meets twice; appends the tag.
    pub(crate) fn seal_in_place(
        &self,
        nonce: [u8; NONCE_LEN],
        about: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), text)
            .map_err(|_| CryptoError::Cipher)
    }

    /// Opens in place; what remains is the text.
    pub(crate) fn open_in_place(
        &self,
        nonce: [u8; NONCE_LEN],
        about: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let length = self
            .cipher
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(about), sealed)
            .map_err(|_| CryptoError::Tampered)?
            .len();
        sealed.truncate(length);
        Ok(())
    }

    /// Seals a short secret for a text column: a random nonce, the sealed bytes, in base64.
    pub(crate) fn seal_text(&self, world: &dyn World, about: &str, secret: &[u8]) -> Result<String, CryptoError> {
        let mut nonce = [0u8; NONCE_LEN];
        world.fill(&mut nonce);
        let mut sealed = secret.to_vec();
        self.seal_in_place(nonce, about.as_bytes(), &mut sealed)?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        Ok(BASE64.encode(out))
    }

    /// Opens what [`Key::seal_text`] made.
    pub(crate) fn open_text(&self, about: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let bytes = BASE64.decode(sealed).map_err(|_| CryptoError::Tampered)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or(CryptoError::Truncated)?;
        let nonce = nonce.try_into().map_err(|_| CryptoError::Truncated)?;
        let mut text = rest.to_vec();
        self.open_in_place(nonce, about.as_bytes(), &mut text)?;
        Ok(Zeroizing::new(text))
    }

    /// Wraps another key.
    pub(crate) fn wrap(&self, world: &dyn World, about: &str, key: &Self) -> Result<String, CryptoError> {
        self.seal_text(world, about, key.bytes.as_slice())
    }

    /// Unwraps another key.
    pub(crate) fn unwrap(&self, about: &str, wrapped: &str) -> Result<Self, CryptoError> {
        let bytes = self.open_text(about, wrapped)?;
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| CryptoError::Tampered)?;
        Self::from_bytes(Zeroizing::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_secret_opens_only_for_what_it_was_sealed_for() {
        let world = SeededWorld::new(1, 0);
        let key = Key::generate(&world).unwrap();
        let sealed = key.seal_text(&world, "device 1", b"secret").unwrap();
        assert_eq!(key.open_text("device 1", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key.open_text("device 2", &sealed), Err(CryptoError::Tampered));
        let other = Key::generate(&world).unwrap();
        assert_eq!(other.open_text("device 1", &sealed), Err(CryptoError::Tampered));
    }

    #[test]
    fn a_wrapped_key_comes_back() {
        let world = SeededWorld::new(2, 0);
        let outer = Key::generate(&world).unwrap();
        let inner = Key::generate(&world).unwrap();
        let wrapped = outer.wrap(&world, "tenant", &inner).unwrap();
        assert_eq!(outer.unwrap("tenant", &wrapped).unwrap().bytes, inner.bytes);
    }
}
