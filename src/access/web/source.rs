//! Where a request came from.

use crate::Access;
use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address a request came from, and whether it came encrypted. Behind a proxy that the
/// configuration trusts, what the proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The address.
    pub address: IpAddr,
    /// Whether the browser spoke https, so that cookies may be marked `Secure`.
    pub https: bool,
}

/// Beside a request that came encrypted to this very process: its listener puts it there.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted;

impl Source {
    pub(crate) fn of(parts: &Parts, access: &Access) -> Self {
        let seen = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        let trusted = access.trusts_proxy(seen);
        let said = |name: &str| trusted.then(|| parts.headers.get(name)?.to_str().ok()).flatten();
        // The last entry is the one our own proxy wrote; those before it are the client's word.
        let forwarded = said("x-forwarded-for").and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        Self {
            address: forwarded.unwrap_or(seen),
            https: access.secure_cookies()
                || parts.extensions.get::<Encrypted>().is_some()
                || said("x-forwarded-proto") == Some("https"),
        }
    }
}

impl<S> FromRequestParts<S> for Source
where
    Access: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &Access::from_ref(state)))
    }
}
