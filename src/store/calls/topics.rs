//! What calls were about and how they seem to have ended, out of their transcripts into rows that the log is filtered by.

use crate::Result;
use crate::sql::{Row, Tx, args};
use strowger_model::speech::Analysis;
use strowger_model::subject::ERASED;
use strowger_model::{CallId, TenantId};

/// What the rows of a call say, read with its row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    topics: i64,
    suggested: String,
}

impl Standing {
    /// The columns it is read from, for a call `$2` of tenant `$1`.
    pub(super) const COLUMNS: &'static str =
        "suggested, (select count(*) from call_topics where tenant_id = $1 and call_id = $2) as topics";

    pub(super) fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            topics: row.int("topics")?,
            suggested: row.text("suggested")?,
        })
    }
}

/// Brings the rows up to date with what was understood of a call's transcripts, the oldest first. Calls that nobody
/// understood cost nothing.
pub(super) async fn refresh(
    tx: &mut Tx,
    tenant: TenantId,
    call: CallId,
    standing: Standing,
    all: &[Analysis],
) -> Result<()> {
    let mut topics: Vec<&str> = Vec::new();
    for topic in all.iter().flat_map(|analysis| &analysis.topics) {
        if !topics.contains(&topic.name.as_str()) && !topic.name.contains(ERASED) {
            topics.push(&topic.name);
        }
    }
    let outcomes = all.iter().rev().filter_map(|analysis| analysis.outcome.as_ref());
    let suggested = outcomes.map(|outcome| outcome.ending.code()).next().unwrap_or_default();
    if standing.suggested != suggested {
        tx.run(
            "update calls set suggested = $3 where tenant_id = $1 and id = $2",
            args![tenant, call, suggested],
        )
        .await?;
    }
    if standing.topics > 0 {
        tx.run(
            "delete from call_topics where tenant_id = $1 and call_id = $2",
            args![tenant, call],
        )
        .await?;
    }
    for (position, topic) in (0_i64..).zip(topics) {
        tx.run(
            "insert into call_topics (tenant_id, call_id, topic, position, started_at) \
             select tenant_id, id, $3, $4, started_at from calls where tenant_id = $1 and id = $2",
            args![tenant, call, topic, position],
        )
        .await?;
    }
    Ok(())
}
