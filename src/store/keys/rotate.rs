//! Another master key: every tenant's key is wrapped anew, and nothing else is written.
//!
//! The new key lies beside the old one until the database has taken it, so that a crash at any line
//! leaves a pair that opens the database: doing it again ends what was begun.

use super::{CryptoError, file};
use crate::{Error, Result, Store, StoreConfig};
use std::path::Path;
use std::sync::Arc;
use strowger_model::World;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// So many tenants' keys are wrapped by the new master key.
    Wrapped(u64),
    /// An earlier rotation had come as far as the database; now the file follows.
    Finished,
}

/// Replaces the master key in the file at `path` and in the database of `config`, whose own
/// `master_key` does not count. Whoever has the store open must open it again.
///
/// # Errors
/// A file cannot be read or written, the key does not open the database, or the database did not answer.
pub async fn rotate_master_key(path: &Path, config: &StoreConfig, world: Arc<dyn World>) -> Result<Rotation> {
    let present = file::load(path)?;
    let waiting = path.with_extension("next");
    let next = file::load_or_create(&waiting, world.as_ref())?;
    let with = |master_key| StoreConfig {
        master_key,
        ..config.clone()
    };
    let done = match Store::open(&with(present), Arc::clone(&world)).await {
        Ok(store) => {
            let wrapped = store.keyring().rewrap(store.db(), store.world(), next).await;
            store.close().await;
            Rotation::Wrapped(wrapped?)
        }
        Err(Error::Crypto(CryptoError::WrongMasterKey)) => {
            Store::open(&with(next), world).await?.close().await;
            Rotation::Finished
        }
        Err(problem) => return Err(problem),
    };
    file::replace(&waiting, path)?;
    Ok(done)
}
