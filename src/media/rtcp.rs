//! RTCP (RFC 3550 §6): the reports we send and what we read of the far end's.

use crate::quality::Loss;

/// The longest packet we send: a sender report with one block, a name, a goodbye.
pub const PACKET_BYTES: usize = 128;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const BLOCK_BYTES: usize = 24;
const NAME: &[u8] = b"strowger";

/// What we report of ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When the report is made, NTP format.
    pub ntp: u64,
    /// The same moment on the stream's clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// What we report of the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its source.
    pub ssrc: u32,
    /// What was lost.
    pub loss: Loss,
    /// The middle 32 bits of its last report's NTP time; 0 when none came.
    pub last_report: u32,
    /// How long ago that was, in 1/65536 s.
    pub since_last_report: u32,
}

/// Writes a compound packet and returns its length.
#[must_use]
pub fn write(
    packet: &mut [u8; PACKET_BYTES],
    ssrc: u32,
    sent: Option<Sent>,
    block: Option<Block>,
    goodbye: bool,
) -> usize {
    let mut writer = Writer { packet, length: 0 };
    let kind = if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let start = writer.begin(u8::from(block.is_some()), kind);
    writer.put(&ssrc.to_be_bytes());
    if let Some(sent) = sent {
        writer.put(&sent.ntp.to_be_bytes());
        writer.put(&sent.timestamp.to_be_bytes());
        writer.put(&sent.packets.to_be_bytes());
        writer.put(&sent.octets.to_be_bytes());
    }
    if let Some(block) = block {
        writer.put(&block.ssrc.to_be_bytes());
        let [_, high, middle, low] = block.loss.cumulative.to_be_bytes();
        writer.put(&[block.loss.fraction, high, middle, low]);
        writer.put(&block.loss.highest.to_be_bytes());
        writer.put(&block.loss.jitter.to_be_bytes());
        writer.put(&block.last_report.to_be_bytes());
        writer.put(&block.since_last_report.to_be_bytes());
    }
    writer.end(start);
    // RFC 3550 §6.1: every compound packet carries the name.
    let start = writer.begin(1, DESCRIPTION);
    writer.put(&ssrc.to_be_bytes());
    writer.put(&[1, NAME.len() as u8]);
    writer.put(NAME);
    writer.put(&[0, 0]);
    writer.end(start);
    if goodbye {
        let start = writer.begin(1, GOODBYE);
        writer.put(&ssrc.to_be_bytes());
        writer.end(start);
    }
    writer.length
}

struct Writer<'a> {
    packet: &'a mut [u8; PACKET_BYTES],
    length: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.packet.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn begin(&mut self, count: u8, kind: u8) -> usize {
        let start = self.length;
        self.put(&[0x80 | count, kind, 0, 0]);
        start
    }

    fn end(&mut self, start: usize) {
        let words = ((self.length - start) / 4).saturating_sub(1) as u16;
        if let Some(room) = self.packet.get_mut(start + 2..start + 4) {
            room.copy_from_slice(&words.to_be_bytes());
        }
    }
}

/// What a far end's packet says to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// The middle 32 bits of its sender report's NTP time.
    pub sender_report: Option<u32>,
    /// What it says of us: our last report it knows and how long ago that was, in 1/65536 s.
    pub echo: Option<(u32, u32)>,
    /// It said goodbye.
    pub goodbye: bool,
}

/// Reads a compound packet as far as it can be understood; `ours` is our source.
#[must_use]
pub fn parse(mut packet: &[u8], ours: u32) -> Heard {
    let mut heard = Heard::default();
    while let Some([first, kind, high, low]) = packet.first_chunk::<4>().copied() {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        if first >> 6 != 2 || length > packet.len() {
            break;
        }
        let (this, rest) = packet.split_at(length);
        let count = usize::from(first & 0x1F);
        match kind {
            SENDER_REPORT => {
                heard.sender_report = word(this, 10).or(heard.sender_report);
                heard.echo = echo(this.get(28..).unwrap_or_default(), count, ours).or(heard.echo);
            }
            RECEIVER_REPORT => {
                heard.echo = echo(this.get(8..).unwrap_or_default(), count, ours).or(heard.echo);
            }
            GOODBYE => heard.goodbye = true,
            _ => {}
        }
        packet = rest;
    }
    heard
}

fn echo(blocks: &[u8], count: usize, ours: u32) -> Option<(u32, u32)> {
    let block = blocks
        .chunks_exact(BLOCK_BYTES)
        .take(count)
        .find(|block| word(block, 0) == Some(ours))?;
    let last_report = word(block, 16).filter(|last| *last != 0)?;
    Some((last_report, word(block, 20)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The round trip in milliseconds from an echo and the present NTP time's middle 32 bits
/// (RFC 3550 §6.4.1). `None` when the far end's clock makes it negative.
#[must_use]
pub fn round_trip_ms(now: u32, echo: (u32, u32)) -> Option<f64> {
    let span = now.wrapping_sub(echo.0).wrapping_sub(echo.1);
    (span < 0x8000_0000).then(|| f64::from(span) * 1_000.0 / 65_536.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let sent = Sent {
            ntp: 0x1122_3344_5566_7788,
            timestamp: 9,
            packets: 50,
            octets: 8_000,
        };
        let block = Block {
            ssrc: 77,
            loss: Loss {
                fraction: 3,
                cumulative: 4,
                highest: 5,
                jitter: 6,
            },
            last_report: 0xAABB_CCDD,
            since_last_report: 65_536,
        };
        let mut packet = [0; PACKET_BYTES];
        let length = write(&mut packet, 42, Some(sent), Some(block), true);
        assert_eq!(length % 4, 0);
        let heard = parse(&packet[..length], 77);
        assert_eq!(heard.sender_report, Some(0x3344_5566));
        assert_eq!(heard.echo, Some((0xAABB_CCDD, 65_536)));
        assert!(heard.goodbye);
        assert_eq!(parse(&packet[..length], 78).echo, None);
        let length = write(&mut packet, 42, None, Some(block), false);
        let heard = parse(&packet[..length], 77);
        assert_eq!(
            (heard.sender_report, heard.echo.is_some(), heard.goodbye),
            (None, true, false)
        );
    }

    #[test]
    fn the_round_trip_leaves_out_the_far_ends_wait() {
        let trip = round_trip_ms(10 * 65_536, (7 * 65_536, 65_536)).unwrap();
        assert!((trip - 2_000.0).abs() < 0.1);
        assert_eq!(round_trip_ms(0, (65_536, 65_536)), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), ours: u32) {
            let _ = parse(&bytes, ours);
        }
    }
}
