//! The stream we send: one source, one unbroken run of sequence numbers and timestamps, whoever
//! speaks in it at the moment.

use super::player::Frame;
use super::transcoder::Made;
use crate::rtp::{Header, sequence_after, timestamp_after};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Outgoing {
    ssrc: u32,
    /// The next sequence number.
    sequence: u16,
    /// The last timestamp sent and when.
    timestamp: u32,
    at: Instant,
    /// How the relayed source's numbers become ours.
    relayed: Option<Relayed>,
    /// What makes the places of a transcoded source ours.
    made: Option<u32>,
    /// The ticks of 20 ms on the far end's clock.
    frame_ticks: u32,
    /// The next packet follows silence or another speaker.
    fresh: bool,
    packets: u64,
    octets: u32,
}

#[derive(Debug, Clone, Copy)]
struct Relayed {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Outgoing {
    pub(super) fn new(seed: u64, opened: Instant) -> Self {
        Self {
            ssrc: seed as u32,
            sequence: (seed >> 32) as u16 & 0x7FFF,
            timestamp: (seed >> 24) as u32,
            at: opened,
            relayed: None,
            made: None,
            frame_ticks: 160,
            fresh: true,
            packets: 0,
            octets: 0,
        }
    }

    /// The next relayed packet comes from somebody else.
    pub(super) fn switch_source(&mut self) {
        self.relayed = None;
        self.made = None;
        self.fresh = true;
    }

    /// From here on the far end counts so many ticks a millisecond.
    pub(super) fn set_clock(&mut self, khz: u8) {
        self.frame_ticks = u32::from(khz) * 20;
    }

    /// Where our clock stands: at least one frame after the last one, and on with real time.
    pub(super) fn stands_at(&self, now: Instant) -> u32 {
        if self.packets == 0 {
            return self.timestamp;
        }
        let elapsed = now.saturating_duration_since(self.at).as_millis();
        let frames = (elapsed + 10) / 20;
        let ticks = (frames.max(1) as u32).wrapping_mul(self.frame_ticks);
        self.timestamp.wrapping_add(ticks)
    }

    /// A relayed packet's header as ours.
    pub(super) fn relayed(&mut self, header: &Header, payload_type: u8, now: Instant) -> Header {
        let known = self.relayed.filter(|relayed| relayed.ssrc == header.ssrc);
        let offset = known.unwrap_or_else(|| Relayed {
            ssrc: header.ssrc,
            sequence: self.sequence.wrapping_sub(header.sequence),
            timestamp: self.stands_at(now).wrapping_sub(header.timestamp),
        });
        self.relayed = Some(offset);
        let ours = Header {
            marker: header.marker || self.fresh,
            payload_type,
            sequence: header.sequence.wrapping_add(offset.sequence),
            timestamp: header.timestamp.wrapping_add(offset.timestamp),
            ssrc: self.ssrc,
            payload: header.payload.clone(),
        };
        self.sent(&ours, now);
        ours
    }

    /// The header of a transcoded packet: in order with all before it, its losses left as gaps in the numbers.
    pub(super) fn made(&mut self, made: &Made, payload_type: u8, now: Instant) -> Header {
        self.relayed = None;
        let known = self.made.filter(|_| !made.is_first);
        let offset = known.unwrap_or_else(|| self.stands_at(now).wrapping_sub(made.at as u32));
        self.made = Some(offset);
        let header = Header {
            marker: made.marker || self.fresh,
            payload_type,
            sequence: self.sequence.wrapping_add(made.lost),
            timestamp: (made.at as u32).wrapping_add(offset),
            ssrc: self.ssrc,
            payload: made.payload.clone(),
        };
        self.sent(&header, now);
        header
    }

    /// One number more than the relayed source counts: its last packet is sent in pieces.
    pub(super) fn next_piece(&mut self) {
        if let Some(relayed) = &mut self.relayed {
            relayed.sequence = relayed.sequence.wrapping_add(1);
        }
    }

    /// The header of a frame of our own; counted only when it is really sent.
    pub(super) fn own(&mut self, frame: &Frame, payload_type: u8, counted: bool, now: Instant) -> Header {
        self.relayed = None;
        self.made = None;
        let header = Header {
            marker: frame.marker || self.fresh,
            payload_type,
            sequence: self.sequence,
            timestamp: frame.timestamp,
            ssrc: self.ssrc,
            payload: frame.payload.clone(),
        };
        if counted {
            self.sent(&header, now);
        }
        header
    }

    fn sent(&mut self, header: &Header, now: Instant) {
        let next = header.sequence.wrapping_add(1);
        if self.packets == 0 || sequence_after(next, self.sequence) {
            self.sequence = next;
        }
        if self.packets == 0 || timestamp_after(header.timestamp, self.timestamp) {
            self.timestamp = header.timestamp;
            self.at = now;
        }
        self.fresh = false;
        self.packets += 1;
        self.octets = self.octets.wrapping_add(header.payload.len() as u32);
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    pub(super) fn octets(&self) -> u32 {
        self.octets
    }
}
