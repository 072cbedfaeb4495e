//! WAV: 16-bit linear, for download.

use super::{Error, Pcm};
use std::io::Cursor;

/// A WAV file.
///
/// # Errors
/// When there are too many channels or samples for the format.
pub fn encode(pcm: &Pcm) -> Result<Vec<u8>, Error> {
    let spec = hound::WavSpec {
        channels: u16::try_from(pcm.channels.len().max(1)).unwrap_or(u16::MAX),
        sample_rate: pcm.sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(44 + pcm.len() * pcm.channels.len() * 2));
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    for at in 0..pcm.len() {
        for channel in &pcm.channels {
            writer.write_sample(channel.get(at).copied().unwrap_or(0))?;
        }
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_from_the_file() {
        let pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![vec![1, -2, 3], vec![i16::MIN, 0, i16::MAX]],
        };
        let file = encode(&pcm).unwrap();
        let mut reader = hound::WavReader::new(file.as_slice()).unwrap();
        let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
        assert_eq!(samples, [1, i16::MIN, -2, 0, 3, i16::MAX]);
    }
}
