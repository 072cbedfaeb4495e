//! Removing what is past its time: first a dry run that lists, then batches that a crash may cut anywhere.

use crate::calls::page::remove_call;
use crate::recordings::{erase_audio, forget_audio, is_call_free, is_free, recording_of};
use crate::scope::area;
use crate::sql::{Arg, Tx, args};
use crate::{Actor, Result};
use strowger_model::CallId;
use strowger_model::record::Recording;
use strowger_model::retention::{Kind, RetentionPolicy};
use time::{Duration, OffsetDateTime};

/// What a run removed, or a dry run would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Recordings with their transcripts.
    pub recordings: i64,
    /// Messages with their audio and transcripts.
    pub voicemails: i64,
    /// Calls with what is left of them.
    pub calls: i64,
    /// Stretches of calls' signalling.
    pub signalling: i64,
    /// Proofs of consents and of erasures.
    pub proofs: i64,
    /// Things past their time that a legal hold keeps.
    pub held: i64,
    /// Bytes of audio before sealing.
    pub bytes: i64,
}

impl RetentionReport {
    /// Whether nothing was removed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recordings == 0 && self.voicemails == 0 && self.calls == 0 && self.signalling == 0 && self.proofs == 0
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            recordings: self.recordings + other.recordings,
            voicemails: self.voicemails + other.voicemails,
            calls: self.calls + other.calls,
            signalling: self.signalling + other.signalling,
            proofs: self.proofs + other.proofs,
            held: self.held + other.held,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// One thing that is past its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// When it began.
    pub since: OffsetDateTime,
    /// Bytes of its audio before sealing.
    pub bytes: i64,
}

/// The calls that go in this run: past their time ($2), with nothing that stays after the messages past
/// theirs ($3) and the recordings past theirs ($4) are gone.
const CALLS_DUE: &str = "from calls c where tenant_id = $1 and started_at <= $2 and ended_at is not null \
     and not exists (select 1 from voicemails v join recordings r on r.id = v.recording_id \
     where v.call_id = c.id and (v.created_at > $3 or r.held = 1 or r.state = 'captured')) \
     and not exists (select 1 from recordings r where r.call_id = c.id and (r.held = 1 \
     or r.state = 'captured' or (r.state <> 'erased' and r.created_at > $4 \
     and not exists (select 1 from voicemails v where v.recording_id = r.id))))";

/// The proofs of consent past their time ($2). One of a recording that is still there stays with it.
const CONSENTS_DUE: &str = "from consents where tenant_id = $1 and at <= $2 and not exists \
     (select 1 from recordings r where r.call_id = consents.call_id and r.state <> 'erased')";
/// The proofs of erasure past their time ($2).
const ERASURES_DUE: &str = "from erasures where tenant_id = $1 and at <= $2";

/// The signalling past its time ($2), but for calls of which a recording is held.
const SIGNALLING_DUE: &str = "from call_signalling where tenant_id = $1 and at <= $2 and not exists \
     (select 1 from recordings r where r.call_id = call_signalling.call_id and r.held = 1)";

area! {
    /// How long the tenant's things are kept.
    Retention, retention
}

const fn proofs(policy: &RetentionPolicy) -> [(&'static str, i64); 2] {
    [(CONSENTS_DUE, policy.consent_days), (ERASURES_DUE, policy.erasure_days)]
}

impl Retention {
    /// The policy that the tenant's settings make.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn policy(&self) -> Result<RetentionPolicy> {
        Ok(RetentionPolicy::of(&self.scope.settings().resolve().await?))
    }

    /// What a run would remove now, all batches together.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn dry_run(&self, policy: &RetentionPolicy, now: OffsetDateTime) -> Result<RetentionReport> {
        let mut tx = self.scope.read().await?;
        let tenant = self.scope.tenant();
        let recordings = tx
            .one(
                "select count(case when held = 0 then 1 end) as n, count(case when held = 1 then 1 end) as held, \
                 cast(coalesce(sum(case when held = 0 then size_bytes else 0 end), 0) as bigint) as bytes \
                 from recordings r where tenant_id = $1 and created_at <= $2 and state in ('ready', 'failed') \
                 and not exists (select 1 from voicemails v where v.recording_id = r.id)",
                args![tenant, policy.limit(Kind::Recording, now)],
            )
            .await?;
        let messages = tx
            .one(
                "select count(case when r.held = 0 then 1 end) as n, count(case when r.held = 1 then 1 end) as held, \
                 cast(coalesce(sum(case when r.held = 0 then r.size_bytes else 0 end), 0) as bigint) as bytes \
                 from voicemails v join recordings r on r.id = v.recording_id \
                 where v.tenant_id = $1 and v.created_at <= $2 and r.state <> 'captured'",
                args![tenant, policy.limit(Kind::Voicemail, now)],
            )
            .await?;
        let calls = tx
            .all_of(
                format!("select count(*) as n {CALLS_DUE}"),
                args![
                    tenant,
                    policy.limit(Kind::Call, now),
                    policy.limit(Kind::Voicemail, now),
                    policy.limit(Kind::Recording, now)
                ],
            )
            .await?
            .first()
            .map_or(Ok(0), |row| row.int("n"))?;
        let mut report = RetentionReport {
            calls,
            ..RetentionReport::default()
        };
        for (due, days) in proofs(policy) {
            let limit = now - Duration::days(days);
            let counted = tx
                .all_of(format!("select count(*) as n {due}"), args![tenant, limit])
                .await?;
            report.proofs += counted.first().map_or(Ok(0), |row| row.int("n"))?;
        }
        let limit = now - Duration::days(policy.signalling_days);
        let counted = tx
            .all_of(format!("select count(*) as n {SIGNALLING_DUE}"), args![tenant, limit])
            .await?;
        report.signalling = counted.first().map_or(Ok(0), |row| row.int("n"))?;
        if let Some(row) = recordings {
            report.recordings = row.int("n")?;
            report.held += row.int("held")?;
            report.bytes += row.int("bytes")?;
        }
        if let Some(row) = messages {
            report.voicemails = row.int("n")?;
            report.held += row.int("held")?;
            report.bytes += row.int("bytes")?;
        }
        Ok(report)
    }

    /// What a run would remove now: each thing, the oldest first, at most `limit` of each kind.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn due(&self, policy: &RetentionPolicy, now: OffsetDateTime, limit: i64) -> Result<Vec<Due>> {
        let mut tx = self.scope.read().await?;
        let tenant = self.scope.tenant();
        let of = |kind| policy.limit(kind, now);
        let messages = tx
            .all(
                "select v.id, v.created_at as at, r.size_bytes from voicemails v join recordings r on r.id = v.recording_id \
                 where v.tenant_id = $1 and v.created_at <= $2 and r.held = 0 and r.state <> 'captured' \
                 order by v.created_at, v.id limit $3",
                args![tenant, of(Kind::Voicemail), limit],
            )
            .await?;
        let recordings = tx
            .all(
                "select id, created_at as at, size_bytes from recordings r \
                 where tenant_id = $1 and created_at <= $2 and held = 0 and state in ('ready', 'failed') \
                 and not exists (select 1 from voicemails v where v.recording_id = r.id) \
                 order by created_at, id limit $3",
                args![tenant, of(Kind::Recording), limit],
            )
            .await?;
        let statement = format!(
            "select c.id, started_at as at, cast(0 as bigint) as size_bytes {CALLS_DUE} order by started_at, c.id limit $5"
        );
        let calls = tx
            .all_of(
                statement,
                args![tenant, of(Kind::Call), of(Kind::Voicemail), of(Kind::Recording), limit],
            )
            .await?;
        let kinds = [
            (Kind::Voicemail, messages),
            (Kind::Recording, recordings),
            (Kind::Call, calls),
        ];
        let mut due = Vec::new();
        for (kind, rows) in &kinds {
            for row in rows {
                due.push(Due {
                    kind: *kind,
                    id: row.text("id")?,
                    since: row.time("at")?,
                    bytes: row.int("size_bytes")?,
                });
            }
        }
        Ok(due)
    }

    /// Removes at most `limit` things of each kind; call it again until its report is empty. Each thing
    /// is one transaction, so a run cut anywhere goes on where it was.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn run_batch(
        &self,
        policy: &RetentionPolicy,
        now: OffsetDateTime,
        limit: i64,
    ) -> Result<RetentionReport> {
        let mut report = RetentionReport::default();
        self.messages(policy, now, limit, &mut report).await?;
        self.audio(policy, now, limit, &mut report).await?;
        self.calls(policy, now, limit, &mut report).await?;
        self.signalling(policy, now, limit, &mut report).await?;
        self.proofs(policy, now, &mut report).await?;
        Ok(report)
    }

    /// Proofs go when nothing they prove is left: they are rows without files, so all that are due go at once.
    async fn proofs(&self, policy: &RetentionPolicy, now: OffsetDateTime, report: &mut RetentionReport) -> Result<()> {
        for (due, days) in proofs(policy) {
            let until = now - Duration::days(days);
            let values = args![self.scope.tenant(), until];
            let statement = format!("delete {due} returning at");
            report.proofs += self.rows(statement, values, "proof.expire", until).await?;
        }
        Ok(())
    }

    /// Rows without files as well, but many of them.
    async fn signalling(
        &self,
        policy: &RetentionPolicy,
        now: OffsetDateTime,
        limit: i64,
        report: &mut RetentionReport,
    ) -> Result<()> {
        const A_CALL: i64 = 20;
        let until = now - Duration::days(policy.signalling_days);
        let values = args![self.scope.tenant(), until, limit.saturating_mul(A_CALL)];
        let statement = format!(
            "delete from call_signalling where (call_id, position) in \
             (select call_id, position {SIGNALLING_DUE} order by at limit $3) and tenant_id = $1 returning at"
        );
        report.signalling += self.rows(statement, values, "signalling.expire", until).await?;
        Ok(())
    }

    /// Removes rows in one transaction and writes down how many they were; `statement` gives one line for each.
    async fn rows(
        &self,
        statement: String,
        values: Vec<Arg>,
        action: &'static str,
        until: OffsetDateTime,
    ) -> Result<i64> {
        let mut tx = self.scope.write().await?;
        let count = tx.all_of(statement, values).await?.len();
        if count > 0 {
            let until = until.date();
            self.told(&mut tx, action, &format!("{count} until {until}")).await?;
            tx.commit().await?;
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    async fn messages(
        &self,
        policy: &RetentionPolicy,
        now: OffsetDateTime,
        limit: i64,
        report: &mut RetentionReport,
    ) -> Result<()> {
        let tenant = self.scope.tenant();
        let due = self
            .scope
            .read()
            .await?
            .all(
                "select r.id, r.tenant_id, r.call_id, r.capture_id, r.state, r.problem, r.name, r.description, \
                 r.format, r.duration_ms, r.size_bytes, r.sha256, r.blob, r.peaks, r.recorded_by, r.held, r.created_at, r.sample_rate_hz \
                 from voicemails v join recordings r on r.id = v.recording_id \
                 where v.tenant_id = $1 and v.created_at <= $2 and r.held = 0 and r.state <> 'captured' \
                 order by v.id limit $3",
                args![tenant, policy.limit(Kind::Voicemail, now), limit],
            )
            .await?;
        for row in &due {
            let recording = recording_of(row)?;
            if self.expire(Kind::Voicemail, &recording).await? {
                report.voicemails += 1;
                report.bytes += recording.size_bytes;
            }
        }
        Ok(())
    }

    async fn audio(
        &self,
        policy: &RetentionPolicy,
        now: OffsetDateTime,
        limit: i64,
        report: &mut RetentionReport,
    ) -> Result<()> {
        let due = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings r \
                 where tenant_id = $1 and created_at <= $2 and held = 0 and state in ('ready', 'failed') \
                 and not exists (select 1 from voicemails v where v.recording_id = r.id) order by id limit $3",
                args![self.scope.tenant(), policy.limit(Kind::Recording, now), limit],
            )
            .await?;
        for row in &due {
            let recording = recording_of(row)?;
            if self.expire(Kind::Recording, &recording).await? {
                report.recordings += 1;
                report.bytes += recording.size_bytes;
            }
        }
        Ok(())
    }

    /// Removes a recording or a message, unless a legal hold came upon it after it was listed. Whether it went.
    pub(crate) async fn expire(&self, kind: Kind, recording: &Recording) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        if !is_free(&mut tx, recording).await? {
            return Ok(false);
        }
        let gone = erase_audio(&mut tx, recording).await?;
        let action = match kind {
            Kind::Voicemail => {
                tx.run(
                    "delete from voicemails where tenant_id = $1 and recording_id = $2",
                    args![self.scope.tenant(), recording.id],
                )
                .await?;
                "voicemail.expire"
            }
            Kind::Recording | Kind::Call => "recording.expire",
        };
        self.told(&mut tx, action, &recording.id).await?;
        tx.commit().await?;
        forget_audio(&self.scope, &gone).await?;
        Ok(true)
    }

    /// A call's row goes when its own time is up and nothing that must be kept longer hangs on it.
    async fn calls(
        &self,
        policy: &RetentionPolicy,
        now: OffsetDateTime,
        limit: i64,
        report: &mut RetentionReport,
    ) -> Result<()> {
        let tenant = self.scope.tenant();
        let due = self
            .scope
            .read()
            .await?
            .all(
                "select id from calls c where tenant_id = $1 and started_at <= $2 and ended_at is not null \
                 and not exists (select 1 from voicemails v where v.call_id = c.id) \
                 and not exists (select 1 from recordings r where r.call_id = c.id \
                 and (r.held = 1 or r.state <> 'erased')) order by started_at limit $3",
                args![tenant, policy.limit(Kind::Call, now), limit],
            )
            .await?;
        for row in &due {
            let call: CallId = row.parse("id")?;
            let mut tx = self.scope.write().await?;
            if !is_call_free(&mut tx, tenant, call).await? {
                continue;
            }
            let gone = remove_call(&mut tx, tenant, call).await?;
            self.told(&mut tx, "call.expire", &call).await?;
            tx.commit().await?;
            forget_audio(&self.scope, &gone.unwrap_or_default()).await?;
            report.calls += 1;
        }
        Ok(())
    }

    async fn told(&self, tx: &mut Tx, action: &'static str, target: &(dyn std::fmt::Display + Sync)) -> Result<()> {
        self.scope
            .note(tx, &Actor::named("retention"), action, target, "")
            .await
    }
}
