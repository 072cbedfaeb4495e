//! Cuts STUN messages and ChannelData out of a byte stream (RFC 8656 §3.7, §12.5).

use bytes::{Buf as _, Bytes, BytesMut};

/// The longest frame a client may send: a relayed datagram of 64 KiB is never needed, an Ethernet one and its
/// headers always fit. Bounds what a stream can make us hold.
const LONGEST: usize = 4096;

/// A stream that carries neither STUN nor ChannelData, or too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream carries no TURN")]
pub struct NotTurn;

/// Takes the next whole frame out of what has arrived; `None` when more is needed.
///
/// # Errors
/// The stream is to be closed: it can never be read again.
pub fn next_frame(arrived: &mut BytesMut) -> Result<Option<Bytes>, NotTurn> {
    let [first, _, high, low, ..] = arrived[..] else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (frame, padded) = match first {
        // A STUN header has 20 bytes, its length counts what follows and is a multiple of four.
        0..=0x03 if length % 4 == 0 => (20 + length, 20 + length),
        // Over a stream ChannelData is padded to four bytes, which its length does not count.
        0x40..=0x7f => (4 + length, 4 + length.next_multiple_of(4)),
        _ => return Err(NotTurn),
    };
    if padded > LONGEST {
        return Err(NotTurn);
    }
    if arrived.len() < padded {
        return Ok(None);
    }
    let taken = arrived.split_to(frame).freeze();
    arrived.advance(padded - frame);
    Ok(Some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_come_out_whole_and_without_padding_however_the_stream_is_cut() {
        let message = [&[0, 1, 0, 4][..], &[7; 20]].concat();
        let channel = [&[0x40, 0, 0, 5][..], b"hello", &[0; 3]].concat();
        let stream = [message.clone(), channel, message.clone()].concat();
        for cut in 1..stream.len() {
            let mut arrived = BytesMut::new();
            let mut frames = Vec::new();
            for part in stream.chunks(cut) {
                arrived.extend_from_slice(part);
                while let Some(frame) = next_frame(&mut arrived).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 3, "cut at {cut}");
            assert_eq!(frames[0], message);
            assert_eq!(&frames[1][..], b"\x40\0\0\x05hello");
            assert!(arrived.is_empty());
        }
    }

    #[test]
    fn a_stream_of_something_else_is_refused_before_it_is_held() {
        // "GE" lies in the range of channels, "T " is its length: too long to be one.
        assert_eq!(next_frame(&mut BytesMut::from(&b"GET / HTTP/1.1"[..])), Err(NotTurn));
        assert_eq!(
            next_frame(&mut BytesMut::from(&b"\x16\x03\x01\x02\0"[..])),
            Err(NotTurn)
        );
        assert_eq!(next_frame(&mut BytesMut::from(&[0, 1, 0xff, 0xfc][..])), Err(NotTurn));
        assert_eq!(next_frame(&mut BytesMut::from(&[0, 1, 0, 3][..])), Err(NotTurn));
    }

    proptest! {
        #[test]
        fn any_stream_is_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut arrived = BytesMut::from(&bytes[..]);
            let mut total = 0;
            while let Ok(Some(frame)) = next_frame(&mut arrived) {
                prop_assert!(frame.len() >= 4 && frame.len() <= LONGEST);
                total += frame.len();
            }
            prop_assert!(total + arrived.len() <= bytes.len());
        }
    }
}
