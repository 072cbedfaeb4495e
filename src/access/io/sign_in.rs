//! Signing in with an e-mail address and a password.

use super::{Access, Error};
use crate::principal::Principal;
use crate::throttle::source_key;
use crate::web::{SESSION_COOKIE, Source};
use crate::{csrf, secret, web::TENANT_COOKIE};
use std::net::IpAddr;
use std::time::Duration;
use strowger_store::NewSession;
use tracing::{info, warn};

/// A try to sign in.
#[derive(Clone)]
pub struct SignIn<'a> {
    /// The address as typed.
    pub email: &'a str,
    /// The password as typed.
    pub password: &'a str,
    /// Where the request came from.
    pub source: Source,
    /// What the browser calls itself.
    pub user_agent: &'a str,
}

/// Somebody who just signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// Who.
    pub principal: Principal,
    /// The value of the `Set-Cookie` header to send.
    pub set_cookie: String,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// The address, the password or both are wrong; which of them is nobody's business.
    #[error("the e-mail address or the password is wrong")]
    Wrong,
    /// Too many tries for this account or from this address.
    #[error("too many tries; try again in {} seconds", retry_after.as_secs().max(1))]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// Something failed on our side.
    #[error("sign-in does not work now")]
    Failed(#[from] Error),
}

impl Access {
    /// Signs somebody in and begins a session.
    ///
    /// # Errors
    /// Says why not, without telling whether the account exists.
    pub async fn sign_in(&self, try_: SignIn<'_>) -> Result<SignedIn, SignInRefused> {
        let email = try_.email.trim().to_lowercase();
        self.take_try(&email, try_.source)
            .map_err(|retry_after| SignInRefused::TooMany { retry_after })?;
        let account = self.store().accounts().by_email(&email).await.map_err(Error::from)?;
        let hash = account.as_ref().and_then(|account| account.password_hash.clone());
        let fits = self.verify_password(try_.password, hash).await;
        let known = account.as_ref().map(|account| account.user.id);
        let Some(account) = account.filter(|account| fits && account.user.active && account.tenant_active) else {
            warn!(source = %try_.source.address, "sign-in refused");
            let source = try_.source.address.to_string();
            let told = self.store().accounts().sign_in_refused(known, &source).await;
            told.map_err(Error::from)?;
            return Err(SignInRefused::Wrong);
        };
        self.forgive_account(&email);
        let signed_in = self.begin_session(&account.user, &try_).await?;
        info!(user = %account.user.id, source = %try_.source.address, "signed in");
        Ok(signed_in)
    }

    pub(super) fn take_source_try(&self, source: IpAddr) -> Result<(), Duration> {
        let (mut limits, now) = self.limits();
        limits.sign_in_by_source.take(source_key(source), now)
    }

    fn take_try(&self, email: &str, source: Source) -> Result<(), Duration> {
        self.take_source_try(source.address)?;
        self.take_account_try(email)
    }

    async fn begin_session(&self, user: &strowger_model::record::User, try_: &SignIn<'_>) -> Result<SignedIn, Error> {
        let world = self.world();
        let cookie = secret::random_hex(world);
        let new = NewSession {
            secret_hash: secret::digest_hex(&cookie),
            user: user.id,
            csrf: csrf::token(&cookie),
            expires_at: world.now() + self.config().session_longest,
            user_agent: try_.user_agent.chars().take(200).collect(),
            source: try_.source.address.to_string(),
        };
        let session = self.store().accounts().open_session(&new).await?;
        Ok(SignedIn {
            principal: Principal::person(user, session),
            set_cookie: session_cookie(&cookie, try_.source.https),
        })
    }
}

fn session_cookie(value: &str, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// The `Set-Cookie` values that make a browser forget who it was.
#[must_use]
pub fn forget_cookies() -> [String; 2] {
    [SESSION_COOKIE, TENANT_COOKIE].map(|name| format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(
            session_cookie("x", false),
            "strowger_session=x; Path=/; HttpOnly; SameSite=Lax"
        );
        assert!(session_cookie("x", true).ends_with("; Secure"));
    }
}
