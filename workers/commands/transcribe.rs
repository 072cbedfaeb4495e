//! `strowger-worker transcribe`: files in, text out.

use super::ModelFolder;
use crate::audio::{self, decode::Layout};
use crate::cpu_time;
use crate::whisper::models::ModelStore;
use crate::whisper::{Course, Options, Recogniser, Session};
use anyhow::Context;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `transcribe` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: ModelFolder,
    /// The speech model; the most capable one installed by default.
    #[arg(long, default_value = "")]
    model: String,
    /// The language spoken (`en`, `de` …); listened for by default.
    #[arg(long)]
    language: Option<String>,
    /// Prints one JSON object a line, with words and times.
    #[arg(long)]
    json: bool,
    /// The audio files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[arg(long, hide = true, default_value_t = Options::default().longest_piece_s)]
    longest_piece_s: f32,
    #[arg(long, hide = true, default_value_t = Options::default().margin_frames)]
    margin_frames: usize,
    #[arg(long, hide = true)]
    no_time_marks: bool,
}

pub(super) fn run(arguments: &Arguments, config: Option<&Path>) -> anyhow::Result<()> {
    let store = ModelStore::new(arguments.folder.resolve(config)?);
    let recogniser = Recogniser::load(&store, &arguments.model)?;
    let mut session = recogniser.session()?;
    let options = Options {
        language: arguments.language.clone(),
        longest_piece_s: arguments.longest_piece_s,
        margin_frames: arguments.margin_frames,
        time_marks: !arguments.no_time_marks,
    };
    let mut failed = 0;
    let mut out = std::io::stdout().lock();
    for file in &arguments.files {
        match one(&mut session, file, &options) {
            Ok(result) if arguments.json => writeln!(out, "{result}")?,
            Ok(result) => {
                let text = result.get("text").and_then(serde_json::Value::as_str);
                writeln!(out, "{}: {}", file.display(), text.unwrap_or_default())?;
            }
            Err(problem) => {
                failed += 1;
                writeln!(std::io::stderr(), "{}: {problem:#}", file.display())?;
            }
        }
        out.flush()?;
    }
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} files could not be transcribed",
        arguments.files.len()
    );
    Ok(())
}

fn one(session: &mut Session, file: &Path, options: &Options) -> anyhow::Result<serde_json::Value> {
    let before_s = cpu_time::of_this_thread_s();
    let bytes = std::fs::read(file).context("cannot be read")?;
    let pcm = audio::decode(&bytes, &file.to_string_lossy(), 16_000, Layout::Kept)?;
    drop(bytes);
    let speakers: Vec<String> = match pcm.channels.len() {
        1 => vec!["speaker".to_owned()],
        count => (0..count).map(|n| format!("channel {}", n + 1)).collect(),
    };
    let heard = session.transcribe(&pcm.channels, &speakers, options, &Course::default())?;
    let duration_ms = pcm.duration_ms();
    let cpu_s = cpu_time::of_this_thread_s() - before_s;
    Ok(serde_json::json!({
        "file": file,
        "text": heard.text(),
        "language": heard.language,
        "confidence": heard.confidence(),
        "duration_ms": duration_ms,
        "cpu_s": cpu_s,
        "model": session.model().name,
        "segments": heard.segments,
    }))
}
