//! How calls ended up, in a word: by itself when they end, by a person after that.

use super::{CallFilter, Calls};
use crate::Result;
use crate::audit::Actor;
use crate::sql::{Row, ToArg as _, Tx, args};
use std::collections::HashMap;
use strowger_model::{CallId, CallState, TenantId};

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
                "update calls set disposition = $3 where tenant_id = $1 and id = $2 and ended_at is not null",
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

    /// How calls ended up; those that run are left out.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn dispositions(&self, calls: &[CallId]) -> Result<HashMap<CallId, String>> {
        if calls.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
        let statement = format!(
            "select id, disposition from calls where tenant_id = $1 and disposition <> '' and id in ({})",
            places.join(", ")
        );
        let mut values = args![self.scope.tenant()];
        values.extend(calls.iter().map(CallId::arg));
        let rows = self.scope.read().await?.all_of(statement, values).await?;
        rows.iter()
            .map(|row| Ok((row.parse("id")?, row.text("disposition")?)))
            .collect()
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
