//! The first administrator: made by whoever can read the daemon's log, once.

use super::{Access, Error};
use crate::secret;
use crate::throttle::source_key;
use crate::web::Source;
use std::sync::PoisonError;
use std::time::Duration;
use strowger_model::record::User;
use strowger_model::{Role, UserId};
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
    /// Only its digest is kept, and only until it is used or the process ends.
    ///
    /// # Errors
    /// The store failed.
    pub async fn first_run_code(&self) -> Result<Option<String>, Error> {
        if self.store().accounts().has_platform_admin().await? {
            return Ok(None);
        }
        let code = secret::one_time_code(self.world());
        self.keep_code(Some(secret::digest_hex(&secret::plain_code(&code))));
        Ok(Some(code))
    }

    /// Whether the first-run page is open.
    #[must_use]
    pub fn awaits_first_admin(&self) -> bool {
        self.code_digest().is_some()
    }

    /// Makes the first platform administrator and burns the code.
    ///
    /// # Errors
    /// Says why not; the code stays good unless it was right.
    pub async fn create_first_admin(&self, form: FirstAdmin<'_>, source: Source) -> Result<User, FirstRunRefused> {
        {
            let (mut limits, now) = self.limits();
            let taken = limits.sign_in_by_source.take(source_key(source.address), now);
            taken.map_err(|retry_after| FirstRunRefused::TooMany { retry_after })?;
        }
        let digest = self.code_digest().ok_or(FirstRunRefused::Done)?;
        if !secret::same(&digest, &secret::digest_hex(&secret::plain_code(form.code))) {
            return Err(FirstRunRefused::WrongCode);
        }
        let email = form.email.trim().to_lowercase();
        if !is_email(&email) {
            return Err(FirstRunRefused::Email);
        }
        let hash = self.hash_password(form.password).await?;
        // Burnt before the row is written: of two forms with the right code one goes on.
        if !self.burn_code(&digest) {
            return Err(FirstRunRefused::Done);
        }
        match self.write_first_admin(&email, form.name, &hash).await {
            Ok(user) => Ok(user),
            Err(problem) => {
                self.keep_code(Some(digest));
                Err(problem.into())
            }
        }
    }

    async fn write_first_admin(&self, email: &str, name: &str, hash: &str) -> Result<User, Error> {
        let world = self.world();
        let name = name.trim();
        let user = User {
            id: UserId::generate(world),
            tenant: None,
            email: email.to_owned(),
            name: if name.is_empty() { email } else { name }.to_owned(),
            role: Role::PlatformAdmin,
            extension: None,
            active: true,
            created_at: world.now(),
        };
        self.store().accounts().create_platform_admin(&user, hash).await?;
        info!(user = %user.id, "first administrator made");
        Ok(user)
    }

    fn code_digest(&self) -> Option<String> {
        self.inner
            .first_run
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep_code(&self, digest: Option<String>) {
        *self.inner.first_run.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    fn burn_code(&self, digest: &str) -> bool {
        let mut kept = self.inner.first_run.lock().unwrap_or_else(PoisonError::into_inner);
        let still = kept.as_deref() == Some(digest);
        if still {
            *kept = None;
        }
        still
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
