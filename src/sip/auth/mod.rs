//! Digest authentication (RFC 7616, RFC 8760): the one scheme SIP phones speak.

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
