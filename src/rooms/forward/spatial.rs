//! Pictures whose sizes lie on top of each other in one stream (SVC): to which spatial layer a packet belongs,
//! read from its payload alone.
//!
//! VP9 says it in each packet (RFC 9628 §4.2). AV1 says it in the header of each unit; a packet that goes on with
//! a unit belongs where the packet before it does.

use super::Codec;
use std::collections::VecDeque;

/// Packets of a stream whose layer is remembered, for those that go on with them.
const REMEMBERED: usize = 64;

/// In AV1's aggregation header: the packet begins with the rest of a unit.
const AV1_GOES_ON: u8 = 0x80;
/// The packet's last unit goes on in the next one.
const AV1_TO_BE_CONTINUED: u8 = 0x40;

/// A packet's place in its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spatial {
    /// The layer: 0 is the smallest picture, on which the others build.
    pub layer: u8,
    /// Whether the layer's share of the picture ends with this packet.
    pub ends: bool,
}

/// Reads the layers of one stream.
#[derive(Debug, Clone, Default)]
pub struct SpatialReader {
    /// Layers of AV1's packets by sequence number, in order.
    known: VecDeque<(u64, u8)>,
}

impl SpatialReader {
    /// A packet's place; `None` for a stream without layers.
    pub fn read(&mut self, codec: Codec, sequence: u64, payload: &[u8]) -> Option<Spatial> {
        match codec {
            Codec::Vp9 => vp9(payload),
            Codec::Av1 => self.av1(sequence, payload),
            Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma | Codec::Vp8 | Codec::H264 | Codec::H265 => None,
        }
    }

    fn av1(&mut self, sequence: u64, payload: &[u8]) -> Option<Spatial> {
        let header = *payload.first()?;
        let place = self.known.partition_point(|(known, _)| *known < sequence);
        let layer = if header & AV1_GOES_ON != 0 {
            self.known.get(place.checked_sub(1)?)?.1
        } else {
            av1_layer(header, payload.get(1..)?)?
        };
        if self.known.get(place).is_none_or(|(known, _)| *known != sequence) {
            self.known.insert(place, (sequence, layer));
        }
        if self.known.len() > REMEMBERED {
            self.known.pop_front();
        }
        Some(Spatial {
            layer,
            ends: header & AV1_TO_BE_CONTINUED == 0,
        })
    }
}

/// VP9's payload descriptor: flags, a picture id of one or two bytes, then the indices of the layers.
fn vp9(payload: &[u8]) -> Option<Spatial> {
    let flags = *payload.first()?;
    if flags & 0x20 == 0 {
        return None;
    }
    let mut at = 1;
    if flags & 0x80 != 0 {
        at += if payload.get(1)? & 0x80 != 0 { 2 } else { 1 };
    }
    Some(Spatial {
        layer: (payload.get(at)? >> 1) & 0x07,
        ends: flags & 0x04 != 0,
    })
}

/// The layer that the first unit with such an index names, in a packet that begins with a unit: elements with
/// their lengths, of which the last may do without.
fn av1_layer(header: u8, mut rest: &[u8]) -> Option<u8> {
    let count = (header >> 4) & 0x03;
    let mut element = 0_u8;
    while !rest.is_empty() {
        element = element.saturating_add(1);
        let (unit, after) = if element == count {
            (rest, &[][..])
        } else {
            let (length, size) = leb128(rest)?;
            let end = size + length;
            (rest.get(size..end)?, rest.get(end..)?)
        };
        if let Some(layer) = unit_layer(unit) {
            return Some(layer);
        }
        rest = after;
    }
    None
}

/// The spatial id of a unit whose header has the extension (AV1 §5.3.3).
fn unit_layer(unit: &[u8]) -> Option<u8> {
    let has_extension = unit.first()? & 0x04 != 0;
    if !has_extension {
        return None;
    }
    Some((unit.get(1)? >> 3) & 0x03)
}

/// A length of seven bits a byte, least first; and its own size.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (place, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(codec: Codec, payload: &[u8]) -> Option<(u8, bool)> {
        let spatial = SpatialReader::default().read(codec, 1, payload)?;
        Some((spatial.layer, spatial.ends))
    }

    #[test]
    fn vp9_names_its_layer_behind_the_picture_id() {
        // Flags I, L, E; then a picture id of one byte and of two.
        assert_eq!(read(Codec::Vp9, &[0xA4, 0x11, 0x04]), Some((2, true)));
        assert_eq!(read(Codec::Vp9, &[0xA0, 0x91, 0x22, 0x22]), Some((1, false)));
        assert_eq!(read(Codec::Vp9, &[0x20, 0x00]), Some((0, false)));
        assert_eq!(read(Codec::Vp9, &[0x80, 0x11, 0x04]), None, "no layers");
    }

    #[test]
    fn av1_names_its_layer_in_a_unit_and_the_rest_of_it_follows() {
        let mut reader = SpatialReader::default();
        let mut read = |sequence, payload: &[u8]| {
            let spatial = reader.read(Codec::Av1, sequence, payload);
            spatial.map(|spatial| (spatial.layer, spatial.ends))
        };
        // A sequence header without an index, then a frame of layer 0 that goes on in the next packet.
        assert_eq!(read(7, &[0x68, 2, 0x08, 0, 0x34, 0x00, 9, 9]), Some((0, false)));
        assert_eq!(read(8, &[0x90, 1, 2, 3]), Some((0, true)));
        // A frame of layer 1, its length written, and the rest of one of layer 2 that overtook its beginning.
        assert_eq!(read(9, &[0x00, 4, 0x34, 0x08, 1, 1]), Some((1, true)));
        assert_eq!(read(11, &[0x10, 0x34, 0x10, 1]), Some((2, true)));
        assert_eq!(read(10, &[0xD0, 1]), Some((1, false)));
        assert_eq!(read(12, &[0x90, 1]), Some((2, true)));
        assert_eq!(
            SpatialReader::default().read(Codec::Av1, 1, &[0x10, 0x30, 1]),
            None,
            "no layers"
        );
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..24), sequence: u64) {
            let mut reader = SpatialReader::default();
            for codec in [Codec::Vp9, Codec::Av1, Codec::Vp8] {
                reader.read(codec, 5, &bytes);
                reader.read(codec, sequence, &bytes);
            }
        }
    }
}
