//! Signing in: people of all tenants by their address, sessions, platform administrators, and the
//! one-time code of the first run.

use crate::Result;
use crate::audit::{self, Actor};
use crate::scope::platform_area;
use crate::sql::{Row, Tx, args};
use crate::users::{NewUser, email_of, insert, sign_out, user_of};
use strowger_model::record::User;
use strowger_model::{Role, SessionId, UserId};
use time::OffsetDateTime;

const FIRST_RUN: &str = "first_run_code_hash";

/// A person with what is needed to let them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user: User,
    /// The hash of their password; `None` cannot sign in by password.
    pub password_hash: Option<String>,
    /// Whether their tenant is active; platform administrators always are.
    pub tenant_active: bool,
}

/// A session to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The hash of the cookie's secret.
    pub secret_hash: String,
    /// Who signed in.
    pub user: UserId,
    /// The token that forms must carry.
    pub csrf: String,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
    /// The browser, as it says.
    pub user_agent: String,
    /// Where from.
    pub source: String,
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub user: User,
    /// The token that forms must carry.
    pub csrf: String,
    /// When they signed in.
    pub created_at: OffsetDateTime,
    /// When the browser was last heard of, to the minute.
    pub seen_at: OffsetDateTime,
    /// When it ends whatever happens.
    pub expires_at: OffsetDateTime,
    /// The browser, as it says.
    pub user_agent: String,
    /// Where from.
    pub source: String,
}

platform_area! {
    /// Signing in.
    Accounts, accounts
}

impl Accounts {
    /// Who signs in with this address.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn by_email(&self, email: &str) -> Result<Option<Account>> {
        self.store
            .read_all()
            .await?
            .one(
                "select u.id, u.tenant_id, u.email, u.name, u.role, u.extension, u.active, u.created_at, \
                 u.password_hash, coalesce(t.active, 1) as tenant_active \
                 from users u left join tenants t on t.id = u.tenant_id where u.email = $1",
                args![email_of(email)],
            )
            .await?
            .map(|row| account_of(&row))
            .transpose()
    }

    /// A person of any tenant or none, with their password's hash.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, user: UserId) -> Result<Option<Account>> {
        self.store
            .read_all()
            .await?
            .one(
                "select u.id, u.tenant_id, u.email, u.name, u.role, u.extension, u.active, u.created_at, \
                 u.password_hash, coalesce(t.active, 1) as tenant_active \
                 from users u left join tenants t on t.id = u.tenant_id where u.id = $1",
                args![user],
            )
            .await?
            .map(|row| account_of(&row))
            .transpose()
    }

    /// The platform administrators.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn admins(&self) -> Result<Vec<User>> {
        self.store
            .read_all()
            .await?
            .all(
                "select id, tenant_id, email, name, role, extension, active, created_at from users \
                 where tenant_id is null order by id",
                args![],
            )
            .await?
            .iter()
            .map(user_of)
            .collect()
    }

    /// Makes a platform administrator; whatever role was given, theirs is that one.
    ///
    /// # Errors
    /// The address is taken, or the database did not answer.
    pub async fn create_admin(&self, actor: &Actor, new: NewUser) -> Result<User> {
        let user = User {
            id: UserId::generate(self.store.world()),
            tenant: None,
            email: email_of(&new.email),
            name: new.name,
            role: Role::PlatformAdmin,
            extension: None,
            active: true,
            created_at: self.store.now(),
        };
        let mut tx = self.store.write_all().await?;
        insert(&mut tx, &user, new.password_hash.as_ref()).await?;
        let line = actor.line("admin.create", &user.id.to_string(), &user.email);
        audit::write(&mut tx, self.store.now(), None, &line).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Makes the first platform administrator if the one-time code's hash fits, and destroys the code
    /// in the same transaction; `None` when it does not fit or is used up.
    ///
    /// # Errors
    /// The address is taken, or the database did not answer.
    pub async fn first_admin(&self, code_hash: &str, new: NewUser) -> Result<Option<User>> {
        let user = User {
            id: UserId::generate(self.store.world()),
            tenant: None,
            email: email_of(&new.email),
            name: new.name,
            role: Role::PlatformAdmin,
            extension: None,
            active: true,
            created_at: self.store.now(),
        };
        let mut tx = self.store.write_all().await?;
        let taken = tx
            .run(
                "delete from platform_values where name = $1 and value = $2",
                args![FIRST_RUN, code_hash],
            )
            .await?;
        if taken == 0 {
            return Ok(None);
        }
        insert(&mut tx, &user, new.password_hash.as_ref()).await?;
        let line = Actor::named(user.email.clone()).line("admin.first_run", &user.id.to_string(), "");
        audit::write(&mut tx, self.store.now(), None, &line).await?;
        tx.commit().await?;
        Ok(Some(user))
    }

    /// Whether a platform administrator exists: without one the first run is still to come.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn has_admin(&self) -> Result<bool> {
        let count = self
            .store
            .read_all()
            .await?
            .count("select count(*) as n from users where tenant_id is null", args![])
            .await?;
        Ok(count > 0)
    }

    /// Keeps the hash of the first run's one-time code in place of any earlier one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_first_run_code(&self, code_hash: &str) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        tx.run(
            "insert into platform_values (name, value) values ($1, $2) \
             on conflict (name) do update set value = excluded.value",
            args![FIRST_RUN, code_hash],
        )
        .await?;
        tx.commit().await
    }

    /// Whether this is the hash of the first run's code.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn is_first_run_code(&self, code_hash: &str) -> Result<bool> {
        let count = self
            .store
            .read_all()
            .await?
            .count(
                "select count(*) as n from platform_values where name = $1 and value = $2",
                args![FIRST_RUN, code_hash],
            )
            .await?;
        Ok(count > 0)
    }

    /// Sets the hash of anybody's new password and signs them out everywhere. Returns whether they exist.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_password_hash(&self, actor: &Actor, user: UserId, hash: &str) -> Result<bool> {
        let mut tx = self.store.write_all().await?;
        let Some(row) = tx
            .one(
                "update users set password_hash = $2 where id = $1 returning tenant_id",
                args![user, hash],
            )
            .await?
        else {
            return Ok(false);
        };
        sign_out(&mut tx, user).await?;
        let line = actor.line("user.password", &user.to_string(), "");
        audit::write(&mut tx, self.store.now(), row.opt_parse("tenant_id")?, &line).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Opens a session, with its line in the audit log of whoever it belongs to.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn open_session(&self, new: &NewSession) -> Result<SessionId> {
        let id = SessionId::generate(self.store.world());
        let now = self.store.now();
        let mut tx = self.store.write_all().await?;
        tx.run(
            "insert into sessions (id, token_hash, user_id, csrf, created_at, seen_at, expires_at, user_agent, source) \
             values ($1, $2, $3, $4, $5, $5, $6, $7, $8)",
            args![
                id,
                new.secret_hash,
                new.user,
                new.csrf,
                now,
                new.expires_at,
                new.user_agent,
                new.source
            ],
        )
        .await?;
        self.tell(&mut tx, new.user, "session.open", &format!("from {}", new.source))
            .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Writes down that somebody was not let in. Whatever was typed for an account that does not exist is no account's
    /// name, perhaps a password in the wrong field: it is not kept.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sign_in_refused(&self, account: Option<UserId>, source: &str) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        let detail = format!("from {source}");
        if let Some(user) = account {
            self.tell(&mut tx, user, "session.refuse", &detail).await?;
        } else {
            let line = Actor::named("nobody").line("session.refuse", "no such account", &detail);
            audit::write(&mut tx, self.store.now(), None, &line).await?;
        }
        tx.commit().await
    }

    /// A line about somebody's session, in their tenant's log; an administrator of the platform has the platform's.
    async fn tell(&self, tx: &mut Tx, user: UserId, action: &'static str, detail: &str) -> Result<()> {
        let row = tx
            .one("select email, tenant_id from users where id = $1", args![user])
            .await?;
        let Some(row) = row else { return Ok(()) };
        let line = Actor::named(row.text("email")?).line(action, &user.to_string(), detail);
        audit::write(tx, self.store.now(), row.opt_parse("tenant_id")?, &line).await
    }

    /// The living session of a cookie's secret, given its hash. A stopped person or tenant has none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn session(&self, secret_hash: &str) -> Result<Option<Session>> {
        let now = self.store.now();
        let row = self
            .store
            .read_all()
            .await?
            .one(
                "select s.id as session_id, s.csrf, s.created_at as opened_at, s.seen_at, s.expires_at, s.user_agent, \
                 s.source, u.id, u.tenant_id, u.email, u.name, u.role, u.extension, u.active, u.created_at \
                 from sessions s join users u on u.id = s.user_id left join tenants t on t.id = u.tenant_id \
                 where s.token_hash = $1 and s.expires_at > $2 and u.active = 1 and coalesce(t.active, 1) = 1",
                args![secret_hash, now],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let session = session_of(&row)?;
        if now - session.seen_at > time::Duration::minutes(1) {
            let mut tx = self.store.write_all().await?;
            tx.run("update sessions set seen_at = $2 where id = $1", args![session.id, now])
                .await?;
            tx.commit().await?;
        }
        Ok(Some(session))
    }

    /// The living sessions of a person, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>> {
        self.store
            .read_all()
            .await?
            .all(
                "select s.id as session_id, s.csrf, s.created_at as opened_at, s.seen_at, s.expires_at, s.user_agent, \
                 s.source, u.id, u.tenant_id, u.email, u.name, u.role, u.extension, u.active, u.created_at \
                 from sessions s join users u on u.id = s.user_id \
                 where s.user_id = $1 and s.expires_at > $2 order by s.id desc",
                args![user, self.store.now()],
            )
            .await?
            .iter()
            .map(session_of)
            .collect()
    }

    /// Ends the session of a cookie's secret, given its hash.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn close_session(&self, secret_hash: &str) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        tx.run("delete from sessions where token_hash = $1", args![secret_hash])
            .await?;
        tx.commit().await
    }

    /// Ends the session of a cookie's secret, given its hash, because its person says so: with a line in the audit log.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sign_out(&self, secret_hash: &str) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        let gone = "delete from sessions where token_hash = $1 returning user_id";
        if let Some(row) = tx.one(gone, args![secret_hash]).await? {
            self.tell(&mut tx, row.parse("user_id")?, "session.close", "").await?;
        }
        tx.commit().await
    }

    /// Ends one of a person's sessions. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn close_session_of(&self, user: UserId, session: SessionId) -> Result<bool> {
        let mut tx = self.store.write_all().await?;
        let gone = tx
            .run(
                "delete from sessions where user_id = $1 and id = $2",
                args![user, session],
            )
            .await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// Ends every session of a person.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn close_sessions_of(&self, user: UserId) -> Result<()> {
        let mut tx = self.store.write_all().await?;
        sign_out(&mut tx, user).await?;
        tx.commit().await
    }

    /// Forgets sessions whose time is up; returns how many.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sweep_sessions(&self) -> Result<u64> {
        let mut tx = self.store.write_all().await?;
        let gone = tx
            .run("delete from sessions where expires_at <= $1", args![self.store.now()])
            .await?;
        tx.commit().await?;
        Ok(gone)
    }
}

fn account_of(row: &Row) -> Result<Account> {
    Ok(Account {
        user: user_of(row)?,
        password_hash: row.opt_text("password_hash")?,
        tenant_active: row.switch("tenant_active")?,
    })
}

fn session_of(row: &Row) -> Result<Session> {
    Ok(Session {
        id: row.parse("session_id")?,
        user: user_of(row)?,
        csrf: row.text("csrf")?,
        created_at: row.time("opened_at")?,
        seen_at: row.time("seen_at")?,
        expires_at: row.time("expires_at")?,
        user_agent: row.text("user_agent")?,
        source: row.text("source")?,
    })
}
