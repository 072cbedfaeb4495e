//! Transcripts and questions → vectors of what they mean, where the tenant names who can tell.

use super::{Desk, Fault, outside};
use crate::providers::chain::Wish;
use strowger_model::meaning::{Meaning, stretches};
use strowger_model::{QuestionId, TenantId};
use strowger_store::queue::Context;

/// Transcripts that are looked for at once.
const AT_ONCE: i64 = 50;

/// Has every transcript of a tenant understood that has no vectors of the model in use, the newest first.
/// Cut anywhere it goes on where it was.
pub(super) async fn run(desk: &Desk, tenant: TenantId, context: &Context) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let wish = Wish::of(&scope.settings().resolve().await?);
    let meanings = scope.meanings();
    let mut done = std::collections::BTreeSet::new();
    loop {
        let Some(model) = desk.providers.embedder(&wish) else {
            return Ok(());
        };
        let missing = meanings.missing(&model, AT_ONCE).await?;
        // One that has nothing to be understood is met once and no more.
        let new: Vec<_> = missing.into_iter().filter(|one| done.insert(*one)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for transcript in new {
            if context.cancelled.is_cancelled() {
                return Err(Fault::again("the worker is to end"));
            }
            let Some(row) = scope.transcripts().get(transcript).await? else {
                continue;
            };
            let parts = stretches(&row.segments, row.analysis.as_ref());
            if parts.is_empty() {
                // Marked as understood, or it would be met at every question.
                meanings.put(transcript, &model, &[]).await?;
                continue;
            }
            let found = outside::meanings(desk, &scope, &wish, parts).await?;
            let (model, found) = found.ok_or_else(|| Fault::again("the language service does not answer"))?;
            meanings.put(transcript, &model, &found).await?;
        }
    }
}

/// Has a question understood; why it could not be is written where the asker looks.
pub(super) async fn question(desk: &Desk, tenant: TenantId, question: QuestionId) -> Result<(), Fault> {
    let scope = desk.store.tenant(tenant);
    let meanings = scope.meanings();
    let Some(asked) = meanings.question(question).await? else {
        return Ok(());
    };
    if asked.meaning.is_some() {
        return Ok(());
    }
    let wish = Wish::of(&scope.settings().resolve().await?);
    if desk.providers.embedder(&wish).is_none() {
        let problem = "nobody in the order can tell meanings, or nothing may leave the site";
        return Ok(meanings.answer(question, Err(problem)).await?);
    }
    let outcome = desk.providers.embed(&wish, &[asked.text]).await;
    outside::count(desk, &scope, &outcome.tries).await?;
    let found = outcome.answer.and_then(|(model, vectors)| {
        let meaning = Meaning::of(vectors.first()?)?;
        Some((model, meaning))
    });
    match found {
        Some((model, meaning)) => {
            meanings.answer(question, Ok((&model, &meaning))).await?;
            if !meanings.missing(&model, 1).await?.is_empty() {
                meanings.ask_for_missing().await?;
            }
        }
        None => {
            let problem = outcome.tries.last().and_then(|one| one.problem.clone());
            let problem = problem.unwrap_or_else(|| "the language service rests after failures".to_owned());
            meanings.answer(question, Err(&problem)).await?;
        }
    }
    Ok(())
}
