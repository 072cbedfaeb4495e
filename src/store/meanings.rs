//! Search by meaning: vectors of what transcripts mean, questions put as vectors, and the calls nearest to one.
//!
//! A worker asks a language service for both. Vectors of different models cannot be compared, so each row names
//! its model and only those of the question's are looked at: all of them, one by one, the newest
//! [`Meanings::MOST`] of a tenant.

use crate::calls::call_of;
use crate::documents::{Answer, CALL_COLUMNS, Hit, Narrowed, Where, transcripts};
use crate::queue;
use crate::scope::area;
use crate::sql::{Row, ToArg as _, Tx, args};
use crate::{Error, Result};
use std::collections::HashMap;
use strowger_model::job::Job;
use strowger_model::meaning::Meaning;
use strowger_model::record::Call;
use strowger_model::search::{Piece, Place};
use strowger_model::transcript::Transcript;
use strowger_model::{CallId, QuestionId, TranscriptId};
use time::Duration;

/// Forgets the vectors of a transcript. The last condition holds for all; without it SQLite may take the index that begins
/// with the tenant and walk through all its vectors.
pub(crate) const FORGET: &str =
    "delete from transcript_vectors where tenant_id = $1 and transcript_id = $2 and position >= 0";

/// Takes the mark that [`MISSING`] looks at from a transcript without vectors.
pub(crate) const UNMARK: &str = "update transcripts set meant_by = '' where tenant_id = $1 and id = $2";

/// Transcripts that are understood and bear the mark of no model or of another. Both sides of that mark are ranges of the
/// index, in its order: what has the vectors that are wanted is not walked through.
pub(crate) const MISSING: &str = "select id from (\
     select id from (select id from transcripts where tenant_id = $1 and meant_by < $2 and state = 'ready' \
     and analysis is not null and text <> '' order by meant_by desc, id desc limit $3) below \
     union all \
     select id from (select id from transcripts where tenant_id = $1 and meant_by > $2 and state = 'ready' \
     and analysis is not null and text <> '' order by meant_by desc, id desc limit $3) above\
     ) missing order by id desc limit $3";

/// Rows that are read at once: some ten megabytes.
const AT_ONCE: i64 = 2000;
/// A question that nobody put for so long is forgotten.
const FORGOTTEN: Duration = Duration::days(30);
/// One that could not be put to a service may be put again after so long.
const AGAIN: Duration = Duration::minutes(1);
/// How often an answer is looked for.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
/// The longest question, letters.
const QUESTION_LETTERS: usize = 500;
/// The most of a stretch that is shown, letters.
const SHOWN_LETTERS: usize = 280;

/// What a stretch of a transcript means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StretchMeaning {
    /// Where its first turn begins; `None` for the summary.
    pub from_ms: Option<i64>,
    /// Where its last turn begins.
    pub to_ms: i64,
    /// Its direction.
    pub meaning: Meaning,
}

/// A question and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// What was asked.
    pub text: String,
    /// Its vector, with the model's name.
    pub meaning: Option<(String, Meaning)>,
    /// Why it has none.
    pub problem: Option<String>,
}

area! {
    /// What the tenant's transcripts mean.
    Meanings, meanings
}

fn question_of(row: &Row) -> Result<Question> {
    let model = row.opt_text("model")?;
    let vector = row.opt_bytes("vector")?;
    Ok(Question {
        id: row.parse("id")?,
        text: row.text("text")?,
        meaning: model
            .zip(vector)
            .map(|(model, bytes)| (model, Meaning::from_bytes(&bytes))),
        problem: row.opt_text("problem")?,
    })
}

/// What came of a search by meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum ByMeaning {
    /// The nearest calls, each with how near it is: 1 means the same, 0 has nothing in common.
    Found(Vec<(Hit, f32)>),
    /// The tenant's settings name nobody who could tell meanings.
    Nobody,
    /// Who could did not, and why.
    Failed(String),
}

/// A stretch and how near it is.
#[derive(Debug, Clone)]
struct Near {
    transcript: TranscriptId,
    from_ms: Option<i64>,
    to_ms: i64,
    nearness: f32,
}

/// Writes the vectors of a transcript in place of those it had.
pub(crate) async fn put(
    tx: &mut Tx,
    scope: &crate::Scope,
    (transcript, call): (TranscriptId, CallId),
    model: &str,
    meanings: &[StretchMeaning],
) -> Result<()> {
    let tenant = scope.tenant();
    tx.run(FORGET, args![tenant, transcript]).await?;
    tx.run(
        "update transcripts set meant_by = $3 where tenant_id = $1 and id = $2",
        args![tenant, transcript, model],
    )
    .await?;
    for (position, one) in (0_i64..).zip(meanings) {
        tx.run(
            "insert into transcript_vectors (tenant_id, transcript_id, call_id, position, from_ms, to_ms, model, vector) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                tenant,
                transcript,
                call,
                position,
                one.from_ms,
                one.to_ms,
                model,
                one.meaning.bytes()
            ],
        )
        .await?;
    }
    Ok(())
}

impl Meanings {
    /// The most vectors of a tenant that are looked at, the newest.
    pub const MOST: i64 = 50_000;

    /// Keeps what a transcript means in place of what was kept, even if that is nothing. Nothing happens when the
    /// transcript is gone.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn put(&self, transcript: TranscriptId, model: &str, meanings: &[StretchMeaning]) -> Result<()> {
        let mut tx = self.scope.write().await?;
        let row = tx
            .one(
                "select call_id from transcripts where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), transcript],
            )
            .await?;
        let Some(row) = row else { return Ok(()) };
        put(
            &mut tx,
            &self.scope,
            (transcript, row.parse("call_id")?),
            model,
            meanings,
        )
        .await?;
        tx.commit().await
    }

    /// Transcripts that are understood and have no vectors of a model: of each model they had before the newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn missing(&self, model: &str, limit: i64) -> Result<Vec<TranscriptId>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(MISSING, args![self.scope.tenant(), model, limit])
            .await?;
        rows.iter().map(|row| row.parse("id")).collect()
    }

    /// Puts a question: the one that was put before with its answer, or a new one and the work to answer it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask(&self, text: &str) -> Result<Question> {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().take(QUESTION_LETTERS).collect();
        let (tenant, now) = (self.scope.tenant(), self.scope.now());
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from search_questions where tenant_id = $1 and (asked_at < $2 or (problem is not null and asked_at < $3))",
            args![tenant, now - FORGOTTEN, now - AGAIN],
        )
        .await?;
        let id = QuestionId::generate(self.scope.world());
        let first = tx
            .run(
                "insert into search_questions (id, tenant_id, text, model, vector, problem, asked_at) \
                 values ($1, $2, $3, null, null, null, $4) on conflict (tenant_id, text) do nothing",
                args![id, tenant, text, now],
            )
            .await?;
        if first > 0 {
            let job = Job::EmbedQuestion { tenant, question: id };
            queue::ask(&mut tx, self.scope.store(), &job).await?;
        }
        let row = tx
            .one(
                "select id, text, model, vector, problem from search_questions where tenant_id = $1 and text = $2",
                args![tenant, text],
            )
            .await?;
        let question = row.map(|row| question_of(&row)).transpose()?;
        tx.commit().await?;
        question.ok_or(Error::Corrupt {
            column: "search_questions.text",
            value: String::new(),
        })
    }

    /// A question.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn question(&self, id: QuestionId) -> Result<Option<Question>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, text, model, vector, problem from search_questions where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?
            .map(|row| question_of(&row))
            .transpose()
    }

    /// Keeps a question's vector, or why there is none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn answer(&self, id: QuestionId, answer: std::result::Result<(&str, &Meaning), &str>) -> Result<()> {
        let (model, vector, problem) = match answer {
            Ok((model, meaning)) => (Some(model), Some(meaning.bytes()), None),
            Err(problem) => (None, None, Some(problem)),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "update search_questions set model = $3, vector = $4, problem = $5 where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), id, model, vector, problem],
        )
        .await?;
        tx.commit().await
    }

    /// Asks for the vectors that are missing, unless that is under way.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask_for_missing(&self) -> Result<()> {
        let job = Job::Embed {
            tenant: self.scope.tenant(),
        };
        let mut tx = self.scope.write().await?;
        let waiting = tx
            .one(
                "select id from jobs where tenant_id = $1 and kind = $2 and state in ('queued', 'running') limit 1",
                args![self.scope.tenant(), job.kind()],
            )
            .await?;
        if waiting.is_none() {
            queue::ask(&mut tx, self.scope.store(), &job).await?;
        }
        tx.commit().await
    }

    /// The calls that mean what a question means, the nearest first. Waits for a worker to have the question
    /// understood, at most `patience`; a question that was put before needs none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn search(
        &self,
        text: &str,
        narrowed: Narrowed,
        limit: usize,
        patience: std::time::Duration,
    ) -> Result<ByMeaning> {
        let settings = self.scope.settings().resolve().await?;
        if settings.text("ai_embedding_order").trim().is_empty() || text.trim().is_empty() {
            return Ok(ByMeaning::Nobody);
        }
        let asked = self.ask(text).await?;
        let question = if asked.meaning.is_none() && asked.problem.is_none() {
            match tokio::time::timeout(patience, self.answered(asked.id)).await {
                Ok(answered) => answered?,
                Err(_) => None,
            }
        } else {
            Some(asked)
        };
        match question {
            Some(Question {
                meaning: Some((model, meaning)),
                ..
            }) => Ok(ByMeaning::Found(self.near((&model, &meaning), narrowed, limit).await?)),
            Some(Question { problem, .. }) => Ok(ByMeaning::Failed(problem.unwrap_or_default())),
            None => Ok(ByMeaning::Failed("no worker answered in time".to_owned())),
        }
    }

    /// Looks again and again until a question has its answer, or is gone.
    async fn answered(&self, id: QuestionId) -> Result<Option<Question>> {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            match self.question(id).await? {
                Some(question) if question.meaning.is_none() && question.problem.is_none() => {}
                other => return Ok(other),
            }
        }
    }

    /// The calls whose stretches are nearest to a question's vector, the nearest first, each with how near it is.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn near(
        &self,
        (model, question): (&str, &Meaning),
        narrowed: Narrowed,
        limit: usize,
    ) -> Result<Vec<(Hit, f32)>> {
        let mut tx = self.scope.read().await?;
        let found = self.scan(&mut tx, (model, question), narrowed).await?;
        let mut ranked: Vec<(CallId, Vec<Near>)> = found.into_iter().collect();
        let best = |places: &[Near]| places.first().map_or(0.0, |one| one.nearness);
        for (_, places) in &mut ranked {
            places.sort_by(|one, other| other.nearness.total_cmp(&one.nearness));
        }
        ranked.sort_by(|(call, one), (other_call, other)| {
            best(other).total_cmp(&best(one)).then_with(|| other_call.cmp(call))
        });
        ranked.truncate(limit);
        let mut hits = Vec::with_capacity(ranked.len());
        let calls = self.calls(&mut tx, &ranked).await?;
        let all = transcripts(&mut tx, self.scope.tenant(), &calls).await?;
        for (id, places) in ranked {
            let Some(call) = calls.iter().find(|call| call.id == id) else {
                continue;
            };
            let nearness = best(&places);
            let answers = places.iter().take(Self::PLACES).filter_map(|near| {
                let transcript = all.iter().find(|one| one.id == near.transcript)?;
                Some(answer(transcript, near))
            });
            let hit = Hit {
                call: call.clone(),
                places: answers.collect(),
                more: 0,
            };
            hits.push((hit, nearness));
        }
        Ok(hits)
    }

    /// The places of a call that are shown.
    const PLACES: usize = 2;

    /// Every stretch that is near at all, by call; of each call the nearest few.
    async fn scan(
        &self,
        tx: &mut Tx,
        (model, question): (&str, &Meaning),
        narrowed: Narrowed,
    ) -> Result<HashMap<CallId, Vec<Near>>> {
        let mut found: HashMap<CallId, Vec<Near>> = HashMap::new();
        // Ids begin with a figure of sixteen, so all come before this.
        let (mut after, mut position, mut seen) = ("g".to_owned(), 0_i64, 0_i64);
        while seen < Self::MOST {
            let rows = tx
                .all(
                    "select v.transcript_id, v.call_id, v.position, v.from_ms, v.to_ms, v.vector from transcript_vectors v \
                     where v.tenant_id = $1 and v.model = $2 \
                     and (v.transcript_id < $3 or (v.transcript_id = $3 and v.position > $4)) \
                     and ($5 is null or exists (select 1 from calls c where c.id = v.call_id and c.user_id = $5)) \
                     order by v.transcript_id desc, v.position limit $6",
                    args![self.scope.tenant(), model, after, position, narrowed.user, AT_ONCE],
                )
                .await?;
            for row in &rows {
                let from_ms = row.opt_int("from_ms")?;
                let part = if from_ms.is_some() { Where::Said } else { Where::Summary };
                if narrowed.to.is_some_and(|only| only != part) {
                    continue;
                }
                let near = Near {
                    transcript: row.parse("transcript_id")?,
                    from_ms,
                    to_ms: row.int("to_ms")?,
                    nearness: question.nearness(&row.bytes("vector")?),
                };
                let places = found.entry(row.parse("call_id")?).or_default();
                places.push(near);
                places.sort_by(|one, other| other.nearness.total_cmp(&one.nearness));
                places.truncate(Self::PLACES);
            }
            let Some(last) = rows.last() else { break };
            after = last.text("transcript_id")?;
            position = last.int("position")?;
            seen += AT_ONCE;
        }
        Ok(found)
    }

    async fn calls(&self, tx: &mut Tx, ranked: &[(CallId, Vec<Near>)]) -> Result<Vec<Call>> {
        if ranked.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (2..ranked.len() + 2).map(|n| format!("${n}")).collect();
        let statement = format!(
            "select {CALL_COLUMNS} from calls c where c.tenant_id = $1 and c.id in ({})",
            places.join(", ")
        );
        let mut values = args![self.scope.tenant()];
        values.extend(ranked.iter().map(|(call, _)| call.arg()));
        tx.all_of(statement, values).await?.iter().map(call_of).collect()
    }
}

/// A stretch as it is shown: the summary, or the turns it was made of.
fn answer(transcript: &Transcript, near: &Near) -> Answer {
    let turns = transcript.segments.iter().filter(|segment| {
        let from_ms = near.from_ms.unwrap_or(i64::MAX);
        (from_ms..=near.to_ms).contains(&segment.start_ms)
    });
    let said: Vec<&str> = turns.clone().map(|segment| segment.text.as_str()).collect();
    let text = match (&near.from_ms, &transcript.analysis) {
        (None, Some(analysis)) => analysis.summary.clone(),
        _ => said.join(" "),
    };
    let mut shown: String = text.chars().take(SHOWN_LETTERS).collect();
    if shown.len() < text.len() {
        shown.push_str(" …");
    }
    Answer {
        part: if near.from_ms.is_some() {
            Where::Said
        } else {
            Where::Summary
        },
        transcript: Some(transcript.id),
        recording: Some(transcript.recording),
        place: Place {
            speaker: turns
                .clone()
                .next()
                .map(|segment| segment.speaker.clone())
                .unwrap_or_default(),
            at_ms: near.from_ms,
            line_ms: near.from_ms,
            pieces: vec![Piece {
                text: shown,
                found: false,
            }],
        },
    }
}
