//! The speech models of this machine: a folder with model files and `manifest.json`, which pins each
//! file's SHA-256.
//!
//! Models come in by [`ModelStore::import`] (a ggml file, or a CTranslate2 folder that is converted)
//! or by [`pull`], which fetches a known one first. Nothing else in the product fetches anything.

mod ct2;
mod ggml;
mod half;
mod header;
mod mel;
pub mod pull;
mod vocabulary;

pub use ggml::Quantisation;
pub use header::{Family, Size};

use aws_lc_rs::digest;
use header::Header;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The name of the voice-activity model in every store.
pub const VOICE_ACTIVITY: &str = "silero-vad";

const MANIFEST: &str = "manifest.json";

/// Why a model could not be listed, imported or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot read or write the model store")]
    File(#[from] std::io::Error),
    /// No speech model is there at all.
    #[error("no speech model installed: run strowger models pull tiny.en")]
    NoneInstalled,
    /// The model asked for is not there.
    #[error("speech model {0} is not installed: run strowger models pull {0}")]
    Missing(String),
    /// A file is not what its name says.
    #[error("not a usable model: {0}")]
    Format(String),
    /// The manifest cannot be read.
    #[error("the manifest of the model store is damaged; remove it and import the models again")]
    Manifest(#[source] serde_json::Error),
    /// A file's content is not the pinned one.
    #[error("{name} is not the pinned file: expected SHA-256 {expected}, found {found}")]
    Pin {
        /// The file.
        name: String,
        /// What was pinned.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A known model's package could not be fetched.
    #[error("cannot fetch {what}: {problem}")]
    Fetch {
        /// The package or address.
        what: String,
        /// What the tool said.
        problem: String,
    },
    /// Nobody knows where to get it.
    #[error("there is no known source for {name}; known are {known}; or import a file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What can be asked for.
        known: String,
    },
}

/// One installed model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// What it is called: `tiny.en`, `base`, `silero-vad`.
    pub name: String,
    /// The file within the store.
    pub file: String,
    /// The file's SHA-256, hexadecimal.
    pub sha256: String,
    /// The file's size.
    pub size_bytes: u64,
    /// What it does.
    pub family: Family,
    /// Its size class; `None` for voice activity.
    pub size: Option<Size>,
    /// Whether it knows more than English.
    pub multilingual: bool,
    /// How its weights are stored: `q8_0`, `f16` …
    pub quantisation: String,
    /// Where it came from.
    pub source: String,
}

/// What became of checking a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The file is the pinned one.
    Whole,
    /// The file is gone.
    Gone,
    /// The file's content changed; its hash is this.
    Changed(String),
}

/// A folder of models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    folder: PathBuf,
}

impl ModelStore {
    /// The store in `folder`, which need not exist yet.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All installed models, by name.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn list(&self) -> Result<Vec<Model>, Error> {
        Ok(self.manifest()?.into_values().collect())
    }

    /// The model called `name`; an empty name takes the most capable one installed.
    ///
    /// # Errors
    /// [`Error::NoneInstalled`] or [`Error::Missing`], whose messages name the command that mends it.
    pub fn speech(&self, name: &str) -> Result<Model, Error> {
        let manifest = self.manifest()?;
        let mut models: Vec<Model> = manifest
            .into_values()
            .filter(|model| model.family == Family::Speech)
            .collect();
        if models.is_empty() {
            return Err(Error::NoneInstalled);
        }
        if !name.is_empty() {
            let found = models.into_iter().find(|model| model.name == name);
            return found.ok_or_else(|| Error::Missing(name.to_owned()));
        }
        models.sort_by_key(|model| (model.size, model.multilingual));
        models.pop().ok_or(Error::NoneInstalled)
    }

    /// The voice-activity model.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not installed.
    pub fn voice_activity(&self) -> Result<Model, Error> {
        let found = self.manifest()?.remove(VOICE_ACTIVITY);
        found.ok_or_else(|| Error::Missing(VOICE_ACTIVITY.to_owned()))
    }

    /// Where a model's file lies.
    ///
    /// # Errors
    /// [`Error::Missing`] when the file is gone or of another size than the pinned one.
    pub fn path(&self, model: &Model) -> Result<PathBuf, Error> {
        let path = self.folder.join(&model.file);
        match std::fs::metadata(&path) {
            Ok(found) if found.len() == model.size_bytes => Ok(path),
            Ok(_) | Err(_) => Err(Error::Missing(model.name.clone())),
        }
    }

    /// Takes in a ggml file (copied) or a CTranslate2 folder (converted to `quantisation`). The name is
    /// read from the model unless given.
    ///
    /// # Errors
    /// When `path` is neither, or the store cannot be written.
    pub fn import(
        &self,
        path: &Path,
        name: Option<&str>,
        quantisation: Quantisation,
        source: &str,
    ) -> Result<Model, Error> {
        std::fs::create_dir_all(&self.folder)?;
        let mut incoming = tempfile::NamedTempFile::new_in(&self.folder)?;
        if path.is_dir() {
            let mut out = BufWriter::new(incoming.as_file_mut());
            ggml::convert(path, quantisation, &mut out)?;
            out.flush()?;
        } else {
            std::io::copy(&mut File::open(path)?, incoming.as_file_mut())?;
        }
        let header = Header::read(&mut File::open(incoming.path())?)?;
        let name = name.map_or_else(|| header.name(), str::to_owned);
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(Error::Format(format!("{name:?} cannot be a model's name")));
        }
        let model = Model {
            file: format!("{name}-{}.bin", header.quantisation),
            sha256: sha256(incoming.path())?,
            size_bytes: incoming.as_file().metadata()?.len(),
            family: header.family,
            size: header.size,
            multilingual: header.multilingual,
            quantisation: header.quantisation,
            source: source.to_owned(),
            name,
        };
        // Temporary files are private; models are read by whoever the worker runs as.
        incoming.as_file().set_permissions(Permissions::from_mode(0o644))?;
        incoming.as_file().sync_all()?;
        incoming
            .persist(self.folder.join(&model.file))
            .map_err(|error| error.error)?;
        let mut manifest = self.manifest()?;
        manifest.insert(model.name.clone(), model.clone());
        self.write_manifest(&manifest)?;
        Ok(model)
    }

    /// Reads every file again and compares it with its pinned hash.
    ///
    /// # Errors
    /// When the manifest or a file that is there cannot be read.
    pub fn verify(&self) -> Result<Vec<(Model, Verdict)>, Error> {
        let check = |model: Model| {
            let path = self.folder.join(&model.file);
            let verdict = if path.exists() {
                let found = sha256(&path)?;
                if found == model.sha256 {
                    Verdict::Whole
                } else {
                    Verdict::Changed(found)
                }
            } else {
                Verdict::Gone
            };
            Ok((model, verdict))
        };
        self.list()?.into_iter().map(check).collect()
    }

    fn manifest(&self) -> Result<BTreeMap<String, Model>, Error> {
        let path = self.folder.join(MANIFEST);
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        serde_json::from_slice(&std::fs::read(path)?).map_err(Error::Manifest)
    }

    fn write_manifest(&self, manifest: &BTreeMap<String, Model>) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(manifest).map_err(Error::Manifest)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(MANIFEST)).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The SHA-256 of a file, hexadecimal, read in pieces.
fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(hex::encode(context.finish()));
        };
        context.update(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().join("none"));
        let problem = store.speech("").unwrap_err().to_string();
        assert_eq!(problem, "no speech model installed: run strowger models pull tiny.en");
        assert!(store.list().unwrap().is_empty());
    }

    #[test]
    fn an_imported_voice_activity_model_is_pinned_and_a_changed_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("incoming.bin");
        let mut bytes = 0x6767_6d6c_u32.to_le_bytes().to_vec();
        bytes.extend(10_u32.to_le_bytes());
        bytes.extend(b"silero-16k");
        bytes.extend([0; 100]);
        std::fs::write(&file, &bytes).unwrap();

        let store = ModelStore::new(folder.path().join("models"));
        let model = store.import(&file, None, Quantisation::Q8_0, "a test").unwrap();
        assert_eq!(
            (model.name.as_str(), model.family),
            (VOICE_ACTIVITY, Family::VoiceActivity)
        );
        assert_eq!(store.verify().unwrap(), [(model.clone(), Verdict::Whole)]);

        let path = store.path(&model).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[50] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(store.verify().unwrap()[0].1, Verdict::Changed(_)));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(store.verify().unwrap()[0].1, Verdict::Gone);
        assert!(matches!(store.path(&model), Err(Error::Missing(_))));
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("incoming.bin");
        std::fs::write(&file, b"RIFF and so on, not a model at all, but long enough to be one").unwrap();
        let store = ModelStore::new(folder.path().join("models"));
        let refused = store.import(&file, None, Quantisation::Q8_0, "a test");
        assert!(matches!(refused, Err(Error::Format(_))));
        assert!(store.list().unwrap().is_empty());
    }
}
