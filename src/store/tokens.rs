//! Programs' keys to the REST interface. Of a secret only its SHA-256 is kept.

use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, args};
use crate::{Accounts, Result};
use strowger_model::record::ApiToken;
use strowger_model::{Role, TokenId};
use time::OffsetDateTime;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What people call it, unique in the tenant.
    pub name: String,
    /// The role it acts as.
    pub role: Role,
    /// When it ends, if ever.
    pub expires_at: Option<OffsetDateTime>,
    /// SHA-256 of its secret, hexadecimal.
    pub secret_hash: String,
}

/// A token that a program showed, with its tenant's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    /// The token.
    pub token: ApiToken,
    /// The tenant's name.
    pub tenant_name: String,
}

area! {
    /// The tenant's API tokens.
    Tokens, tokens
}

fn token_of(row: &Row) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        role: row.code("role", Role::from_code)?,
        expires_at: row.opt_time("expires_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        created_at: row.time("created_at")?,
    })
}

impl Tokens {
    /// The tokens, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<ApiToken>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, name, role, expires_at, last_used_at, created_at from tokens \
                 where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(token_of)
            .collect()
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewToken) -> Result<ApiToken> {
        let token = ApiToken {
            id: TokenId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            name: new.name,
            role: new.role,
            expires_at: new.expires_at,
            last_used_at: None,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into tokens (id, tenant_id, name, role, secret_hash, expires_at, last_used_at, created_at) \
             values ($1, $2, $3, $4, $5, $6, null, $7)",
            args![
                token.id,
                token.tenant,
                token.name,
                token.role,
                new.secret_hash,
                token.expires_at,
                token.created_at
            ],
        )
        .await?;
        self.scope
            .note(&mut tx, actor, "token.create", &token.id, &token.name)
            .await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Ends a token. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, token: TokenId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from tokens where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), token],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope.note(&mut tx, actor, "token.remove", &token, "").await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Accounts {
    /// The living token of a secret, given its hash; its use is marked, to the minute. A stopped
    /// tenant has none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn token(&self, secret_hash: &str) -> Result<Option<KnownToken>> {
        let now = self.store.now();
        let row = self
            .store
            .read_all()
            .await?
            .one(
                "select k.id, k.tenant_id, k.name, k.role, k.expires_at, k.last_used_at, k.created_at, \
                 t.name as tenant_name from tokens k join tenants t on t.id = k.tenant_id \
                 where k.secret_hash = $1 and t.active = 1 and (k.expires_at is null or k.expires_at > $2)",
                args![secret_hash, now],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let token = token_of(&row)?;
        if token
            .last_used_at
            .is_none_or(|used| now - used > time::Duration::minutes(1))
        {
            let mut tx = self.store.write_all().await?;
            tx.run(
                "update tokens set last_used_at = $2 where id = $1",
                args![token.id, now],
            )
            .await?;
            tx.commit().await?;
        }
        Ok(Some(KnownToken {
            token,
            tenant_name: row.text("tenant_name")?,
        }))
    }
}
