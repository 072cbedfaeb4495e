//! The people of a tenant.

use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut};
use crate::{Result, queue};
use strowger_model::job::Job;
use strowger_model::record::User;
use strowger_model::{Role, UserId};

/// A person to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Their address, unique on this machine; stored in lower case.
    pub email: String,
    /// Their name as shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The short number others of the tenant dial.
    pub extension: Option<String>,
    /// The hash of their password as text, made by whoever knows how; `None` cannot sign in.
    pub password_hash: Option<String>,
}

/// What may change of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserChange {
    /// Their address.
    pub email: String,
    /// Their name as shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their short number.
    pub extension: Option<String>,
    /// Whether they may sign in and be called.
    pub active: bool,
}

area! {
    /// The people of the tenant.
    Users, users
}

pub(crate) fn user_of(row: &Row) -> Result<User> {
    Ok(User {
        id: row.parse("id")?,
        tenant: row.opt_parse("tenant_id")?,
        email: row.text("email")?,
        name: row.text("name")?,
        role: row.code("role", Role::from_code)?,
        extension: row.opt_text("extension")?,
        active: row.switch("active")?,
        created_at: row.time("created_at")?,
    })
}

/// An address as stored and compared.
pub(crate) fn email_of(written: &str) -> String {
    written.trim().to_lowercase()
}

pub(crate) async fn insert(tx: &mut Tx, user: &User, password_hash: Option<&String>) -> Result<()> {
    tx.run(
        "insert into users (id, tenant_id, email, name, role, extension, active, password_hash, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            user.id,
            user.tenant,
            user.email,
            user.name,
            user.role,
            user.extension,
            user.active,
            password_hash,
            user.created_at
        ],
    )
    .await?;
    Ok(())
}

impl Users {
    /// The people of the tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<User>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, email, name, role, extension, active, created_at from users \
                 where tenant_id = $1 and id > $2 order by id limit $3",
                args![self.scope.tenant(), page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, user_of, |user| user.id.to_string())
    }

    /// One person.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, user: UserId) -> Result<Option<User>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, email, name, role, extension, active, created_at from users \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), user],
            )
            .await?
            .map(|row| user_of(&row))
            .transpose()
    }

    /// Who has this short number.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn by_extension(&self, extension: &str) -> Result<Option<User>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, email, name, role, extension, active, created_at from users \
                 where tenant_id = $1 and extension = $2",
                args![self.scope.tenant(), extension],
            )
            .await?
            .map(|row| user_of(&row))
            .transpose()
    }

    /// Makes a person.
    ///
    /// # Errors
    /// The address or extension is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewUser) -> Result<User> {
        let user = User {
            id: UserId::generate(self.scope.world()),
            tenant: Some(self.scope.tenant()),
            email: email_of(&new.email),
            name: new.name,
            role: new.role,
            extension: new.extension,
            active: true,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        insert(&mut tx, &user, new.password_hash.as_ref()).await?;
        self.speak_greeting(&mut tx, user.id).await?;
        let detail = format!("{} as {}", user.email, user.role);
        self.scope
            .note_directory(&mut tx, actor, "user.create", &user.id, &detail)
            .await?;
        tx.commit().await?;
        Ok(user)
    }

    /// The standard greeting of a mailbox holds its owner's name.
    async fn speak_greeting(&self, tx: &mut Tx, user: UserId) -> Result<()> {
        let tenant = self.scope.tenant();
        queue::ask(tx, self.scope.store(), &Job::RenderGreeting { tenant, user }).await?;
        Ok(())
    }

    /// Changes a person; `None` when there is none. Somebody who is stopped is signed out.
    ///
    /// # Errors
    /// The address or extension is taken, or the database did not answer.
    pub async fn update(&self, actor: &Actor, user: UserId, change: &UserChange) -> Result<Option<User>> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update users set email = $3, name = $4, role = $5, extension = $6, active = $7 \
                 where tenant_id = $1 and id = $2",
                args![
                    self.scope.tenant(),
                    user,
                    email_of(&change.email),
                    change.name,
                    change.role,
                    change.extension,
                    change.active
                ],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        if !change.active {
            sign_out(&mut tx, user).await?;
        }
        self.speak_greeting(&mut tx, user).await?;
        let detail = format!("role {}, active {}", change.role, change.active);
        self.scope
            .note_directory(&mut tx, actor, "user.update", &user, &detail)
            .await?;
        tx.commit().await?;
        self.get(user).await
    }

    /// Sets a new password's hash and signs the person out everywhere. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_password_hash(&self, actor: &Actor, user: UserId, hash: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update users set password_hash = $3 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), user, hash],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        sign_out(&mut tx, user).await?;
        self.scope.note(&mut tx, actor, "user.password", &user, "").await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a person with their devices and greetings; their calls and messages stay with the
    /// tenant. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, user: UserId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from users where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), user],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        tx.run(
            "delete from settings where tenant_id = $1 and tier = 'user' and owner = $2",
            args![self.scope.tenant(), user],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "user.remove", &user, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

pub(crate) async fn sign_out(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.run("delete from sessions where user_id = $1", args![user]).await?;
    Ok(())
}
