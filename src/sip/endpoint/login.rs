//! Proving a password.

use super::Endpoint;
use crate::auth::challenge::{Claim, challenge};
use crate::auth::nonce::Worth;
use crate::directory::DeviceAuth;
use crate::message::{Message, Method, Name, Uri};
use crate::transaction::Path;
use std::net::SocketAddr;
use strowger_model::trunk::DigestAlgorithm;
use tracing::{debug, warn};

impl Endpoint {
    /// The device that proved its password; `None` when it was challenged. An unknown user, a wrong password and a user
    /// who failed too often all look alike.
    pub(super) fn login(
        &mut self,
        request: &Message,
        method: &Method,
        path: Path,
        source: SocketAddr,
    ) -> Option<(DeviceAuth, String)> {
        let now = self.core.now;
        let claims: Vec<Claim> = [Name::Authorization, Name::ProxyAuthorization]
            .into_iter()
            .flat_map(|name| request.values(name))
            .filter_map(Claim::parse)
            .take(4)
            .collect();
        let worth = |claim: &Claim| self.core.nonces.check(&claim.nonce, &claim.realm, source.ip(), now);
        let ours = claims.iter().find(|claim| matches!(worth(claim), Worth::Fresh(_)));
        let Some(claim) = ours.or_else(|| claims.first()) else {
            self.challenge(request, None, path, source, false);
            return None;
        };
        let device = self.core.directory.device(&claim.username, &claim.realm);
        let is_known_place = device
            .as_ref()
            .is_some_and(|device| self.bindings.is_at(device.device, source));
        // Whoever guesses cannot lock out the phone that is registered from where it is.
        if !is_known_place && !self.core.guard.may_try(source.ip(), &claim.username, now) {
            debug!(%source, "too many wrong passwords; not looked at");
            self.challenge(request, Some(&claim.username), path, source, false);
            return None;
        }
        if !claim.proves(device.as_ref(), method.as_str()) {
            warn!(%source, method = method.as_str(), "wrong user name or password");
            self.core.guard.was_wrong(source.ip(), &claim.username, now);
            self.challenge(request, Some(&claim.username), path, source, false);
            return None;
        }
        // Only a proved password may spend a nonce, or anybody could use up somebody's counts.
        let is_fresh = match worth(claim) {
            Worth::Fresh(name) => self.core.nonces.spend(name, claim.nc, now),
            Worth::Stale => false,
        };
        let (username, device) = (claim.username.clone(), device?);
        if !is_fresh {
            self.challenge(request, Some(&username), path, source, true);
            return None;
        }
        Some((device, username))
    }

    fn challenge(&mut self, request: &Message, username: Option<&str>, path: Path, source: SocketAddr, is_stale: bool) {
        let host = |text: &str| Uri::parse(text).map(|uri| uri.host.to_owned()).unwrap_or_default();
        let request_host = host(request.request_uri().unwrap_or_default());
        let from = request.from();
        let from_host = from.map(|from| host(from.uri)).unwrap_or_default();
        let from_user = from
            .and_then(|from| Uri::parse(from.uri))
            .map(|uri| uri.user_text())
            .unwrap_or_default();
        let username = username.unwrap_or(&from_user);
        let realm = self.core.directory.realm_of(&request_host, &from_host, username);
        let algorithm = self
            .core
            .directory
            .device(username, &realm)
            .map_or(DigestAlgorithm::Md5, |device| device.algorithm);
        let now = self.core.now;
        let nonce = self.core.nonces.mint(&realm, source.ip(), now);
        let value = challenge(&realm, &nonce, algorithm, is_stale);
        self.core
            .reply_stateless(request, 401, "", path, &[("WWW-Authenticate", value)]);
    }
}
