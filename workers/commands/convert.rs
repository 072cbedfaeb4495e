//! `strowger-worker convert`: a recording on standard input, another format on standard output.

use crate::audio::{self, decode::Layout, wav};
use anyhow::Context;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// What recordings are played and exported at: more than telephones carry.
const SAMPLE_RATE_HZ: u32 = 16_000;

/// What `convert` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The format wanted.
    #[arg(long, value_enum)]
    to: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// 16-bit linear.
    Wav,
    /// By the command `lame`.
    Mp3,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut file = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut file)
        .context("cannot read the recording")?;
    let pcm = audio::decode(&file, "recording.ogg", SAMPLE_RATE_HZ, Layout::Kept).context("cannot decode")?;
    drop(file);
    let wave = wav::encode(&pcm)?;
    drop(pcm);
    match arguments.to {
        Format::Wav => std::io::stdout().lock().write_all(&wave).context("cannot write")?,
        Format::Mp3 => through_lame(&wave)?,
    }
    Ok(())
}

/// The encoder is a process of its own: its licence and its faults stay outside.
fn through_lame(wave: &[u8]) -> anyhow::Result<()> {
    let mut lame = Command::new("lame")
        .args(["--quiet", "-V", "4", "-", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("MP3 needs the command `lame`: apt install lame")?;
    let mut input = lame.stdin.take().context("lame takes no input")?;
    let fed = input.write_all(wave);
    drop(input);
    let status = lame.wait().context("lame ended badly")?;
    anyhow::ensure!(status.success(), "lame ended with {status}");
    fed.context("lame stopped reading")
}
