//! What of a message may be written down.
//!
//! Digits that were keyed, what proves a password, keys of media, and card numbers are overwritten. Every message keeps
//! its length, so that its Content-Length stays true.

use super::ids::{head_length, headers};
use bytes::{Bytes, BytesMut};
use strowger_model::card::is_card;

const MASK: u8 = b'x';
/// Headers with proofs of a password (RFC 3261 §22, §20.6).
const PROOFS: [&str; 4] = [
    "Authorization",
    "Proxy-Authorization",
    "Authentication-Info",
    "Proxy-Authentication-Info",
];
/// How long a card's number is, in digits. Shorter ones exist, and telephone numbers are as long as they.
const CARD_LENGTHS: std::ops::RangeInclusive<usize> = 14..=19;

/// A message as it may be written down.
#[must_use]
pub fn masked(message: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(message.as_ref());
    let has_digits = carries_digits(message);
    let (head, body) = bytes.split_at_mut(head_length(message));
    mask_proofs(head);
    if has_digits {
        let is_key = |byte: &&mut u8| byte.is_ascii_digit() || matches!(**byte, b'*' | b'#');
        body.iter_mut().filter(is_key).for_each(|byte| *byte = MASK);
    }
    mask_media_keys(body);
    mask_cards(head);
    mask_cards(body);
    bytes.freeze()
}

/// Whether a body may tell what was keyed: that of an INFO (application/dtmf-relay, RFC 6086), and any that is neither a
/// session description nor a state of a call (RFC 3420).
fn carries_digits(message: &[u8]) -> bool {
    let of = |long: &str, short: &str| {
        let is = |name: &str| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        headers(message)
            .find(|(name, _)| is(name))
            .map(|(_, value)| value.to_ascii_lowercase())
    };
    let is_info = of("CSeq", "CSeq").is_some_and(|value| value.ends_with("info"));
    let is_harmless = of("Content-Type", "c").is_some_and(|value| {
        ["application/sdp", "message/sipfrag", "multipart/"]
            .iter()
            .any(|kind| value.starts_with(kind))
    });
    is_info || !is_harmless
}

/// Overwrites what was made of a password, in lines that go on too. The rest of a digest, such as realm and nonce, stays.
fn mask_proofs(head: &mut [u8]) {
    let (mut is_proof, mut is_digest) = (false, false);
    for line in head.split_mut(|byte| *byte == b'\n') {
        let mut value = 0;
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            is_proof = PROOFS.iter().any(|name| begins(line, name.as_bytes()));
            is_digest = find(line, b"digest ").is_some() || find(line, b"rspauth=").is_some();
            value = find(line, b":").unwrap_or_default();
        }
        let proof = find(line, b"response=").or_else(|| find(line, b"rspauth="));
        match proof {
            _ if !is_proof => {}
            Some(at) => overwrite(line, at, |byte| byte == b','),
            None if !is_digest => overwrite(line, value, |_| false),
            None => {}
        }
    }
}

/// Overwrites the keys of SRTP (RFC 4568 §6.1, RFC 8866 §5.12) and the passwords of ICE (RFC 8839 §5.4).
fn mask_media_keys(body: &mut [u8]) {
    for line in body.split_mut(|byte| *byte == b'\n') {
        let at = match line {
            [b'k', b'=', ..] => Some(2),
            [b'a', b'=', ..] => find(line, b"inline:").or_else(|| find(line, b"ice-pwd:")),
            [..] => None,
        };
        if let Some(at) = at {
            overwrite(line, at, |byte| byte == b'\r');
        }
    }
}

/// Overwrites card numbers, written at a stretch or in groups.
fn mask_cards(text: &mut [u8]) {
    let mut at = 0;
    while at < text.len() {
        let run = run(text, at);
        let Some(&last) = run.last() else {
            at += 1;
            continue;
        };
        let digits: Vec<u8> = run.iter().filter_map(|at| text.get(*at).copied()).collect();
        for window in cards(&digits) {
            for digit in run.get(window).unwrap_or_default() {
                if let Some(byte) = text.get_mut(*digit) {
                    *byte = MASK;
                }
            }
        }
        at = last + 1;
    }
}

/// Where the digits of a run stand that begins at `at`: single blanks and hyphens may be between them.
fn run(text: &[u8], at: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut here = at;
    while let Some(byte) = text.get(here) {
        if byte.is_ascii_digit() {
            found.push(here);
        } else if found.is_empty() || !matches!(byte, b' ' | b'-') || found.last().is_some_and(|last| last + 1 < here) {
            break;
        }
        here += 1;
    }
    found
}

/// The card numbers in a run of digits, the longest first at each place.
fn cards(digits: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for start in 0..digits.len().saturating_sub(CARD_LENGTHS.start() - 1) {
        let longest = CARD_LENGTHS.rev().map(|length| start..start + length);
        found.extend(
            longest
                .into_iter()
                .find(|window| digits.get(window.clone()).is_some_and(is_card)),
        );
    }
    found
}

fn begins(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
        && matches!(line.get(name.len()), Some(b':' | b' ' | b'\t'))
}

/// Where the text after `wanted`, written in lower case, begins.
fn find(line: &[u8], wanted: &[u8]) -> Option<usize> {
    let at = line
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted))?;
    Some(at + wanted.len())
}

/// Overwrites from `at` to the end of the line or of the value; quotes and the line's end stay.
fn overwrite(line: &mut [u8], at: usize, is_end: impl Fn(u8) -> bool) {
    for byte in line.get_mut(at..).unwrap_or_default() {
        if is_end(*byte) {
            return;
        }
        if !matches!(byte, b'"' | b'\r') {
            *byte = MASK;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked_text(message: &str) -> String {
        let masked = masked(&Bytes::copy_from_slice(message.as_bytes()));
        assert_eq!(masked.len(), message.len());
        String::from_utf8(masked.to_vec()).unwrap()
    }

    #[test]
    fn digits_that_were_keyed_are_gone_and_nothing_else() {
        let message = "INFO sip:101@10.0.0.1 SIP/2.0\r\nCSeq: 7 INFO\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=4\r\nDuration=160\r\n";
        let expected = "INFO sip:101@10.0.0.1 SIP/2.0\r\nCSeq: 7 INFO\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=x\r\nDuration=xxx\r\n";
        assert_eq!(masked_text(message), expected);
        let plain = "MESSAGE sip:a SIP/2.0\nCSeq: 1 MESSAGE\nContent-Type: text/plain\n\ncode 4711#";
        assert!(masked_text(plain).ends_with("code xxxxx"));
        let told = "NOTIFY sip:a SIP/2.0\nCSeq: 1 NOTIFY\nContent-Type: message/sipfrag\n\nSIP/2.0 200 OK";
        assert_eq!(masked_text(told), told);
    }

    #[test]
    fn proofs_of_passwords_are_gone() {
        let message = "INVITE sip:a SIP/2.0\r\nAuthorization: Digest username=\"a\", response=\"0123abcd\", nonce=\"n\"\r\n\
                       Proxy-Authorization: Digest realm=\"r\",\r\n response=\"77\"\r\nX: response=\"5\"\r\nAUTHORIZATION: Basic c2VjcmV0\r\n\
                       CSeq: 1 INVITE\r\n\r\n";
        let left = masked_text(message);
        assert!(
            left.contains("username=\"a\", response=\"xxxxxxxx\", nonce=\"n\""),
            "{left}"
        );
        assert!(left.contains(" response=\"xx\"\r\nX: response=\"5\""), "{left}");
        assert!(!left.contains("c2Vj"), "{left}");
    }

    #[test]
    fn keys_of_media_are_gone() {
        let message = "INVITE sip:a SIP/2.0\r\nc: application/sdp\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\nk=clear:abc\r\na=ice-pwd:secret\r\n\
                       a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\na=ptime:20\r\n";
        let left = masked_text(message);
        for secret in ["abc", "secret", "d0Rm", "2^20"] {
            assert!(!left.contains(secret), "{left}");
        }
        assert!(
            left.contains("k=xx") && left.contains("a=ptime:20\r\n") && left.contains("_80 inline:xx"),
            "{left}"
        );
    }

    #[test]
    fn card_numbers_are_gone_wherever_they_stand() {
        let message = "INVITE sip:4111111111111111@x SIP/2.0\r\nX-Pay: 4111 1111-1111 1111, 37828224631000512\r\nTo: <sip:+491234567890@x>\r\n\
                       c: application/sdp\r\nCSeq: 1 INVITE\r\n\r\ni=378282246310005\r\n";
        let left = masked_text(message);
        assert!(left.starts_with("INVITE sip:xxxxxxxxxxxxxxxx@x SIP"), "{left}");
        assert!(left.contains("X-Pay: xxxx xxxx-xxxx xxxx, xxxxxxxxxxxxxxx12"), "{left}");
        assert!(
            left.contains("+491234567890") && left.contains("i=xxxxxxxxxxxxxxx\r\n"),
            "{left}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_keep_their_length(bytes in proptest::collection::vec(0_u8.., 0..400)) {
            let bytes = Bytes::from(bytes);
            assert_eq!(masked(&bytes).len(), bytes.len());
        }
    }
}
