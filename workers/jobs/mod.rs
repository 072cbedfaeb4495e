//! The work itself: one file a job.
//!
//! Every job looks first whether its work is done, computes, and hands the result to one function of
//! the store that writes result and follow-up together. Killed at any line it is run again and ends the
//! same. Start reading at [`Desk::run`].

mod analyse;
mod embed;
mod fault;
mod import_recording;
mod meeting;
mod move_recordings;
mod normalise_prompt;
mod notify;
mod outside;
mod prepare_greeting;
mod process_recording;
mod recognisers;
mod render_flow;
mod render_greeting;
mod render_phrases;
mod retain;
mod sides;
mod silence;
mod spoken;
mod talk;
#[cfg(test)]
mod tests;
mod transcribe;

pub use fault::Fault;
pub(crate) use outside::tell_breakers;

use crate::providers::chain::Providers;
use crate::whisper::models::ModelStore;
use recognisers::Recognisers;
use std::sync::{Arc, Mutex};
use strowger_model::World;
use strowger_model::job::Job;
use strowger_model::steady::SteadyClock;
use strowger_store::Store;
use strowger_store::queue::{Context, JobError};
use tracing::{error, warn};

/// Everything a job may use.
#[derive(Clone)]
pub struct Desk {
    store: Store,
    world: Arc<dyn World>,
    recognisers: Arc<Recognisers>,
    providers: Arc<Providers>,
    clock: Arc<Mutex<SteadyClock>>,
}

impl Desk {
    /// A desk over a store; `model` names the speech model, empty the most capable one in `models`.
    #[must_use]
    pub fn new(store: Store, world: Arc<dyn World>, models: ModelStore, model: String) -> Self {
        let clock = SteadyClock::new(world.now(), world.passed());
        Self {
            store,
            world,
            recognisers: Arc::new(Recognisers::new(models, model)),
            providers: Arc::default(),
            clock: Arc::new(Mutex::new(clock)),
        }
    }

    /// The same desk with providers outside of this machine, which tenants may put before it.
    #[must_use]
    pub fn with_providers(self, providers: Arc<Providers>) -> Self {
        Self { providers, ..self }
    }

    /// Does one job.
    ///
    /// # Errors
    /// What went wrong and whether another try can help.
    pub async fn run(&self, job: Job, context: Context) -> Result<(), JobError> {
        if let Some(reason) = &context.spent {
            self.tell_failed(&job, reason).await;
            return Err(JobError::GiveUp(reason.clone()));
        }
        let outcome = match &job {
            Job::ProcessRecording {
                tenant,
                capture,
                recording,
            } => process_recording::run(self, *tenant, *capture, *recording).await,
            Job::Transcribe {
                tenant,
                recording,
                transcript,
            } => transcribe::run(self, *tenant, *recording, *transcript, &context).await,
            Job::Analyse { tenant, transcript } => analyse::run(self, *tenant, *transcript).await,
            Job::Embed { tenant } => embed::run(self, *tenant, &context).await,
            Job::EmbedQuestion { tenant, question } => embed::question(self, *tenant, *question).await,
            Job::Notify { tenant, call, what } => notify::run(self, *tenant, *call, *what).await,
            Job::NormalisePrompt { tenant, prompt } => normalise_prompt::run(self, *tenant, *prompt).await,
            Job::RenderFlow { tenant, version } => render_flow::run(self, *tenant, *version).await,
            Job::RenderGreeting { tenant, user } => render_greeting::run(self, *tenant, *user).await,
            Job::RenderPhrases { tenant } => render_phrases::run(self, *tenant).await,
            Job::PrepareGreeting { tenant, greeting } => prepare_greeting::run(self, *tenant, *greeting).await,
            Job::Retain { tenant } => retain::run(self, *tenant, &context).await,
            Job::ImportRecording {
                tenant,
                recording,
                upload,
            } => import_recording::run(self, *tenant, *recording, *upload).await,
            Job::MoveRecordings { tenant } => move_recordings::run(self, *tenant, &context).await,
        };
        let Err(fault) = outcome else {
            self.look_for_moves(&job).await;
            return Ok(());
        };
        // A worker that is told to end says nothing about the job.
        let is_final = fault.is_final() || (context.is_last && !context.cancelled.is_cancelled());
        let problem = fault.to_string();
        if is_final {
            self.tell_failed(&job, &problem).await;
        }
        Err(fault.into())
    }

    async fn tell_failed(&self, job: &Job, problem: &str) {
        if let Err(unwritten) = self.say_failed(job, problem).await {
            error!(
                problem = &unwritten as &dyn std::error::Error,
                "cannot write why a job failed"
            );
        }
    }

    /// A recording that is finished may be due in the bucket at once. What is not asked for here is found within
    /// minutes.
    async fn look_for_moves(&self, job: &Job) {
        if !matches!(
            job,
            Job::ProcessRecording { .. } | Job::ImportRecording { .. } | Job::Transcribe { .. }
        ) {
            return;
        }
        if let Err(problem) = self.store.tenant(job.tenant()).recordings().ask_move().await {
            warn!(
                problem = &problem as &dyn std::error::Error,
                "cannot look whether a recording is due in the bucket"
            );
        }
    }

    /// Writes the reason where people look for the result.
    async fn say_failed(&self, job: &Job, problem: &str) -> strowger_store::Result<()> {
        let scope = self.store.tenant(job.tenant());
        match job {
            Job::ProcessRecording { recording, .. } | Job::ImportRecording { recording, .. } => {
                scope.recordings().failed(*recording, problem).await
            }
            Job::Transcribe { transcript, .. } => scope.transcripts().failed(*transcript, problem).await,
            Job::NormalisePrompt { prompt, .. } => scope.prompts().failed(*prompt, problem).await,
            Job::RenderFlow { version, .. } => scope.flows().version_failed(*version, problem).await,
            Job::PrepareGreeting { greeting, .. } => scope.greetings().failed(*greeting, problem).await,
            Job::Analyse { .. }
            | Job::Embed { .. }
            | Job::EmbedQuestion { .. }
            | Job::Notify { .. }
            | Job::RenderGreeting { .. }
            | Job::RenderPhrases { .. }
            | Job::Retain { .. }
            | Job::MoveRecordings { .. } => Ok(()),
        }
    }
}

/// Runs what blocks or computes long off the async threads.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|problem| {
        Err(Fault::Retry(
            anyhow::Error::new(problem).context("the work ended badly"),
        ))
    })
}
