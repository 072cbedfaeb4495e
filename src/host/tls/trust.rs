//! Towards others: whose certificates are believed, and what a refusal means in words.

use super::{TlsError, provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Where Debian keeps the authorities it trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How we connect: the far side's certificate must be for the name we call, within its term, and from an authority of
/// the system or of `authorities`, a PEM file of further ones.
///
/// # Errors
/// `authorities` cannot be read. A system without authorities is no error: every certificate is refused then.
pub fn connecting(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Ok(system) = CertificateDer::pem_file_iter(AUTHORITIES) {
        roots.add_parsable_certificates(system.flatten());
    }
    if let Some(file) = authorities {
        let unreadable = |source| TlsError::Unreadable {
            file: file.to_owned(),
            source,
        };
        let further: Vec<_> = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect)
            .map_err(unreadable)?;
        roots.add_parsable_certificates(further);
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Why a handshake failed, for whoever has to mend it.
#[must_use]
pub fn refusal(problem: &std::io::Error) -> String {
    let library = problem
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = library else {
        return problem.to_string();
    };
    // The library adds variants; its own words serve for those nobody here has met.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is another crate's and grows")]
    let said = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "its term has not begun",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host name"
        }
        CertificateError::UnknownIssuer => "it is from no authority that is trusted here",
        CertificateError::Revoked => "it was revoked",
        _ => return format!("the far side's certificate is refused: {why}"),
    };
    format!("the far side's certificate is refused: {said}")
}
