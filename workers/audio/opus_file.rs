//! Opus in Ogg (RFC 7845), the format of every recording: written and read.

use super::resample::Stream;
use super::{Error, Pcm};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bandwidth, Bitrate, Channels, Decoder, Encoder, Signal};
use std::io::Cursor;
use strowger_media::SAMPLE_RATE_HZ;

/// Opus' own clock, which granule positions count in.
const CLOCK_HZ: u32 = 48_000;
/// The rate of wide-band calls.
const WIDE_HZ: u32 = 16_000;
/// 20 ms.
const FRAME: usize = 960;
/// Bits a second of one channel of the telephone band: its speech is transparent at this.
const BITS_PER_CHANNEL: i32 = 24_000;
/// The same of what is wider. With less, two who speak at once are heard on each other's channel above 4 kHz.
const WIDE_BITS_PER_CHANNEL: i32 = 36_000;
/// A page is closed after this many packets: one second, so that players can seek.
const PACKETS_A_PAGE: u64 = 50;
/// The serial number of the one stream in the file.
const SERIAL: u32 = 1;

/// Encodes one or two channels; the file plays exactly as long as the samples last.
///
/// # Errors
/// When libopus refuses, which would be a fault of ours.
pub fn encode(pcm: &Pcm) -> Result<Vec<u8>, Error> {
    let count = pcm.channels.len().clamp(1, 2);
    let mut file = FileWriter::of_telephone(pcm.sample_rate_hz, count)?;
    let step = (pcm.sample_rate_hz as usize).max(1);
    let mut at = 0;
    while at < pcm.len() {
        let until = (at + step).min(pcm.len());
        let blocks: Vec<Vec<i16>> = (0..count)
            .map(|channel| {
                let samples = pcm.channels.get(channel).map_or(&[][..], Vec::as_slice);
                let mut block = samples.get(at..until.min(samples.len())).unwrap_or_default().to_vec();
                block.resize(until - at, 0);
                block
            })
            .collect();
        file.push(&blocks)?;
        at = until;
    }
    file.finish()
}

/// Writes a file second by second, so that an hour at a high rate needs no second copy in memory.
pub struct FileWriter {
    encoder: Encoder,
    file: Writer,
    streams: Vec<(Stream, Vec<i16>)>,
    interleaved: Vec<i16>,
    sample_rate_hz: u32,
    taken: u64,
}

impl FileWriter {
    /// A file of one or two channels with as many bits as speech of this rate needs.
    ///
    /// # Errors
    /// When libopus refuses or the rate is absurd.
    pub fn of_telephone(sample_rate_hz: u32, channels: usize) -> Result<Self, Error> {
        let bits = if sample_rate_hz > SAMPLE_RATE_HZ {
            WIDE_BITS_PER_CHANNEL
        } else {
            BITS_PER_CHANNEL
        };
        Self::new(sample_rate_hz, channels, bits)
    }

    /// A file of one or two channels at `bits_per_channel` bits a second each.
    ///
    /// # Errors
    /// When libopus refuses or the rate is absurd.
    pub fn new(sample_rate_hz: u32, channels: usize, bits_per_channel: i32) -> Result<Self, Error> {
        let (layout, count) = if channels < 2 {
            (Channels::Mono, 1)
        } else {
            (Channels::Stereo, 2)
        };
        let mut encoder = Encoder::new(CLOCK_HZ, layout, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Bits(bits_per_channel * count))?;
        encoder.set_signal(Signal::Voice)?;
        encoder.set_vbr(true)?;
        if sample_rate_hz == WIDE_HZ {
            // There is nothing above 8 kHz to spend bits on.
            encoder.set_max_bandwidth(Bandwidth::Wideband)?;
        }
        let pre_skip = u16::try_from(encoder.get_lookahead()?).unwrap_or(312);
        let mut file = Writer {
            ogg: PacketWriter::new(Cursor::new(Vec::new())),
            pre_skip: u64::from(pre_skip),
            total: 0,
            packets: 0,
        };
        file.head(count as u8, pre_skip, sample_rate_hz)?;
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push((Stream::new(sample_rate_hz, CLOCK_HZ)?, Vec::new()));
        }
        Ok(Self {
            encoder,
            file,
            streams,
            interleaved: vec![0_i16; FRAME * count as usize],
            sample_rate_hz,
            taken: 0,
        })
    }

    /// Takes the next samples of each channel, all equally many.
    ///
    /// # Errors
    /// When libopus refuses, which would be a fault of ours.
    pub fn push(&mut self, channels: &[Vec<i16>]) -> Result<(), Error> {
        self.taken += channels.first().map_or(0, Vec::len) as u64;
        self.file.total = (self.taken * u64::from(CLOCK_HZ)).div_ceil(u64::from(self.sample_rate_hz.max(1)));
        for ((stream, ready), samples) in self.streams.iter_mut().zip(channels) {
            stream.push(samples.iter().map(|sample| f32::from(*sample) / 32_768.0), ready)?;
        }
        self.file
            .packets(&mut self.encoder, &mut self.streams, &mut self.interleaved, false)
    }

    /// The whole file; it plays exactly as long as the samples last.
    ///
    /// # Errors
    /// When libopus refuses, which would be a fault of ours.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut rest = Vec::new();
        for (stream, mut ready) in self.streams {
            stream.finish(&mut ready)?;
            rest.push((Stream::new(CLOCK_HZ, CLOCK_HZ)?, ready));
        }
        self.file
            .packets(&mut self.encoder, &mut rest, &mut self.interleaved, true)?;
        Ok(self.file.ogg.into_inner().into_inner())
    }
}

struct Writer {
    ogg: PacketWriter<'static, Cursor<Vec<u8>>>,
    pre_skip: u64,
    /// Samples of a channel at 48 kHz that are to be heard, as far as known.
    total: u64,
    packets: u64,
}

impl Writer {
    fn head(&mut self, channels: u8, pre_skip: u16, input_hz: u32) -> Result<(), Error> {
        // RFC 7845 §5.1: version 1, channel count, pre-skip, input rate, gain, mapping family 0.
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels);
        head.extend(pre_skip.to_le_bytes());
        head.extend(input_hz.to_le_bytes());
        head.extend([0, 0, 0]);
        self.ogg.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        // §5.2: vendor, no comments.
        let vendor = b"Strowger";
        let mut tags = b"OpusTags".to_vec();
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend([0; 4]);
        self.ogg.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(())
    }

    /// Encodes what is ready; `last` also pads and ends the stream.
    fn packets(
        &mut self,
        encoder: &mut Encoder,
        streams: &mut [(Stream, Vec<i16>)],
        interleaved: &mut [i16],
        last: bool,
    ) -> Result<(), Error> {
        let count = streams.len().max(1);
        let ready = streams.iter().map(|(_, ready)| ready.len()).min().unwrap_or(0);
        // The encoder's delay has to be pushed out too.
        let wanted = usize::try_from((self.total + self.pre_skip).div_ceil(FRAME as u64) - self.packets).unwrap_or(0);
        let frames = if last {
            wanted.max(1)
        } else {
            (ready / FRAME).min(wanted.saturating_sub(1))
        };
        for frame in 0..frames {
            for (channel, (_, ready)) in streams.iter().enumerate() {
                for n in 0..FRAME {
                    let sample = ready.get(frame * FRAME + n).copied().unwrap_or(0);
                    if let Some(place) = interleaved.get_mut(n * count + channel) {
                        *place = sample;
                    }
                }
            }
            let packet = encoder.encode_vec(interleaved, 4000)?;
            self.packets += 1;
            let is_end = last && frame + 1 == frames;
            // RFC 7845 §4: the granule counts all samples up to the end of the packet, pre-skip
            // included; on the last page it says where the audio really ends.
            let granule = if is_end {
                self.pre_skip + self.total
            } else {
                self.packets * FRAME as u64
            };
            let info = if is_end {
                PacketWriteEndInfo::EndStream
            } else if self.packets.is_multiple_of(PACKETS_A_PAGE) {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            self.ogg.write_packet(packet, SERIAL, info, granule)?;
        }
        for (_, ready) in streams {
            ready.drain(..(frames * FRAME).min(ready.len()));
        }
        Ok(())
    }
}

/// Whether a file begins as Opus in Ogg does.
#[must_use]
pub fn is_opus(bytes: &[u8]) -> bool {
    let start = bytes.get(..256).unwrap_or(bytes);
    start.starts_with(b"OggS") && start.windows(8).any(|window| window == b"OpusHead")
}

/// The rate of the samples that a file was made of, as its head tells (RFC 7845 §5.1): nothing of the recording is lost
/// at it. 48 kHz, which holds all of Opus, for a file that tells none to which Opus decodes.
#[must_use]
pub fn rate_of(bytes: &[u8]) -> u32 {
    let start = bytes.get(..256).unwrap_or(bytes);
    let head = start.windows(16).find(|window| window.starts_with(b"OpusHead"));
    let told = head.and_then(|head| head.last_chunk()).copied().map(u32::from_le_bytes);
    told.filter(|hz| [8000, 12_000, 16_000, 24_000].contains(hz))
        .unwrap_or(CLOCK_HZ)
}

/// Decodes one or two channels to `sample_rate_hz`. libopus gives 8, 12, 16, 24 and 48 kHz itself.
///
/// # Errors
/// When the container is damaged at its beginning. Damage later is skipped.
pub fn decode(bytes: &[u8], sample_rate_hz: u32) -> Result<Pcm, Error> {
    // Our own recordings are as long as their calls were.
    decode_at_most(bytes, sample_rate_hz, u32::MAX)
}

/// As [`decode`], of audio that lasts at most so many minutes in one channel, half as many in two.
///
/// # Errors
/// As [`decode`], and when it is longer.
pub fn decode_at_most(bytes: &[u8], sample_rate_hz: u32, minutes: u32) -> Result<Pcm, Error> {
    let most = u64::from(sample_rate_hz) * 60 * u64::from(minutes);
    let mut reader = ogg::PacketReader::new(Cursor::new(bytes));
    let head = reader.read_packet_expected().map_err(Error::Ogg)?;
    let count = usize::from(head.data.get(9).copied().unwrap_or(0));
    let channels = match count {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        _ => return Err(Error::Silent),
    };
    let pre_skip = match head.data.get(10..12) {
        Some([low, high]) => u64::from(u16::from_le_bytes([*low, *high])),
        Some(_) | None => return Err(Error::Silent),
    };
    let native_hz = match sample_rate_hz {
        8000 | 12_000 | 16_000 | 24_000 => sample_rate_hz,
        _ => CLOCK_HZ,
    };
    let scale = u64::from(CLOCK_HZ / native_hz);
    let mut decoder = Decoder::new(native_hz, channels)?;
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(Stream::new(native_hz, sample_rate_hz)?);
    }
    let mut pcm = Pcm {
        sample_rate_hz,
        channels: vec![Vec::new(); count],
    };
    // 120 ms is the longest an Opus packet can be.
    let mut frame = vec![0_i16; native_hz as usize * 120 / 1000 * count];
    let (mut to_skip, mut given, mut serial) = (pre_skip.div_ceil(scale), 0_u64, None);
    while let Ok(Some(packet)) = reader.read_packet() {
        if packet.data.starts_with(b"OpusTags")
            || *serial.get_or_insert(packet.stream_serial()) != packet.stream_serial()
        {
            continue;
        }
        let Ok(length) = decoder.decode(&packet.data, &mut frame, false) else {
            continue;
        };
        let skipped = to_skip.min(length as u64);
        to_skip -= skipped;
        let mut kept = length as u64 - skipped;
        if packet.last_in_stream() {
            let due = packet.absgp_page().saturating_sub(pre_skip) / scale;
            kept = kept.min(due.saturating_sub(given));
        }
        given += kept;
        let frames = || frame.chunks_exact(count).skip(skipped as usize).take(kept as usize);
        for (channel, (stream, out)) in streams.iter_mut().zip(&mut pcm.channels).enumerate() {
            let samples = frames().filter_map(|samples| samples.get(channel));
            stream.push(samples.map(|sample| f32::from(*sample) / 32_768.0), out)?;
        }
        if (pcm.len() * count) as u64 > most {
            return Err(Error::TooLong(minutes));
        }
    }
    for (stream, out) in streams.into_iter().zip(&mut pcm.channels) {
        stream.finish(out)?;
    }
    if pcm.is_empty() {
        return Err(Error::Silent);
    }
    Ok(pcm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(rate_hz: u32, hz: f32, samples: usize) -> Vec<i16> {
        let step = std::f32::consts::TAU * hz / rate_hz as f32;
        (0..samples)
            .map(|n| ((n as f32 * step).sin() * 9000.0) as i16)
            .collect()
    }

    /// The power of `hz` in a signal (Goertzel).
    fn power(samples: &[i16], rate_hz: u32, hz: f32) -> f64 {
        let coefficient = 2.0 * f64::from(std::f32::consts::TAU * hz / rate_hz as f32).cos();
        let (mut one, mut two) = (0.0, 0.0);
        for sample in samples {
            (one, two) = (f64::from(*sample) + coefficient * one - two, one);
        }
        (one * one + two * two - coefficient * one * two) / samples.len() as f64
    }

    #[test]
    fn a_recording_lasts_as_long_as_its_samples_and_each_channel_holds_its_speaker() {
        for samples in [1, 159, 160, 8000, 8001, 81_237] {
            let pcm = Pcm {
                sample_rate_hz: 8000,
                channels: vec![tone(8000, 440.0, samples), tone(8000, 1000.0, samples)],
            };
            let file = encode(&pcm).unwrap();
            assert!(is_opus(&file));
            assert_eq!(rate_of(&file), 8000);
            for rate in [8000, 16_000, 48_000] {
                let back = decode(&file, rate).unwrap();
                assert_eq!(
                    back.len(),
                    samples * rate as usize / 8000,
                    "{samples} samples at {rate} Hz"
                );
                if samples > 8000 {
                    let [left, right] = &back.channels[..] else {
                        panic!("two channels")
                    };
                    assert!(power(left, rate, 440.0) > 1000.0 * power(left, rate, 1000.0));
                    assert!(power(right, rate, 1000.0) > 1000.0 * power(right, rate, 440.0));
                }
            }
        }
    }

    #[test]
    fn sound_stays_where_it_was() {
        let mut channel = vec![0_i16; 16_000];
        channel[8000..8400].copy_from_slice(&tone(8000, 700.0, 400));
        let pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![channel],
        };
        let back = decode(&encode(&pcm).unwrap(), 8000).unwrap();
        let first = back.channels[0]
            .iter()
            .position(|sample| sample.unsigned_abs() > 3000)
            .unwrap();
        assert!(first.abs_diff(8003) < 16, "{first}");
    }

    #[test]
    fn another_program_reads_the_same_length() {
        let Ok(folder) = tempfile::tempdir() else {
            panic!("a folder")
        };
        let path = folder.path().join("call.ogg");
        let pcm = Pcm {
            sample_rate_hz: 8000,
            channels: vec![tone(8000, 440.0, 20_000), tone(8000, 440.0, 20_000)],
        };
        std::fs::write(&path, encode(&pcm).unwrap()).unwrap();
        let Ok(output) = std::process::Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
            .arg(&path)
            .output()
        else {
            return;
        };
        let seconds: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        assert!((seconds - 2.5).abs() < 0.02, "{seconds}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_file_never_panics(flips in proptest::collection::vec((0_usize..4000, any::<u8>()), 0..40), cut in 0_usize..6000) {
            let pcm = Pcm { sample_rate_hz: 8000, channels: vec![tone(8000, 440.0, 8000)] };
            let mut file = encode(&pcm).unwrap();
            file.truncate(cut);
            for (at, byte) in flips {
                if let Some(place) = file.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = decode(&file, 16_000);
        }
    }
}
