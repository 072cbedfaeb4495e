//! Asking providers in a tenant's order: past those that rest or fail, within a budget of time, and counting
//! what each try took. What comes back says who made it.

use super::breaker::{Breaker, State};
use super::list::{self, Provider};
use super::{Garbage, Heard, Request, Sound, Tokens, http, prompt};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use strowger_model::settings::Settings;
use strowger_model::speech::{Analysis, Segment};
use strowger_model::topics::TopicLists;
use tokio::time::Instant;
use tracing::{debug, warn};

/// The longest file sent to be heard: what the services take.
const MOST_BYTES: usize = 24 * 1024 * 1024;

/// The most texts of one request for vectors: what all services take.
const TEXTS_AT_ONCE: usize = 64;

/// What a tenant wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Who is asked to understand, in order; after them this machine.
    pub understanding: Vec<String>,
    /// Who is asked to hear, in order; after them this machine.
    pub hearing: Vec<String>,
    /// Who is asked what texts mean: the first who can and may, since vectors of two models cannot be compared.
    pub embedding: Vec<String>,
    /// The names of the topics that calls are looked through for.
    pub topics: Vec<String>,
    /// Whether anything may leave the house.
    pub consents: bool,
    /// How long all tries of one task may take together.
    pub budget: Duration,
}

impl Wish {
    /// What the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let order = |name: &str| -> Vec<String> {
            let text = settings.text(name);
            let names = text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
            // After this machine nobody needs to be asked.
            names.take_while(|name| *name != "local").map(str::to_owned).collect()
        };
        Self {
            understanding: order("ai_understanding_order"),
            hearing: order("ai_transcription_order"),
            embedding: order("ai_embedding_order"),
            topics: TopicLists::of(settings).names(),
            consents: settings.switch("ai_may_leave_site"),
            budget: Duration::from_secs(settings.number("ai_budget_seconds").unsigned_abs()),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Summary, mood, points.
    Understand,
    /// Who said what.
    Hear,
    /// What texts mean, as vectors.
    Embed,
}

impl Task {
    /// As stored and shown.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Understand => "understanding",
            Self::Hear => "transcription",
            Self::Embed => "embedding",
        }
    }
}

/// One request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Of whom.
    pub provider: String,
    /// For what.
    pub task: Task,
    /// Why it failed; nothing when it did not.
    pub problem: Option<String>,
    /// What it took.
    pub tokens: Tokens,
    /// What it cost, millionths of the currency.
    pub cost_micros: i64,
    /// How long it took.
    pub took: Duration,
}

/// What came of asking.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    /// The answer; nothing when this machine has to do it.
    pub answer: Option<T>,
    /// Every request made, the last one the answer's.
    pub tries: Vec<Try>,
    /// Who was not asked because it failed of late.
    pub resting: Vec<String>,
}

/// How the breaker of a provider stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Whose.
    pub provider: String,
    /// Failures in a row.
    pub failures: u32,
    /// How long it still rests; nothing left when the next request tries it.
    pub rests: Option<Duration>,
}

/// The providers of this worker.
#[derive(Debug, Default)]
pub struct Providers {
    file: Option<PathBuf>,
    /// What this worker is called among others.
    worker: String,
    breakers: Mutex<HashMap<String, Breaker>>,
}

/// Who heard a sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hearer {
    /// The provider's name.
    pub provider: String,
    /// Its model.
    pub model: String,
}

impl Providers {
    /// Those that a file names.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// The same in a worker of that name.
    #[must_use]
    pub fn of_worker(self, name: &str) -> Self {
        Self {
            worker: name.to_owned(),
            ..self
        }
    }

    /// What this worker is called.
    #[must_use]
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// How the breakers stand of those that failed last.
    #[must_use]
    pub fn stands(&self) -> Vec<Stand> {
        let now = Instant::now().into_std();
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Stand> = breakers
            .iter()
            .map(|(name, breaker)| {
                let (failures, until) = breaker.stands();
                Stand {
                    provider: name.clone(),
                    failures,
                    rests: until.map(|until| until.saturating_duration_since(now)),
                }
            })
            .filter(|one| one.failures > 0)
            .collect();
        all.sort_by(|one, other| one.provider.cmp(&other.provider));
        all
    }

    /// The list as it stands in the file now.
    ///
    /// # Errors
    /// The file cannot be read or contradicts itself.
    pub fn list(&self) -> Result<Vec<Provider>, list::Error> {
        list::read(self.file.as_deref())
    }

    /// Has a transcript understood. `local` is what the rules made of it.
    pub async fn understand(&self, wish: &Wish, segments: &[Segment], local: &Analysis) -> Outcome<Analysis> {
        let lines = prompt::lines(segments);
        let rules = prompt::rules(&wish.topics);
        let asking = Asking {
            task: Task::Understand,
            order: &wish.understanding,
            audio_ms: 0,
        };
        self.ask(
            wish,
            &asking,
            |provider| provider.dialect.chat(&rules, &lines),
            |provider, body| {
                let (text, tokens) = provider.dialect.read_chat(body)?;
                let known = prompt::Known {
                    segments,
                    local,
                    topics: &wish.topics,
                    provider: &provider.name,
                };
                Ok((prompt::believed(&text, known)?, tokens))
            },
        )
        .await
    }

    /// Has one channel heard.
    pub async fn hear(&self, wish: &Wish, sound: Sound<'_>) -> Outcome<(Hearer, Heard)> {
        if sound.file.len() > MOST_BYTES {
            return Outcome {
                answer: None,
                tries: Vec::new(),
                resting: Vec::new(),
            };
        }
        let asking = Asking {
            task: Task::Hear,
            order: &wish.hearing,
            audio_ms: sound.duration_ms,
        };
        self.ask(
            wish,
            &asking,
            |provider| provider.dialect.audio(sound),
            |provider, body| {
                let heard = provider.dialect.read_audio(body, sound)?;
                let tokens = heard.tokens;
                let hearer = Hearer {
                    provider: provider.name.clone(),
                    model: provider.hearing.clone(),
                };
                Ok(((hearer, heard), tokens))
            },
        )
        .await
    }

    /// The model that tells what texts mean for a tenant, as vectors are filed by: provider and model.
    #[must_use]
    pub fn embedder(&self, wish: &Wish) -> Option<String> {
        self.first_embedder(wish)
            .map(|provider| format!("{}/{}", provider.name, provider.embedding))
    }

    fn first_embedder(&self, wish: &Wish) -> Option<Provider> {
        if wish.embedding.is_empty() {
            return None;
        }
        let list = self.list().ok()?;
        wish.embedding.iter().find_map(|name| {
            let provider = list.iter().find(|provider| provider.name == *name)?;
            (provider.embeds && (wish.consents || provider.on_premises)).then(|| provider.clone())
        })
    }

    /// Has texts turned into vectors of what they mean, with the name of the model they are of.
    pub async fn embed(&self, wish: &Wish, texts: &[String]) -> Outcome<(String, Vec<Vec<f32>>)> {
        let mut outcome = Outcome {
            answer: None,
            tries: Vec::new(),
            resting: Vec::new(),
        };
        let Some(embedder) = self.first_embedder(wish) else {
            return outcome;
        };
        let order = [embedder.name.clone()];
        let asking = Asking {
            task: Task::Embed,
            order: &order,
            audio_ms: 0,
        };
        let mut vectors = Vec::with_capacity(texts.len());
        for part in texts.chunks(TEXTS_AT_ONCE) {
            let one = self.ask(
                wish,
                &asking,
                |provider| provider.dialect.embedding(part),
                |provider, body| provider.dialect.read_embedding(body, part.len()),
            );
            let one = one.await;
            outcome.tries.extend(one.tries);
            outcome.resting.extend(one.resting);
            let Some(found) = one.answer else { return outcome };
            vectors.extend(found);
        }
        outcome.answer = Some((format!("{}/{}", embedder.name, embedder.embedding), vectors));
        outcome
    }

    async fn ask<T>(
        &self,
        wish: &Wish,
        asking: &Asking<'_>,
        make: impl Fn(&Provider) -> Request,
        read: impl Fn(&Provider, &[u8]) -> Result<(T, Tokens), Garbage>,
    ) -> Outcome<T> {
        let mut outcome = Outcome {
            answer: None,
            tries: Vec::new(),
            resting: Vec::new(),
        };
        if asking.order.is_empty() {
            return outcome;
        }
        let list = match self.list() {
            Ok(list) => list,
            Err(problem) => {
                warn!(problem = &problem as &dyn std::error::Error, "no provider is asked");
                return outcome;
            }
        };
        let deadline = Instant::now() + wish.budget;
        for name in asking.order {
            let Some(provider) = list.iter().find(|provider| provider.name == *name) else {
                debug!(provider = name, "the list names no such provider");
                continue;
            };
            let can = match asking.task {
                Task::Understand => provider.chats,
                Task::Hear => provider.hears,
                Task::Embed => provider.embeds,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if !can || !(wish.consents || provider.on_premises) || left.is_zero() {
                continue;
            }
            if self.of(name, |breaker| breaker.ask(Instant::now().into_std())) == State::Open {
                debug!(provider = name, "it failed of late and rests");
                outcome.resting.push(name.clone());
                continue;
            }
            let began = Instant::now();
            let answer = request(provider, &make(provider), left.min(provider.timeout)).await;
            let answer = answer.and_then(|body| read(provider, &body).map_err(|garbage| garbage.to_string()));
            let mut one = Try {
                provider: name.clone(),
                task: asking.task,
                problem: None,
                tokens: Tokens::default(),
                cost_micros: 0,
                took: began.elapsed(),
            };
            match answer {
                Ok((answer, tokens)) => {
                    self.of(name, Breaker::succeeded);
                    one.tokens = tokens;
                    one.cost_micros = provider.cost_micros(tokens, asking.audio_ms);
                    outcome.tries.push(one);
                    outcome.answer = Some(answer);
                    return outcome;
                }
                Err(problem) => {
                    self.of(name, |breaker| breaker.failed(Instant::now().into_std()));
                    warn!(provider = name, problem, "a provider failed");
                    one.problem = Some(problem);
                    outcome.tries.push(one);
                }
            }
        }
        outcome
    }

    fn of<T>(&self, name: &str, with: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        with(breakers.entry(name.to_owned()).or_default())
    }
}

struct Asking<'a> {
    task: Task,
    order: &'a [String],
    audio_ms: i64,
}

async fn request(provider: &Provider, request: &Request, patience: Duration) -> Result<Vec<u8>, String> {
    let keyed = provider.clone();
    let key = tokio::task::spawn_blocking(move || keyed.key())
        .await
        .map_err(|_| "the key was not read".to_owned())?;
    let key = key.map_err(|problem| problem.to_string())?;
    let answer = http::post(&provider.place, request, key.as_deref());
    match tokio::time::timeout(patience, answer).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(problem)) => Err(problem.to_string()),
        Err(_) => Err(format!("no answer in {} s", patience.as_secs_f64().round())),
    }
}

#[cfg(test)]
mod tests;
