//! The capture of a meeting → everybody together, and each speaker alone.
//!
//! The capture is read three times: for the streams it holds, for how loud each speaker is, and for the
//! sound. So a long meeting of many needs the memory of some seconds of it, beside the finished files.

use super::Fault;
use super::process_recording::{Made, Track};
use crate::audio::loudness::{self, Meter};
use crate::audio::opus_file::FileWriter;
use crate::audio::peaks::Outline;
use crate::audio::voice::Voice;
use std::collections::BTreeMap;
use strowger_media::timeline::{Block, Decoder, OPUS_RATE_HZ, Timeline};
use strowger_model::capture::StreamMeta;
use strowger_model::minutes::Member;
use strowger_store::capture::{CaptureReader, Ending};
use tracing::warn;

/// Bits a second of a file: voices at full band.
const BITS: i32 = 32_000;

/// Somebody who was heard: whoever comes again under the same identity is the same speaker.
struct Speaker {
    identity: String,
    name: String,
    streams: Vec<u8>,
}

/// Makes the recording of a meeting whose members are `members`.
pub(super) fn make(mut first: CaptureReader, members: &[Member]) -> Result<Made, Fault> {
    first.by_ref().for_each(drop);
    if first.ending() == Some(Ending::Cut) {
        warn!("the capture has no end mark: the daemon was killed during the meeting");
    }
    let speakers = speakers(first.streams(), members);
    let mut levels = Levels::new(speakers.len())?;
    blocks(first.again()?, &speakers, |voices| levels.hear(voices))?;
    let mut desk = Mixing::new(&levels)?;
    blocks(first.again()?, &speakers, |voices| desk.take(voices))?;
    desk.finish(speakers)
}

/// The speakers of a capture in the order in which they were first heard.
fn speakers(streams: &[StreamMeta], members: &[Member]) -> Vec<Speaker> {
    let mut speakers: Vec<Speaker> = Vec::new();
    for stream in streams {
        let member = members.iter().find(|member| member.id == stream.leg);
        let identity = member.map_or_else(|| stream.leg.to_string(), |member| member.identity.clone());
        match speakers.iter_mut().find(|speaker| speaker.identity == identity) {
            Some(speaker) if speaker.streams.contains(&stream.stream) => {}
            Some(speaker) => speaker.streams.push(stream.stream),
            None => speakers.push(Speaker {
                identity,
                name: member.map_or_else(|| stream.speaker.clone(), |member| member.shown().to_owned()),
                streams: vec![stream.stream],
            }),
        }
    }
    speakers
}

/// Hands over each second of a capture: one channel a speaker, all equally long.
fn blocks(
    chunks: CaptureReader,
    speakers: &[Speaker],
    mut take: impl FnMut(Vec<Vec<i16>>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut decoders: BTreeMap<u8, Box<dyn Decoder>> = BTreeMap::new();
    for stream in speakers.iter().flat_map(|speaker| &speaker.streams) {
        decoders.insert(*stream, Box::new(Voice::new()?));
    }
    let mut timeline = Timeline::of_opus(decoders);
    let order: Vec<u8> = timeline.streams().collect();
    let mut drain = |timeline: &mut Timeline| -> Result<(), Fault> {
        while let Some(block) = timeline.next_block() {
            take(speakers.iter().map(|speaker| voice(speaker, &order, &block)).collect())?;
        }
        Ok(())
    };
    for chunk in chunks {
        match chunk {
            Ok(chunk) => timeline.push_chunk(&chunk),
            Err(damage) => warn!(%damage, "part of a capture cannot be read and is silent"),
        }
        drain(&mut timeline)?;
    }
    timeline.finish();
    drain(&mut timeline)
}

/// One speaker in a block: microphone and shared screen together.
fn voice(speaker: &Speaker, order: &[u8], block: &Block) -> Vec<i16> {
    let mut own = order
        .iter()
        .zip(&block.streams)
        .filter(|(stream, _)| speaker.streams.contains(stream));
    let mut voice = own.next().map(|(_, samples)| samples.clone()).unwrap_or_default();
    for (_, samples) in own {
        for (into, sample) in voice.iter_mut().zip(samples) {
            *into = into.saturating_add(*sample);
        }
    }
    voice
}

/// How loud each speaker is, and how long the meeting.
struct Levels {
    meters: Vec<Meter>,
    length: u64,
}

impl Levels {
    fn new(speakers: usize) -> Result<Self, Fault> {
        let meters = (0..speakers).map(|_| Meter::new(OPUS_RATE_HZ));
        Ok(Self {
            meters: meters.collect::<Result<_, _>>()?,
            length: 0,
        })
    }

    fn hear(&mut self, voices: Vec<Vec<i16>>) -> Result<(), Fault> {
        self.length += voices.first().map_or(0, Vec::len) as u64;
        for (meter, voice) in self.meters.iter_mut().zip(&voices) {
            meter.push(voice)?;
        }
        Ok(())
    }
}

/// A file in the making, with the outline that its player draws.
struct Sheet {
    file: FileWriter,
    outline: Outline,
}

impl Sheet {
    fn new(length: u64) -> Result<Self, Fault> {
        Ok(Self {
            file: FileWriter::new(OPUS_RATE_HZ, 1, BITS)?,
            outline: Outline::new(length),
        })
    }

    fn push(&mut self, samples: Vec<i16>) -> Result<(), Fault> {
        self.outline.push(&samples);
        Ok(self.file.push(&[samples])?)
    }
}

/// Brings every speaker to one level, writes each alone and all together.
struct Mixing {
    whole: Sheet,
    alone: Vec<(f64, Sheet)>,
    length: u64,
}

impl Mixing {
    fn new(levels: &Levels) -> Result<Self, Fault> {
        let mut alone = Vec::with_capacity(levels.meters.len());
        for meter in &levels.meters {
            alone.push((meter.gain_db()?, Sheet::new(levels.length)?));
        }
        Ok(Self {
            whole: Sheet::new(levels.length)?,
            alone,
            length: levels.length,
        })
    }

    fn take(&mut self, voices: Vec<Vec<i16>>) -> Result<(), Fault> {
        let mut sums = vec![0_i32; voices.first().map_or(0, Vec::len)];
        for ((gain_db, sheet), mut voice) in self.alone.iter_mut().zip(voices) {
            loudness::amplify(&mut voice, *gain_db);
            for (sum, sample) in sums.iter_mut().zip(&voice) {
                *sum += i32::from(*sample);
            }
            sheet.push(voice)?;
        }
        self.whole.push(sums.into_iter().map(loudness::limited).collect())
    }

    fn finish(self, speakers: Vec<Speaker>) -> Result<Made, Fault> {
        let mut tracks = Vec::with_capacity(speakers.len());
        for (speaker, (_, sheet)) in speakers.into_iter().zip(self.alone) {
            tracks.push(Track {
                identity: speaker.identity,
                name: speaker.name,
                file: sheet.file.finish()?,
                peaks: sheet.outline.into_peaks(),
            });
        }
        Ok(Made {
            file: self.whole.file.finish()?,
            duration_ms: i64::try_from(self.length * 1000 / u64::from(OPUS_RATE_HZ)).unwrap_or(i64::MAX),
            peaks: vec![self.whole.outline.into_peaks()],
            tracks,
        })
    }
}
