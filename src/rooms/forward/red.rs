//! RFC 2198: audio with copies of earlier audio. Only the primary block is of interest here; copies go to
//! those who negotiated them, untouched.

/// The primary block of a redundant payload. `None`: the payload is malformed.
#[must_use]
pub fn primary(payload: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    let mut copies = 0;
    loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            return payload.get(at + 1 + copies..);
        }
        // One bit more, seven bits type, fourteen bits age, ten bits length.
        let high = usize::from(*payload.get(at + 2)? & 0x03);
        let low = usize::from(*payload.get(at + 3)?);
        copies += (high << 8) | low;
        at += 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_primary_follows_the_copies() {
        assert_eq!(primary(&[111, 1, 2, 3]), Some(&[1, 2, 3][..]));
        let two = [0x80 | 111, 0, 0, 2, 111, 9, 9, 1, 2, 3];
        assert_eq!(primary(&two), Some(&[1, 2, 3][..]));
        assert_eq!(primary(&[0x80 | 111, 0, 0, 9, 111, 1]), None);
        assert_eq!(primary(&[]), None);
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = primary(&bytes);
        }
    }
}
