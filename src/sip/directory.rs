//! Who may speak to us: answered from memory by whoever knows devices and trunks.

use std::net::SocketAddr;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{DeviceId, TenantId, TrunkId, UserId};
use zeroize::Zeroizing;

/// The digest of user name, realm and password (RFC 2617 H(A1)) in lower-case hex. Wiped when dropped.
#[derive(Clone)]
pub struct Ha1(Zeroizing<String>);

impl Ha1 {
    /// Wraps a digest in lower-case hex.
    #[must_use]
    pub fn new(hex: impl Into<String>) -> Self {
        Self(Zeroizing::new(hex.into()))
    }

    /// Digests a password.
    #[must_use]
    pub fn of(algorithm: DigestAlgorithm, username: &str, realm: &str, password: &str) -> Self {
        let text = Zeroizing::new(format!("{username}:{realm}:{password}"));
        Self::new(crate::auth::hash(algorithm, text.as_bytes()))
    }

    pub(crate) fn hex(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Ha1(..)")
    }
}

/// What is needed to check a device's password.
#[derive(Debug, Clone)]
pub struct DeviceAuth {
    /// The device.
    pub device: DeviceId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose device it is.
    pub user: Option<UserId>,
    /// The digest of its password, made with `algorithm`.
    pub ha1: Ha1,
    /// The algorithm it is challenged with.
    pub algorithm: DigestAlgorithm,
}

/// What answers a provider's challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkAuth {
    /// The user name.
    pub username: String,
    /// The password. Wiped when dropped.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for TrunkAuth {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TrunkAuth")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Devices and trunks, looked up for every request: answered from memory, never blocking.
pub trait Directory: Send + Sync {
    /// The device of a user name in a realm.
    fn device(&self, username: &str, realm: &str) -> Option<DeviceAuth>;

    /// The realm to challenge with: the tenant's, or the default one, so that an unknown user sees
    /// what a known one sees.
    fn realm_of(&self, request_host: &str, from_host: &str, username: &str) -> String;

    /// The trunk whose packets come from `source`.
    fn trunk_of(&self, source: SocketAddr) -> Option<TrunkId>;

    /// What answers a trunk's challenge.
    fn trunk_auth(&self, trunk: TrunkId) -> Option<TrunkAuth>;
}
