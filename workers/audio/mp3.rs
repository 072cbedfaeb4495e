//! MP3, for download.

use super::{Error, Pcm, kbps_per_channel};
use rusty_mp3::{Mp3Encoder, Mp3EncoderConfig};

/// An MP3 file of one or two channels. Players that read its LAME tag play it to the sample; its frames last up to 75 ms
/// longer, as those of every MP3 do.
///
/// # Errors
/// The sample rate is none of MP3's.
pub fn encode(pcm: &Pcm) -> Result<Vec<u8>, Error> {
    let count = pcm.channels.len().clamp(1, 2);
    let mut encoder = Mp3Encoder::new(Mp3EncoderConfig {
        bitrate_kbps: kbps_per_channel(pcm.sample_rate_hz) * count as u32,
        vbr_quality: None,
    });
    let mut interleaved = Vec::new();
    for from in (0..pcm.len()).step_by(pcm.sample_rate_hz.max(1) as usize) {
        interleaved.clear();
        for at in from..(from + pcm.sample_rate_hz as usize).min(pcm.len()) {
            for channel in pcm.channels.iter().take(count) {
                interleaved.push(channel.get(at).copied().unwrap_or(0));
            }
        }
        encoder
            .push_pcm_s16(&interleaved, count as u16, pcm.sample_rate_hz)
            .map_err(Error::Mp3)?;
    }
    encoder.finish();
    let mut file = Vec::new();
    while let Ok(frame) = encoder.next_packet() {
        file.extend_from_slice(&frame);
    }
    if file.is_empty() {
        return Err(Error::Silent);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tests::{LENGTHS, heard, speakers};

    #[test]
    fn a_file_plays_as_long_as_its_samples_and_each_channel_holds_its_speaker() {
        for (rate_hz, samples) in LENGTHS {
            let pcm = speakers(rate_hz, samples);
            heard(&encode(&pcm).unwrap(), "mp3", &pcm);
        }
    }
}
