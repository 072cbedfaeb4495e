//! Any file people upload, and our own recordings, into samples at the rate asked for.

use super::resample::Stream;
use super::{Error, Pcm, opus_file};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
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
/// The most channels taken.
const MOST_CHANNELS: usize = 8;

/// Decodes a whole file to `sample_rate_hz`. The format is recognised by content; `name` is only a
/// hint.
///
/// # Errors
/// When the file is no audio we know, holds none, or is too long. Damage in the middle is skipped.
pub fn decode(bytes: &[u8], name: &str, sample_rate_hz: u32, layout: Layout) -> Result<Pcm, Error> {
    if opus_file::is_opus(bytes) {
        let pcm = opus_file::decode(bytes, sample_rate_hz)?;
        return Ok(match layout {
            Layout::Kept => pcm,
            Layout::Mono => pcm.into_mono(),
        });
    }
    // The readers of foreign formats are not ours; a file that makes one panic is a bad file, not the end of a job
    // without a reason. Nothing they hold outlives the call.
    catch_unwind(AssertUnwindSafe(|| foreign(bytes, name, sample_rate_hz, layout))).unwrap_or(Err(Error::Hostile))
}

fn foreign(bytes: &[u8], name: &str, sample_rate_hz: u32, layout: Layout) -> Result<Pcm, Error> {
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
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or(Error::Silent)?, &AudioDecoderOptions::default())
        .map_err(Error::Unknown)?;
    let pcm = packets(format.as_mut(), decoder.as_mut(), id, sample_rate_hz, layout)?;
    if pcm.is_empty() {
        return Err(Error::Silent);
    }
    Ok(pcm)
}

fn packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
    sample_rate_hz: u32,
    layout: Layout,
) -> Result<Pcm, Error> {
    let mut streams: Vec<Stream> = Vec::new();
    let mut pcm = Pcm {
        sample_rate_hz,
        channels: Vec::new(),
    };
    let most = sample_rate_hz as usize * 60 * LONGEST_MINUTES as usize;
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
        let wanted = match layout {
            Layout::Kept => in_file,
            Layout::Mono => 1,
        };
        if streams.is_empty() {
            for _ in 0..wanted {
                streams.push(Stream::new(from_hz, sample_rate_hz)?);
                pcm.channels.push(Vec::new());
            }
        }
        buffer.copy_to_vec_interleaved(&mut samples);
        for (channel, (stream, out)) in streams.iter_mut().zip(&mut pcm.channels).enumerate() {
            let frames = samples.chunks_exact(in_file);
            match layout {
                Layout::Kept => stream.push(frames.filter_map(|frame| frame.get(channel).copied()), out)?,
                Layout::Mono => {
                    stream.push(frames.map(|frame| frame.iter().sum::<f32>() / in_file as f32), out)?;
                }
            }
        }
        if pcm.len() > most {
            return Err(Error::TooLong(LONGEST_MINUTES));
        }
    }
    for (stream, out) in streams.into_iter().zip(&mut pcm.channels) {
        stream.finish(out)?;
    }
    Ok(pcm)
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
