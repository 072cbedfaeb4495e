//! `strowger-worker convert`: a recording on standard input, another format on standard output.

use crate::audio::{self, decode::Layout, m4a, mp3, wav};
use anyhow::Context;
use std::io::{Read, Write};

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
    /// 32 kbit/s a channel.
    Mp3,
    /// AAC-LC, 32 kbit/s a channel.
    M4a,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut file = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut file)
        .context("cannot read the recording")?;
    let pcm = audio::decode(&file, "recording.ogg", SAMPLE_RATE_HZ, Layout::Kept).context("cannot decode")?;
    drop(file);
    let converted = match arguments.to {
        Format::Wav => wav::encode(&pcm)?,
        Format::Mp3 => mp3::encode(&pcm)?,
        Format::M4a => m4a::encode(&pcm)?,
    };
    drop(pcm);
    std::io::stdout().lock().write_all(&converted).context("cannot write")
}
