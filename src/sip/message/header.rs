//! Header values taken apart without copying.

use super::Method;
use super::parse::is_token;
use super::uri::host_port;

/// Splits a list at its commas, those in quotes and angle brackets left alone. Empty items are left out.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        loop {
            let text = rest?;
            let (item, after) = match find_outside(text, b',') {
                Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
                None => (text, None),
            };
            rest = after;
            let item = item.trim();
            if !item.is_empty() {
                return Some(item);
            }
        }
    })
}

/// The first `wanted` outside quotes and angle brackets.
fn find_outside(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut is_quoted, mut is_angled) = (0, false, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if is_quoted => at += 1,
            b'"' if !is_angled => is_quoted = !is_quoted,
            b'<' if !is_quoted => is_angled = true,
            b'>' if !is_quoted => is_angled = false,
            _ if byte == wanted && !is_quoted && !is_angled => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Parameters after a value: `;name=value;flag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Wraps a text that is empty or begins with a semicolon.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Name and value of each; the value is empty when there is none, and keeps its quotes.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.0.trim().strip_prefix(';');
        std::iter::from_fn(move || {
            let text = rest?;
            let (param, after) = match find_outside(text, b';') {
                Some(end) => (&text[..end], Some(&text[end + 1..])),
                None => (text, None),
            };
            rest = after;
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            Some((name.trim(), value.trim()))
        })
    }

    /// The value of a parameter; empty when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The text as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether every parameter has a name, and no quote stays open.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.iter()
            .all(|(name, value)| is_token(name) && (!value.starts_with('"') || quoted(value).is_some()))
    }
}

/// The text between the quotes of a quoted string, escapes resolved; `None` when it is none.
#[must_use]
pub fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(out),
            '\\' => out.push(letters.next()?),
            letter => out.push(letter),
        }
    }
}

/// From, To, Contact, Route and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as it was written, quotes included.
    pub display: &'a str,
    /// The URI.
    pub uri: &'a str,
    /// Whether the URI stood in angle brackets.
    pub is_angled: bool,
    /// The parameters of the header.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value; `None` when its brackets or quotes are broken.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let open = open_bracket(text)?;
        let Some(open) = open else {
            // RFC 3261 §20.10: without brackets every parameter belongs to the header.
            let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
            let (display, params) = ("", Params(params));
            return Some(Self {
                display,
                uri: uri.trim(),
                is_angled: false,
                params,
            });
        };
        let (uri, rest) = text[open + 1..].split_once('>')?;
        let rest = rest.trim_start();
        (rest.is_empty() || rest.starts_with(';')).then_some(Self {
            display: text[..open].trim(),
            uri,
            is_angled: true,
            params: Params(rest),
        })
    }

    /// The display name without quotes and escapes; `None` when there is none.
    #[must_use]
    pub fn display_text(&self) -> Option<String> {
        let text = quoted(self.display).unwrap_or_else(|| self.display.to_owned());
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// Whether the display name is one: a quoted string, or words. Words may be any text but what
    /// separates (phones send names in UTF-8 without quotes).
    #[must_use]
    pub fn has_good_display(&self) -> bool {
        if self.display.starts_with('"') {
            return quoted(self.display).is_some();
        }
        !self.display.contains(['"', ',', ';', ':', '<', '>', '\\', '@'])
    }
}

/// Where the angle bracket opens; the outer `None` says that a quote before it stays open.
fn open_bracket(text: &str) -> Option<Option<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut is_quoted) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if is_quoted => at += 1,
            b'"' => is_quoted = !is_quoted,
            b'<' if !is_quoted => return Some(Some(at)),
            // Quotes in a parameter of a bare URI are no display name.
            b';' if !is_quoted => return Some(None),
            _ => {}
        }
        at += 1;
    }
    if is_quoted { None } else { Some(None) }
}

/// One Via value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP` or whatever it says.
    pub transport: &'a str,
    /// The host without brackets.
    pub host: &'a str,
    /// The port, when written.
    pub port: Option<u16>,
    /// Its parameters.
    pub params: Params<'a>,
    /// Everything before the parameters, as written.
    pub head: &'a str,
}

impl<'a> Via<'a> {
    /// Reads one value, blanks around the slashes included (RFC 4475 §3.1.1.1).
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (head, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let mut parts = head.splitn(3, '/');
        let (protocol, version, rest) = (parts.next()?.trim(), parts.next()?.trim(), parts.next()?.trim());
        let (transport, by) = rest.split_once([' ', '\t'])?;
        if !protocol.eq_ignore_ascii_case("SIP") || version != "2.0" || !is_token(transport) {
            return None;
        }
        let (host, port) = host_port_spaced(by)?;
        let (params, head) = (Params(params), head.trim_end());
        Some(Self {
            transport,
            host,
            port,
            params,
            head,
        })
    }

    /// The branch.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }
}

fn host_port_spaced(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    if let Some(found) = host_port(text) {
        return Some(found);
    }
    // `host : 5060` is allowed in a Via; an IPv6 address without brackets is not, yet seen.
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let (host, _) = host_port(host.trim())?;
    Some((host, Some(port.trim().parse().ok()?)))
}

/// A CSeq value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// The number, below 2³¹ when a good one.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads the value; `None` when the number is none of 32 bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.trim().split_once([' ', '\t'])?;
        let number = number.parse().ok()?;
        let method = Method::of(method.trim());
        Some(Self { number, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let items: Vec<_> = list(r#""b,c" <sip:a,b@x>;q=1, , "\"," <sip:d@y>,sip:e@z"#).collect();
        assert_eq!(items, [r#""b,c" <sip:a,b@x>;q=1"#, r#""\"," <sip:d@y>"#, "sip:e@z"]);
    }

    #[test]
    fn a_name_and_an_address_are_found() {
        let from = NameAddr::parse(r#""A \"B\" <x>, C" <sip:a@example.com;x=y> ; tag = a1 "#).unwrap();
        assert_eq!(from.display_text().unwrap(), r#"A "B" <x>, C"#);
        assert_eq!((from.uri, from.tag()), ("sip:a@example.com;x=y", Some("a1")));
        let bare = NameAddr::parse("sip:a@b;tag=x").unwrap();
        assert_eq!(
            (bare.uri, bare.tag(), bare.display_text()),
            ("sip:a@b", Some("x"), None)
        );
        assert_eq!(NameAddr::parse("\"Mr. J. User <sip:j@x>"), None);
        assert!(!NameAddr::parse("Bell, Alexander <sip:a@b>").unwrap().has_good_display());
        assert!(NameAddr::parse("Łukasz Żółć <sip:a@b>").unwrap().has_good_display());
    }

    #[test]
    fn instances_keep_their_brackets() {
        let text = r#""A" <sip:a@1.2.3.4;gr=urn:x>;+sip.instance="<urn:uuid:f8;1>";reg-id=1;q=0.7"#;
        let contact = NameAddr::parse(text).unwrap();
        assert_eq!(
            quoted(contact.params.get("+sip.instance").unwrap()).unwrap(),
            "<urn:uuid:f8;1>"
        );
        assert_eq!(contact.params.get("q"), Some("0.7"));
    }

    #[test]
    fn a_via_may_have_blanks_and_ipv6() {
        let via = Via::parse("SIP  / 2.0  / TCP     spindle.example.com   ;  branch  =   z9hG4bK9").unwrap();
        assert_eq!(
            (via.transport, via.host, via.branch()),
            ("TCP", "spindle.example.com", Some("z9hG4bK9"))
        );
        let via = Via::parse("SIP/2.0/UDP [2001:db8::2]:5060;branch=z;received=2001:db8::2").unwrap();
        assert_eq!((via.host, via.port), ("2001:db8::2", Some(5060)));
        assert!(!Via::parse("SIP/2.0/UDP 192.0.2.15;;,;,,").unwrap().params.is_good());
        assert_eq!(Via::parse("SIP/7.0/UDP x"), None);
    }
}
