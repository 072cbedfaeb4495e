//! What a leg says as samples: packets in the order they come, what was lost between two of them made up for as far
//! as the codec can.

use crate::Codec;
use crate::coder::{Decoder, LONGEST, Rate};
use crate::rtp::{Header, sequence_after};

/// Beyond this a gap is left silent, milliseconds.
const CONCEALED_MS: i64 = 100;

/// Numbers that lie further apart are those of a source that began anew (RFC 3550 appendix A.1).
const FARTHEST: u16 = 3_000;

/// Hears one stream of one codec.
#[derive(Debug)]
pub(super) struct Ear {
    codec: Codec,
    rate: Rate,
    decoder: Decoder,
    source: Option<Source>,
    /// Behind the samples heard last, in front of those of the next packet.
    samples: Box<[i16; LONGEST]>,
}

/// Where the source stands. Its timestamps go round, `next` does not.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    sequence: u16,
    /// The tick after everything heard.
    next: i64,
}

/// A packet that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// The tick of its first sample, those made up for what was lost included.
    pub(super) at: i64,
    /// How many packets before it never came.
    pub(super) lost: u16,
    /// Whether it is the first of a source.
    pub(super) is_first: bool,
    /// How many samples it is.
    pub(super) samples: usize,
}

impl Ear {
    /// An ear that has heard nothing; `None` when there is no memory for it.
    pub(super) fn new(codec: Codec, rate: Rate) -> Option<Self> {
        Some(Self {
            codec,
            rate,
            decoder: Decoder::new(codec, rate)?,
            source: None,
            samples: Box::new([0; LONGEST]),
        })
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples a millisecond.
    pub(super) fn khz(&self) -> u8 {
        self.rate.khz()
    }

    /// The source that a packet goes on with; none when it is another's, or began anew under its old name.
    fn source_of(&self, header: &Header) -> Option<Source> {
        let source = self.source.filter(|source| source.ssrc == header.ssrc)?;
        let apart = source.sequence.wrapping_sub(header.sequence);
        let apart = apart.min(apart.wrapping_neg());
        (apart <= FARTHEST).then_some(source)
    }

    /// Where a timestamp of the source stands on a clock that does not go round.
    pub(super) fn place(&self, header: &Header) -> i64 {
        self.source_of(header).map_or(i64::from(header.timestamp), |source| {
            source.next + i64::from(header.timestamp.wrapping_sub(source.next as u32) as i32)
        })
    }

    /// Counts a packet that is no audio. Whether it is the first of its source; `None` when it comes too late.
    pub(super) fn count(&mut self, header: &Header) -> Option<bool> {
        let next = self.place(header);
        let known = self.source_of(header);
        if known.is_some_and(|source| !sequence_after(header.sequence, source.sequence)) {
            return None;
        }
        self.source = Some(Source {
            ssrc: header.ssrc,
            sequence: header.sequence,
            next: known.map_or(next, |source| source.next),
        });
        Some(known.is_none())
    }

    /// Hears a packet; `None` when it comes too late: what it says was made up for.
    pub(super) fn hear(&mut self, header: &Header, payload: &[u8]) -> Option<Heard> {
        let at = self.place(header);
        let known = self.source_of(header);
        let is_first = self.count(header)?;
        let (expected, before) = known.map_or((at, header.sequence.wrapping_sub(1)), |source| {
            (source.next, source.sequence)
        });
        let lost = header.sequence.wrapping_sub(before).wrapping_sub(1);
        let ticks = i64::from(self.codec.clock_khz());
        let khz = i64::from(self.rate.khz());
        let gap = at - expected;
        // Without a packet missing, a gap is a pause of the sender.
        let concealed = if lost > 0 && (1..=CONCEALED_MS * ticks).contains(&gap) {
            let missing = usize::try_from(gap * khz / ticks).unwrap_or(0);
            self.decoder.conceal(missing, payload, &mut self.samples[..])
        } else {
            0
        };
        let room = self.samples.get_mut(concealed..).unwrap_or_default();
        let samples = concealed + self.decoder.decode(payload, room);
        let ticks_of = |samples: usize| samples as i64 * ticks / khz;
        if let Some(source) = &mut self.source {
            source.next = at + ticks_of(samples - concealed);
        }
        Some(Heard {
            at: at - ticks_of(concealed),
            // Nobody needs to hear of what was made up for.
            lost: if concealed > 0 || is_first { 0 } else { lost },
            is_first,
            samples,
        })
    }

    /// The samples of the packet heard last.
    pub(super) fn samples(&self, heard: Heard) -> &[i16] {
        self.samples.get(..heard.samples).unwrap_or_default()
    }
}
