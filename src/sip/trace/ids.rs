//! What tells the dialog of a message (RFC 3261 §12), found without taking the message apart.

/// The Call-ID and the two tags; a tag that is not there is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids<'a> {
    pub(super) sip_call_id: &'a str,
    pub(super) from_tag: &'a str,
    pub(super) to_tag: &'a str,
    /// Whether it is an INVITE, an answer to one or the ACK of one.
    pub(super) is_invite: bool,
}

impl<'a> Ids<'a> {
    /// Those of a message, as long as its head has them in UTF-8.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (mut sip_call_id, mut from_tag, mut to_tag, mut is_invite) = (None, "", "", false);
        for (name, value) in headers(bytes) {
            let is = |long: &str, short: &str| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
            if is("Call-ID", "i") {
                sip_call_id = sip_call_id.or(Some(value));
            } else if is("From", "f") {
                from_tag = tag(value);
            } else if is("To", "t") {
                to_tag = tag(value);
            } else if name.eq_ignore_ascii_case("CSeq") {
                is_invite = value.ends_with("INVITE") || value.ends_with("ACK");
            }
        }
        sip_call_id.filter(|id| !id.is_empty()).map(|sip_call_id| Self {
            sip_call_id,
            from_tag,
            to_tag,
            is_invite,
        })
    }
}

/// The header lines of a message with their values, folds left alone, as far as they are UTF-8.
pub(super) fn headers(bytes: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    lines(bytes).skip(1).filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        Some((name.trim(), value.trim()))
    })
}

/// The lines of the head, the first one included.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

/// How long the head is, the empty line after it left out.
pub(super) fn head_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        length += line.len();
    }
    length
}

/// The tag after a name and address (RFC 3261 §20.20), what stands in its brackets left out.
fn tag(value: &str) -> &str {
    let after = value.rsplit_once('>').map_or(value, |(_, after)| after);
    let mut parameters = after.split(';').map(str::trim);
    let tag = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("tag").then_some(value.trim())
    });
    tag.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_long_and_short_headers() {
        let long =
            b"SIP/2.0 200 OK\r\nVia: x\r\nFrom: \"A;tag=no\" <sip:a@b;tag=no>;tag=one\r\nTo: sip:c@d;x=y;TAG = two\r\n\
                     Call-ID: abc@d\r\nCSeq: 7 INVITE\r\n\r\nCall-ID: body";
        let ids = Ids {
            sip_call_id: "abc@d",
            from_tag: "one",
            to_tag: "two",
            is_invite: true,
        };
        assert_eq!(Ids::of(long), Some(ids));
        let short = b"BYE sip:a SIP/2.0\nf:<sip:a@b>;tag=1\nt: <sip:c@d>\ni: 9\nCSeq: 1 BYE\n\n";
        let ids = Ids::of(short).unwrap();
        assert_eq!(
            (ids.sip_call_id, ids.from_tag, ids.to_tag, ids.is_invite),
            ("9", "1", "", false)
        );
        assert_eq!(Ids::of(b"\r\n\r\n"), None);
    }
}
