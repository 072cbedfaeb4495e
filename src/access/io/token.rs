//! API tokens: shown once, kept as a digest, bound to a tenant and a role.

use super::{Access, Error};
use crate::principal::Principal;
use crate::secret;
use crate::throttle::source_key;
use crate::web::BearerRefusal;
use std::net::IpAddr;
use strowger_model::record::ApiToken;
use strowger_model::{Role, TenantId, TokenId};
use time::{Duration, OffsetDateTime};
use tracing::{error, warn};

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// The role it acts as; never a platform administrator's.
    pub role: Role,
    /// When it ends, if ever.
    pub expires_at: Option<OffsetDateTime>,
}

impl Access {
    /// Makes a token for a tenant. Returns its row and its text, which nobody sees again.
    ///
    /// # Errors
    /// The role is a platform administrator's, or the store failed.
    pub async fn create_token(&self, tenant: TenantId, new: NewToken) -> Result<(ApiToken, String), Error> {
        if new.role == Role::PlatformAdmin {
            return Err(Error::TokenRole);
        }
        let world = self.world();
        let secret = secret::random_hex(world);
        let token = ApiToken {
            id: TokenId::generate(world),
            tenant,
            name: new.name,
            role: new.role,
            expires_at: new.expires_at,
            last_used_at: None,
            created_at: world.now(),
        };
        let digest = secret::digest_hex(&secret);
        self.store().tenant(tenant).tokens().create(&token, &digest).await?;
        let written = secret::write_token(token.id, &secret);
        Ok((token, written))
    }

    /// Who an API token belongs to. Wrong tokens cost the source, right ones cost the token.
    ///
    /// # Errors
    /// Says why not.
    pub async fn api_token(&self, written: &str, source: IpAddr) -> Result<Principal, BearerRefusal> {
        let known = match secret::read_token(written) {
            Some((id, secret)) => self.known_token(id, secret).await?,
            None => None,
        };
        let Some(token) = known else {
            let (mut limits, now) = self.limits();
            let taken = limits.wrong_token_by_source.take(source_key(source), now);
            drop(limits);
            taken.map_err(|retry_after| BearerRefusal::TooMany { retry_after })?;
            warn!(%source, "wrong API token");
            return Err(BearerRefusal::Wrong);
        };
        {
            let (mut limits, at) = self.limits();
            let taken = limits.by_token.take(token.id, at);
            taken.map_err(|retry_after| BearerRefusal::TooMany { retry_after })?;
        }
        let now = self.world().now();
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(BearerRefusal::Expired);
        }
        self.note_use(&token, now).await;
        Ok(Principal::program(&token))
    }

    async fn known_token(&self, id: TokenId, secret: &str) -> Result<Option<ApiToken>, BearerRefusal> {
        let found = self.store().accounts().token(id).await.map_err(|problem| {
            error!(%problem, "cannot look an API token up");
            BearerRefusal::Unavailable
        })?;
        let digest = secret::digest_hex(secret);
        Ok(found
            .filter(|(_, kept)| secret::same(kept, &digest))
            .map(|(token, _)| token))
    }

    /// Writes when a token was used, at most once a minute. A failure costs nobody their request.
    async fn note_use(&self, token: &ApiToken, now: OffsetDateTime) {
        let minute =
            now - Duration::seconds(i64::from(now.second())) - Duration::nanoseconds(i64::from(now.nanosecond()));
        if token.last_used_at.is_some_and(|last| last >= minute) {
            return;
        }
        if let Err(problem) = self.store().accounts().token_used(token.id, minute).await {
            warn!(%problem, "cannot note the use of an API token");
        }
    }
}
