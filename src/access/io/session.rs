//! Sessions: found by the digest of their cookie, prolonged while used, listed and ended.

use super::{Access, Error};
use crate::principal::Principal;
use crate::secret;
use strowger_model::{SessionId, UserId};
use strowger_store::Session;
use time::Duration;

/// How much of its time a session may have lost before its row is written again.
const PROLONG_EVERY: Duration = Duration::MINUTE;

impl Access {
    /// Who a session cookie belongs to; `None` when it is over or never was.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, cookie: &str) -> Result<Option<Principal>, Error> {
        if cookie.len() != 64 {
            return Ok(None);
        }
        let now = self.world().now();
        let accounts = self.store().accounts();
        let Some((session, user)) = accounts.session(&secret::digest_hex(cookie), now).await? else {
            return Ok(None);
        };
        if !user.active {
            return Ok(None);
        }
        let longest = session.created_at + self.config().session_longest;
        let until = (now + self.config().session_idle).min(longest);
        if until - session.expires_at >= PROLONG_EVERY {
            accounts.prolong_session(session.id, now, until).await?;
        }
        Ok(Some(Principal::person(&user, session.id)))
    }

    /// The sessions of a person, for their page.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, Error> {
        let now = self.world().now();
        Ok(self.store().accounts().sessions_of(user, now).await?)
    }

    /// Ends one of a person's sessions. Returns whether there was one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> Result<bool, Error> {
        Ok(self.store().accounts().end_session(user, session).await?)
    }

    /// Ends every session of a person: their role or password changed, or they were switched off.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_sessions_of(&self, user: UserId) -> Result<(), Error> {
        self.store().accounts().end_sessions_of(user).await?;
        Ok(())
    }

    /// Gives a person a new password and ends their sessions.
    ///
    /// # Errors
    /// The password will not do, or the store failed.
    pub async fn set_password(&self, user: UserId, password: &str) -> Result<(), Error> {
        let hash = self.hash_password(password).await?;
        self.store().accounts().set_password(user, &hash).await?;
        self.end_sessions_of(user).await
    }

    /// Whether this is the person's password; counted like a try to sign in by who asks for it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_password_of(&self, email: &str, password: &str) -> Result<bool, Error> {
        let account = self.store().accounts().by_email(&email.to_lowercase()).await?;
        let hash = account.and_then(|account| account.password_hash);
        Ok(self.verify_password(password, hash).await)
    }

    pub(crate) async fn end_secret(&self, cookie: &str) -> Result<(), Error> {
        let digest = secret::digest_hex(cookie);
        self.store().accounts().end_session_by_secret(&digest).await?;
        Ok(())
    }
}
