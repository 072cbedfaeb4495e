//! The console and the REST interface: their keys, and which of their listeners speaks what to whom.

use super::read::Reader;
use std::net::{IpAddr, SocketAddr};

/// The console and the REST interface.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Which listeners speak HTTPS.
    pub tls: HttpTls,
    /// How people reach it, for links; `None` takes the request's own host.
    pub public_url: Option<String>,
    /// Whether cookies are marked `Secure`.
    pub secure_cookies: bool,
    /// Proxies whose word on where a request came from is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether `/metrics` answers others than this machine.
    pub metrics_public: bool,
}

/// Which listeners speak HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpTls {
    /// Those that other machines reach. In clear they serve this machine and trusted proxies, and redirect others.
    Auto,
    /// All; whoever comes in clear is redirected.
    Always,
    /// None: passwords and recordings cross the network in clear.
    Never,
}

impl Http {
    /// Whether the listener at this address takes TLS.
    #[must_use]
    pub const fn speaks_tls(&self, listener: SocketAddr) -> bool {
        match self.tls {
            HttpTls::Auto => !listener.ip().to_canonical().is_loopback(),
            HttpTls::Always => true,
            HttpTls::Never => false,
        }
    }

    /// Whether a listener that takes TLS serves this far side in clear as well.
    #[must_use]
    pub fn serves_in_clear(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        match self.tls {
            HttpTls::Auto => from.is_loopback() || self.trusted_proxies.contains(&from),
            HttpTls::Always => false,
            HttpTls::Never => true,
        }
    }

    /// The host of `http.public_url`.
    #[must_use]
    pub fn public_host(&self) -> Option<&str> {
        let (_, rest) = self.public_url.as_deref()?.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            Some(_) | None => authority,
        };
        Some(host).filter(|host| !host.is_empty())
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Http {
    let listen = reader.listeners("http.listen");
    let word = reader.text("http.tls");
    let tls = match word.as_str() {
        "auto" => HttpTls::Auto,
        "always" => HttpTls::Always,
        "never" => HttpTls::Never,
        other => {
            reader.fault("http.tls", format!("takes auto, always or never, not `{other}`"));
            HttpTls::Auto
        }
    };
    Http {
        listen,
        tls,
        public_url: Some(reader.text("http.public_url")).filter(|url| !url.is_empty()),
        secure_cookies: reader.switch("http.secure_cookies"),
        trusted_proxies: reader.addresses("http.trusted_proxies"),
        metrics_public: reader.switch("http.metrics_public"),
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use std::collections::BTreeMap;

    fn http(text: &str) -> super::Http {
        let text = format!("[http]\n{text}");
        Config::from_parts(Some(&text), &BTreeMap::new()).unwrap().0.http
    }

    #[test]
    fn other_machines_find_https_and_this_one_plain_http() {
        let rows = [
            ("", "127.0.0.1:8080", false),
            ("", "[::1]:8080", false),
            ("", "0.0.0.0:8080", true),
            ("", "10.0.0.7:80", true),
            ("tls = \"always\"", "127.0.0.1:8080", true),
            ("tls = \"never\"", "0.0.0.0:8080", false),
        ];
        for (text, listener, wanted) in rows {
            assert_eq!(
                http(text).speaks_tls(listener.parse().unwrap()),
                wanted,
                "{text} {listener}"
            );
        }
    }

    #[test]
    fn in_clear_a_tls_listener_serves_this_machine_and_named_proxies() {
        let proxy = "trusted_proxies = [\"10.0.0.5\"]\n";
        let rows = [
            ("auto", "127.0.0.1", true),
            ("auto", "::ffff:127.0.0.1", true),
            ("auto", "10.0.0.5", true),
            ("auto", "::ffff:10.0.0.5", true),
            ("auto", "10.0.0.6", false),
            ("always", "127.0.0.1", false),
            ("always", "10.0.0.5", false),
            ("never", "10.0.0.6", true),
        ];
        for (tls, from, wanted) in rows {
            let http = http(&format!("{proxy}tls = \"{tls}\""));
            assert_eq!(http.serves_in_clear(from.parse().unwrap()), wanted, "{tls} {from}");
        }
    }

    #[test]
    fn the_public_host_is_what_the_certificate_made_here_is_for() {
        let rows = [
            ("https://pbx.example", "pbx.example"),
            ("https://pbx.example:8443/x", "pbx.example"),
            ("http://[fd00::7]:8080/", "[fd00::7]"),
            ("https://[fd00::7]", "[fd00::7]"),
        ];
        for (url, wanted) in rows {
            let http = http(&format!("public_url = \"{url}\""));
            assert_eq!(http.public_host(), Some(wanted), "{url}");
        }
        assert_eq!(http("").public_host(), None);
    }
}
