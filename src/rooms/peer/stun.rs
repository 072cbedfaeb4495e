//! Whose a datagram is, read before any connection is asked: the name in a connectivity check.

/// The fixed word of every STUN message (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// The attribute USERNAME.
const USERNAME: u16 = 0x0006;

/// Our half of the name in a connectivity check (RFC 8445 §7.2.2: `ours:theirs`). `None`: it is none.
#[must_use]
pub(crate) fn local_name(bytes: &[u8]) -> Option<&str> {
    // A binding request.
    if bytes.get(..2)? != [0x00, 0x01] || bytes.get(4..8)? != COOKIE {
        return None;
    }
    let mut rest = bytes.get(20..)?;
    loop {
        let kind = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        if kind == USERNAME {
            let name = std::str::from_utf8(rest.get(4..4 + length)?).ok()?;
            return name.split_once(':').map(|(ours, _)| ours);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_half_of_the_name_is_found_behind_other_attributes() {
        let mut check = vec![0, 1, 0, 20];
        check.extend(COOKIE);
        check.extend([7; 12]);
        check.extend([0x00, 0x24, 0, 4, 1, 2, 3, 4]);
        check.extend([0x00, 0x06, 0, 7]);
        check.extend(*b"abc:xyz\0");
        assert_eq!(local_name(&check), Some("abc"));
        check[0] = 1;
        assert_eq!(local_name(&check), None);
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), is_check: bool) {
            if is_check && bytes.len() > 8 {
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[4..8].copy_from_slice(&COOKIE);
            }
            let _ = local_name(&bytes);
        }
    }
}
