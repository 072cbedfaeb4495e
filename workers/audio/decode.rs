//! Any file people upload, and our own recordings, into samples at the rate asked for.

use super::resample::Stream;
use super::{Error, Pcm, opus_file};
use opus::{Channels, Decoder as OpusDecoder};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Damaged;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// How channels are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As in the file.
    Kept,
    /// Mixed to one.
    Mono,
}

/// The longest audio taken.
const LONGEST_MINUTES: u32 = 6 * 60;
/// The rate Opus is decoded at.
const OPUS_HZ: u32 = 48_000;
/// The most channels taken.
const MOST_CHANNELS: usize = 8;

/// Decodes a whole file to `sample_rate_hz`. The format is recognised by content; `name` is only a
/// hint.
///
/// # Errors
/// When the file is no audio we know, holds none, or is too long. Damage in the middle is skipped.
pub fn decode(bytes: &[u8], name: &str, sample_rate_hz: u32, layout: Layout) -> Result<Pcm, Error> {
    decode_at_most(bytes, name, sample_rate_hz, layout, LONGEST_MINUTES)
}

/// As [`decode`], of audio that lasts at most so many minutes in one channel, half as many in two, and so on: a
/// bound on memory.
///
/// # Errors
/// As [`decode`].
pub fn decode_at_most(
    bytes: &[u8],
    name: &str,
    sample_rate_hz: u32,
    layout: Layout,
    minutes: u32,
) -> Result<Pcm, Error> {
    if opus_file::is_opus(bytes) {
        let pcm = opus_file::decode_at_most(bytes, sample_rate_hz, minutes)?;
        return Ok(match layout {
            Layout::Kept => pcm,
            Layout::Mono => pcm.into_mono(),
        });
    }
    let out = Out {
        pcm: Pcm {
            sample_rate_hz,
            channels: Vec::new(),
        },
        streams: Vec::new(),
        layout,
        minutes,
    };
    // The readers of foreign formats are not ours; a file that makes one panic is a bad file, not the end of a job
    // without a reason. Nothing they hold outlives the call.
    catch_unwind(AssertUnwindSafe(|| foreign(bytes, name, out))).unwrap_or(Err(Error::Hostile))
}

fn foreign(bytes: &[u8], name: &str, mut out: Out) -> Result<Pcm, Error> {
    let mut hint = Hint::new();
    if let Some((_, extension)) = name.rsplit_once('.') {
        hint.with_extension(extension);
    }
    let source = MediaSourceStream::new(
        Box::new(Cursor::new(bytes.to_vec())),
        MediaSourceStreamOptions::default(),
    );
    let mut format = symphonia::default::get_probe()
        .probe(&hint, source, FormatOptions::default(), MetadataOptions::default())
        .map_err(Error::Unknown)?;
    let track = format.default_track(TrackType::Audio).ok_or(Error::Silent)?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|all| all.audio());
    let parameters = parameters.ok_or(Error::Silent)?.clone();
    if parameters.codec == CODEC_ID_OPUS {
        opus_packets(format.as_mut(), &parameters, id, &mut out)?;
    } else {
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
            .map_err(Error::Unknown)?;
        packets(format.as_mut(), decoder.as_mut(), id, &mut out)?;
    }
    out.finish()
}

/// What is decoded, as it grows.
struct Out {
    pcm: Pcm,
    streams: Vec<Stream>,
    layout: Layout,
    minutes: u32,
}

impl Out {
    /// Takes interleaved samples.
    fn take(&mut self, samples: &[f32], in_file: usize, from_hz: u32) -> Result<(), Error> {
        let wanted = match self.layout {
            Layout::Kept => in_file,
            Layout::Mono => 1,
        };
        if self.streams.is_empty() {
            for _ in 0..wanted {
                self.streams.push(Stream::new(from_hz, self.pcm.sample_rate_hz)?);
                self.pcm.channels.push(Vec::new());
            }
        }
        for (channel, (stream, out)) in self.streams.iter_mut().zip(&mut self.pcm.channels).enumerate() {
            let frames = samples.chunks_exact(in_file);
            match self.layout {
                Layout::Kept => stream.push(frames.filter_map(|frame| frame.get(channel).copied()), out)?,
                Layout::Mono => {
                    stream.push(frames.map(|frame| frame.iter().sum::<f32>() / in_file as f32), out)?;
                }
            }
        }
        let most = self.pcm.sample_rate_hz as usize * 60 * self.minutes as usize;
        if self.pcm.len() * self.pcm.channels.len() > most {
            return Err(Error::TooLong(self.minutes));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Pcm, Error> {
        for (stream, out) in self.streams.into_iter().zip(&mut self.pcm.channels) {
            stream.finish(out)?;
        }
        if self.pcm.is_empty() {
            return Err(Error::Silent);
        }
        Ok(self.pcm)
    }
}

/// Opus outside of Ogg, as browsers record it (WebM) and phones (MP4).
fn opus_packets(
    format: &mut dyn FormatReader,
    parameters: &AudioCodecParameters,
    track: u32,
    out: &mut Out,
) -> Result<(), Error> {
    // RFC 7845 §5.1: channels and what the encoder put before the audio, in samples of 48 kHz.
    let head = parameters.extra_data.as_deref().unwrap_or_default();
    let is_stereo = head.get(9).is_some_and(|count| *count > 1);
    let (layout, count) = if is_stereo {
        (Channels::Stereo, 2)
    } else {
        (Channels::Mono, 1)
    };
    let mut to_skip = match head.get(10..12) {
        Some([low, high]) => usize::from(u16::from_le_bytes([*low, *high])),
        Some(_) | None => 0,
    };
    let mut decoder = OpusDecoder::new(OPUS_HZ, layout)?;
    // 120 ms is the longest an Opus packet can be.
    let mut frame = vec![0_f32; OPUS_HZ as usize * 120 / 1000 * count];
    while let Ok(Some(packet)) = format.next_packet() {
        if packet.track_id != track {
            continue;
        }
        let Ok(length) = decoder.decode_float(&packet.data, &mut frame, false) else {
            continue;
        };
        let skipped = to_skip.min(length);
        to_skip -= skipped;
        let samples = frame.get(skipped * count..length * count).unwrap_or_default();
        out.take(samples, count, OPUS_HZ)?;
    }
    Ok(())
}

fn packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
    out: &mut Out,
) -> Result<(), Error> {
    let mut samples: Vec<f32> = Vec::new();
    // What cannot be read any further ends the audio; what came before it counts.
    while let Ok(Some(packet)) = format.next_packet() {
        if packet.track_id != track {
            continue;
        }
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(Damaged::DecodeError(_) | Damaged::IoError(_)) => continue,
            Err(_) => break,
        };
        let in_file = buffer.spec().channels().count();
        let from_hz = buffer.spec().rate();
        if in_file == 0 || in_file > MOST_CHANNELS {
            break;
        }
        buffer.copy_to_vec_interleaved(&mut samples);
        out.take(&samples, in_file, from_hz)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;
    use proptest::prelude::*;

    fn two_tones(rate_hz: u32) -> Pcm {
        let tone = |hz: f32| {
            let step = std::f32::consts::TAU * hz / rate_hz as f32;
            (0..rate_hz)
                .map(|n| ((n as f32 * step).sin() * 9000.0) as i16)
                .collect()
        };
        Pcm {
            sample_rate_hz: rate_hz,
            channels: vec![tone(440.0), tone(1000.0)],
        }
    }

    #[test]
    fn wav_comes_back_at_another_rate_and_in_mono() {
        let file = wav::encode(&two_tones(44_100)).unwrap();
        let kept = decode(&file, "x.wav", 8000, Layout::Kept).unwrap();
        assert_eq!((kept.channels.len(), kept.len()), (2, 8000));
        let mono = decode(&file, "", 16_000, Layout::Mono).unwrap();
        assert_eq!((mono.channels.len(), mono.len()), (1, 16_000));
    }

    #[test]
    fn what_is_no_audio_is_refused_with_a_reason() {
        let problem = decode(b"%PDF-1.4 and more of that kind", "song.mp3", 8000, Layout::Mono).unwrap_err();
        assert!(problem.to_string().contains("not an audio file"), "{problem}");
        assert!(decode(b"", "", 8000, Layout::Mono).is_err());
    }

    #[test]
    fn a_header_its_reader_cannot_count_with_is_refused() {
        let mut file = wav::encode(&two_tones(8000)).unwrap();
        let channels_high_byte = 23;
        file[channels_high_byte] = 128;
        assert!(decode(&file, "x.wav", 8000, Layout::Mono).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_file_never_panics(flips in proptest::collection::vec((0_usize..3000, any::<u8>()), 1..40), cut in 0_usize..3000) {
            let mut file = wav::encode(&Pcm { sample_rate_hz: 8000, channels: vec![vec![100; 1400]] }).unwrap();
            file.truncate(cut.max(1));
            for (at, byte) in flips {
                if let Some(place) = file.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = decode(&file, "x.wav", 8000, Layout::Mono);
        }
    }
}
