//! The bucket that keeps recordings beside the local folder: its keys, read and checked.

use super::read::Reader;
use std::path::{Path, PathBuf};

/// An S3-compatible bucket for recordings that are finished.
#[derive(Clone)]
pub struct Storage {
    /// `https://host:port`; `None` is Amazon's own for the region.
    pub endpoint: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// What every object's name begins with; may be empty.
    pub prefix: String,
    /// The region requests are signed for.
    pub region: String,
    /// Whose requests they are.
    pub access_key: String,
    /// The secret requests are signed with.
    pub secret_key: String,
    /// Whether the bucket stands in the path of an address, as MinIO has it, or in its host name.
    pub path_style: bool,
    /// A PEM file with the authority that the endpoint's certificate is from; `None` takes the system's.
    pub ca_file: Option<PathBuf>,
}

/// Without the secret.
impl std::fmt::Debug for Storage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Storage")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Storage> {
    let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let storage = Storage {
        bucket: reader.text("storage.bucket").trim().to_owned(),
        endpoint: given(reader.text("storage.endpoint")),
        prefix: reader.text("storage.prefix").trim_matches('/').to_owned(),
        region: reader.text("storage.region"),
        access_key: reader.text("storage.access_key"),
        secret_key: reader.text("storage.secret_key"),
        path_style: reader.switch("storage.path_style"),
        ca_file: given(reader.text("storage.ca_file")).map(PathBuf::from),
    };
    let secret_file = given(reader.text("storage.secret_key_file"));
    if storage.bucket.is_empty() {
        return None;
    }
    let storage = with_secret(reader, storage, secret_file);
    check(reader, &storage);
    Some(storage)
}

/// Takes the secret out of its file: a path, or the name of a credential that systemd hands over.
fn with_secret(reader: &mut Reader<'_>, storage: Storage, file: Option<String>) -> Storage {
    let Some(file) = file else { return storage };
    if !storage.secret_key.is_empty() {
        reader.fault(
            "storage.secret_key_file",
            "storage.secret_key says the same: give one of them",
        );
        return storage;
    }
    let path = match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) if !file.contains('/') => Path::new(&folder).join(&file),
        _ => PathBuf::from(&file),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Storage {
            secret_key: text.trim().to_owned(),
            ..storage
        },
        Err(problem) => {
            reader.fault(
                "storage.secret_key_file",
                format!("{} cannot be read: {problem}", path.display()),
            );
            // The file is the fault, not the empty secret.
            Storage {
                secret_key: "unread".to_owned(),
                ..storage
            }
        }
    }
}

fn check(reader: &mut Reader<'_>, storage: &Storage) {
    if let Some(endpoint) = &storage.endpoint
        && !endpoint.starts_with("https://")
        && !endpoint.starts_with("http://")
    {
        reader.fault("storage.endpoint", "starts with https:// or http://");
    }
    if storage.access_key.is_empty() {
        reader.fault("storage.access_key", "storage.bucket needs the name of an access key");
    }
    if storage.secret_key.is_empty() {
        reader.fault(
            "storage.secret_key_file",
            "storage.bucket needs a secret: name the file that holds it",
        );
    }
    if storage.region.is_empty() {
        reader.fault("storage.region", "requests are signed for a region, such as us-east-1");
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use std::collections::BTreeMap;

    #[test]
    fn a_bucket_needs_its_keys_and_its_secret_is_never_shown() {
        let read = |text: &str| Config::from_parts(Some(text), &BTreeMap::new());
        assert!(read("").unwrap().0.storage.is_none());
        let faults = read("[storage]\nbucket = \"b\"\nendpoint = \"minio:9000\"").unwrap_err();
        let keys: Vec<&str> = faults.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(
            keys,
            ["storage.endpoint", "storage.access_key", "storage.secret_key_file"]
        );

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").unwrap();
        let (config, explained) = read(&format!(
            "[storage]\nbucket = \"b\"\naccess_key = \"a\"\nsecret_key_file = \"{}\"",
            file.display()
        ))
        .unwrap();
        let storage = config.storage.unwrap();
        assert_eq!(storage.secret_key, "hush");
        assert!(!format!("{storage:?}").contains("hush"));
        assert!(explained.iter().all(|field| !field.value.contains("hush")));
    }
}
