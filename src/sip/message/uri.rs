//! SIP, SIPS and tel URIs.

use std::net::IpAddr;

/// A URI taken apart; every part is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// `sip`, `sips`, `tel` or whatever it says.
    pub scheme: &'a str,
    /// The user part with its escapes, a password cut off; a tel URI's number.
    pub user: &'a str,
    /// The host without brackets; empty for a tel URI.
    pub host: &'a str,
    /// The port, when written.
    pub port: Option<u16>,
    /// What follows the host: `;name=value` parameters.
    pub params: &'a str,
    /// What follows a question mark.
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Reads a URI of a scheme we know; `None` for another scheme or a broken one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        if text.contains(|c: char| c.is_ascii_control() || matches!(c, ' ' | '<' | '>' | '"')) {
            return None;
        }
        if scheme.eq_ignore_ascii_case("tel") {
            let (user, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
            let (headers, host, port) = ("", "", None);
            return (!user.is_empty()).then_some(Self {
                scheme,
                user,
                host,
                port,
                params,
                headers,
            });
        }
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return None;
        }
        let (userinfo, rest) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, rest)| (Some(user), rest));
        if userinfo.is_some_and(str::is_empty) {
            return None;
        }
        let user = userinfo.map_or("", |info| info.split_once(':').map_or(info, |(user, _)| user));
        let (rest, headers) = rest.split_once('?').unwrap_or((rest, ""));
        let (hostport, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = host_port(hostport)?;
        Some(Self {
            scheme,
            user,
            host,
            port,
            params,
            headers,
        })
    }

    /// The scheme of any URI at all, known or not.
    #[must_use]
    pub fn scheme_of(text: &str) -> Option<&str> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.bytes();
        let good = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !rest.contains([' ', '<', '>', '"']);
        good.then_some(scheme)
    }

    /// The user part, unescaped, without the `;phone-context` and the like that some put into it.
    #[must_use]
    pub fn user_text(&self) -> String {
        unescape(self.user.split(';').next().unwrap_or(self.user))
    }

    /// The host as an address, when it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// A parameter: `Some("")` when it has no value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.split(';').skip(1).find_map(|param| {
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Splits `host[:port]`, an IPv6 reference in brackets included.
pub(super) fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (
            host,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(':')?)
            },
        )
    } else {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        // An underscore is no host name, yet phones and containers have it.
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(is_host) {
            return None;
        }
        (host, port)
    };
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(port.trim().parse().ok()?))),
    }
}

/// Replaces `%41` and the like. Bytes that make no UTF-8 are read as Latin-1; a broken escape stays as it is.
#[must_use]
pub fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    // NUL and other controls have no business in a number or a name, and some databases refuse them.
    let text =
        String::from_utf8(out).unwrap_or_else(|broken| broken.into_bytes().into_iter().map(char::from).collect());
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Escapes a user part for a URI.
#[must_use]
pub fn escape_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri_are_found() {
        let uri = Uri::parse("sip:alice;day=tue:pw@[2001:db8::1]:5070;transport=tcp;lr?a=b").unwrap();
        assert_eq!(
            (uri.user_text().as_str(), uri.host, uri.port),
            ("alice", "2001:db8::1", Some(5070))
        );
        assert_eq!(
            (uri.param("transport"), uri.param("LR"), uri.headers),
            (Some("tcp"), Some(""), "a=b")
        );
        assert_eq!(Uri::parse("tel:+1555;phone-context=x").unwrap().user, "+1555");
        assert_eq!(Uri::parse("sip:#31#555@10.0.0.1").unwrap().user, "#31#555");
        assert_eq!(Uri::parse("sip:example.com").unwrap().user, "");
    }

    #[test]
    fn a_broken_uri_is_none() {
        for text in [
            "sip:",
            "sip:a@",
            "sip:a@b c",
            "<sip:a@b>",
            "sip:a@b:99999",
            "sip:a@[::1",
            "http:x",
            "a@b",
            "sip:@b",
        ] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
        assert_eq!(Uri::scheme_of("soap.beep://192.0.2.103:3002"), Some("soap.beep"));
    }

    #[test]
    fn escapes_go_both_ways() {
        assert_eq!(unescape("%2a97%23"), "*97#");
        assert_eq!(unescape("a%00b%zz%4"), "ab%zz%4");
        assert_eq!(unescape("Jos%e9"), "José");
        assert_eq!(escape_user("*97#ü @x"), "*97%23%C3%BC%20%40x");
        assert_eq!(unescape(&escape_user("*97#ü @x")), "*97#ü @x");
    }
}
