//! Audio that flows play: uploaded, normalised by a worker, kept as a sealed blob.

use crate::Result;
use crate::audit::Actor;
use crate::queue;
use crate::scope::{area, touch_directory};
use crate::sql::{Page, Paged, Row, args, cut};
use std::time::Duration;
use strowger_model::PromptId;
use strowger_model::job::Job;
use strowger_model::record::Prompt;

/// How often a prompt is looked at while somebody waits for what becomes of it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The blobs of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptAudio {
    /// The file as uploaded.
    pub source: Option<String>,
    /// 16-bit little-endian linear samples, 8 kHz mono, once ready.
    pub audio: Option<String>,
}

area! {
    /// The prompts of the tenant.
    Prompts, prompts
}

fn prompt_of(row: &Row) -> Result<Prompt> {
    Ok(Prompt {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        state: row.text("state")?,
        problem: row.opt_text("problem")?,
        duration_ms: row.int("duration_ms")?,
        source_name: row.text("source_name")?,
        created_at: row.time("created_at")?,
    })
}

impl Prompts {
    /// The prompts of the tenant by name.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Prompt>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, name, state, problem, duration_ms, source_name, created_at from prompts \
                 where tenant_id = $1 and name > $2 order by name limit $3",
                args![self.scope.tenant(), page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, prompt_of, |prompt| prompt.name.clone())
    }

    /// One prompt.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, prompt: PromptId) -> Result<Option<Prompt>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, name, state, problem, duration_ms, source_name, created_at from prompts \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), prompt],
            )
            .await?
            .map(|row| prompt_of(&row))
            .transpose()
    }

    /// The blobs of a prompt.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn audio(&self, prompt: PromptId) -> Result<Option<PromptAudio>> {
        self.scope
            .read()
            .await?
            .one(
                "select source_blob, audio_blob from prompts where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), prompt],
            )
            .await?
            .map(|row| {
                Ok(PromptAudio {
                    source: row.opt_text("source_blob")?,
                    audio: row.opt_text("audio_blob")?,
                })
            })
            .transpose()
    }

    /// Keeps an uploaded file and asks for it to be normalised.
    ///
    /// # Errors
    /// The name is taken, the blob cannot be written, or the database did not answer.
    pub async fn create(&self, actor: &Actor, name: &str, source_name: &str, file: &[u8]) -> Result<Prompt> {
        let tenant = self.scope.tenant();
        let prompt = Prompt {
            id: PromptId::generate(self.scope.world()),
            tenant,
            name: name.to_owned(),
            state: "pending".to_owned(),
            problem: None,
            duration_ms: 0,
            source_name: source_name.to_owned(),
            created_at: self.scope.now(),
        };
        let blob = self.scope.blobs().put(file).await?;
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into prompts (id, tenant_id, name, state, problem, duration_ms, source_name, source_blob, \
             audio_blob, created_at) values ($1, $2, $3, 'pending', null, 0, $4, $5, null, $6)",
            args![
                prompt.id,
                tenant,
                prompt.name,
                prompt.source_name,
                blob,
                prompt.created_at
            ],
        )
        .await?;
        let job = Job::NormalisePrompt {
            tenant,
            prompt: prompt.id,
        };
        queue::ask(&mut tx, self.scope.store(), &job).await?;
        self.scope
            .note(&mut tx, actor, "prompt.create", &prompt.id, name)
            .await?;
        tx.commit().await?;
        Ok(prompt)
    }

    /// A prompt once a worker has said whether it can be played; as it is after `patience` when none has. `None`:
    /// there is none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn settled(&self, prompt: PromptId, patience: Duration) -> Result<Option<Prompt>> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let found = self.get(prompt).await?;
            let waits = found.as_ref().is_some_and(|prompt| prompt.state == "pending");
            if !waits || tokio::time::Instant::now() >= deadline {
                return Ok(found);
            }
        }
    }

    /// The prompt can be played.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ready(&self, prompt: PromptId, audio: &str, duration_ms: i64) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update prompts set state = 'ready', problem = null, audio_blob = $3, duration_ms = $4 \
             where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), prompt, audio, duration_ms],
        )
        .await?;
        touch_directory(&mut tx).await?;
        tx.commit().await
    }

    /// The uploaded file is no audio we can read.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn failed(&self, prompt: PromptId, problem: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "update prompts set state = 'failed', problem = $3 where tenant_id = $1 and id = $2 and state <> 'ready'",
            args![self.scope.tenant(), prompt, problem],
        )
        .await?;
        tx.commit().await
    }

    /// Removes a prompt with its audio. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, prompt: PromptId) -> Result<bool> {
        let Some(audio) = self.audio(prompt).await? else {
            return Ok(false);
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from prompts where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), prompt],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "prompt.remove", &prompt, "")
            .await?;
        tx.commit().await?;
        for blob in [audio.source, audio.audio].into_iter().flatten() {
            self.scope.blobs().erase(&blob).await?;
        }
        Ok(true)
    }
}
