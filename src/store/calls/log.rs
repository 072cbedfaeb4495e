//! The call log: filters, pages, figures.

use super::search::{self, Reach, Source};
use super::{Calls, call_of, with_tags};
use crate::Result;
use crate::sql::{Arg, Engine, Page, Paged, ToArg, Tx, args, cut_by};
use strowger_model::record::Call;
use strowger_model::{CallId, CallState, CallType, Direction, UserId};
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
    /// Calls of this type.
    pub call_type: Option<CallType>,
    /// Calls that ended up so.
    pub disposition: Option<String>,
    /// Calls that seem to have ended so, by what was said.
    pub suggested: Option<String>,
    /// Calls about this.
    pub topic: Option<String>,
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

impl CallFilter {
    /// The text looked for, where there is one.
    fn words(&self) -> Option<&str> {
        self.search.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
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
#[derive(Clone)]
pub(super) struct Where {
    pub(super) text: String,
    pub(super) args: Vec<Arg>,
}

impl Where {
    pub(super) fn and(&mut self, piece: &str, args: Vec<Arg>) {
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

    /// The place of a further argument.
    pub(super) fn place(&mut self, arg: Arg) -> String {
        self.args.push(arg);
        format!("${}", self.args.len())
    }
}

/// What is read: from where, in which order, and which of it.
struct Reading {
    source: Source,
    clause: Where,
    /// Conditions of which one must hold, each with an index that gives its calls in order; empty when
    /// there is no choice. Each is read by itself up to the page's size: what is common is not sorted.
    choices: Vec<String>,
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

const COLUMNS: &str = "calls.id, calls.tenant_id, calls.user_id, calls.direction, calls.call_type, calls.state, \
     calls.from_number, calls.from_name, calls.to_number, calls.started_at, calls.answered_at, calls.ended_at, \
     calls.duration_ms, calls.cause, calls.flow_version, calls.notes, calls.metadata, calls.transcribe, \
     calls.cost_micros, calls.currency";

/// A user's part in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The call.
    pub call: CallId,
    /// Who.
    pub user: UserId,
    /// `caller` or `callee`.
    pub side: String,
    /// Whether they talked.
    pub is_answered: bool,
}

impl Calls {
    /// The newest calls that a user placed, took or was rung for; of everybody with `None`.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn history(&self, user: Option<UserId>, most: i64) -> Result<Vec<Call>> {
        let mut tx = self.scope.read().await?;
        let tenant = self.scope.tenant();
        let rows = match user {
            Some(user) => {
                let newest = format!(
                    "select {COLUMNS} from calls where calls.tenant_id = $1 and calls.id in (select call_id from legs \
                     where tenant_id = $1 and user_id = $2 order by started_at desc limit $3) \
                     order by calls.started_at desc, calls.id desc"
                );
                // A user may have several legs in one call.
                tx.all_of(newest, args![tenant, user, most * 4]).await?
            }
            None => {
                let newest = format!(
                    "select {COLUMNS} from calls where calls.tenant_id = $1 order by calls.started_at desc, \
                     calls.id desc limit $2"
                );
                tx.all_of(newest, args![tenant, most]).await?
            }
        };
        let most = usize::try_from(most).unwrap_or(0);
        let calls = rows.iter().take(most).map(call_of).collect::<Result<Vec<_>>>()?;
        with_tags(&mut tx, tenant, calls).await
    }

    /// The parts of the tenant's users in some calls, in the order they took them.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn parts(&self, calls: &[CallId]) -> Result<Vec<Part>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
        let statement = format!(
            "select call_id, user_id, side, answered_at from legs where tenant_id = $1 and call_id in ({}) \
             and user_id is not null order by started_at",
            places.join(", ")
        );
        let mut values = args![self.scope.tenant()];
        values.extend(calls.iter().map(|call| call.arg()));
        let mut tx = self.scope.read().await?;
        let rows = tx.all_of(statement, values).await?;
        let part = |row: &crate::sql::Row| {
            Ok(Part {
                call: row.parse("call_id")?,
                user: row.parse("user_id")?,
                side: row.text("side")?,
                is_answered: row.opt_time("answered_at")?.is_some(),
            })
        };
        rows.iter().map(part).collect()
    }

    /// The log, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn log(&self, filter: &CallFilter, page: &Page) -> Result<Paged<Call>> {
        let after = page.after.as_deref().and_then(read_key);
        let engine = self.scope.store().db().engine();
        let mut tx = self.scope.read().await?;
        self.plan_for_the_words(&mut tx, filter).await?;
        let mut rows = Vec::new();
        if filter.words().is_some_and(|words| search::is_short(engine, words)) {
            let reach = Reach::Near(after.as_ref().map(|(_, call)| call.as_str()));
            let (statement, values) = self.reading(filter, reach, Lead::Tag).page(page.fetch());
            rows = tx.all_of(statement, values).await?;
        }
        if i64::try_from(rows.len()).is_ok_and(|found| found < page.fetch()) {
            let lead = self.lead(&mut tx, filter).await?;
            // A page that goes on ends no later than where it begins: two ends would leave the choice to the engine.
            let until = filter.until.filter(|until| {
                let until = crate::sql::millis(*until);
                after.as_ref().is_none_or(|(at, _)| until <= *at)
            });
            let filter = CallFilter {
                until,
                ..filter.clone()
            };
            let mut reading = self.reading(&filter, Reach::All, lead);
            if let Some((at, id)) = after {
                let marks = reading.source.after.matches('?').count();
                let values = if marks == 1 { args![id] } else { args![at, at, id] };
                reading.clause.and(reading.source.after, values);
            }
            let (statement, values) = reading.page(page.fetch());
            rows = tx.all_of(statement, values).await?;
        }
        let calls = rows.iter().map(call_of).collect::<Result<Vec<_>>>()?;
        let cut = cut_by(calls, page, |call| {
            format!("{}.{}", crate::sql::millis(call.started_at), call.id)
        });
        Ok(Paged {
            items: with_tags(&mut tx, self.scope.tenant(), cut.items).await?,
            next: cut.next,
        })
    }

    /// Whether a filter with a tag is read from the tag's calls on, or from those of its numbers or states: SQLite
    /// cannot know which are fewer. Both are counted, up to [`MANY`].
    async fn lead(&self, tx: &mut Tx, filter: &CallFilter) -> Result<Lead> {
        let Some(tag) = filter.tag.as_ref().filter(|_| filter.words().is_none()) else {
            return Ok(Lead::Tag);
        };
        if self.scope.store().db().engine() == Engine::Postgres {
            return Ok(Lead::Tag);
        }
        let only = CallFilter {
            number: filter.number.clone(),
            states: filter.states.clone(),
            ..CallFilter::default()
        };
        let Reading {
            mut clause, choices, ..
        } = self.reading(&only, Reach::All, Lead::Tag);
        if choices.is_empty() {
            return Ok(Lead::Tag);
        }
        let tag = clause.place(tag.arg());
        let some: Vec<String> = choices
            .iter()
            .map(|choice| {
                let own = format!("select 1 from calls where calls.tenant_id = $1 and {choice} limit {MANY}");
                format!("(select count(*) from ({own}) as own)")
            })
            .collect();
        let statement = format!(
            "select {} as others, (select count(*) from (select 1 from call_tags where tenant_id = $1 and tag = {tag} \
             limit {MANY}) as tagged) as tagged",
            some.join(" + ")
        );
        let rows = tx.all_of(statement, clause.args).await?;
        let Some(row) = rows.first() else { return Ok(Lead::Tag) };
        Ok(if row.int("others")? < row.int("tagged")? {
            Lead::Others
        } else {
            Lead::Tag
        })
    }

    /// PostgreSQL chooses by the text looked for, common or rare, each time anew.
    async fn plan_for_the_words(&self, tx: &mut Tx, filter: &CallFilter) -> Result<()> {
        if filter.search.is_some() && self.scope.store().db().engine() == Engine::Postgres {
            tx.run("set local plan_cache_mode = force_custom_plan", args![]).await?;
        }
        Ok(())
    }

    /// Figures over the calls of a filter.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn stats(&self, filter: &CallFilter) -> Result<CallStats> {
        let (from, clause) = self.reading(filter, Reach::All, Lead::Tag).whole();
        let statement = format!(
            "select count(*) as total, \
             count(case when direction = 'inbound' then 1 end) as inbound, \
             count(case when direction = 'outbound' then 1 end) as outbound, \
             count(case when direction = 'internal' then 1 end) as internal, \
             count(answered_at) as answered, \
             count(case when state = 'missed' then 1 end) as missed, \
             count(case when state in ('failed', 'busy') then 1 end) as failed, \
             cast(coalesce(sum(duration_ms), 0) as bigint) as total_duration_ms, \
             cast(coalesce(sum(cost_micros), 0) as bigint) as cost_micros from {from} where {}",
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
        let (from, clause) = self.reading(filter, Reach::All, Lead::Tag).whole();
        let statement = format!("select count(*) as n from {from} where {}", clause.text);
        let rows = self.scope.read().await?.all_of(statement, clause.args).await?;
        rows.first().map_or(Ok(0), |row| row.int("n"))
    }

    /// All calls of a filter, from where they are read.
    pub(super) fn whole(&self, filter: &CallFilter) -> (String, Where) {
        self.reading(filter, Reach::All, Lead::Tag).whole()
    }

    fn reading(&self, filter: &CallFilter, reach: Reach<'_>, lead: Lead) -> Reading {
        let mut clause = Where {
            text: "calls.tenant_id = $1".to_owned(),
            args: args![self.scope.tenant()],
        };
        let source = match (filter.words(), &filter.tag) {
            (None, Some(tag)) if lead == Lead::Tag => {
                clause.and(
                    "call_tags.tenant_id = $1 and call_tags.tag = ? and calls.id = call_tags.call_id",
                    args![tag],
                );
                by_tag()
            }
            (None, None) if filter.topic.is_some() && filter.number.is_none() => {
                clause.and(
                    "call_topics.tenant_id = $1 and call_topics.topic = ? and calls.id = call_topics.call_id",
                    args![filter.topic],
                );
                by_topic()
            }
            (words, tag) => {
                if let Some(tag) = tag {
                    clause.and(
                        "exists (select 1 from call_tags where call_tags.call_id = calls.id and call_tags.tag = ?)",
                        args![tag],
                    );
                }
                let engine = self.scope.store().db().engine();
                words.map_or_else(plain, |words| search::look_for(engine, words, reach, &mut clause))
            }
        };
        if let Some(user) = filter.user {
            clause.and("calls.user_id = ?", args![user]);
        }
        if let Some(direction) = filter.direction {
            clause.and("calls.direction = ?", args![direction]);
        }
        if let Some(call_type) = filter.call_type {
            clause.and("calls.call_type = ?", args![call_type]);
        }
        if let Some(word) = &filter.disposition {
            clause.and("calls.disposition = ?", args![word]);
        }
        if let Some(word) = &filter.suggested {
            clause.and("calls.suggested = ?", args![word]);
        }
        if let Some(topic) = filter.topic.as_ref().filter(|_| source.from != BY_TOPIC) {
            clause.and(
                "exists (select 1 from call_topics where call_topics.call_id = calls.id and call_topics.topic = ?)",
                args![topic],
            );
        }
        if let Some(from) = filter.from {
            clause.and("calls.started_at >= ?", args![from]);
        }
        if let Some(until) = filter.until {
            clause.and("calls.started_at < ?", args![until]);
        }
        let mut choices = Vec::new();
        if let Some(number) = &filter.number {
            for spelling in spellings(number) {
                let place = clause.place(spelling.arg());
                choices.push(format!("calls.from_number = {place}"));
                choices.push(format!("calls.to_number = {place}"));
            }
        }
        match &filter.states[..] {
            [] => {}
            states if choices.is_empty() => {
                for state in states {
                    let place = clause.place(state.arg());
                    choices.push(format!("calls.state = {place}"));
                }
            }
            states => clause.and_in("calls.state", states.iter().map(ToArg::arg).collect()),
        }
        Reading {
            source,
            clause,
            choices,
        }
    }
}

/// What a filter with a tag is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// The tag's calls.
    Tag,
    /// The calls of its numbers or states.
    Others,
}

/// Counting which of two is larger ends here.
const MANY: u32 = 5_000;

fn plain() -> Source {
    Source {
        from: PLAIN.to_owned(),
        order: "calls.started_at desc, calls.id desc",
        after: "calls.started_at <= ? and (calls.started_at < ? or calls.id < ?)",
    }
}

fn by_tag() -> Source {
    Source {
        from: "call_tags cross join calls".to_owned(),
        order: "call_tags.started_at desc, call_tags.call_id desc",
        after: "call_tags.started_at <= ? and (call_tags.started_at < ? or call_tags.call_id < ?)",
    }
}

fn by_topic() -> Source {
    Source {
        from: BY_TOPIC.to_owned(),
        order: "call_topics.started_at desc, call_topics.call_id desc",
        after: "call_topics.started_at <= ? and (call_topics.started_at < ? or call_topics.call_id < ?)",
    }
}

const PLAIN: &str = "calls";
const BY_TOPIC: &str = "call_topics cross join calls";

impl Reading {
    /// Everything there is, in no order: where from, and which of it.
    fn whole(mut self) -> (String, Where) {
        if !self.choices.is_empty() {
            let any = self.choices.join(" or ");
            self.clause.and(&format!("({any})"), vec![]);
        }
        (self.source.from, self.clause)
    }

    /// The statement of a page of `fetch` rows.
    fn page(mut self, fetch: i64) -> (String, Vec<Arg>) {
        let is_plain = self.source.from == PLAIN;
        if !is_plain || self.choices.len() < 2 {
            let order = self.source.order;
            let (from, mut clause) = self.whole();
            let limit = clause.place(fetch.arg());
            let statement = format!(
                "select {COLUMNS} from {from} where {} order by {order} limit {limit}",
                clause.text
            );
            return (statement, clause.args);
        }
        let limit = self.clause.place(fetch.arg());
        let branches: Vec<String> = self
            .choices
            .iter()
            .map(|choice| {
                format!(
                    "select * from (select calls.id, calls.started_at from calls where {} and {choice} \
                     order by calls.started_at desc, calls.id desc limit {limit}) as branch",
                    self.clause.text
                )
            })
            .collect();
        let statement = format!(
            "select {COLUMNS} from ({}) as picked join calls on calls.id = picked.id \
             order by picked.started_at desc, picked.id desc limit {limit}",
            branches.join(" union ")
        );
        (statement, self.clause.args)
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
