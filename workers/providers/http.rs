//! One POST to a provider, and its answer. No redirection is followed; the key travels in a header only.

use super::Request;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The certificate authorities this machine trusts, where Debian keeps them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The longest answer taken.
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody answers there.
    #[error("nobody answers")]
    Connect(#[source] std::io::Error),
    /// This machine cannot speak TLS.
    #[error("encryption is not available")]
    Tls,
    /// The answer broke off or is no HTTP.
    #[error("the answer cannot be read")]
    Broken,
    /// Another status than success.
    #[error("answered {0}")]
    Status(u16),
}

/// A provider's address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    encrypted: bool,
    host: String,
    port: u16,
    /// What paths begin with, without a slash at its end.
    prefix: String,
}

impl Place {
    /// Reads an address such as `https://api.example/v1`.
    #[must_use]
    pub(super) fn read(url: &str) -> Option<Self> {
        let (encrypted, rest) = match url.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['@', '?', '#']);
        if authority.is_empty() || !plain(authority) || !plain(path) {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            Some(_) | None => (authority, if encrypted { 443 } else { 80 }),
        };
        Some(Self {
            encrypted,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            prefix: match path.trim_end_matches('/') {
                "" => String::new(),
                path => format!("/{path}"),
            },
        })
    }

    /// The host, for people.
    #[must_use]
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Sends a request and gives the answer's body.
pub(super) async fn post(place: &Place, request: &Request, key: Option<&str>) -> Result<Vec<u8>, Fault> {
    let stream = TcpStream::connect((place.host.as_str(), place.port))
        .await
        .map_err(Fault::Connect)?;
    if !place.encrypted {
        return exchange(stream, place, request, key).await;
    }
    let name = ServerName::try_from(place.host.clone()).map_err(|_| Fault::Tls)?;
    let stream = connector()
        .ok_or(Fault::Tls)?
        .connect(name, stream)
        .await
        .map_err(Fault::Connect)?;
    exchange(stream, place, request, key).await
}

/// Reads whom this machine trusts once: some hundred certificates cost more than all else a request does.
fn connector() -> Option<TlsConnector> {
    static MADE: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Some(made.clone());
    }
    // What cannot be read now may be there the next time.
    let new = new_connector()?;
    Some(MADE.get_or_init(|| new).clone())
}

fn new_connector() -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(AUTHORITIES).ok()?.flatten());
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

async fn exchange<S>(mut stream: S, place: &Place, request: &Request, key: Option<&str>) -> Result<Vec<u8>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (name, before) = request.key_header;
    let key = key.map(|key| format!("{name}: {before}{key}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {}{} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: Strowger\r\nAccept: application/json\r\nContent-Type: {}\r\n\
         {key}Content-Length: {}\r\nConnection: close\r\n\r\n",
        place.prefix,
        request.path,
        place.host,
        place.port,
        request.content_type,
        request.body.len()
    );
    let broken = |_| Fault::Broken;
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    stream.write_all(&request.body).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = Vec::new();
    // Servers that end a TLS connection without saying so have still answered.
    let read = (&mut stream).take(ANSWER_BYTES).read_to_end(&mut answer).await;
    if read.is_err() && answer.is_empty() {
        return Err(Fault::Broken);
    }
    body_of(&answer)
}

/// RFC 9112: the status, and the body by its length, in chunks, or until the end.
fn body_of(answer: &[u8]) -> Result<Vec<u8>, Fault> {
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .ok_or(Fault::Broken)?;
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head).map_err(|_| Fault::Broken)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))
        .ok_or(Fault::Broken)?;
    let status: u16 = words.next().and_then(|word| word.parse().ok()).ok_or(Fault::Broken)?;
    if !(200..300).contains(&status) {
        return Err(Fault::Status(status));
    }
    let field = |name: &str| {
        let mut fields = lines.clone().filter_map(|line| line.split_once(':'));
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return chunks(body).ok_or(Fault::Broken);
    }
    match field("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => body.get(..length).map(<[u8]>::to_vec).ok_or(Fault::Broken),
        Some(Err(_)) => Err(Fault::Broken),
        None => Ok(body.to_vec()),
    }
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let from = end + 2;
        let to = from.checked_add(size)?;
        body.extend_from_slice(rest.get(from..to)?);
        rest = rest.get(to..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_apart() {
        let place = Place::read("https://api.example/v1/").unwrap();
        assert_eq!(
            (place.encrypted, place.host(), place.port, place.prefix.as_str()),
            (true, "api.example", 443, "/v1")
        );
        assert_eq!(Place::read("http://127.0.0.1:8080").unwrap().port, 8080);
        assert_eq!(Place::read("http://[::1]:8080/a").unwrap().host(), "::1");
        for wrong in [
            "ftp://a",
            "https://",
            "https://u:p@a/",
            "https://a/?key=1",
            "https://a b/",
            "a",
        ] {
            assert!(Place::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_read_by_length_in_chunks_and_to_the_end() {
        let read = |text: &str| body_of(text.as_bytes()).map(|body| String::from_utf8(body).unwrap());
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap(), "hi");
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap(), "hi!");
        assert_eq!(read("HTTP/1.0 200 OK\r\n\r\nhi").unwrap(), "hi");
        assert!(matches!(
            read("HTTP/1.1 429 Slow down\r\n\r\n{}"),
            Err(Fault::Status(429))
        ));
        assert!(matches!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
            Err(Fault::Broken)
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = body_of(&bytes);
            let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            answer.extend(bytes);
            let _ = body_of(&answer);
        }
    }
}
