//! What we answer to providers that challenge us.

use super::{Digest, Proof, hash};
use crate::TrunkAuth;
use strowger_model::trunk::DigestAlgorithm;

/// The value of an Authorization header for a challenge; `None` when it asks for what we do not speak. `cnonce` is
/// fresh for every call, so the count is always one.
#[must_use]
pub fn answer(challenge: &str, auth: &TrunkAuth, method: &str, uri: &str, cnonce: &str) -> Option<String> {
    let asked = Digest::parse(challenge)?;
    let algorithm = asked.algorithm()?;
    let (realm, nonce) = (asked.get("realm")?, asked.get("nonce")?);
    let is_counted = match asked.get("qop") {
        None | Some("") => false,
        Some(offers) if offers.split(',').any(|offer| offer.trim().eq_ignore_ascii_case("auth")) => true,
        Some(_) => return None,
    };
    let counted = is_counted.then_some(("00000001", cnonce));
    let ha1 = hash(
        algorithm,
        format!("{}:{realm}:{}", auth.username, auth.password.as_str()).as_bytes(),
    );
    let response = Proof {
        algorithm,
        nonce,
        counted,
        method,
        uri,
    }
    .response(&ha1);
    let name = match algorithm {
        DigestAlgorithm::Md5 => "MD5",
        DigestAlgorithm::Sha256 => "SHA-256",
    };
    let mut out = format!(
        "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={name}",
        auth.username
    );
    if is_counted {
        out.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\""));
    }
    if let Some(opaque) = asked.get("opaque") {
        out.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(out)
}

/// Whether a challenge says that only the nonce was too old.
#[must_use]
pub fn is_stale(challenge: &str) -> bool {
    Digest::parse(challenge).is_some_and(|asked| {
        asked
            .get("stale")
            .is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::challenge::{Claim, challenge};
    use crate::directory::{DeviceAuth, Ha1};
    use strowger_model::world::SeededWorld;
    use strowger_model::{DeviceId, TenantId};

    #[test]
    fn our_answer_passes_our_check_with_either_algorithm() {
        let world = SeededWorld::new(1, 0);
        let auth = TrunkAuth {
            username: "u".into(),
            password: "p".to_owned().into(),
        };
        for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
            let asked = challenge("r", "n", algorithm, false);
            let claim = Claim::parse(&answer(&asked, &auth, "REGISTER", "sip:x", "c").unwrap()).unwrap();
            let device = |password: &str| DeviceAuth {
                device: DeviceId::generate(&world),
                tenant: TenantId::generate(&world),
                user: None,
                ha1: Ha1::of(algorithm, "u", "r", password),
                algorithm,
            };
            assert!(claim.proves(Some(&device("p")), "REGISTER"));
            assert!(!claim.proves(Some(&device("q")), "REGISTER"));
            assert!(!claim.proves(Some(&device("p")), "INVITE"));
            assert!(!claim.proves(None, "REGISTER"));
        }
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let ha1 = hash(DigestAlgorithm::Md5, b"Mufasa:testrealm@host.com:Circle Of Life");
        let proof = Proof {
            algorithm: DigestAlgorithm::Md5,
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            counted: Some(("00000001", "0a4f113b")),
            method: "GET",
            uri: "/dir/index.html",
        };
        assert_eq!(proof.response(&ha1), "6629fae49393a05397450978507c4ef1");
    }
}
