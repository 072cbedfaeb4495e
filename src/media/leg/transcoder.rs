//! From one codec into another, for a bridge whose legs share none. Packets of any length come in, packets of 20 ms
//! go out, in a stream of their own numbers. Its buffers are as large as they will ever be from the beginning.

use super::ear::Ear;
use super::{Accepted, PACKET_BYTES};
use crate::coder::{Encoder, LONGEST, Rate};
use crate::rtp::HEADER_BYTES;
use crate::sdp::OpusTerms;
use crate::{Codec, dtmf};
use std::ops::Range;

/// The longest frame, in samples: 20 ms at 16 kHz.
const FRAME: usize = 320;
/// More packets than this missing in a row are no loss but another stretch of the stream.
const LOST: u16 = 50;

/// One direction of a bridge.
#[derive(Debug)]
pub(super) struct Transcoder {
    ear: Ear,
    to: Codec,
    encoder: Encoder,
    /// Samples waiting until a frame is whole.
    waiting: Box<[i16; LONGEST + FRAME]>,
    filled: usize,
    /// The source's tick of the first of them.
    begins: i64,
    /// What the next packet has to say besides its payload.
    notes: Notes,
    packet: Box<[u8; PACKET_BYTES]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Notes {
    marker: bool,
    is_first: bool,
    lost: u16,
}

/// A packet of ours, but for its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// Its place on our clock, counted like the source's.
    pub(super) at: i64,
    /// Whether it follows silence.
    pub(super) marker: bool,
    /// Whether it begins another source's stream: places before it say nothing of it.
    pub(super) is_first: bool,
    /// How many packets are missing before it.
    pub(super) lost: u16,
    pub(super) payload: Range<usize>,
}

impl Transcoder {
    /// A transcoder that has heard nothing; `None` when there is no memory for it.
    pub(super) fn new(from: Codec, to: Codec, terms: Option<OpusTerms>) -> Option<Self> {
        let rate = Rate::between(from, to);
        Some(Self {
            ear: Ear::new(from, rate)?,
            to,
            encoder: Encoder::new(to, rate, terms)?,
            waiting: Box::new([0; LONGEST + FRAME]),
            filled: 0,
            begins: 0,
            notes: Notes::default(),
            packet: Box::new([0; PACKET_BYTES]),
        })
    }

    /// Whether it goes between these two.
    pub(super) fn is_between(&self, from: Codec, to: Codec) -> bool {
        self.ear.codec() == from && self.to == to
    }

    /// Takes a packet of audio; what it makes is had from [`Transcoder::next`].
    pub(super) fn hear(&mut self, accepted: &Accepted, payload: &[u8]) {
        let Some(heard) = self.ear.hear(&accepted.header, payload) else {
            return;
        };
        let (ticks, khz) = (i64::from(self.ear.codec().clock_khz()), i64::from(self.ear.khz()));
        let end = self.begins + self.filled as i64 * ticks / khz;
        // A pause or a loss: what waits belongs before it, and is too short for a packet.
        if heard.is_first || heard.at != end {
            self.filled = 0;
        }
        if self.filled == 0 {
            self.begins = heard.at;
        }
        self.notes.marker |= accepted.header.marker;
        self.notes.is_first |= heard.is_first;
        self.notes.lost = if heard.lost > LOST { 0 } else { heard.lost };
        let samples = self.ear.samples(heard);
        let room = self.waiting.get_mut(self.filled..).unwrap_or_default();
        for (place, sample) in room.iter_mut().zip(samples) {
            *place = *sample;
        }
        self.filled = (self.filled + samples.len()).min(self.waiting.len());
    }

    /// Takes a telephone-event, in whose stretch the duration is counted by the far end's clock from here on.
    pub(super) fn press(&mut self, accepted: &Accepted, payload: &[u8], khz: u8) -> Option<Made> {
        let is_first = self.ear.count(&accepted.header)?;
        let at = self.ear.place(&accepted.header);
        let range = HEADER_BYTES..HEADER_BYTES + payload.len();
        let room = self.packet.get_mut(range.clone())?;
        room.copy_from_slice(payload);
        dtmf::rescale(room, accepted.event_khz, khz);
        Some(Made {
            at: self.ours(at),
            marker: accepted.header.marker,
            is_first,
            lost: 0,
            payload: range,
        })
    }

    /// The next packet, once 20 ms are together.
    pub(super) fn next(&mut self) -> Option<Made> {
        let frame = usize::from(self.ear.khz()) * 20;
        if self.filled < frame {
            return None;
        }
        let room = self.packet.get_mut(HEADER_BYTES..)?;
        let length = self.encoder.encode(self.waiting.get(..frame)?, room);
        let at = self.ours(self.begins);
        self.waiting.copy_within(frame..self.filled, 0);
        self.filled -= frame;
        self.begins += i64::from(self.ear.codec().clock_khz()) * 20;
        if length == 0 {
            return None;
        }
        let notes = std::mem::take(&mut self.notes);
        Some(Made {
            at,
            marker: notes.marker,
            is_first: notes.is_first,
            lost: notes.lost,
            payload: HEADER_BYTES..HEADER_BYTES + length,
        })
    }

    /// The buffer that packets stand in.
    pub(super) fn packet(&mut self) -> &mut [u8] {
        &mut self.packet[..]
    }

    fn ours(&self, ticks: i64) -> i64 {
        ticks * i64::from(self.to.clock_khz()) / i64::from(self.ear.codec().clock_khz())
    }
}
