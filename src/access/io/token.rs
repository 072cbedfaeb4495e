//! API tokens: shown once, kept as a digest, bound to a tenant and a role.

use super::{Access, Error};
use crate::principal::Principal;
use crate::secret;
use crate::throttle::source_key;
use crate::web::BearerRefusal;
use std::net::IpAddr;
use strowger_model::record::ApiToken;
use strowger_model::{Role, TenantId, TokenId};
use strowger_store::Actor;
use time::OffsetDateTime;
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
    /// The role is a platform administrator's, the name is taken, or the store failed.
    pub async fn create_token(
        &self,
        actor: &Actor,
        tenant: TenantId,
        new: NewToken,
    ) -> Result<(ApiToken, String), Error> {
        if new.role == Role::PlatformAdmin {
            return Err(Error::TokenRole);
        }
        let secret = secret::random_hex(self.world());
        let row = strowger_store::NewToken {
            name: new.name,
            role: new.role,
            expires_at: new.expires_at,
            secret_hash: secret::digest_hex(&secret),
        };
        let token = self.store().tenant(tenant).tokens().create(actor, row).await?;
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
        let (mut limits, now) = self.limits();
        let Some(token) = known else {
            let taken = limits.wrong_token_by_source.take(source_key(source), now);
            drop(limits);
            taken.map_err(|retry_after| BearerRefusal::TooMany { retry_after })?;
            warn!(%source, "wrong API token");
            return Err(BearerRefusal::Wrong);
        };
        let taken = limits.by_token.take(token.id, now);
        drop(limits);
        taken.map_err(|retry_after| BearerRefusal::TooMany { retry_after })?;
        Ok(Principal::program(&token))
    }

    async fn known_token(&self, id: TokenId, secret: &str) -> Result<Option<ApiToken>, BearerRefusal> {
        let found = self.store().accounts().token(&secret::digest_hex(secret)).await;
        let found = found.map_err(|problem| {
            error!(%problem, "cannot look an API token up");
            BearerRefusal::Unavailable
        })?;
        Ok(found.map(|known| known.token).filter(|token| token.id == id))
    }
}
