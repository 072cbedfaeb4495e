//! As much of a certificate's DER (X.690) as tells its serial number and its term (RFC 5280 §4.1).

use aws_lc_rs::digest;
use time::{Date, Month, OffsetDateTime, Time};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) ends_at: OffsetDateTime,
    /// SHA-256 in hexadecimal with colons.
    pub(super) fingerprint: String,
}

/// Reads a certificate; `None` when it is none.
pub(super) fn facts(certificate: &[u8]) -> Option<Facts> {
    let (certificate_body, _) = expect(certificate, SEQUENCE)?;
    let (mut rest, _) = expect(certificate_body, SEQUENCE)?;
    if let Some((_, after)) = expect(rest, VERSION) {
        rest = after;
    }
    let (serial, rest) = expect(rest, INTEGER)?;
    let (_algorithm, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _, not_after) = element(validity)?;
    let (kind, text, _) = element(not_after)?;
    Some(Facts {
        serial: hex(serial, ""),
        ends_at: moment(kind, text)?,
        fingerprint: hex(digest::digest(&digest::SHA256, certificate).as_ref(), ":"),
    })
}

fn hex(bytes: &[u8], between: &str) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(between)
}

/// The content of an element that must be of this kind, and what follows it.
fn expect(input: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(input)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and what follows.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Four bytes of length are more than any certificate.
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        let length = bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` until 2049, `YYYYMMDDhhmmssZ` after (RFC 5280 §4.1.2.5).
fn moment(kind: u8, text: &[u8]) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn what_a_certificate_says_is_read() {
        for ends_at in [datetime!(2031-05-06 07:08:09 UTC), datetime!(2077-01-02 03:04:05 UTC)] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut wanted = rcgen::CertificateParams::new(vec!["pbx.example".to_owned()]).unwrap();
            wanted.not_after = ends_at;
            wanted.serial_number = Some(rcgen::SerialNumber::from(0x1234_u64));
            let made = wanted.self_signed(&key).unwrap();
            let read = facts(made.der()).unwrap();
            assert_eq!(read.ends_at, ends_at);
            assert!(read.serial.ends_with("1234"), "{}", read.serial);
            assert_eq!(read.fingerprint.len(), 95);
            for cut in 0..made.der().len() {
                // Nothing that was cut off, or changed, may panic.
                let _ = facts(&made.der()[..cut]);
            }
        }
        assert_eq!(facts(b""), None);
        assert_eq!(facts(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
