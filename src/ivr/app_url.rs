//! Where a voice app listens: a WebSocket URL, taken apart and checked.

use std::net::{IpAddr, Ipv6Addr};

/// The address of a voice app. It holds neither a password nor a query: both end up in logs, and what a
/// program is to know about a call goes into its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppUrl {
    /// Whether the connection is encrypted (`wss`).
    pub encrypted: bool,
    /// Name or address of the host, an IPv6 address without its brackets.
    pub host: String,
    /// The port; 443 or 80 where none is written.
    pub port: u16,
}

/// Why something is no address of a voice app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAppUrl {
    /// It begins with neither scheme.
    #[error("it must begin with wss:// or ws://")]
    Scheme,
    /// Nothing stands where the host is expected, or something that is none.
    #[error("it names no host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// A user or password stands before the host.
    #[error("a name or password must not stand in it; let the connection be signed with a “key” instead")]
    Credentials,
    /// It has a query or a fragment.
    #[error("what comes after “?” or “#” is not sent; write it as “parameters” instead")]
    Query,
    /// It holds characters that no URL has.
    #[error("it holds a character that no URL has")]
    Character,
}

impl AppUrl {
    /// Takes a URL apart (RFC 3986 §3, RFC 6455 §3).
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(url: &str) -> Result<Self, BadAppUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(BadAppUrl::Scheme)?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "wss" => true,
            "ws" => false,
            _ => return Err(BadAppUrl::Scheme),
        };
        if !url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
        {
            return Err(BadAppUrl::Character);
        }
        if rest.contains(['?', '#']) {
            return Err(BadAppUrl::Query);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(BadAppUrl::Credentials);
        }
        let (host, port) = split(authority)?;
        let port = match port {
            None => {
                if encrypted {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadAppUrl::Port)?,
        };
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port,
        })
    }

    /// Whether its host is this machine or lies in a private network, as far as its name says.
    #[must_use]
    pub fn is_near(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
            Ok(IpAddr::V6(address)) => {
                address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
            }
            // What has no dot is a name of this network.
            Err(_) => !host.contains('.') || host.ends_with(".localhost") || host.ends_with(".internal"),
        }
    }
}

impl std::fmt::Display for AppUrl {
    /// Host and port, as a person is told with whom the caller was connected.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

/// Host and port of an authority.
fn split(authority: &str) -> Result<(&str, Option<&str>), BadAppUrl> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(BadAppUrl::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| BadAppUrl::Host)?;
        return match rest {
            "" => Ok((host, None)),
            rest => Ok((host, Some(rest.strip_prefix(':').ok_or(BadAppUrl::Port)?))),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_name = |host: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !host.is_empty() && host.len() <= 253 && host.bytes().all(is_letter)
    };
    if is_name(host) {
        Ok((host, port))
    } else {
        Err(BadAppUrl::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_taken_apart() {
        let url = AppUrl::read("wss://voice.example/clerk/1").unwrap();
        assert_eq!(
            (url.encrypted, url.host.as_str(), url.port),
            (true, "voice.example", 443)
        );
        let url = AppUrl::read("WS://[2001:db8::1]:9000").unwrap();
        assert_eq!(
            (url.encrypted, url.host.as_str(), url.port),
            (false, "2001:db8::1", 9000)
        );
        assert_eq!(url.to_string(), "[2001:db8::1]:9000");
        assert_eq!(AppUrl::read("ws://127.0.0.1/x").unwrap().to_string(), "127.0.0.1:80");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, why) in [
            ("https://a.example", BadAppUrl::Scheme),
            ("a.example", BadAppUrl::Scheme),
            ("wss://", BadAppUrl::Host),
            ("wss:///x", BadAppUrl::Host),
            ("wss://[::1", BadAppUrl::Host),
            ("wss://[zz]/", BadAppUrl::Host),
            ("wss://a.example:0", BadAppUrl::Port),
            ("wss://a.example:70000", BadAppUrl::Port),
            ("wss://a.example:", BadAppUrl::Port),
            ("wss://ada:secret@a.example/", BadAppUrl::Credentials),
            ("wss://a.example/x?token=secret", BadAppUrl::Query),
            ("wss://a.example/x#y", BadAppUrl::Query),
            ("wss://a.example/a b", BadAppUrl::Character),
            ("wss://a.example/{caller}", BadAppUrl::Character),
            ("wss://a.example/\r\nX: y", BadAppUrl::Character),
            ("wss://ä.example/", BadAppUrl::Character),
        ] {
            assert_eq!(AppUrl::read(url), Err(why), "{url}");
        }
    }

    #[test]
    fn what_is_near_is_told_from_what_is_outside() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "[::1]",
            "[fd00::1]",
            "localhost",
            "voice",
            "a.internal",
        ] {
            assert!(AppUrl::read(&format!("ws://{near}/")).unwrap().is_near(), "{near}");
        }
        for far in ["voice.example", "198.51.100.7", "[2001:db8::1]"] {
            assert!(!AppUrl::read(&format!("ws://{far}/")).unwrap().is_near(), "{far}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "\\PC{0,60}", path in "[ -~]{0,40}") {
            let _ = AppUrl::read(&text);
            if let Ok(url) = AppUrl::read(&format!("wss://{path}")) {
                prop_assert!(!url.host.is_empty() && url.port != 0);
                prop_assert!(!path.contains('@') || path.find('@') > path.find('/'));
            }
        }
    }
}
