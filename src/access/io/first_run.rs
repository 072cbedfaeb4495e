//! The first administrator: made by whoever can read the daemon's log, once.

use super::{Access, Error};
use crate::secret;
use crate::web::Source;
use std::time::Duration;
use strowger_model::Role;
use strowger_model::record::User;
use strowger_store::NewUser;
use tracing::info;

/// The form of the first-run page.
#[derive(Clone)]
pub struct FirstAdmin<'a> {
    /// The code from the log.
    pub code: &'a str,
    /// Their name as shown.
    pub name: &'a str,
    /// How they sign in.
    pub email: &'a str,
    /// Their password.
    pub password: &'a str,
}

/// Why there is no first administrator yet.
#[derive(Debug, thiserror::Error)]
pub enum FirstRunRefused {
    /// There is one already, so the code is worth nothing.
    #[error("there is an administrator already; sign in")]
    Done,
    /// The code is wrong.
    #[error("this is not the code; the daemon wrote it to its log when it started")]
    WrongCode,
    /// Too many tries from this address.
    #[error("too many tries; try again in {} seconds", retry_after.as_secs().max(1))]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// The address cannot be one.
    #[error("this is not an e-mail address")]
    Email,
    /// The password will not do, or the store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Access {
    /// Makes the one-time code when no platform administrator exists: the daemon prints it at start.
    /// Its digest is kept until it is used; an older code is worth nothing from now on.
    ///
    /// # Errors
    /// The store failed.
    pub async fn first_run_code(&self) -> Result<Option<String>, Error> {
        if self.store().accounts().has_admin().await? {
            return Ok(None);
        }
        let code = secret::one_time_code(self.world());
        let digest = secret::digest_hex(&secret::plain_code(&code));
        self.store().accounts().set_first_run_code(&digest).await?;
        Ok(Some(code))
    }

    /// Whether the first-run page is open.
    ///
    /// # Errors
    /// The store failed.
    pub async fn awaits_first_admin(&self) -> Result<bool, Error> {
        Ok(!self.store().accounts().has_admin().await?)
    }

    /// Makes the first platform administrator and burns the code.
    ///
    /// # Errors
    /// Says why not; the code stays good unless it was right.
    pub async fn create_first_admin(&self, form: FirstAdmin<'_>, source: Source) -> Result<User, FirstRunRefused> {
        self.take_source_try(source.address)
            .map_err(|retry_after| FirstRunRefused::TooMany { retry_after })?;
        if !self.awaits_first_admin().await? {
            return Err(FirstRunRefused::Done);
        }
        let accounts = self.store().accounts();
        let digest = secret::digest_hex(&secret::plain_code(form.code));
        if !accounts.is_first_run_code(&digest).await.map_err(Error::from)? {
            return Err(FirstRunRefused::WrongCode);
        }
        let email = form.email.trim().to_lowercase();
        if !is_email(&email) {
            return Err(FirstRunRefused::Email);
        }
        let name = form.name.trim();
        let new = NewUser {
            name: if name.is_empty() { email.as_str() } else { name }.to_owned(),
            email,
            role: Role::PlatformAdmin,
            extension: None,
            password_hash: Some(self.hash_password(form.password).await?),
        };
        // The code is burnt in the transaction that writes the row: of two forms one goes on.
        let made = accounts.first_admin(&digest, new).await.map_err(Error::from)?;
        let user = made.ok_or(FirstRunRefused::Done)?;
        info!(user = %user.id, "first administrator made");
        Ok(user)
    }
}

/// Whether a text can be an address to sign in with: something, one `@`, something, no space.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let plain = !text
        .chars()
        .any(|character| character.is_whitespace() || character.is_control());
    !local.is_empty() && !domain.is_empty() && plain && text.len() <= 254
}
