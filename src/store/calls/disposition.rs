//! How calls ended up, in a word: by itself when they end, by a person after that. What was said suggests one.

use super::{CallFilter, Calls};
use crate::Result;
use crate::audit::Actor;
use crate::sql::{Row, ToArg as _, Tx, args};
use std::collections::HashMap;
use strowger_model::{CallId, CallState, TenantId};

/// How a call ended up and what it was about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// The word; empty while it runs.
    pub disposition: String,
    /// Whether a person said it.
    pub is_chosen: bool,
    /// The word that what was said suggests; empty where nothing does.
    pub suggested: String,
    /// The topics, what was heard most first.
    pub topics: Vec<String>,
}

/// Sets the word of a call that ended, unless a person was faster.
pub(super) async fn settle(tx: &mut Tx, tenant: TenantId, call: (CallId, CallState), is_message: bool) -> Result<()> {
    let word = if is_message {
        "voicemail"
    } else if call.1 == CallState::Completed {
        "answered"
    } else {
        call.1.code()
    };
    tx.run(
        "update calls set disposition = $3 where tenant_id = $1 and id = $2 and disposition = ''",
        args![tenant, call.0, word],
    )
    .await?;
    Ok(())
}

fn counted(row: &Row) -> Result<(String, i64)> {
    Ok((row.text("disposition")?, row.int("n")?))
}

impl Calls {
    /// Says how a call that is over ended up. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_disposition(&self, actor: &Actor, call: CallId, word: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update calls set disposition = $3, disposition_chosen = 1 \
                 where tenant_id = $1 and id = $2 and ended_at is not null",
                args![self.scope.tenant(), call, word],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope.note(&mut tx, actor, "call.disposition", &call, word).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes the word that what was said suggests, unless a person said how the call ended up. Returns the word, or
    /// `None` when there is nothing to take or a person was faster.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn accept_suggestion(&self, actor: &Actor, call: CallId) -> Result<Option<String>> {
        let mut tx = self.scope.write().await?;
        let taken = tx
            .one(
                "update calls set disposition = suggested, disposition_chosen = 1 where tenant_id = $1 and id = $2 \
                 and ended_at is not null and suggested <> '' and disposition_chosen = 0 returning disposition",
                args![self.scope.tenant(), call],
            )
            .await?;
        let Some(row) = taken else { return Ok(None) };
        let word = row.text("disposition")?;
        let detail = format!("{word}, as suggested");
        self.scope
            .note(&mut tx, actor, "call.disposition", &call, &detail)
            .await?;
        tx.commit().await?;
        Ok(Some(word))
    }

    /// How calls ended up and what they were about.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ended(&self, calls: &[CallId]) -> Result<HashMap<CallId, Ended>> {
        if calls.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
        let places = places.join(", ");
        let values = || {
            let mut values = args![self.scope.tenant()];
            values.extend(calls.iter().map(CallId::arg));
            values
        };
        let mut tx = self.scope.read().await?;
        let statement = format!(
            "select id, disposition, disposition_chosen, suggested from calls where tenant_id = $1 and id in ({places})"
        );
        let mut all: HashMap<CallId, Ended> = HashMap::new();
        for row in tx.all_of(statement, values()).await? {
            let ended = Ended {
                disposition: row.text("disposition")?,
                is_chosen: row.switch("disposition_chosen")?,
                suggested: row.text("suggested")?,
                topics: Vec::new(),
            };
            all.insert(row.parse("id")?, ended);
        }
        let statement = format!(
            "select call_id, topic from call_topics where tenant_id = $1 and call_id in ({places}) order by position"
        );
        for row in tx.all_of(statement, values()).await? {
            if let Some(ended) = all.get_mut(&row.parse("call_id")?) {
                ended.topics.push(row.text("topic")?);
            }
        }
        Ok(all)
    }

    /// How many calls of a filter ended up how, the most first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn by_disposition(&self, filter: &CallFilter) -> Result<Vec<(String, i64)>> {
        let (from, clause) = self.whole(filter);
        let statement = format!(
            "select calls.disposition, count(*) as n from {from} where {} and calls.disposition <> '' \
             group by calls.disposition order by n desc, calls.disposition",
            clause.text
        );
        let rows = self.scope.read().await?.all_of(statement, clause.args).await?;
        rows.iter().map(counted).collect()
    }
}
