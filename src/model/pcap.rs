//! Signalling as a packet capture file, for the tools people read such with.
//!
//! The classic file format of libpcap with nanoseconds left out (LINKTYPE_RAW: packets begin with their IP header). Every
//! message is one UDP datagram, whatever it travelled by: what went through TLS, or was cut into segments, is shown whole
//! and in clear by every tool, and the message's Via names the transport.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use time::OffsetDateTime;

/// The longest payload of a datagram in IPv4 and IPv6 both, octets.
const MOST_PAYLOAD: usize = 65_535 - IPV6_HEADER - UDP_HEADER;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;
const HOPS: u8 = 64;

/// What a file begins with; packets follow.
#[must_use]
pub fn file_header() -> [u8; 24] {
    let mut header = [0; 24];
    let parts: [&[u8]; 6] = [
        &0xa1b2_c3d4_u32.to_le_bytes(),
        &2_u16.to_le_bytes(),
        &4_u16.to_le_bytes(),
        &[0; 8],
        &262_144_u32.to_le_bytes(),
        &101_u32.to_le_bytes(),
    ];
    for (place, byte) in header.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    header
}

/// Adds one message as a packet. What does not fit into a datagram is cut; the packet says how long it was.
pub fn add_packet(file: &mut Vec<u8>, at: OffsetDateTime, from: SocketAddr, to: SocketAddr, message: &[u8]) {
    let payload = message.get(..MOST_PAYLOAD).unwrap_or(message);
    let (from, to) = (canonical(from), canonical(to));
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => v4_header(source, target, payload.len()).to_vec(),
        (source, target) => v6_header(mapped(source), mapped(target), payload.len()).to_vec(),
    };
    let length = ip.len() + UDP_HEADER + payload.len();
    let missing = message.len() - payload.len();
    // Until 2106.
    let seconds = u32::try_from(at.unix_timestamp()).unwrap_or_default();
    for number in [seconds, at.microsecond(), whole(length), whole(length + missing)] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    let udp_length = short(UDP_HEADER + payload.len());
    let mut udp = [from.port(), to.port(), udp_length, 0].map(u16::to_be_bytes).concat();
    let checksum = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let pseudo = [
                &source.octets()[..],
                &target.octets(),
                &[0, UDP],
                &udp_length.to_be_bytes(),
            ]
            .concat();
            checksum([&pseudo[..], &udp, payload])
        }
        (source, target) => {
            let length = u32::from(udp_length).to_be_bytes();
            let pseudo = [
                &mapped(source).octets()[..],
                &mapped(target).octets(),
                &length,
                &[0, 0, 0, UDP],
            ]
            .concat();
            checksum([&pseudo[..], &udp, payload])
        }
    };
    // RFC 768: nought says that there is none.
    let checksum = if checksum == 0 { u16::MAX } else { checksum };
    udp.splice(6..8, checksum.to_be_bytes());
    file.extend_from_slice(&ip);
    file.extend_from_slice(&udp);
    file.extend_from_slice(payload);
}

fn v4_header(source: Ipv4Addr, target: Ipv4Addr, payload: usize) -> [u8; 20] {
    let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, HOPS, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let [high, low] = short(20 + UDP_HEADER + payload).to_be_bytes();
    (header[2], header[3]) = (high, low);
    let addresses = source.octets().into_iter().chain(target.octets());
    header
        .iter_mut()
        .skip(12)
        .zip(addresses)
        .for_each(|(place, byte)| *place = byte);
    let [high, low] = checksum([&header[..], &[], &[]]).to_be_bytes();
    (header[10], header[11]) = (high, low);
    header
}

fn v6_header(source: Ipv6Addr, target: Ipv6Addr, payload: usize) -> [u8; IPV6_HEADER] {
    let mut header = [0; IPV6_HEADER];
    let [high, low] = short(UDP_HEADER + payload).to_be_bytes();
    let start = [0x60, 0, 0, 0, high, low, UDP, HOPS].into_iter();
    let all = start.chain(source.octets()).chain(target.octets());
    header.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
    header
}

/// The Internet checksum (RFC 1071) of parts that follow each other; all but the last have an even length.
fn checksum(parts: [&[u8]; 3]) -> u16 {
    let pairs = parts.into_iter().flat_map(|part| part.chunks(2));
    let sum: u64 = pairs
        .map(|pair| match pair {
            [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
            [high] => u64::from(u16::from_be_bytes([*high, 0])),
            [..] => 0,
        })
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded & 0xffff).unwrap_or_default()
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

const fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn whole(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: OffsetDateTime = time::macros::datetime!(2026-11-22 08:00:00.25 UTC);

    #[test]
    fn a_packet_is_what_the_wire_had() {
        let mut file = Vec::new();
        add_packet(
            &mut file,
            AT,
            "10.0.0.1:5060".parse().unwrap(),
            "10.0.0.2:5062".parse().unwrap(),
            b"hey",
        );
        let seconds = u32::try_from(AT.unix_timestamp()).unwrap().to_le_bytes();
        let record = [&seconds[..], &[0x90, 0xd0, 3, 0], &[31, 0, 0, 0], &[31, 0, 0, 0]].concat();
        assert_eq!(file[..16], record);
        // Computed by hand from RFC 791 and RFC 768.
        let ip = [
            0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x26, 0xcc, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        assert_eq!(file[16..36], ip);
        assert_eq!(file[36..42], [0x13, 0xc4, 0x13, 0xc6, 0, 11]);
        assert_eq!(file[44..], *b"hey");
    }

    /// The sum over a datagram, its pseudo header and its own checksum is all ones (RFC 1071).
    #[test]
    fn checksums_hold_for_both_families_and_any_length() {
        for (from, to) in [
            ("10.0.0.1:5060", "192.168.7.9:40000"),
            ("[2001:db8::1]:5060", "[::1]:5061"),
            ("10.0.0.1:1", "[::1]:2"),
        ] {
            for length in [0, 1, 2, 3, 1499, 70_000] {
                let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
                let mut file = Vec::new();
                add_packet(&mut file, AT, from, to, &vec![0xa5; length]);
                let packet = &file[16..];
                let (addresses, datagram) = if packet[0] == 0x45 {
                    packet[12..].split_at(8)
                } else {
                    packet[8..].split_at(32)
                };
                let udp = [&[0, UDP], &datagram[4..6]].concat();
                assert_eq!(checksum([addresses, &udp, datagram]), 0, "{from} {to} {length}");
                assert_eq!(
                    file.len(),
                    16 + u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize
                );
                let original = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
                assert_eq!(original - (packet.len() - datagram.len()) - UDP_HEADER, length);
            }
        }
    }
}
