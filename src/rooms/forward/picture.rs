//! What must be known of a picture's payload without decoding it: whether a key frame begins in it, and VP8's
//! own running numbers, which must go on when the layer changes.

use super::Codec;

/// VP8's running numbers in one payload descriptor (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vp8Numbers {
    /// Picture id: 7 or 15 bits.
    pub picture: Option<u16>,
    /// Whether it has 15 bits.
    pub is_long: bool,
    /// Index of the base layer's frame.
    pub base: Option<u8>,
}

/// Reads VP8's running numbers and where the frame begins.
fn descriptor(payload: &[u8]) -> Option<(Vp8Numbers, usize)> {
    let mut numbers = Vp8Numbers::default();
    let mut at = 1;
    if payload.first()? & 0x80 != 0 {
        let has = *payload.get(1)?;
        at += 1;
        if has & 0x80 != 0 {
            let first = *payload.get(at)?;
            at += 1;
            numbers.is_long = first & 0x80 != 0;
            numbers.picture = Some(if numbers.is_long {
                let second = *payload.get(at)?;
                at += 1;
                (u16::from(first & 0x7F) << 8) | u16::from(second)
            } else {
                u16::from(first)
            });
        }
        if has & 0x40 != 0 {
            numbers.base = Some(*payload.get(at)?);
            at += 1;
        }
        if has & 0x30 != 0 {
            at += 1;
        }
    }
    Some((numbers, at))
}

/// Whether a key frame begins in this payload. Codecs we cannot look into always say yes.
#[must_use]
pub fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Vp8 => is_vp8_key(payload).unwrap_or(false),
        Codec::H264 => is_h264_key(payload).unwrap_or(false),
        // RFC 9628: beginning of a frame, not predicted from an earlier picture, on the base layer.
        Codec::Vp9 => payload.first().is_some_and(|first| first & 0x48 == 0x08),
        // The aggregation header's N bit: a new coded video sequence begins.
        Codec::Av1 => payload.first().is_some_and(|first| first & 0x08 != 0),
        Codec::H265 => is_h265_key(payload).unwrap_or(false),
        Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma => true,
    }
}

fn is_vp8_key(payload: &[u8]) -> Option<bool> {
    let first = *payload.first()?;
    let is_beginning = first & 0x10 != 0 && first & 0x07 == 0;
    let (_, at) = descriptor(payload)?;
    Some(is_beginning && payload.get(at)? & 0x01 == 0)
}

fn is_h264_key(payload: &[u8]) -> Option<bool> {
    let is_key = |unit: u8| matches!(unit & 0x1F, 5 | 7);
    Some(match payload.first()? & 0x1F {
        24 => is_key(*payload.get(3)?),
        28 => payload.get(1)? & 0x80 != 0 && is_key(*payload.get(1)?),
        _ => is_key(*payload.first()?),
    })
}

fn is_h265_key(payload: &[u8]) -> Option<bool> {
    let is_key = |unit: u8| (16..=21).contains(&unit) || (32..=34).contains(&unit);
    Some(match (payload.first()? >> 1) & 0x3F {
        48 => is_key((payload.get(4)? >> 1) & 0x3F),
        49 => payload.get(2)? & 0x80 != 0 && is_key(payload.get(2)? & 0x3F),
        unit => is_key(unit),
    })
}

/// Keeps VP8's numbers running over changes of layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vp8Run {
    last: Vp8Numbers,
    picture_offset: u16,
    base_offset: u8,
}

impl Vp8Run {
    /// The numbers under which a packet leaves; `begins` when another layer takes over with it.
    pub fn rewrite(&mut self, payload: &[u8], begins: bool) -> Option<Vp8Numbers> {
        let (mut numbers, _) = descriptor(payload)?;
        let mask = if numbers.is_long { 0x7FFF } else { 0x7F };
        if begins {
            if let (Some(picture), Some(last)) = (numbers.picture, self.last.picture) {
                self.picture_offset = last.wrapping_add(1).wrapping_sub(picture);
            }
            if let (Some(base), Some(last)) = (numbers.base, self.last.base) {
                self.base_offset = last.wrapping_add(1).wrapping_sub(base);
            }
        }
        numbers.picture = numbers
            .picture
            .map(|picture| picture.wrapping_add(self.picture_offset) & mask);
        numbers.base = numbers.base.map(|base| base.wrapping_add(self.base_offset));
        self.last = numbers;
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A VP8 payload with long picture id, base index and a key or delta frame.
    fn vp8(picture: u16, base: u8, is_key: bool) -> Vec<u8> {
        let [high, low] = picture.to_be_bytes();
        vec![0x90, 0xC0, 0x80 | high, low, base, u8::from(!is_key), 0, 0]
    }

    #[test]
    fn a_key_frame_is_seen_where_it_begins() {
        assert!(begins_key_frame(Codec::Vp8, &vp8(1, 1, true)));
        assert!(!begins_key_frame(Codec::Vp8, &vp8(1, 1, false)));
        let mut middle = vp8(1, 1, true);
        middle[0] &= !0x10;
        assert!(!begins_key_frame(Codec::Vp8, &middle));
        assert!(begins_key_frame(Codec::H264, &[0x78, 0, 4, 0x67, 1, 2, 3]));
        assert!(begins_key_frame(Codec::H264, &[0x7C, 0x85, 1]));
        assert!(!begins_key_frame(Codec::H264, &[0x7C, 0x05, 1]));
        assert!(!begins_key_frame(Codec::H264, &[0x41, 1]));
    }

    #[test]
    fn picture_numbers_run_on_over_a_change_of_layer_and_wrap() {
        let mut run = Vp8Run::default();
        assert_eq!(
            run.rewrite(&vp8(0x7FFF, 255, true), true).unwrap().picture,
            Some(0x7FFF)
        );
        let first = run.rewrite(&vp8(300, 9, true), true).unwrap();
        assert_eq!((first.picture, first.base), (Some(0), Some(0)));
        let next = run.rewrite(&vp8(301, 10, false), false).unwrap();
        assert_eq!((next.picture, next.base), (Some(1), Some(1)));
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::H265, Codec::Av1, Codec::Opus] {
                let _ = begins_key_frame(codec, &bytes);
            }
            let _ = Vp8Run::default().rewrite(&bytes, true);
        }
    }
}
