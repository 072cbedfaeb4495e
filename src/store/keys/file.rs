//! The master key's file: 64 hexadecimal digits, readable by its owner alone.

use super::CryptoError;
use crate::{Error, Result};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use strowger_model::World;
use zeroize::Zeroizing;

/// Reads the master key; where the file is missing, makes one with mode 0600 that is durable before
/// this returns.
///
/// # Errors
/// The file cannot be read or written, or holds no key.
pub fn load_or_create(path: &Path, world: &dyn World) -> Result<[u8; 32]> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&Zeroizing::new(text)),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => create(path, world),
        Err(problem) => Err(Error::file("read the master key", path)(problem)),
    }
}

/// Reads the master key.
///
/// # Errors
/// The file cannot be read, or holds no key.
pub(super) fn load(path: &Path) -> Result<[u8; 32]> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read the master key", path))?;
    parse(&Zeroizing::new(text))
}

/// Puts the key file `fresh` in the place of the one at `path`, power cuts included.
pub(super) fn replace(fresh: &Path, path: &Path) -> Result<()> {
    let fault = || Error::file("replace the master key", path);
    std::fs::rename(fresh, path).map_err(fault())?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(fault()),
        None => Ok(()),
    }
}

fn parse(text: &str) -> Result<[u8; 32]> {
    let mut key = [0u8; 32];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_| CryptoError::BadKeyFile)?;
    Ok(key)
}

fn create(path: &Path, world: &dyn World) -> Result<[u8; 32]> {
    let fault = || Error::file("create the master key", path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(fault())?;
    }
    let mut key = [0u8; 32];
    world.fill(&mut key);
    let mut tag = [0u8; 8];
    world.fill(&mut tag);
    let fresh = path.with_extension(format!("new-{}", hex::encode(tag)));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(fault())?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(key)));
    file.write_all(text.as_bytes()).map_err(fault())?;
    file.sync_all().map_err(fault())?;
    // A link, not a rename: when two processes start at once, the first one's key stands.
    let linked = std::fs::hard_link(&fresh, path);
    let _ = std::fs::remove_file(&fresh);
    match linked {
        Ok(()) => {}
        Err(problem) if problem.kind() == std::io::ErrorKind::AlreadyExists => return load_or_create(path, world),
        Err(problem) => return Err(fault()(problem)),
    }
    if let Some(folder) = folder {
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(fault())?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use strowger_model::world::SeededWorld;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let world = SeededWorld::new(3, 0);
        let first = load_or_create(&path, &world).unwrap();
        assert_eq!(load_or_create(&path, &world).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            load_or_create(&path, &world),
            Err(Error::Crypto(CryptoError::BadKeyFile))
        ));
    }
}
