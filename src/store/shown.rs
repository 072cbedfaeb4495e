//! What pages show beside rows: a few figures and words of many calls in one question each.

use crate::Result;
use crate::queue::job_of;
use crate::recordings::recording_of;
use crate::scope::area;
use crate::sql::{Page, Paged, ToArg, args, cut, millis};
use std::collections::HashMap;
use strowger_model::record::{JobRow, Quality, Recording};
use strowger_model::speech::Analysis;
use strowger_model::{CallId, RecordingId, UserId};
use time::{Duration, OffsetDateTime};

/// What a list shows of a call besides its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallBrief {
    /// Who took it.
    pub reached: Option<String>,
    /// When they did.
    pub answered_at: Option<OffsetDateTime>,
    /// The lowest score of its legs.
    pub mos: Option<f64>,
    /// Whether a recording was kept.
    pub recorded: bool,
    /// Whether it was transcribed.
    pub transcribed: bool,
    /// Whether a message was left.
    pub message: bool,
    /// Where the mood went.
    pub trend: Option<[f64; 2]>,
}

/// Figures of a day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DayFigures {
    /// Calls that began in each hour after the day's start.
    pub hours: [i64; 24],
    /// The mean score of the legs that began.
    pub mos: Option<f64>,
}

/// What waits for a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Jobs that wait.
    pub queued: i64,
    /// When the oldest of them was due.
    pub oldest: Option<OffsetDateTime>,
    /// Jobs given up.
    pub dead: i64,
    /// Workers that took a job in the last hour.
    pub workers: i64,
}

area! {
    /// What pages show beside rows.
    Shown, shown
}

impl Shown {
    /// The briefs of some calls; a call that is not there has none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn briefs(&self, calls: &[CallId]) -> Result<HashMap<CallId, CallBrief>> {
        let mut out: HashMap<CallId, CallBrief> = HashMap::new();
        if calls.is_empty() {
            return Ok(out);
        }
        let places: Vec<String> = (2..calls.len() + 2).map(|n| format!("${n}")).collect();
        let places = places.join(", ");
        let values = || {
            let mut values = args![self.scope.tenant()];
            values.extend(calls.iter().map(|call| call.arg()));
            values
        };
        let mut tx = self.scope.read().await?;
        let legs = format!(
            "select call_id, side, party, answered_at, quality from legs where tenant_id = $1 and call_id in ({places}) \
             order by started_at"
        );
        for row in tx.all_of(legs, values()).await? {
            let brief = out.entry(row.parse("call_id")?).or_default();
            let answered_at = row.opt_time("answered_at")?;
            if row.text("side")? == "callee" && answered_at.is_some() {
                brief.reached = Some(row.text("party")?);
                brief.answered_at = answered_at;
            }
            let mos = row.opt_json::<Quality>("quality")?.and_then(|quality| quality.mos);
            brief.mos = match (brief.mos, mos) {
                (Some(old), Some(new)) => Some(old.min(new)),
                (old, new) => old.or(new),
            };
        }
        let kept = format!(
            "select r.call_id as call_id, t.state as transcript, t.analysis as analysis, v.id as message \
             from recordings r left join transcripts t on t.recording_id = r.id \
             left join voicemails v on v.recording_id = r.id \
             where r.tenant_id = $1 and r.call_id in ({places}) and r.state <> 'erased'"
        );
        for row in tx.all_of(kept, values()).await? {
            let brief = out.entry(row.parse("call_id")?).or_default();
            let message = row.opt_text("message")?.is_some();
            brief.message |= message;
            brief.recorded |= !message;
            brief.transcribed |= row.opt_text("transcript")?.as_deref() == Some("ready");
            let analysis: Option<Analysis> = row.opt_json("analysis")?;
            brief.trend = analysis.map(|found| found.sentiment_trend).or(brief.trend);
        }
        Ok(out)
    }

    /// Figures of the day that began at `from`, of all calls or of one person's.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn day(&self, from: OffsetDateTime, user: Option<UserId>) -> Result<DayFigures> {
        let mut tx = self.scope.read().await?;
        let until = from + Duration::days(1);
        let mut figures = DayFigures::default();
        let rows = tx
            .all(
                "select (started_at - $2) / 3600000 as hour, count(*) as n from calls where tenant_id = $1 \
                 and started_at >= $2 and started_at < $3 and ($4 is null or user_id = $4) group by 1",
                args![self.scope.tenant(), millis(from), millis(until), user],
            )
            .await?;
        for row in &rows {
            let hour = usize::try_from(row.int("hour")?).unwrap_or(24);
            if let Some(count) = figures.hours.get_mut(hour) {
                *count = row.int("n")?;
            }
        }
        // The newest legs speak for the day; a mean over all of a busy one would cost a scan.
        let rows = tx
            .all(
                "select l.quality as quality from calls c join legs l on l.call_id = c.id where c.tenant_id = $1 \
                 and c.started_at >= $2 and c.started_at < $3 and ($4 is null or c.user_id = $4) \
                 and l.quality is not null order by c.started_at desc limit 1000",
                args![self.scope.tenant(), millis(from), millis(until), user],
            )
            .await?;
        let (mut sum, mut count) = (0.0, 0.0);
        for row in &rows {
            if let Some(mos) = row.opt_json::<Quality>("quality")?.and_then(|quality| quality.mos) {
                sum += mos;
                count += 1.0;
            }
        }
        figures.mos = (count > 0.0).then(|| sum / count);
        Ok(figures)
    }

    /// What waits for a worker.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn waiting(&self) -> Result<Waiting> {
        let hour_ago = self.scope.now() - Duration::hours(1);
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select count(case when state = 'queued' then 1 end) as queued, \
                 min(case when state = 'queued' then run_at end) as oldest, \
                 count(case when state = 'dead' then 1 end) as dead, \
                 count(distinct case when started_at >= $2 then worker end) as workers \
                 from jobs where tenant_id = $1 and (state in ('queued', 'dead') or started_at >= $2)",
                args![self.scope.tenant(), hour_ago],
            )
            .await?;
        let Some(row) = row else { return Ok(Waiting::default()) };
        Ok(Waiting {
            queued: row.int("queued")?,
            oldest: row.opt_time("oldest")?,
            dead: row.int("dead")?,
            workers: row.int("workers")?,
        })
    }

    /// The jobs whose payload names the id of a call or its recording, asked for between two times.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn jobs_about(&self, ids: [&str; 2], from: OffsetDateTime, until: OffsetDateTime) -> Result<Vec<JobRow>> {
        let [one, other] = ids.map(|id| format!("%{}%", crate::sql::escape_like(id)));
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, kind, payload, state, attempts, problem, worker, percent, stopped_by, created_at, started_at, \
                 finished_at from jobs where tenant_id = $1 and created_at >= $2 and created_at < $3 \
                 and (payload like $4 escape '\\' or payload like $5 escape '\\') order by created_at, id limit 50",
                args![self.scope.tenant(), from, until, one, other],
            )
            .await?
            .iter()
            .map(job_of)
            .collect()
    }

    /// The recordings of a person's calls, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn recordings_of(&self, user: UserId, page: &Page) -> Result<Paged<Recording>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and id < $2 \
                 and call_id in (select id from calls where tenant_id = $1 and user_id = $3) \
                 order by id desc limit $4",
                args![self.scope.tenant(), page.before_id(), user, page.fetch()],
            )
            .await?;
        cut(&rows, page, recording_of, |recording| recording.id.to_string())
    }

    /// Whether a recording is a message in a person's mailbox.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn is_message_of(&self, user: UserId, recording: RecordingId) -> Result<bool> {
        let count = self
            .scope
            .read()
            .await?
            .count(
                "select count(*) as n from voicemails where tenant_id = $1 and user_id = $2 and recording_id = $3",
                args![self.scope.tenant(), user, recording],
            )
            .await?;
        Ok(count > 0)
    }
}
