//! Whom a message names.

use super::ids::head_length;
use std::collections::BTreeSet;

/// Headers that name nobody; any other may, those we do not know included.
const NAMELESS: &[&str] = &[
    "via",
    "v",
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
    "expires",
    "session-expires",
    "x",
    "min-se",
    "www-authenticate",
    "proxy-authenticate",
    "date",
    "timestamp",
    "retry-after",
    "allow-events",
    "u",
    "event",
    "o",
    "mime-version",
];

/// Headers with proofs of a password: of these only the user's name is taken.
const PROOFS: &[&str] = &["authorization", "proxy-authorization"];
/// Lines of a session description that hold words (RFC 8866 §5): origin, name, information, addresses.
const WORDS: &[&str] = &["o=", "s=", "i=", "u=", "e=", "p="];

/// What in a message names people and numbers, with what stands in its body; added to what others named. Nothing is cut:
/// whoever is missed here is missed when all that is known of them is given out or erased.
pub fn parties(bytes: &[u8], named: &mut BTreeSet<String>) {
    let (head, body) = bytes.split_at(head_length(bytes));
    let mut add = |text: &str| {
        let text = text.trim();
        if !text.is_empty() && !named.contains(text) {
            named.insert(text.to_owned());
        }
    };
    let (head, body) = (String::from_utf8_lossy(head), String::from_utf8_lossy(body));
    let (mut is_nameless, mut is_session) = (false, false);
    for (at, line) in head.lines().enumerate() {
        if at == 0 {
            add(line
                .split(' ')
                .nth(1)
                .filter(|_| !line.starts_with("SIP/"))
                .unwrap_or_default());
            continue;
        }
        // A folded header goes on (RFC 3261 §7.3.1).
        let is_fold = line.starts_with([' ', '\t']);
        let (name, value) = if is_fold {
            ("", line)
        } else {
            line.split_once(':').unwrap_or(("", line))
        };
        let is_any = |known: &[&str]| known.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        if is_any(PROOFS) {
            let user = value
                .split_once("username=\"")
                .and_then(|(_, rest)| rest.split('"').next());
            add(user.unwrap_or_default());
        }
        if !is_fold {
            is_nameless = is_any(NAMELESS) || is_any(PROOFS);
            is_session |=
                is_any(&["content-type", "c"]) && value.trim().to_ascii_lowercase().starts_with("application/sdp");
        }
        if !is_nameless {
            add(value.rsplit_once('>').map_or(value, |(address, _)| address));
        }
    }
    for line in body.lines() {
        let words = WORDS.iter().find_map(|kind| line.strip_prefix(kind));
        match (is_session, words) {
            (true, None) => {}
            // The other words of an origin are figures of its own.
            (true, Some(_)) if line.starts_with("o=") => {
                add(words.and_then(|words| words.split(' ').next()).unwrap_or_default())
            }
            (true, Some(words)) => add(words),
            (false, _) => add(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_a_message_is_found() {
        let message = b"INVITE sip:+4912345@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nFrom: \"Ada\" <sip:101@x>;tag=1\r\n\
                        To: <sip:+4912345@x>\r\nP-Asserted-Identity: <sip:+4999@x>\r\nX-Account: Grace\r\nCall-ID: 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        let mut named = BTreeSet::new();
        parties(message, &mut named);
        let expected = [
            "\"Ada\" <sip:101@x",
            "<sip:+4912345@x",
            "<sip:+4999@x",
            "1",
            "Grace",
            "sip:+4912345@x",
        ];
        assert_eq!(named, expected.map(String::from).into());
    }

    #[test]
    fn nobody_is_missed_for_how_or_where_they_are_named() {
        let long = format!("History-Info: {}<sip:+4912399@x>\r\n", "<sip:1@x>;index=1, ".repeat(40));
        let message = [
            &b"BYE sip:x SIP/2.0\r\nFrom: \"J\xf6rg\" <sip:+4912301@x>;tag=1\r\nSubject: ask\r\n Erna Testfall\r\n"[..],
            b"Call-ID: +4912302@trunk\r\nUser-Agent: Erna's phone\r\nRoute: <sip:+4912303@proxy;lr>\r\n",
            b"Authorization: Digest username=\"+4912304\", nonce=\"secret\"\r\n",
            long.as_bytes(),
            b"Content-Type: application/sdp\r\n\r\nv=0\r\no=ada 1 2 IN IP4 10.0.0.1\r\ns=Call of Erna\r\np=+4912305\r\na=x:+4912306\r\n",
        ];
        let mut named = BTreeSet::new();
        parties(&message.concat(), &mut named);
        let all = named.into_iter().collect::<Vec<_>>().join("\n");
        for wanted in [
            "+4912301",
            "Erna Testfall",
            "+4912302",
            "Erna's phone",
            "+4912303",
            "+4912304",
            "+4912399",
            "ada",
            "Call of Erna",
            "+4912305",
        ] {
            assert!(all.contains(wanted), "{wanted} in {all}");
        }
        assert!(
            !all.contains("secret") && !all.contains("10.0.0.1") && !all.contains("4912306"),
            "{all}"
        );
        let mut named = BTreeSet::new();
        parties(
            b"NOTIFY sip:x SIP/2.0\r\nc: application/pidf+xml\r\n\r\n<note>Erna</note>",
            &mut named,
        );
        assert!(named.contains("<note>Erna</note>"), "{named:?}");
    }
}
