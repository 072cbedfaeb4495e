//! What callers of a mailbox hear first: uploaded or spoken by the machine.

use crate::Result;
use crate::audit::Actor;
use crate::queue;
use crate::scope::{area, touch_directory};
use crate::sql::{Row, args};
use strowger_model::job::Job;
use strowger_model::record::Greeting;
use strowger_model::{GreetingId, UserId};

/// A greeting to be made: with a text for the machine to speak, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGreeting {
    /// Whose mailbox.
    pub user: UserId,
    /// What people call it.
    pub name: String,
    /// `personal`, `business`, `after-hours` or `holiday`.
    pub kind: String,
    /// Its text, when the machine speaks it.
    pub text: Option<String>,
    /// The uploaded file otherwise.
    pub file: Option<Vec<u8>>,
}

area! {
    /// The greetings of the tenant's mailboxes.
    Greetings, greetings
}

fn greeting_of(row: &Row) -> Result<Greeting> {
    Ok(Greeting {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        user: row.parse("user_id")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        text: row.opt_text("text")?,
        state: row.text("state")?,
        problem: row.opt_text("problem")?,
        is_default: row.switch("is_default")?,
        created_at: row.time("created_at")?,
    })
}

/// The key under which a mailbox's spoken standard greeting stands among the spoken texts.
pub(crate) fn mailbox_key(user: UserId) -> String {
    format!("mailbox {user}")
}

impl Greetings {
    /// The greetings of a mailbox, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<Greeting>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, user_id, name, kind, text, state, problem, is_default, created_at \
                 from greetings where tenant_id = $1 and user_id = $2 order by id",
                args![self.scope.tenant(), user],
            )
            .await?
            .iter()
            .map(greeting_of)
            .collect()
    }

    /// All greetings of the tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<Greeting>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, user_id, name, kind, text, state, problem, is_default, created_at \
                 from greetings where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(greeting_of)
            .collect()
    }

    /// One greeting.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, greeting: GreetingId) -> Result<Option<Greeting>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, user_id, name, kind, text, state, problem, is_default, created_at \
                 from greetings where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), greeting],
            )
            .await?
            .map(|row| greeting_of(&row))
            .transpose()
    }

    /// The blob of the uploaded file, and that of the audio to play once ready.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn audio(&self, greeting: GreetingId) -> Result<Option<crate::PromptAudio>> {
        self.scope
            .read()
            .await?
            .one(
                "select source_blob, audio_blob from greetings where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), greeting],
            )
            .await?
            .map(|row| {
                Ok(crate::PromptAudio {
                    source: row.opt_text("source_blob")?,
                    audio: row.opt_text("audio_blob")?,
                })
            })
            .transpose()
    }

    /// Keeps a greeting and asks for its audio.
    ///
    /// # Errors
    /// There is no such person, the blob cannot be written, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewGreeting) -> Result<Greeting> {
        let tenant = self.scope.tenant();
        if self.scope.users().get(new.user).await?.is_none() {
            return Err(crate::Error::Dangling);
        }
        let blob = match &new.file {
            Some(file) => Some(self.scope.blobs().put(file).await?),
            None => None,
        };
        let greeting = Greeting {
            id: GreetingId::generate(self.scope.world()),
            tenant,
            user: new.user,
            name: new.name,
            kind: new.kind,
            text: new.text,
            state: "pending".to_owned(),
            problem: None,
            is_default: false,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into greetings (id, tenant_id, user_id, name, kind, text, state, problem, source_blob, audio_blob, \
             is_default, created_at) values ($1, $2, $3, $4, $5, $6, 'pending', null, $7, null, 0, $8)",
            args![
                greeting.id,
                tenant,
                greeting.user,
                greeting.name,
                greeting.kind,
                greeting.text,
                blob,
                greeting.created_at
            ],
        )
        .await?;
        let job = Job::PrepareGreeting {
            tenant,
            greeting: greeting.id,
        };
        queue::ask(&mut tx, self.scope.store(), &job).await?;
        self.scope
            .note(&mut tx, actor, "greeting.create", &greeting.id, &greeting.name)
            .await?;
        tx.commit().await?;
        Ok(greeting)
    }

    /// The greeting can be played.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ready(&self, greeting: GreetingId, audio: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update greetings set state = 'ready', problem = null, audio_blob = $3 where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), greeting, audio],
        )
        .await?;
        touch_directory(&mut tx).await?;
        tx.commit().await
    }

    /// The greeting's audio could not be made.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn failed(&self, greeting: GreetingId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update greetings set state = 'failed', problem = $3 \
             where tenant_id = $1 and id = $2 and state <> 'ready'",
            args![self.scope.tenant(), greeting, problem],
        )
        .await?;
        tx.commit().await
    }

    /// Keeps the audio of a mailbox's standard greeting, heard where no own one is the default. The
    /// audio it replaces is erased.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn put_standard(&self, user: UserId, audio: &str) -> Result<()> {
        let tenant = self.scope.tenant();
        let key = mailbox_key(user);
        let mut tx = self.scope.write().await?;
        let earlier = tx
            .one(
                "select blob from speech where tenant_id = $1 and key = $2",
                args![tenant, key],
            )
            .await?
            .map(|row| row.text("blob"))
            .transpose()?;
        tx.run(
            "insert into speech (tenant_id, key, blob, created_at) values ($1, $2, $3, $4) \
             on conflict (tenant_id, key) do update set blob = excluded.blob, created_at = excluded.created_at",
            args![tenant, key, audio, self.scope.now()],
        )
        .await?;
        touch_directory(&mut tx).await?;
        tx.commit().await?;
        match earlier {
            Some(blob) if blob != audio => self.scope.blobs().erase(&blob).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Makes this greeting the one that callers hear. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_default(&self, actor: &Actor, greeting: GreetingId) -> Result<bool> {
        let Some(found) = self.get(greeting).await? else {
            return Ok(false);
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "update greetings set is_default = case when id = $3 then 1 else 0 end \
             where tenant_id = $1 and user_id = $2",
            args![self.scope.tenant(), found.user, greeting],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "greeting.default", &greeting, &found.name)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a greeting with its audio. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, greeting: GreetingId) -> Result<bool> {
        let Some(audio) = self.audio(greeting).await? else {
            return Ok(false);
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from greetings where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), greeting],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "greeting.remove", &greeting, "")
            .await?;
        tx.commit().await?;
        for blob in [audio.source, audio.audio].into_iter().flatten() {
            self.scope.blobs().erase(&blob).await?;
        }
        Ok(true)
    }
}
