//! Digest authentication (RFC 7616, RFC 8760): the one scheme SIP phones speak.
//!
//! [`challenge`] is what we ask and check, [`answer`] is what providers ask of us, [`nonce`] mints nonces that need no
//! memory until somebody has proved a password with them.

pub mod answer;
pub mod challenge;
pub mod nonce;

use crate::message::Params;
use md5::{Digest as _, Md5};
use strowger_model::trunk::DigestAlgorithm;

/// Digests `bytes` into lower-case hex.
#[must_use]
pub fn hash(algorithm: DigestAlgorithm, bytes: &[u8]) -> String {
    match algorithm {
        DigestAlgorithm::Md5 => hex::encode(Md5::digest(bytes)),
        DigestAlgorithm::Sha256 => hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)),
    }
}

/// What both sides digest besides the password.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The algorithm.
    pub algorithm: DigestAlgorithm,
    /// The nonce as it was given.
    pub nonce: &'a str,
    /// `nc` as it was written, and `cnonce`, when `qop=auth` is used.
    pub counted: Option<(&'a str, &'a str)>,
    /// The method.
    pub method: &'a str,
    /// The URI as it was written.
    pub uri: &'a str,
}

impl Proof<'_> {
    /// The response that proves H(A1).
    #[must_use]
    pub fn response(&self, ha1: &str) -> String {
        let ha2 = hash(self.algorithm, format!("{}:{}", self.method, self.uri).as_bytes());
        let text = match self.counted {
            // The nc is digested as it was written: phones differ in its letters.
            Some((nc, cnonce)) => format!("{ha1}:{}:{nc}:{cnonce}:auth:{ha2}", self.nonce),
            None => format!("{ha1}:{}:{ha2}", self.nonce),
        };
        hash(self.algorithm, text.as_bytes())
    }
}

/// The parameters of a `Digest` header value.
#[derive(Debug, Clone)]
pub struct Digest(Vec<(String, String)>);

impl Digest {
    /// Reads the value of an authentication header; `None` for another scheme.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let fields = crate::message::list(rest).filter_map(|item| {
            let (name, value) = item.split_once('=')?;
            let value = value.trim();
            let bare = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value);
            Some((name.trim().to_ascii_lowercase(), bare.to_owned()))
        });
        Some(Self(fields.take(24).collect()))
    }

    /// A parameter, without quotes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The algorithm, MD5 unless named; `None` for one we do not speak.
    #[must_use]
    pub fn algorithm(&self) -> Option<DigestAlgorithm> {
        match self.get("algorithm") {
            None => Some(DigestAlgorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(DigestAlgorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(DigestAlgorithm::Sha256),
            Some(_) => None,
        }
    }
}

/// The bare parameters of a header such as `Session-Expires: 1800;refresher=uac`.
pub(crate) fn split_value(text: &str) -> (&str, Params<'_>) {
    let (value, params) = text.split_at(text.find(';').unwrap_or(text.len()));
    (value.trim(), Params::new(params))
}
