//! Whom a message names.

use super::ids::{headers, lines};
use std::collections::BTreeSet;

/// The longest text kept of one header, in characters.
const LONGEST: usize = 200;
/// Headers that name nobody; any other may, those we do not know included.
const NAMELESS: &[&str] = &[
    "via",
    "v",
    "call-id",
    "i",
    "cseq",
    "max-forwards",
    "content-length",
    "l",
    "content-type",
    "c",
    "allow",
    "supported",
    "k",
    "require",
    "proxy-require",
    "accept",
    "user-agent",
    "server",
    "expires",
    "session-expires",
    "x",
    "min-se",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "record-route",
    "route",
    "date",
    "timestamp",
    "retry-after",
    "warning",
    "reason",
    "allow-events",
    "u",
    "event",
    "o",
    "mime-version",
];

/// What in a message names people and numbers, parameters left out; added to what others named.
pub fn parties(bytes: &[u8], named: &mut BTreeSet<String>) {
    let start = lines(bytes).next().and_then(|line| std::str::from_utf8(line).ok());
    let uri = start
        .filter(|line| !line.starts_with("SIP/"))
        .and_then(|line| line.split(' ').nth(1));
    let values = headers(bytes).filter(|(name, _)| !NAMELESS.iter().any(|known| name.eq_ignore_ascii_case(known)));
    for text in uri.into_iter().chain(values.map(|(_, value)| value)) {
        let text = text.rsplit_once('>').map_or(text, |(address, _)| address);
        let text: String = text.chars().take(LONGEST).collect();
        if !text.is_empty() && !named.contains(&text) {
            named.insert(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_a_message_is_found() {
        let message = b"INVITE sip:+4912345@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nFrom: \"Ada\" <sip:101@x>;tag=1\r\n\
                        To: <sip:+4912345@x>\r\nP-Asserted-Identity: <sip:+4999@x>\r\nX-Account: Grace\r\nCall-ID: 1\r\n\r\nv=0\r\n";
        let mut named = BTreeSet::new();
        parties(message, &mut named);
        let expected = [
            "\"Ada\" <sip:101@x",
            "<sip:+4912345@x",
            "<sip:+4999@x",
            "Grace",
            "sip:+4912345@x",
        ];
        assert_eq!(named, expected.map(String::from).into());
    }
}
