//! The capture of a call or a message → the caller on one channel, everybody else on the other.
//!
//! The capture is read three times: for the streams it holds and how wide they are, for how loud each side is and for
//! card numbers keyed as tones, and for the sound. Where such a number was keyed it is read once more, since the tones do not
//! count for loudness. So a call of a day needs the memory of some seconds of it, beside the finished file.

use super::Fault;
use super::process_recording::Made;
use crate::audio::loudness::{self, Meter};
use crate::audio::opus_file::FileWriter;
use crate::audio::peaks::Outline;
use crate::redact::sound::{Keys, silence_at};
use crate::redact::{Policy, Stretch};
use strowger_media::timeline::{self, Block, Rate, Timeline};
use strowger_model::capture::Purpose;
use strowger_store::capture::{CaptureReader, Ending};
use tracing::warn;

/// Makes the recording of a call or a message.
pub(super) fn make(mut first: CaptureReader, policy: Policy) -> Result<Made, Fault> {
    // What cannot be read is told of below.
    let rate = first.by_ref().flatten().fold(Rate::Narrow, |widest, chunk| {
        chunk
            .frames()
            .map(|frame| timeline::rate_of(frame.codec))
            .fold(widest, Rate::max)
    });
    if first.ending() == Some(Ending::Cut) {
        warn!("the capture has no end mark: the daemon was killed during the call");
    }
    let sides = Sides::new(
        first.meta().purpose,
        rate,
        first.streams().iter().map(|stream| stream.stream),
    );
    let mut heard = Hearing::new(&sides, policy.cards)?;
    sides.each_second(first.again()?, Told::OfDamage, |second| heard.hear(&second))?;
    let (length, mut meters, cards) = heard.into_found()?;
    if !cards.is_empty() {
        meters = sides.meters()?;
        let mut at = 0;
        sides.each_second(first.again()?, Told::Nothing, |mut second| {
            at = silence(&mut second, at, rate, &cards);
            measure(&mut meters, &second)
        })?;
    }
    let mut sheet = Sheet::new(&sides, length, &meters)?;
    let mut at = 0;
    sides.each_second(first.again()?, Told::Nothing, |mut second| {
        at = silence(&mut second, at, rate, &cards);
        sheet.push(second)
    })?;
    sheet.finish(length, rate)
}

/// Samples of each side, equally many.
type Second = Vec<Vec<i16>>;

/// Whether places of damage are written to the log: once is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    OfDamage,
    Nothing,
}

/// Which streams are on which channel: the caller on the left, everybody else on the right. A message has one channel.
struct Sides {
    rate: Rate,
    streams: Vec<u8>,
    is_stereo: bool,
    /// Where the caller's stream stands in a block.
    caller: Option<usize>,
}

impl Sides {
    fn new(purpose: Purpose, rate: Rate, streams: impl Iterator<Item = u8>) -> Self {
        let mut streams: Vec<u8> = streams.collect();
        if streams.is_empty() {
            streams.push(0);
        }
        streams.sort_unstable();
        streams.dedup();
        Self {
            rate,
            is_stereo: match purpose {
                Purpose::Call => true,
                Purpose::Voicemail | Purpose::Room => false,
            },
            caller: streams.iter().position(|stream| *stream == 0),
            streams,
        }
    }

    const fn count(&self) -> usize {
        if self.is_stereo { 2 } else { 1 }
    }

    fn meters(&self) -> Result<Vec<Meter>, Fault> {
        let meters = (0..self.count()).map(|_| Meter::new(self.rate.hertz()));
        Ok(meters.collect::<Result<_, _>>()?)
    }

    /// Hands over each second of a capture.
    fn each_second(
        &self,
        chunks: CaptureReader,
        told: Told,
        mut take: impl FnMut(Second) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut timeline = Timeline::new(self.rate, self.streams.clone());
        for chunk in chunks {
            match chunk {
                Ok(chunk) => timeline.push_chunk(&chunk),
                Err(damage) if told == Told::OfDamage => {
                    warn!(%damage, "part of a capture cannot be read and is silent");
                }
                Err(_) => {}
            }
            while let Some(block) = timeline.next_block() {
                take(self.of_block(&block))?;
            }
        }
        timeline.finish();
        while let Some(block) = timeline.next_block() {
            take(self.of_block(&block))?;
        }
        Ok(())
    }

    fn of_block(&self, block: &Block) -> Second {
        let length = block.streams.iter().map(Vec::len).max().unwrap_or(0);
        let mix = |is_wanted: &dyn Fn(usize) -> bool| {
            let mut out = vec![0_i16; length];
            for (_, samples) in block.streams.iter().enumerate().filter(|(at, _)| is_wanted(*at)) {
                for (into, sample) in out.iter_mut().zip(samples) {
                    *into = into.saturating_add(*sample);
                }
            }
            out
        };
        if self.is_stereo {
            vec![mix(&|at| Some(at) == self.caller), mix(&|at| Some(at) != self.caller)]
        } else {
            vec![mix(&|_| true)]
        }
    }
}

/// What is heard before anything is written.
struct Hearing {
    /// Samples of each side.
    length: u64,
    meters: Vec<Meter>,
    /// Keys on each side, where card numbers must not be kept.
    keys: Vec<Keys>,
}

impl Hearing {
    fn new(sides: &Sides, is_for_cards: bool) -> Result<Self, Fault> {
        let count = if is_for_cards { sides.count() } else { 0 };
        let keys = (0..count).map(|_| Keys::new(sides.rate.hertz()));
        Ok(Self {
            length: 0,
            meters: sides.meters()?,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    fn hear(&mut self, second: &Second) -> Result<(), Fault> {
        self.length += second.first().map_or(0, Vec::len) as u64;
        for (keys, samples) in self.keys.iter_mut().zip(second) {
            keys.hear(samples)?;
        }
        measure(&mut self.meters, second)
    }

    fn into_found(self) -> Result<(u64, Vec<Meter>, Vec<Stretch>), Fault> {
        let mut cards = Vec::new();
        for (channel, keys) in (0_u8..).zip(self.keys) {
            cards.extend(keys.cards(channel)?);
        }
        Ok((self.length, self.meters, cards))
    }
}

fn measure(meters: &mut [Meter], second: &Second) -> Result<(), Fault> {
    for (meter, samples) in meters.iter_mut().zip(second) {
        meter.push(samples)?;
    }
    Ok(())
}

/// Silences the stretches in a second that begins at sample `at`, and says where the next one begins.
fn silence(second: &mut Second, at: u64, rate: Rate, stretches: &[Stretch]) -> u64 {
    for stretch in stretches {
        if let Some(samples) = second.get_mut(usize::from(stretch.channel)) {
            silence_at(samples, at, rate.hertz(), (stretch.from_ms, stretch.to_ms));
        }
    }
    at + second.first().map_or(0, Vec::len) as u64
}

/// The file in the making, with the outlines that its player draws.
struct Sheet {
    file: FileWriter,
    sides: Vec<(f64, Outline)>,
}

impl Sheet {
    fn new(sides: &Sides, length: u64, meters: &[Meter]) -> Result<Self, Fault> {
        let mut all = Vec::with_capacity(meters.len());
        for meter in meters {
            all.push((meter.gain_db()?, Outline::new(length)));
        }
        Ok(Self {
            file: FileWriter::of_telephone(sides.rate.hertz(), sides.count())?,
            sides: all,
        })
    }

    fn push(&mut self, mut second: Second) -> Result<(), Fault> {
        for ((gain_db, outline), samples) in self.sides.iter_mut().zip(&mut second) {
            loudness::amplify(samples, *gain_db);
            outline.push(samples);
        }
        Ok(self.file.push(&second)?)
    }

    fn finish(self, length: u64, rate: Rate) -> Result<Made, Fault> {
        let peaks = self.sides.into_iter().map(|(_, outline)| outline.into_peaks());
        Ok(Made {
            file: self.file.finish()?,
            duration_ms: i64::try_from(length * 1000 / u64::from(rate.hertz())).unwrap_or(i64::MAX),
            peaks: peaks.collect(),
            tracks: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(streams: Vec<Vec<i16>>) -> Block {
        Block {
            start: 0,
            streams,
            marks: Vec::new(),
        }
    }

    #[test]
    fn the_caller_is_left_and_everybody_else_right() {
        let sides = Sides::new(Purpose::Call, Rate::Narrow, [1, 0, 2, 1].into_iter());
        let second = sides.of_block(&block(vec![vec![1, 2], vec![10, 20], vec![100, i16::MAX]]));
        assert_eq!(second, [vec![1, 2], vec![110, i16::MAX]]);
    }

    #[test]
    fn a_call_that_reached_nobody_has_a_silent_right_side_and_a_message_none() {
        let call = Sides::new(Purpose::Call, Rate::Narrow, [0].into_iter());
        assert_eq!(call.of_block(&block(vec![vec![5, 6]])), [vec![5, 6], vec![0, 0]]);
        let nothing = Sides::new(Purpose::Call, Rate::Narrow, std::iter::empty());
        assert_eq!(nothing.of_block(&block(vec![vec![5, 6]])), [vec![5, 6], vec![0, 0]]);
        let message = Sides::new(Purpose::Voicemail, Rate::Wide, [0].into_iter());
        assert_eq!(message.of_block(&block(vec![vec![5, 6]])), [vec![5, 6]]);
    }
}
