//! Sessions: found by the digest of their cookie, listed and ended.

use super::{Access, Error};
use crate::principal::Principal;
use crate::secret;
use strowger_model::{SessionId, UserId};
use strowger_store::{Actor, Session};

impl Access {
    /// Who a session cookie belongs to; `None` when it is over or never was.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, cookie: &str) -> Result<Option<Principal>, Error> {
        if cookie.len() != 64 {
            return Ok(None);
        }
        let digest = secret::digest_hex(cookie);
        let accounts = self.store().accounts();
        let Some(session) = accounts.session(&digest).await? else {
            return Ok(None);
        };
        if self.world().now() - session.seen_at > self.config().session_idle {
            accounts.close_session(&digest).await?;
            return Ok(None);
        }
        Ok(Some(Principal::person(&session.user, session.id)))
    }

    /// The sessions of a person, for their page.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, Error> {
        Ok(self.store().accounts().sessions_of(user).await?)
    }

    /// Ends one of a person's sessions. Returns whether there was one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> Result<bool, Error> {
        Ok(self.store().accounts().close_session_of(user, session).await?)
    }

    /// Ends every session of a person: their role changed, or they were switched off.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_sessions_of(&self, user: UserId) -> Result<(), Error> {
        Ok(self.store().accounts().close_sessions_of(user).await?)
    }

    /// Gives a person a new password and ends their sessions. Returns whether they exist.
    ///
    /// # Errors
    /// The password will not do, or the store failed.
    pub async fn set_password(&self, actor: &Actor, user: UserId, password: &str) -> Result<bool, Error> {
        let hash = self.hash_password(password).await?;
        Ok(self.store().accounts().set_password_hash(actor, user, &hash).await?)
    }

    /// Whether this is the person's password, asked before they change it. Tries count like those to
    /// sign in.
    ///
    /// # Errors
    /// Too many tries, or the store failed.
    pub async fn is_password_of(&self, user: UserId, password: &str) -> Result<bool, Error> {
        let account = self.store().accounts().get(user).await?;
        let email = account
            .as_ref()
            .map(|account| account.user.email.clone())
            .unwrap_or_default();
        self.take_account_try(&email)
            .map_err(|retry_after| Error::TooMany { retry_after })?;
        let fits = self
            .verify_password(password, account.and_then(|account| account.password_hash))
            .await;
        if fits {
            self.forgive_account(&email);
        }
        Ok(fits)
    }

    pub(crate) async fn end_secret(&self, cookie: &str) -> Result<(), Error> {
        Ok(self.store().accounts().sign_out(&secret::digest_hex(cookie)).await?)
    }
}
