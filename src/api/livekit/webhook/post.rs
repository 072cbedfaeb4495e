//! One POST to an address somebody typed, as far as [`Outward`] goes. No redirection is followed.

use aws_lc_rs::digest;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;
use strowger_switch::io::{Outward, OutwardError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are looked at: the status line is at its beginning.
const ANSWER_BYTES: usize = 1024;

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the address is none: {0}")]
    Address(&'static str),
    #[error(transparent)]
    Outward(#[from] OutwardError),
    #[error("the answer cannot be read")]
    Broken,
    #[error("answered {0}")]
    Answered(u16),
    #[error("no answer in time")]
    TimedOut,
    #[error("its key was revoked")]
    Revoked,
    #[error("it could not be signed")]
    Unsigned,
}

impl Fault {
    /// Whether another try may do better.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Outward(OutwardError::Unknown(_) | OutwardError::Connect(_)) => true,
            Self::Outward(OutwardError::Private | OutwardError::Name | OutwardError::Encryption) => false,
            Self::Broken | Self::TimedOut | Self::Unsigned => true,
            Self::Answered(status) => *status >= 500 || matches!(*status, 408 | 429),
            Self::Address(_) | Self::Revoked => false,
        }
    }
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Parcel<'a> {
    pub(super) url: &'a str,
    pub(super) authorization: &'a str,
    pub(super) body: &'a [u8],
}

/// SHA-256 in base64.
pub(super) fn sha256(body: &[u8]) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, body))
}

/// How far webhooks reach.
#[derive(Debug)]
pub struct Reach {
    outward: Outward,
}

impl Reach {
    /// To public addresses alone or, with `anywhere`, to this machine and private networks too. Encrypted
    /// addresses are reached as far as this machine trusts their certificates.
    #[must_use]
    pub fn new(anywhere: bool) -> Self {
        let outward = if anywhere {
            Outward::anywhere()
        } else {
            Outward::public_and(Vec::new())
        };
        Self { outward }
    }

    pub(super) async fn post(&self, parcel: &Parcel<'_>) -> Result<(), Fault> {
        tokio::time::timeout(PATIENCE, self.within(parcel))
            .await
            .unwrap_or(Err(Fault::TimedOut))
    }

    async fn within(&self, parcel: &Parcel<'_>) -> Result<(), Fault> {
        let to = Target::read(parcel.url)?;
        let stream = self.outward.connect(&to.host, to.port, to.encrypted).await?;
        let status = exchange(stream, &to, parcel).await?;
        if (200..300).contains(&status) {
            Ok(())
        } else {
            Err(Fault::Answered(status))
        }
    }
}

/// An address taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    encrypted: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    fn read(url: &str) -> Result<Self, Fault> {
        let uri: Uri = url.parse().map_err(|_| Fault::Address("not a URL"))?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(Fault::Address("neither https nor http")),
        };
        let authority = uri.authority().ok_or(Fault::Address("no host"))?;
        if authority.as_str().contains('@') {
            return Err(Fault::Address("it holds a password"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self {
            encrypted,
            host,
            port: authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path,
        })
    }
}

async fn exchange<S>(mut stream: S, to: &Target, parcel: &Parcel<'_>) -> Result<u16, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Strowger\r\nContent-Type: application/webhook+json\r\n\
         Authorization: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        to.path,
        to.authority,
        parcel.authorization,
        parcel.body.len()
    );
    let broken = |_| Fault::Broken;
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    stream.write_all(parcel.body).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = Vec::new();
    let mut part = [0; 256];
    while answer.len() < ANSWER_BYTES && !answer.contains(&b'\n') {
        let read = stream.read(&mut part).await.map_err(broken)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
    }
    status(&answer).ok_or(Fault::Broken)
}

/// RFC 9112 §4: the status line.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let to = Target::read("https://a.example:8443/x?y=1").unwrap();
        assert!(to.encrypted);
        assert_eq!(
            (to.host.as_str(), to.port, to.path.as_str()),
            ("a.example", 8443, "/x?y=1")
        );
        let to = Target::read("http://[2001:db8::1]/").unwrap();
        assert_eq!((to.host.as_str(), to.port), ("2001:db8::1", 80));
        for wrong in [
            "ftp://a.example/",
            "https:///x",
            "//a",
            "https://u:p@a.example/",
            "https://a b/",
        ] {
            assert!(Target::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\nX: y"), Some(204));
        for wrong in [&b""[..], b"HTTP/2 200", b"hello", b"HTTP/1.1 x", b"\xff\xff"] {
            assert_eq!(status(wrong), None);
        }
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        assert!(Fault::Answered(503).may_pass() && Fault::TimedOut.may_pass());
        assert!(!Fault::Answered(401).may_pass() && !Fault::Outward(OutwardError::Private).may_pass());
    }
}
