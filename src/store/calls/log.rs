//! The call log: filters, pages, figures.

use super::{Calls, call_of, with_tags};
use crate::Result;
use crate::sql::{Arg, Page, Paged, ToArg, args, cut_by, escape_like};
use strowger_model::record::Call;
use strowger_model::{CallState, Direction, UserId};
use time::OffsetDateTime;

/// Which calls are wanted; what is `None` or empty does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Calls of this person.
    pub user: Option<UserId>,
    /// Calls from or to this number, with or without its international prefix.
    pub number: Option<String>,
    /// Calls that went this way.
    pub direction: Option<Direction>,
    /// Calls in one of these states.
    pub states: Vec<CallState>,
    /// Calls that began at or after this.
    pub from: Option<OffsetDateTime>,
    /// Calls that began before this.
    pub until: Option<OffsetDateTime>,
    /// Calls with this tag.
    pub tag: Option<String>,
    /// Calls whose numbers, caller's name, notes, tags or transcript hold this text.
    pub search: Option<String>,
}

/// Figures over the calls of a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallStats {
    /// All of them.
    pub total: i64,
    /// From trunks to us.
    pub inbound: i64,
    /// From us to trunks.
    pub outbound: i64,
    /// Between devices of the tenant.
    pub internal: i64,
    /// Those that were answered.
    pub answered: i64,
    /// Inbound calls nobody answered.
    pub missed: i64,
    /// Those that failed, busy ones among them.
    pub failed: i64,
    /// Mean length of the answered ones.
    pub average_duration_ms: i64,
    /// Length of all together.
    pub total_duration_ms: i64,
    /// Cost of all together, millionths of the currency.
    pub cost_micros: i64,
}

/// A `where` clause under construction: pieces with `?` for the arguments that follow.
struct Where {
    text: String,
    args: Vec<Arg>,
}

impl Where {
    fn and(&mut self, piece: &str, args: Vec<Arg>) {
        self.text.push_str(" and ");
        let mut args = args.into_iter();
        for (at, part) in piece.split('?').enumerate() {
            if at > 0 {
                self.args.extend(args.next());
                self.text.push_str(&format!("${}", self.args.len()));
            }
            self.text.push_str(part);
        }
    }

    fn and_in(&mut self, column: &str, values: Vec<Arg>) {
        let marks = vec!["?"; values.len()].join(", ");
        self.and(&format!("{column} in ({marks})"), values);
    }
}

/// The ways the same subscriber's number is written.
fn spellings(number: &str) -> Vec<String> {
    let written = strowger_model::number::normalise(number).unwrap_or_else(|| number.trim().to_owned());
    let bare = written
        .strip_prefix('+')
        .or_else(|| written.strip_prefix("00"))
        .unwrap_or(&written)
        .to_owned();
    let mut all = vec![written, format!("+{bare}"), format!("00{bare}"), bare];
    all.sort();
    all.dedup();
    all
}

impl Calls {
    /// The log, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn log(&self, filter: &CallFilter, page: &Page) -> Result<Paged<Call>> {
        let mut clause = self.clause(filter);
        if let Some((at, id)) = page.after.as_deref().and_then(read_key) {
            clause.and("(started_at < ? or (started_at = ? and id < ?))", args![at, at, id]);
        }
        clause.args.push(page.fetch().arg());
        let statement = format!(
            "select id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
             started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, \
             cost_micros, currency from calls where {} order by started_at desc, id desc limit ${}",
            clause.text,
            clause.args.len()
        );
        let mut tx = self.scope.read().await?;
        let rows = tx.all_of(statement, clause.args).await?;
        let calls = rows.iter().map(call_of).collect::<Result<Vec<_>>>()?;
        let cut = cut_by(calls, page, |call| {
            format!("{}.{}", crate::sql::millis(call.started_at), call.id)
        });
        Ok(Paged {
            items: with_tags(&mut tx, self.scope.tenant(), cut.items).await?,
            next: cut.next,
        })
    }

    /// Figures over the calls of a filter.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn stats(&self, filter: &CallFilter) -> Result<CallStats> {
        let clause = self.clause(filter);
        let statement = format!(
            "select count(*) as total, \
             count(case when direction = 'inbound' then 1 end) as inbound, \
             count(case when direction = 'outbound' then 1 end) as outbound, \
             count(case when direction = 'internal' then 1 end) as internal, \
             count(answered_at) as answered, \
             count(case when state = 'missed' then 1 end) as missed, \
             count(case when state in ('failed', 'busy') then 1 end) as failed, \
             cast(coalesce(sum(duration_ms), 0) as bigint) as total_duration_ms, \
             cast(coalesce(sum(cost_micros), 0) as bigint) as cost_micros from calls where {}",
            clause.text
        );
        let rows = self.scope.read().await?.all_of(statement, clause.args).await?;
        let Some(row) = rows.first() else {
            return Ok(CallStats::default());
        };
        let answered = row.int("answered")?;
        let total_duration_ms = row.int("total_duration_ms")?;
        Ok(CallStats {
            total: row.int("total")?,
            inbound: row.int("inbound")?,
            outbound: row.int("outbound")?,
            internal: row.int("internal")?,
            answered,
            missed: row.int("missed")?,
            failed: row.int("failed")?,
            average_duration_ms: total_duration_ms / answered.max(1),
            total_duration_ms,
            cost_micros: row.int("cost_micros")?,
        })
    }

    /// How many calls a filter finds.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn count(&self, filter: &CallFilter) -> Result<i64> {
        let clause = self.clause(filter);
        let statement = format!("select count(*) as n from calls where {}", clause.text);
        let rows = self.scope.read().await?.all_of(statement, clause.args).await?;
        rows.first().map_or(Ok(0), |row| row.int("n"))
    }

    fn clause(&self, filter: &CallFilter) -> Where {
        let mut clause = Where {
            text: "tenant_id = $1".to_owned(),
            args: args![self.scope.tenant()],
        };
        if let Some(user) = filter.user {
            clause.and("user_id = ?", args![user]);
        }
        if let Some(direction) = filter.direction {
            clause.and("direction = ?", args![direction]);
        }
        if !filter.states.is_empty() {
            clause.and_in("state", filter.states.iter().map(ToArg::arg).collect());
        }
        if let Some(from) = filter.from {
            clause.and("started_at >= ?", args![from]);
        }
        if let Some(until) = filter.until {
            clause.and("started_at < ?", args![until]);
        }
        if let Some(number) = &filter.number {
            let spellings = spellings(number);
            let marks = vec!["?"; spellings.len()].join(", ");
            let values: Vec<Arg> = spellings.iter().chain(&spellings).map(ToArg::arg).collect();
            clause.and(&format!("(from_number in ({marks}) or to_number in ({marks}))"), values);
        }
        if let Some(tag) = &filter.tag {
            clause.and(
                "id in (select call_id from call_tags where call_tags.tenant_id = $1 and tag = ?)",
                args![tag],
            );
        }
        if let Some(text) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            let like = format!("%{}%", escape_like(&text.to_lowercase()));
            clause.and(
                "(from_number like ? escape '\\' or to_number like ? escape '\\' \
                 or lower(coalesce(from_name, '')) like ? escape '\\' or lower(notes) like ? escape '\\' \
                 or id in (select call_id from call_tags where call_tags.tenant_id = $1 and lower(tag) like ? escape '\\') \
                 or id in (select call_id from transcripts where transcripts.tenant_id = $1 \
                 and lower(text) like ? escape '\\'))",
                args![like, like, like, like, like, like],
            );
        }
        clause
    }
}

fn read_key(text: &str) -> Option<(i64, String)> {
    let (at, id) = text.split_once('.')?;
    Some((at.parse().ok()?, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_numbers_its_arguments() {
        let mut clause = Where {
            text: "tenant_id = $1".into(),
            args: args!["t"],
        };
        clause.and("(a = ? or b = ?)", args![1_i64, 2_i64]);
        clause.and_in("c", args!["x", "y"]);
        assert_eq!(clause.text, "tenant_id = $1 and (a = $2 or b = $3) and c in ($4, $5)");
        assert_eq!(clause.args.len(), 5);
    }

    #[test]
    fn a_number_is_found_however_it_was_written() {
        assert!(spellings("+49 421 12").contains(&"4942112".to_owned()));
        assert!(spellings("004942112").contains(&"+4942112".to_owned()));
    }
}
