//! RTP headers (RFC 3550 §5.1), read and written in place.

use std::ops::Range;

/// The bytes of a header without extras.
pub const HEADER_BYTES: usize = 12;

/// What a header says, and where its payload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whether the marker is set: the first packet after silence.
    pub marker: bool,
    /// What the payload is.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// Counts samples.
    pub timestamp: u32,
    /// Names the source.
    pub ssrc: u32,
    /// The payload within the packet.
    pub payload: Range<usize>,
}

/// Reads a packet's header. `None` for what is no RTP: another version, cut short, padding beyond the
/// payload, or RTCP (payload types 72–76, RFC 5761 §4).
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Header> {
    let fixed = packet.first_chunk::<HEADER_BYTES>()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let payload_type = fixed[1] & 0x7F;
    if (72..=76).contains(&payload_type) {
        return None;
    }
    let mut start = HEADER_BYTES + 4 * usize::from(fixed[0] & 0x0F);
    if fixed[0] & 0x10 != 0 {
        let words = packet.get(start + 2..start + 4)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    let mut end = packet.len();
    if fixed[0] & 0x20 != 0 {
        end = end.checked_sub(usize::from(*packet.last()?))?;
    }
    if start > end {
        return None;
    }
    Some(Header {
        marker: fixed[1] & 0x80 != 0,
        payload_type,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        payload: start..end,
    })
}

/// Writes the twelve bytes directly in front of the header's payload and returns where the packet
/// begins. `None`, and nothing written, when there is no room.
pub fn write(packet: &mut [u8], header: &Header) -> Option<usize> {
    let start = header.payload.start.checked_sub(HEADER_BYTES)?;
    let room = packet
        .get_mut(start..header.payload.start)?
        .first_chunk_mut::<HEADER_BYTES>()?;
    room[0] = 0x80;
    room[1] = (u8::from(header.marker) << 7) | (header.payload_type & 0x7F);
    room[2..4].copy_from_slice(&header.sequence.to_be_bytes());
    room[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    room[8..12].copy_from_slice(&header.ssrc.to_be_bytes());
    Some(start)
}

/// Whether `a` comes after `b` on the circle of sequence numbers.
#[must_use]
pub const fn sequence_after(a: u16, b: u16) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000
}

/// Whether `a` comes after `b` on the circle of timestamps.
#[must_use]
pub const fn timestamp_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(payload: Range<usize>) -> Header {
        Header {
            marker: true,
            payload_type: 101,
            sequence: 65_535,
            timestamp: 0xDEAD_BEEF,
            ssrc: 7,
            payload,
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_stay_inside(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(header) = parse(&bytes) {
                prop_assert!(bytes.get(header.payload).is_some());
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut packet = [0; 172];
        let header = header(12..172);
        assert_eq!(write(&mut packet, &header), Some(0));
        assert_eq!(parse(&packet), Some(header));
    }

    #[test]
    fn contributors_extension_and_padding_are_skipped() {
        let mut packet = vec![0xB2, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[0xBE, 0xDE, 0, 1, 0, 0, 0, 0]);
        packet.extend_from_slice(&[1, 2, 3, 0, 0, 3]);
        let header = parse(&packet).unwrap();
        assert_eq!(&packet[header.payload.clone()], &[1, 2, 3]);
        let start = write(&mut packet, &header).unwrap();
        assert_eq!(parse(&packet[start..]).unwrap().payload, 12..18);
    }

    #[test]
    fn order_goes_round() {
        assert!(sequence_after(0, 65_535) && !sequence_after(65_535, 0) && !sequence_after(3, 3));
        assert!(timestamp_after(5, u32::MAX) && !timestamp_after(u32::MAX, 5));
    }
}
