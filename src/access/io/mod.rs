//! The state behind the extractors: the store, the limits and the hashing permits. The only place of
//! this crate that reads a clock.
#![expect(clippy::disallowed_methods, reason = "rate limits need the monotonic clock")]

mod first_run;
mod room_token;
mod session;
mod sign_in;
mod token;

pub use first_run::{FirstAdmin, FirstRunRefused, is_email};
pub use room_token::{RoomToken, RoomTokenRefusal};
pub use sign_in::{SignIn, SignInRefused, SignedIn, forget_cookies};
pub use token::NewToken;

use crate::password::{self, Weak};
use crate::throttle::Throttle;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use strowger_model::{TenantId, TokenId, World};
use strowger_store::Store;
use tokio::sync::Semaphore;

/// What is told at start.
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// Whether cookies are always marked `Secure`, as when a proxy in front speaks https.
    pub secure_cookies: bool,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long a session lasts after its last use.
    pub session_idle: Duration,
    /// How long a session lasts at most.
    pub session_longest: Duration,
    /// How many passwords are hashed at once, 19 MiB each.
    pub hashes_at_once: usize,
    /// How many requests a second a token may make in the long run.
    pub requests_per_second: u32,
    /// How many requests a token may make at once.
    pub request_burst: u32,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            secure_cookies: false,
            trusted_proxies: Vec::new(),
            session_idle: Duration::from_secs(12 * 3600),
            session_longest: Duration::from_secs(14 * 24 * 3600),
            hashes_at_once: 2,
            requests_per_second: 100,
            request_burst: 300,
        }
    }
}

/// What went wrong on our side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("cannot read or write accounts")]
    Store(#[from] strowger_store::Error),
    /// The password will not do.
    #[error("the password will not do: {0}")]
    Weak(#[from] Weak),
    /// The password could not be hashed.
    #[error("cannot hash the password")]
    Hash,
    /// Too many tries.
    #[error("too many tries; try again in {} seconds", retry_after.as_secs().max(1))]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// A token could not be written.
    #[error("cannot write the token")]
    Sign,
    /// A token may not act as a platform administrator.
    #[error("a token cannot be a platform administrator's")]
    TokenRole,
}

/// Who is asking and what they may do. Cheap to clone; one for the whole process.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    world: Arc<dyn World>,
    config: AccessConfig,
    hashing: Semaphore,
    limits: Mutex<Limits>,
}

/// The limits that hold for everybody. Locked for the length of a look-up, never across an await.
struct Limits {
    sign_in_by_source: Throttle<IpAddr>,
    sign_in_by_account: Throttle<String>,
    wrong_token_by_source: Throttle<IpAddr>,
    by_token: Throttle<TokenId>,
    by_room_key: Throttle<String>,
}

impl Limits {
    fn new(config: &AccessConfig) -> Self {
        let (a_second, at_once) = (f64::from(config.requests_per_second), f64::from(config.request_burst));
        Self {
            // A family behind one address mistypes; a machine that guesses gets one try in ten seconds.
            sign_in_by_source: Throttle::new(0.1, 20.0, 20_000),
            // Six guesses at one account, then one a minute, wherever they come from.
            sign_in_by_account: Throttle::new(1.0 / 60.0, 6.0, 20_000),
            wrong_token_by_source: Throttle::new(0.2, 30.0, 20_000),
            by_token: Throttle::new(a_second, at_once, 20_000),
            by_room_key: Throttle::new(a_second, at_once, 20_000),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Puts it together.
    #[must_use]
    pub fn new(store: Store, world: Arc<dyn World>, config: AccessConfig) -> Self {
        let hashing = Semaphore::new(config.hashes_at_once.max(1));
        let limits = Mutex::new(Limits::new(&config));
        Self {
            inner: Arc::new(Inner {
                store,
                world,
                config,
                hashing,
                limits,
            }),
        }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Time and chance.
    #[must_use]
    pub fn world(&self) -> &dyn World {
        self.inner.world.as_ref()
    }

    pub(crate) fn config(&self) -> &AccessConfig {
        &self.inner.config
    }

    pub(crate) fn trusts_proxy(&self, address: IpAddr) -> bool {
        self.inner.config.trusted_proxies.contains(&address.to_canonical())
    }

    pub(crate) fn secure_cookies(&self) -> bool {
        self.inner.config.secure_cookies
    }

    /// Hashes a new password, off the runtime, a few at a time.
    ///
    /// # Errors
    /// The password will not do.
    pub async fn hash_password(&self, password: &str) -> Result<String, Error> {
        password::check(password)?;
        let _permit = self.inner.hashing.acquire().await.map_err(|_| Error::Hash)?;
        let (password, world) = (password.to_owned(), Arc::clone(&self.inner.world));
        tokio::task::spawn_blocking(move || password::hash(&password, world.as_ref()))
            .await
            .map_err(|_| Error::Hash)?
            .map_err(|_| Error::Hash)
    }

    /// Whether a password fits; takes as long when there is no hash.
    async fn verify_password(&self, password: &str, hash: Option<String>) -> bool {
        let Ok(_permit) = self.inner.hashing.acquire().await else {
            return false;
        };
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || password::verify(&password, hash.as_deref()))
            .await
            .unwrap_or(false)
    }

    fn take_account_try(&self, email: &str) -> Result<(), Duration> {
        let (mut limits, now) = self.limits();
        let account: String = email.chars().take(254).collect();
        limits.sign_in_by_account.take(account, now)
    }

    fn forgive_account(&self, email: &str) {
        let (mut limits, _) = self.limits();
        limits.sign_in_by_account.forgive(&email.to_owned());
    }

    fn limits(&self) -> (MutexGuard<'_, Limits>, Instant) {
        let limits = self.inner.limits.lock().unwrap_or_else(PoisonError::into_inner);
        (limits, Instant::now())
    }
}

/// A cookie that chooses the tenant a platform administrator works in.
#[must_use]
pub fn tenant_cookie(tenant: TenantId) -> String {
    format!("{}={tenant}; Path=/; HttpOnly; SameSite=Lax", crate::web::TENANT_COOKIE)
}
