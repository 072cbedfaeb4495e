//! What we ask of phones, and how their answer is checked.

use super::{Digest, Proof, hash};
use crate::directory::DeviceAuth;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use strowger_model::trunk::DigestAlgorithm;

/// What a phone claims.
#[derive(Debug, Clone)]
pub struct Claim {
    digest: Digest,
    /// The user name.
    pub username: String,
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// The nonce count, when `qop` is used.
    pub nc: Option<u32>,
}

impl Claim {
    /// Reads the value of an Authorization header; `None` when it is for another scheme or lacks what is needed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = Digest::parse(text)?;
        let (username, realm) = (digest.get("username")?.to_owned(), digest.get("realm")?.to_owned());
        let nonce = digest.get("nonce")?.to_owned();
        digest.get("uri")?;
        digest.get("response")?;
        let nc = match digest.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                digest.get("cnonce")?;
                Some(u32::from_str_radix(digest.get("nc")?, 16).ok()?)
            }
            Some(_) => return None,
        };
        let claim = Self {
            digest,
            username,
            realm,
            nonce,
            nc,
        };
        Some(claim)
    }

    /// Whether the claim proves the password. An unknown user costs as much time as a known one.
    #[must_use]
    pub fn proves(&self, device: Option<&DeviceAuth>, method: &str) -> bool {
        let algorithm = device.map_or(DigestAlgorithm::Md5, |device| device.algorithm);
        let dummy = hash(algorithm, b"nobody");
        let ha1 = device.map_or(dummy.as_str(), |device| device.ha1.hex());
        let field = |name| self.digest.get(name).unwrap_or_default();
        let proof = Proof {
            algorithm,
            nonce: &self.nonce,
            counted: self.nc.map(|_| (field("nc"), field("cnonce"))),
            method,
            uri: field("uri"),
        };
        let wanted = proof.response(ha1);
        let is_right =
            verify_slices_are_equal(wanted.as_bytes(), field("response").to_ascii_lowercase().as_bytes()).is_ok();
        is_right && device.is_some() && self.digest.algorithm() == Some(algorithm)
    }
}

/// The value of a WWW-Authenticate header. One algorithm alone: phones stumble over a choice.
#[must_use]
pub fn challenge(realm: &str, nonce: &str, algorithm: DigestAlgorithm, is_stale: bool) -> String {
    let realm: String = realm.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    let stale = if is_stale { ", stale=true" } else { "" };
    let algorithm = match algorithm {
        DigestAlgorithm::Md5 => "MD5",
        DigestAlgorithm::Sha256 => "SHA-256",
    };
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
}
