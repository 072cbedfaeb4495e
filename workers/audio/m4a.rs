//! M4A (AAC-LC in MP4, ISO/IEC 14496-12 and -14), for download. The index stands before the sound, so that players begin
//! before they have all of it; an edit list cuts what the encoder put in front and behind.

use super::{Error, Pcm, kbps_per_channel};
use syom::{EncodeOptions, Encoder};

/// Samples of one AAC frame.
const FRAME: u32 = 1024;

/// An M4A file of one or two channels; it plays exactly as long as the samples last.
///
/// # Errors
/// The sample rate is none of AAC's, or the file would be larger than four gigabytes.
pub fn encode(pcm: &Pcm) -> Result<Vec<u8>, Error> {
    let count = pcm.channels.len().clamp(1, 2);
    let bits = kbps_per_channel(pcm.sample_rate_hz) * 1000 * count as u32;
    let options = EncodeOptions::raw().with_bitrate_bps(bits);
    let mut encoder = Encoder::new(pcm.sample_rate_hz, count, &options).map_err(Error::Aac)?;
    let (mut sound, mut sizes) = (Vec::new(), Vec::new());
    let mut planes = vec![Vec::new(); count];
    for from in (0..pcm.len()).step_by(pcm.sample_rate_hz.max(1) as usize) {
        let until = (from + pcm.sample_rate_hz as usize).min(pcm.len());
        for (plane, channel) in planes.iter_mut().zip(&pcm.channels) {
            plane.clear();
            let samples = channel.get(from..until.min(channel.len())).unwrap_or_default();
            plane.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
            plane.resize(until - from, 0.0);
        }
        let views: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
        encoder
            .feed(&views, |frame| {
                keep(frame.payload, &mut sound, &mut sizes);
                Ok(())
            })
            .map_err(Error::Aac)?;
    }
    let info = encoder
        .finish(|frame| {
            keep(frame.payload, &mut sound, &mut sizes);
            Ok(())
        })
        .map_err(Error::Aac)?;
    let track = Track {
        sample_rate_hz: pcm.sample_rate_hz,
        bits,
        channels: count as u16,
        samples: four(info.samples as usize)?,
        skipped: four(info.priming as usize)?,
        config: encoder.asc(),
        sizes: &sizes,
    };
    track.file(&sound)
}

fn keep(frame: &[u8], sound: &mut Vec<u8>, sizes: &mut Vec<u32>) {
    sound.extend_from_slice(frame);
    sizes.push(u32::try_from(frame.len()).unwrap_or(u32::MAX));
}

fn four(count: usize) -> Result<u32, Error> {
    u32::try_from(count).map_err(|_| Error::TooLarge)
}

/// What the index says. Everything in it counts samples.
struct Track<'a> {
    sample_rate_hz: u32,
    /// Bits a second of all channels.
    bits: u32,
    channels: u16,
    /// How long it plays.
    samples: u32,
    /// What is not played of the first frames.
    skipped: u32,
    /// The AudioSpecificConfig.
    config: &'a [u8],
    /// The size of each frame.
    sizes: &'a [u32],
}

impl Track<'_> {
    fn file(&self, sound: &[u8]) -> Result<Vec<u8>, Error> {
        let kind = boxed(b"ftyp", &[b"M4A ", &[0; 4], b"M4A mp42isom"])?;
        // Where the sound begins does not change how long the index is.
        let begins = kind.len() + self.movie(0)?.len() + 8;
        let movie = self.movie(four(begins)?)?;
        let data = boxed(b"mdat", &[sound])?;
        Ok([kind, movie, data].concat())
    }

    fn movie(&self, begins: u32) -> Result<Vec<u8>, Error> {
        let rate = self.sample_rate_hz.to_be_bytes();
        let samples = self.samples.to_be_bytes();
        let header = boxed(
            b"mvhd",
            &[
                &[0; 12],
                &rate,
                &samples,
                &0x0001_0000_u32.to_be_bytes(),
                &0x0100_u16.to_be_bytes(),
                &[0; 10],
                &matrix(),
                &[0; 24],
                &2_u32.to_be_bytes(),
            ],
        )?;
        let track = boxed(
            b"tkhd",
            &[
                // Enabled, in the movie, in its preview.
                &[0, 0, 0, 7],
                &[0; 8],
                &1_u32.to_be_bytes(),
                &[0; 4],
                &samples,
                &[0; 12],
                &0x0100_u16.to_be_bytes(),
                &[0; 2],
                &matrix(),
                &[0; 8],
            ],
        )?;
        let edit = boxed(
            b"elst",
            &[
                &[0; 4],
                &1_u32.to_be_bytes(),
                &samples,
                &self.skipped.to_be_bytes(),
                &0x0001_0000_u32.to_be_bytes(),
            ],
        )?;
        let edits = boxed(b"edts", &[&edit])?;
        let media = self.media(begins)?;
        let track = boxed(b"trak", &[&track, &edits, &media])?;
        boxed(b"moov", &[&header, &track])
    }

    fn media(&self, begins: u32) -> Result<Vec<u8>, Error> {
        let coded = four(self.sizes.len())?.saturating_mul(FRAME);
        let header = boxed(
            b"mdhd",
            &[
                &[0; 12],
                &self.sample_rate_hz.to_be_bytes(),
                &coded.to_be_bytes(),
                // "und", no language.
                &0x55c4_u16.to_be_bytes(),
                &[0; 2],
            ],
        )?;
        let handler = boxed(b"hdlr", &[&[0; 8], b"soun", &[0; 12], b"Sound\0"])?;
        let sound = boxed(b"smhd", &[&[0; 8]])?;
        // The sound is in this very file.
        let here = boxed(b"url ", &[&[0, 0, 0, 1]])?;
        let places = boxed(b"dref", &[&[0; 4], &1_u32.to_be_bytes(), &here])?;
        let data = boxed(b"dinf", &[&places])?;
        let samples = self.samples(begins)?;
        let info = boxed(b"minf", &[&sound, &data, &samples])?;
        boxed(b"mdia", &[&header, &handler, &info])
    }

    fn samples(&self, begins: u32) -> Result<Vec<u8>, Error> {
        let count = four(self.sizes.len())?.to_be_bytes();
        let one = 1_u32.to_be_bytes();
        let stream = self.stream()?;
        let entry = boxed(
            b"mp4a",
            &[
                &[0; 6],
                &1_u16.to_be_bytes(),
                &[0; 8],
                &self.channels.to_be_bytes(),
                &16_u16.to_be_bytes(),
                &[0; 4],
                &(self.sample_rate_hz << 16).to_be_bytes(),
                &stream,
            ],
        )?;
        let entries = boxed(b"stsd", &[&[0; 4], &one, &entry])?;
        let times = boxed(b"stts", &[&[0; 4], &one, &count, &FRAME.to_be_bytes()])?;
        // All of it is one chunk.
        let chunks = boxed(b"stsc", &[&[0; 4], &one, &one, &count, &one])?;
        let sizes: Vec<u8> = self.sizes.iter().flat_map(|size| size.to_be_bytes()).collect();
        let sizes = boxed(b"stsz", &[&[0; 8], &count, &sizes])?;
        let place = boxed(b"stco", &[&[0; 4], &one, &begins.to_be_bytes()])?;
        boxed(b"stbl", &[&entries, &times, &chunks, &sizes, &place])
    }

    /// What kind of stream it is (ISO/IEC 14496-1 §7.2.6.5).
    fn stream(&self) -> Result<Vec<u8>, Error> {
        let rate = self.bits.to_be_bytes();
        let special = described(5, &[self.config]);
        // MPEG-4 audio, an audio stream, a buffer of 6144 bits a channel.
        let decoder = described(4, &[&[0x40, 0x15, 0, 0x06, 0], &rate, &rate, &special]);
        let layer = described(6, &[&[2]]);
        let stream = described(3, &[&[0, 0, 0], &decoder, &layer]);
        boxed(b"esds", &[&[0; 4], &stream])
    }
}

fn matrix() -> [u8; 36] {
    let mut matrix = [0; 36];
    (matrix[1], matrix[17], matrix[32]) = (1, 1, 0x40);
    matrix
}

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = four(size + 8)?.to_be_bytes().to_vec();
    bytes.extend_from_slice(name);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes)
}

/// A descriptor of fewer than 128 bytes.
fn described(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag, u8::try_from(size).unwrap_or(127)];
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tests::{LENGTHS, heard, speakers};

    #[test]
    fn a_file_plays_as_long_as_its_samples_and_each_channel_holds_its_speaker() {
        for (rate_hz, samples) in LENGTHS {
            let pcm = speakers(rate_hz, samples);
            let file = encode(&pcm).unwrap();
            heard(&file, "m4a", &pcm);
        }
    }

    #[test]
    fn the_index_stands_before_the_sound_and_leads_to_it() {
        let pcm = speakers(16_000, 40_000);
        let file = encode(&pcm).unwrap();
        let at = |name: &[u8; 4]| file.windows(4).position(|bytes| bytes == name).unwrap();
        assert!(at(b"moov") < at(b"mdat"));
        let place = at(b"stco") + 12;
        let begins = u32::from_be_bytes(file[place..place + 4].try_into().unwrap());
        assert_eq!(begins as usize, at(b"mdat") + 4);
    }
}
