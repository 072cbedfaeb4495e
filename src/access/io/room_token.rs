//! Keys to rooms and the tokens they sign.

use super::{Access, Error};
use crate::room_claims::{self, RoomClaims, Unproved};
use crate::secret;
use crate::throttle::source_key;
use std::net::IpAddr;
use std::time::Duration;
use strowger_model::TenantId;
use strowger_model::record::RoomKey;
use strowger_store::{Actor, KnownRoomKey, NewRoomKey};
use time::OffsetDateTime;
use tracing::{error, warn};
use zeroize::Zeroizing;

/// The name of the key the product signs its own tokens with.
const OWN: &str = "Strowger";

/// Somebody with a valid token to rooms. Only this crate makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomToken {
    tenant: TenantId,
    key: String,
    claims: RoomClaims,
    expires_at: OffsetDateTime,
}

impl RoomToken {
    /// The tenant whose key signed it: the only one whose rooms it reaches.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The key that signed it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &RoomClaims {
        &self.claims
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// Who the audit log says it was.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("room key {}", self.key)
    }
}

/// Why a token to rooms was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomTokenRefusal {
    /// No token came along.
    #[error("send a token in the Authorization header or as access_token")]
    Missing,
    /// It is none of ours: forged, signed in another way, or its key was revoked.
    #[error("invalid token")]
    Wrong,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    Early,
    /// Too many requests with this key, or too many wrong tokens from this address.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable,
}

impl Access {
    /// Makes a key to rooms for a tenant. Returns its row and its secret, which nobody sees again.
    ///
    /// # Errors
    /// The name is taken, or the store failed.
    pub async fn create_room_key(
        &self,
        actor: &Actor,
        tenant: TenantId,
        name: &str,
    ) -> Result<(RoomKey, String), Error> {
        let new = self.new_room_key(name, false);
        let secret = new.secret.to_string();
        let key = self.store().tenant(tenant).room_keys().create(actor, new).await?;
        Ok((key, secret))
    }

    fn new_room_key(&self, name: &str, own: bool) -> NewRoomKey {
        NewRoomKey {
            id: secret::room_key(self.world()),
            name: name.to_owned(),
            secret: Zeroizing::new(secret::random_hex(self.world())),
            own,
        }
    }

    /// Signs a token of the product's own for a tenant's rooms. It is valid from now for `lifetime` or,
    /// without one, for as long as the tenant's settings say.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_room_token(
        &self,
        tenant: TenantId,
        claims: &RoomClaims,
        lifetime: Option<Duration>,
    ) -> Result<(String, OffsetDateTime), Error> {
        let scope = self.store().tenant(tenant);
        let lifetime = match lifetime {
            Some(lifetime) => lifetime,
            None => {
                let hours = scope.settings().resolve().await?.number("room_token_hours");
                Duration::from_secs(u64::try_from(hours).unwrap_or(24).saturating_mul(3600))
            }
        };
        let known = scope.room_keys().own(|| self.new_room_key(OWN, true)).await?;
        self.sign(&known, claims, lifetime)
    }

    /// Signs a token with a key the tenant's programs know, so that they can check it: what goes with a
    /// webhook's body. `None` when the tenant has no such key.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_with_room_key(
        &self,
        tenant: TenantId,
        key: &str,
        claims: &RoomClaims,
        lifetime: Duration,
    ) -> Result<Option<String>, Error> {
        let known = self.store().tenant(tenant).room_keys().known(key).await?;
        known
            .map(|known| self.sign(&known, claims, lifetime).map(|(token, _)| token))
            .transpose()
    }

    fn sign(
        &self,
        known: &KnownRoomKey,
        claims: &RoomClaims,
        lifetime: Duration,
    ) -> Result<(String, OffsetDateTime), Error> {
        let now = self.world().now();
        let until = now + lifetime;
        let token = room_claims::sign(&known.key.id, &known.secret, claims, (now, until)).map_err(|_| Error::Sign)?;
        Ok((token, until))
    }

    /// Who a token to rooms belongs to. Wrong tokens cost the source, right ones cost the key.
    ///
    /// # Errors
    /// Says why not.
    pub async fn room_token(&self, written: &str, source: IpAddr) -> Result<RoomToken, RoomTokenRefusal> {
        match self.proved_room_token(written).await {
            Ok((token, key)) => {
                self.take_room_key(&key.id)?;
                if let Err(problem) = self.store().accounts().room_key_used(&key).await {
                    error!(%problem, "cannot mark that a room key was used");
                }
                Ok(token)
            }
            Err(refusal @ RoomTokenRefusal::Wrong) => {
                let (mut limits, now) = self.limits();
                let taken = limits.wrong_token_by_source.take(source_key(source), now);
                drop(limits);
                taken.map_err(|retry_after| RoomTokenRefusal::TooMany { retry_after })?;
                warn!(%source, "wrong room token");
                Err(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn take_room_key(&self, key: &str) -> Result<(), RoomTokenRefusal> {
        let (mut limits, now) = self.limits();
        limits
            .by_room_key
            .take(key.to_owned(), now)
            .map_err(|retry_after| RoomTokenRefusal::TooMany { retry_after })
    }

    async fn proved_room_token(&self, written: &str) -> Result<(RoomToken, RoomKey), RoomTokenRefusal> {
        let unproved = Unproved::read(written)?;
        let known = self.store().accounts().room_key(&unproved.issuer).await;
        let known = known.map_err(|problem| {
            error!(%problem, "cannot look a room key up");
            RoomTokenRefusal::Unavailable
        })?;
        let KnownRoomKey { key, secret } = known.ok_or(RoomTokenRefusal::Wrong)?;
        let (claims, expires_at) = unproved.prove(&secret, self.world().now())?;
        let token = RoomToken {
            tenant: key.tenant,
            key: key.id.clone(),
            claims,
            expires_at,
        };
        Ok((token, key))
    }
}

impl From<room_claims::Bad> for RoomTokenRefusal {
    fn from(bad: room_claims::Bad) -> Self {
        match bad {
            room_claims::Bad::Form | room_claims::Bad::Signature => Self::Wrong,
            room_claims::Bad::Expired => Self::Expired,
            room_claims::Bad::Early => Self::Early,
        }
    }
}
