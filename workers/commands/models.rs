//! `strowger-worker models`: the speech models of this machine.

use super::ModelFolder;
use crate::whisper::models::pull::{Sources, known, pull};
use crate::whisper::models::{Family, Model, ModelStore, Quantisation, Verdict};
use clap::{Subcommand, ValueEnum};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `models` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: ModelFolder,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Weights {
    /// 8-bit: half the memory, less work, no loss that shows.
    #[value(name = "q8_0")]
    Q8,
    /// 16-bit, as published.
    #[value(name = "f16")]
    F16,
}

impl From<Weights> for Quantisation {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Q8 => Self::Q8_0,
            Weights::F16 => Self::F16,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what is installed.
    List,
    /// Fetches a known model, checks its pinned SHA-256 and installs it.
    Pull {
        /// Its name: tiny.en, base, silero-vad, or one of the manifest.
        name: String,
        /// How to store the weights.
        #[arg(long = "type", value_enum, default_value = "q8_0")]
        weights: Weights,
        /// A folder with packages fetched before, looked at first.
        #[arg(long)]
        packages: Option<PathBuf>,
        /// A manifest with sources of one's own: {"name": {"url" or "file": …, "sha256": …}}.
        #[arg(long)]
        manifest: Option<PathBuf>,
    },
    /// Installs a ggml file or converts a CTranslate2 folder, with no network.
    Import {
        /// The file or folder.
        path: PathBuf,
        /// What to call it; read from the model by default.
        #[arg(long)]
        name: Option<String>,
        /// How to store the weights of a CTranslate2 folder.
        #[arg(long = "type", value_enum, default_value = "q8_0")]
        weights: Weights,
    },
    /// Compares every file with its pinned SHA-256.
    Verify,
}

pub(super) fn run(arguments: &Arguments, config: Option<&Path>) -> anyhow::Result<()> {
    let store = ModelStore::new(arguments.folder.resolve(config)?);
    let mut out = std::io::stdout().lock();
    match &arguments.command {
        Command::List => {
            let models = store.list()?;
            for model in &models {
                writeln!(out, "{}", line(model))?;
            }
            if models.iter().all(|model| model.family != Family::Speech) {
                let known = known().join(", ");
                writeln!(
                    out,
                    "no speech model installed: run strowger models pull tiny.en (known: {known})"
                )?;
            }
        }
        Command::Pull {
            name,
            weights,
            packages,
            manifest,
        } => {
            let sources = Sources {
                packages: packages.clone(),
                manifest: manifest.clone(),
            };
            for model in pull(&store, name, (*weights).into(), &sources)? {
                writeln!(out, "installed {}", line(&model))?;
            }
        }
        Command::Import { path, name, weights } => {
            let source = path.display().to_string();
            let model = store.import(path, name.as_deref(), (*weights).into(), &source)?;
            writeln!(out, "installed {}", line(&model))?;
        }
        Command::Verify => {
            let mut damaged = 0;
            for (model, verdict) in store.verify()? {
                let word = match verdict {
                    Verdict::Whole => "whole".to_owned(),
                    Verdict::Gone => "GONE".to_owned(),
                    Verdict::Changed(found) => format!("CHANGED, its SHA-256 is {found}"),
                };
                damaged += usize::from(word != "whole");
                writeln!(out, "{:<16} {word}", model.name)?;
            }
            anyhow::ensure!(damaged == 0, "{damaged} damaged: pull or import them again");
        }
    }
    Ok(())
}

fn line(model: &Model) -> String {
    let languages = match (model.family, model.multilingual) {
        (Family::VoiceActivity, _) => "any language",
        (Family::Speech, true) => "many languages",
        (Family::Speech, false) => "English only",
    };
    let megabytes = model.size_bytes as f64 / 1e6;
    let Model {
        name,
        quantisation,
        sha256,
        source,
        ..
    } = model;
    format!("{name:<16} {quantisation:<5} {megabytes:>7.1} MB  {languages:<14} sha256 {sha256}  from {source}")
}
