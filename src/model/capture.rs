//! What travels from a leg to the disk while a call is recorded.
//!
//! A media thread packs frames into a [`Chunk`] and hands it, about once a second, to a [`Sink`].
//! Nothing here allocates per frame: the sink gives an empty buffer back.

use crate::{CallId, CaptureId, LegId, RecordingId, TenantId};
use serde::{Deserialize, Serialize};

/// What a capture is for; decides what becomes of it after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A recorded call.
    Call,
    /// A message for a mailbox.
    Voicemail,
    /// A meeting.
    Room,
}

/// Which audio a stream of a capture holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamMeta {
    /// The stream's number within its capture; 0 is the caller.
    pub stream: u8,
    /// The leg whose incoming packets it holds.
    pub leg: LegId,
    /// Who speaks, as shown to people ("caller", "Ada Lovelace").
    pub speaker: String,
}

/// Everything needed to find a capture's owner with no database at hand; sealed as its first record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureMeta {
    /// The capture.
    pub capture: CaptureId,
    /// The recording it will become.
    pub recording: RecordingId,
    /// The owner.
    pub tenant: TenantId,
    /// The call it belongs to.
    pub call: CallId,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began, milliseconds since 1970, UTC.
    pub started_unix_ms: i64,
}

/// The codec of a captured payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 µ-law, 8 kHz, one byte a sample.
    Pcmu,
    /// G.711 A-law, 8 kHz, one byte a sample.
    Pcma,
    /// G.722, 16 kHz audio on an 8 kHz RTP clock.
    G722,
    /// Opus on a 48 kHz RTP clock.
    Opus,
    /// 16-bit little-endian linear, 8 kHz mono: what a mixer or a prompt put on the leg.
    Linear8,
    /// A mark in the timeline: the payload is one byte of [`Mark`].
    Mark,
}

/// A mark in the timeline of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Recording paused here; nothing follows until `Resumed`.
    Paused,
    /// Recording goes on.
    Resumed,
    /// Frames were dropped here because the writer could not keep up.
    Lost,
}

impl Mark {
    /// The payload byte of a frame that carries this mark.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Paused => 1,
            Self::Resumed => 2,
            Self::Lost => 3,
        }
    }

    /// Reads the payload of a frame that carries a mark.
    #[must_use]
    pub const fn of(payload: &[u8]) -> Option<Self> {
        match payload {
            [1] => Some(Self::Paused),
            [2] => Some(Self::Resumed),
            [3] => Some(Self::Lost),
            _ => None,
        }
    }
}

/// One captured frame, borrowed from the buffer it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The stream within the capture.
    pub stream: u8,
    /// How the payload is coded.
    pub codec: Codec,
    /// Arrival, microseconds since the capture began.
    pub arrival_us: u64,
    /// The RTP timestamp as received.
    pub rtp_timestamp: u32,
    /// The RTP sequence number as received.
    pub sequence: u16,
    /// The payload as received.
    pub payload: &'a [u8],
}

const HEADER: usize = 1 + 1 + 8 + 4 + 2 + 2;

/// A buffer of whole frames, as handed to the writer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Chunk {
    bytes: Vec<u8>,
}

impl Chunk {
    /// An empty chunk with room for `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Wraps bytes that came back from the disk.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The packed frames.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether no frame stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets the frames and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends a frame. Returns `false`, and appends nothing, when the frame would not fit into the
    /// reserved memory or its payload is longer than 65,535 bytes: the caller hands the chunk over
    /// and tries again.
    pub fn push(&mut self, frame: &Frame<'_>) -> bool {
        let Ok(length) = u16::try_from(frame.payload.len()) else {
            return false;
        };
        if self.bytes.len() + HEADER + frame.payload.len() > self.bytes.capacity() {
            return false;
        }
        self.bytes.push(frame.stream);
        self.bytes.push(codec_byte(frame.codec));
        self.bytes.extend_from_slice(&frame.arrival_us.to_le_bytes());
        self.bytes.extend_from_slice(&frame.rtp_timestamp.to_le_bytes());
        self.bytes.extend_from_slice(&frame.sequence.to_le_bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(frame.payload);
        true
    }

    /// The frames in order. Ends at the first byte that is no whole frame.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (frame, after) = split_frame(rest)?;
            rest = after;
            Some(frame)
        })
    }
}

fn split_frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let header = bytes.get(..HEADER)?;
    let length = usize::from(u16::from_le_bytes(header.get(16..18)?.try_into().ok()?));
    let payload = bytes.get(HEADER..HEADER + length)?;
    let frame = Frame {
        stream: *header.first()?,
        codec: codec_of(*header.get(1)?)?,
        arrival_us: u64::from_le_bytes(header.get(2..10)?.try_into().ok()?),
        rtp_timestamp: u32::from_le_bytes(header.get(10..14)?.try_into().ok()?),
        sequence: u16::from_le_bytes(header.get(14..16)?.try_into().ok()?),
        payload,
    };
    Some((frame, bytes.get(HEADER + length..)?))
}

const fn codec_byte(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
        Codec::Linear8 => 112,
        Codec::Mark => 255,
    }
}

const fn codec_of(byte: u8) -> Option<Codec> {
    Some(match byte {
        0 => Codec::Pcmu,
        8 => Codec::Pcma,
        9 => Codec::G722,
        111 => Codec::Opus,
        112 => Codec::Linear8,
        255 => Codec::Mark,
        _ => return None,
    })
}

/// Why a sink did not take a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The writer is behind; the chunk was dropped and the capture is marked broken here.
    Full,
    /// Recording has stopped: disk reserve reached or spool failed. The call goes on.
    Stopped,
}

/// Where a leg's chunks go. Submitting never blocks.
pub trait Sink: Send {
    /// Hands over a full chunk and takes an empty one of the same capacity in exchange. On refusal
    /// the frames are lost, the memory is given back cleared, and the writer notes a `Mark::Lost`.
    fn submit(&mut self, chunk: Chunk) -> Result<Chunk, (Chunk, Refusal)>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Chunk::from_bytes(bytes).frames().count();
        }

        #[test]
        fn frames_come_back_as_they_went_in(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..20)) {
            let mut chunk = Chunk::with_capacity(20 * 500);
            for (n, payload) in payloads.iter().enumerate() {
                let frame = Frame { stream: (n % 3) as u8, codec: Codec::Pcma, arrival_us: n as u64 * 20_000, rtp_timestamp: n as u32 * 160, sequence: n as u16, payload };
                prop_assert!(chunk.push(&frame));
            }
            let seen: Vec<Vec<u8>> = chunk.frames().map(|frame| frame.payload.to_vec()).collect();
            prop_assert_eq!(seen, payloads);
        }
    }

    #[test]
    fn a_full_chunk_refuses_and_keeps_what_it_has() {
        let mut chunk = Chunk::with_capacity(200);
        let frame = Frame {
            stream: 0,
            codec: Codec::Pcmu,
            arrival_us: 0,
            rtp_timestamp: 0,
            sequence: 0,
            payload: &[0; 160],
        };
        assert!(chunk.push(&frame));
        assert!(!chunk.push(&frame));
        assert_eq!(chunk.frames().count(), 1);
    }
}
