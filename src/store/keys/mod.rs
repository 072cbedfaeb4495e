//! Keys: one master key in a file, one key a tenant wrapped by it, one key an object wrapped by that.
//!
//! Destroying a wrapped key makes everything below it unreadable. Everything is AES-256-GCM; what a
//! ciphertext belongs to is bound into it, so that a row or file cannot stand in for another.

mod file;
mod ring;
mod rotate;
mod sealed;

pub use file::load_or_create;
pub(crate) use ring::Keyring;
pub use rotate::{Rotation, rotate_master_key};
pub(crate) use sealed::{Key, TAG};

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The database was made with another master key.
    #[error("this master key does not open this database: give the key file it was made with")]
    WrongMasterKey,
    /// The master key was changed while this process ran.
    #[error("the master key was changed: restart, so that the new one is used")]
    KeyChanged,
    /// What was read is not what was sealed: damaged, exchanged, or cut.
    #[error("the sealed data was changed or damaged")]
    Tampered,
    /// The sealed data ends before its end mark.
    #[error("the sealed data is cut off")]
    Truncated,
    /// The key was destroyed.
    #[error("the key of this data was destroyed")]
    Erased,
    /// The key file does not hold a key.
    #[error("the master key file does not hold 64 hexadecimal digits")]
    BadKeyFile,
    /// The cipher refused; cannot happen with keys of the right length.
    #[error("the cipher refused")]
    Cipher,
}
