//! `strowger-worker convert`: a recording on standard input, another format on standard output.

use crate::audio::{self, decode::Layout, m4a, mp3, opus_file, wav};
use anyhow::Context;
use std::io::{Read, Write};

/// What recordings are exported at if not at more: narrow-band ones too, because there are players that know of MP3 and AAC
/// from here on.
const LEAST_HZ: u32 = 16_000;

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
    /// 32 kbit/s a channel, 64 where it holds more than speech does.
    Mp3,
    /// AAC-LC, as many bits.
    M4a,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut file = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut file)
        .context("cannot read the recording")?;
    let rate_hz = opus_file::rate_of(&file).max(LEAST_HZ);
    let pcm = audio::decode(&file, "recording.ogg", rate_hz, Layout::Kept).context("cannot decode")?;
    drop(file);
    let converted = match arguments.to {
        Format::Wav => wav::encode(&pcm)?,
        Format::Mp3 => mp3::encode(&pcm)?,
        Format::M4a => m4a::encode(&pcm)?,
    };
    drop(pcm);
    std::io::stdout().lock().write_all(&converted).context("cannot write")
}
