//! Everything about a person or number: found, given out, erased with a proof.
//!
//! Calls in which they took part lose their audio, transcripts, messages, notes and what names anybody outside;
//! their rows stay with times and durations, so that figures count on. Everywhere else their words are taken out
//! of the text. What somebody set up (users, numbers, flows) is reported and not touched. A call under a legal
//! hold refuses the whole of it.
//!
//! Start reading at [`Subjects::erase`]; what is looked through stands in [`places`].

mod archive;
mod places;

pub use archive::Archive;

use crate::audit::{Actor, redact};
use crate::calls::search;
use crate::recordings::{Gone, erase_audio, forget_audio, is_call_free, recording_of};
use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut_by, millis};
use crate::{Error, Result};
use archive::File;
use places::{Fate, Found, PLACES};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use strowger_model::subject::{ERASED, Subject};
use strowger_model::{CallId, RecordingId};
use time::OffsetDateTime;

/// What is known of somebody: how much, not what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Calls in which they took part.
    pub calls: i64,
    /// Recordings of those that have audio.
    pub recordings: i64,
    /// Messages in those.
    pub messages: i64,
    /// Rows that name them, by table.
    pub rows: BTreeMap<String, i64>,
    /// Rows of what somebody set up that name them, by table: these are changed by hand.
    pub settings: BTreeMap<String, i64>,
    /// Calls that a legal hold keeps.
    pub held: Vec<CallId>,
    /// Calls that are still running.
    pub running: i64,
}

impl Findings {
    /// Whether nothing names them but what somebody set up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls == 0 && self.rows.is_empty()
    }
}

/// The proof that somebody was erased; it names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: String,
    /// When.
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: String,
    /// What was there before.
    pub before: Findings,
    /// What was left: only what somebody set up.
    pub after: Findings,
    /// Until when a damaged database that was put aside still holds what was erased, unless somebody removes it.
    pub damaged_until: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    before: Findings,
    after: Findings,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    damaged_until: Option<i64>,
}

area! {
    /// What is known of people and numbers in all that the tenant keeps.
    Subjects, subjects
}

/// Who is looked for, with everything that names them.
struct Known {
    calls: BTreeSet<CallId>,
    found: Vec<(&'static places::Place, Vec<Found>)>,
}

impl Subjects {
    /// How much is known of somebody.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn find(&self, subject: &Subject) -> Result<Findings> {
        let mut tx = self.scope.read().await?;
        let known = self.known(&mut tx, subject).await?;
        self.count(&mut tx, &known, subject).await
    }

    /// Everything about somebody as an archive: the rows that name them, their calls whole, the audio.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn export(&self, actor: &Actor, subject: &Subject, written: &str) -> Result<Archive> {
        let mut tx = self.scope.read().await?;
        let known = self.known(&mut tx, subject).await?;
        let findings = self.count(&mut tx, &known, subject).await?;
        drop(tx);
        let mut rows: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
        for (place, found) in &known.found {
            for row in found {
                let columns: BTreeMap<&str, &str> = row
                    .columns
                    .iter()
                    .map(|(name, text, _)| (*name, text.as_str()))
                    .collect();
                let line = serde_json::json!({"key": row.keys, "columns": columns});
                rows.entry(place.table).or_default().push(line);
            }
        }
        let about = serde_json::json!({
            "subject": written, "made_at_unix_ms": self.scope.now().unix_timestamp_nanos() / 1_000_000,
            "tenant": self.scope.tenant(), "found": findings,
        });
        let mut files = vec![
            ready("about.json", &about),
            ready("rows.json", &serde_json::json!(rows)),
        ];
        for call in &known.calls {
            self.add_call(*call, &mut files).await?;
        }
        let detail = format!("{} calls, {} rows", findings.calls, findings.rows.values().sum::<i64>());
        let tenant = self.scope.tenant().to_string();
        self.scope
            .audit()
            .write(actor, "subject.export", &tenant, &detail)
            .await?;
        Ok(Archive::new(self.scope.clone(), files))
    }

    async fn add_call(&self, call: CallId, files: &mut Vec<File>) -> Result<()> {
        let Some(detail) = self.scope.calls().detail(call).await? else {
            return Ok(());
        };
        let minutes = self.scope.minutes().detail(call).await?;
        let chat = minutes.as_ref().map(|minutes| &minutes.chat);
        let members = minutes.as_ref().map(|minutes| &minutes.members);
        let whole = serde_json::json!({
            "call": detail.call, "legs": detail.legs, "events": detail.events, "consents": detail.consents,
            "recordings": detail.recordings, "transcripts": detail.transcripts, "message": detail.voicemail,
            "members": members, "chat": chat,
        });
        files.push(ready(&format!("calls/{call}.json"), &whole));
        files.push(File::Signalling(format!("calls/{call}.pcap"), call));
        for transcript in &detail.transcripts {
            let name = format!("transcripts/{}.txt", transcript.id);
            files.push(File::Ready(name, transcript.text.clone().into_bytes()));
        }
        for recording in detail.recordings {
            for track in self.scope.minutes().tracks(recording.id).await? {
                let name = format!("audio/{}-{}.ogg", recording.id, track.position);
                files.push(File::Blob(name, track.blob));
            }
            if let Some(blob) = recording.blob {
                files.push(File::Blob(format!("audio/{}.ogg", recording.id), blob));
            }
        }
        Ok(())
    }

    /// Erases everything about somebody and keeps the proof.
    ///
    /// # Errors
    /// A legal hold keeps a call of theirs or one is running: nothing was changed. Or the database did not answer.
    pub async fn erase(&self, actor: &Actor, subject: &Subject) -> Result<Erasure> {
        let mut tx = self.scope.write().await?;
        let known = self.known(&mut tx, subject).await?;
        let before = self.count(&mut tx, &known, subject).await?;
        refuse(&before)?;
        self.take(&mut tx, &known.calls).await?;
        let mut gone = Vec::new();
        for call in &known.calls {
            self.erase_call(&mut tx, *call, subject, &mut gone).await?;
        }
        // What was found before some of it went with the calls.
        let mut touched = known.calls;
        for place in PLACES {
            for found in place.find(&mut tx, &self.scope, subject).await? {
                place.erase(&mut tx, &self.scope, &found).await?;
                touched.extend(self.call_of(&mut tx, place.table, &found).await?);
            }
        }
        for call in touched {
            search::refresh(&mut tx, self.scope.tenant(), call).await?;
        }
        redact(&mut tx, &self.scope, actor, |text| subject.erased_from(text)).await?;
        let after = self.known(&mut tx, subject).await?;
        let after = self.count(&mut tx, &after, subject).await?;
        let erasure = Erasure {
            id: self.scope.fresh_name(),
            at: self.scope.now(),
            actor: actor.name().to_owned(),
            before,
            after,
            damaged_until: self.scope.store().put_aside().iter().map(|aside| aside.until).max(),
        };
        self.keep(&mut tx, actor, &erasure).await?;
        tx.commit().await?;
        // Both are tried: what one of them cannot remove now is swept up later, without a key.
        let pages = self.scope.store().forget_pages().await;
        for one in &gone {
            forget_audio(&self.scope, one).await?;
        }
        pages?;
        Ok(erasure)
    }

    /// The proofs, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn erasures(&self, page: &Page) -> Result<Paged<Erasure>> {
        let before = page.after.as_deref().and_then(|at| at.parse().ok()).unwrap_or(i64::MAX);
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, at, actor, report from erasures where tenant_id = $1 and at < $2 order by at desc, id limit $3",
                args![self.scope.tenant(), before, page.fetch()],
            )
            .await?;
        let items = rows.iter().map(erasure_of).collect::<Result<Vec<_>>>()?;
        Ok(cut_by(items, page, |erasure| {
            (erasure.at.unix_timestamp_nanos() / 1_000_000).to_string()
        }))
    }

    async fn keep(&self, tx: &mut Tx, actor: &Actor, erasure: &Erasure) -> Result<()> {
        let report = Report {
            before: erasure.before.clone(),
            after: erasure.after.clone(),
            damaged_until: erasure.damaged_until.map(millis),
        };
        tx.run(
            "insert into erasures (id, tenant_id, at, actor, report) values ($1, $2, $3, $4, $5)",
            args![
                erasure.id,
                self.scope.tenant(),
                erasure.at,
                erasure.actor,
                serde_json::json!(report)
            ],
        )
        .await?;
        let rows: i64 = erasure.before.rows.values().sum();
        let detail = format!("{} calls, {rows} rows", erasure.before.calls);
        self.scope.note(tx, actor, "subject.erase", &erasure.id, &detail).await
    }

    async fn known(&self, tx: &mut Tx, subject: &Subject) -> Result<Known> {
        let mut found = Vec::new();
        let mut calls = BTreeSet::new();
        for place in PLACES {
            let rows = place.find(tx, &self.scope, subject).await?;
            for row in &rows {
                let takes_part = match place.table {
                    "calls" => row
                        .columns
                        .iter()
                        .any(|(name, ..)| !matches!(*name, "notes" | "metadata")),
                    "legs" => row.columns.iter().any(|(name, ..)| *name == "party"),
                    "meeting_members" | "voicemails" => true,
                    _ => false,
                };
                if takes_part {
                    calls.extend(self.call_of(tx, place.table, row).await?);
                }
            }
            if !rows.is_empty() {
                found.push((place, rows));
            }
        }
        Ok(Known { calls, found })
    }

    /// The call that a row belongs to, where it belongs to one.
    async fn call_of(&self, tx: &mut Tx, table: &str, found: &Found) -> Result<Option<CallId>> {
        let Some(key) = found.keys.first() else {
            return Ok(None);
        };
        let statement = match table {
            "calls" | "call_events" | "call_tags" | "meetings" | "meeting_messages" => return Ok(key.parse().ok()),
            "legs" => "select call_id from legs where tenant_id = $1 and id = $2",
            "recordings" => "select call_id from recordings where tenant_id = $1 and id = $2",
            "recording_tracks" => "select call_id from recordings where tenant_id = $1 and id = $2",
            "voicemails" => "select call_id from voicemails where tenant_id = $1 and id = $2",
            "transcripts" => "select call_id from transcripts where tenant_id = $1 and id = $2",
            "meeting_members" => "select call_id from meeting_members where tenant_id = $1 and id = $2",
            _ => return Ok(None),
        };
        let row = tx.one(statement, args![self.scope.tenant(), key.clone()]).await?;
        row.map(|row| row.parse("call_id")).transpose()
    }

    async fn count(&self, tx: &mut Tx, known: &Known, subject: &Subject) -> Result<Findings> {
        let mut findings = Findings {
            // Calls that name them nowhere any more are counted no more.
            calls: i64::try_from(known.calls.len()).unwrap_or(i64::MAX),
            ..Findings::default()
        };
        let mut concerned = known.calls.clone();
        for (place, rows) in &known.found {
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let by_table = match place.fate {
                Fate::Erased | Fate::Dropped => &mut findings.rows,
                Fate::Reported => &mut findings.settings,
            };
            by_table.insert(place.table.to_owned(), count);
            for row in rows {
                concerned.extend(self.call_of(tx, place.table, row).await?);
            }
        }
        let lines = crate::audit::naming(tx, &self.scope, |text| subject.is_in(text)).await?;
        if lines > 0 {
            findings.rows.insert("audit".to_owned(), lines);
        }
        for call in concerned {
            let key = || args![self.scope.tenant(), call];
            let row = tx
                .one(
                    "select count(case when state <> 'erased' then 1 end) as n, count(case when held = 1 then 1 end) as held \
                     from recordings where tenant_id = $1 and call_id = $2",
                    key(),
                )
                .await?;
            if let Some(row) = row {
                if known.calls.contains(&call) {
                    findings.recordings += row.int("n")?;
                }
                if row.int("held")? > 0 {
                    findings.held.push(call);
                }
            }
            let of_calls = "select count(*) as n from voicemails where tenant_id = $1 and call_id = $2";
            if known.calls.contains(&call) {
                findings.messages += tx.count(of_calls, key()).await?;
            }
            let running = "select count(*) as n from calls where tenant_id = $1 and id = $2 and ended_at is null";
            findings.running += tx.count(running, key()).await?;
        }
        Ok(findings)
    }

    /// Keeps everybody from putting a legal hold on these calls until they are erased.
    async fn take(&self, tx: &mut Tx, calls: &BTreeSet<CallId>) -> Result<()> {
        let mut held = Findings::default();
        for call in calls {
            if !is_call_free(tx, self.scope.tenant(), *call).await? {
                held.held.push(*call);
            }
        }
        refuse(&held)
    }

    /// Takes out of a call of theirs what was said, kept and noted, and who was outside.
    async fn erase_call(&self, tx: &mut Tx, call: CallId, subject: &Subject, gone: &mut Vec<Gone>) -> Result<()> {
        let key = || args![self.scope.tenant(), call];
        let recordings = tx
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and call_id = $2",
                key(),
            )
            .await?;
        for row in &recordings {
            let recording = recording_of(row)?;
            gone.push(erase_audio(tx, &recording).await?);
            self.nameless(tx, recording.id).await?;
        }
        for statement in [
            "delete from voicemails where tenant_id = $1 and call_id = $2",
            "delete from call_tags where tenant_id = $1 and call_id = $2",
            "delete from call_signalling where tenant_id = $1 and call_id = $2",
            "update calls set notes = '', metadata = '{}' where tenant_id = $1 and id = $2",
            "update call_events set detail = '' where tenant_id = $1 and call_id = $2 and kind <> 'node'",
            "update notices set detail = '' where tenant_id = $1 and call_id = $2",
        ] {
            tx.run(statement, key()).await?;
        }
        let words = || args![self.scope.tenant(), call, ERASED];
        for statement in [
            "update legs set party = $3, sip_call_id = '' where tenant_id = $1 and call_id = $2 and user_id is null",
            "update consents set party = $3 where tenant_id = $1 and call_id = $2 \
             and not exists (select 1 from legs l where l.id = consents.leg_id and l.user_id is not null)",
        ] {
            tx.run(statement, words()).await?;
        }
        // Whose number it is, their name goes with it.
        let row = tx
            .one(
                "select from_number, from_name from calls where tenant_id = $1 and id = $2",
                key(),
            )
            .await?;
        if let Some(row) = row {
            let name = row.opt_text("from_name")?;
            if subject.is_in(&row.text("from_number")?) || name.is_some_and(|name| subject.is_in(&name)) {
                let statement = "update calls set from_number = $3, from_name = null where tenant_id = $1 and id = $2";
                tx.run(statement, words()).await?;
            }
        }
        Ok(())
    }

    async fn nameless(&self, tx: &mut Tx, recording: RecordingId) -> Result<()> {
        tx.run(
            "update recordings set name = $3, description = '', problem = null where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), recording, ERASED],
        )
        .await?;
        Ok(())
    }
}

fn ready(name: &str, value: &serde_json::Value) -> File {
    File::Ready(name.to_owned(), format!("{value:#}").into_bytes())
}

/// What stands in the way of an erasure.
fn refuse(findings: &Findings) -> Result<()> {
    let (state, what) = if let Some(first) = findings.held.first() {
        let many = findings.held.len();
        let calls = if many == 1 { "call" } else { "calls" };
        (
            format!("kept by a legal hold ({many} {calls}, the first is {first})"),
            "everything about this person or number",
        )
    } else if findings.running > 0 {
        ("still running".to_owned(), "a call of this person or number")
    } else {
        return Ok(());
    };
    Err(Error::State {
        what,
        state,
        wish: "be erased",
    })
}

fn erasure_of(row: &Row) -> Result<Erasure> {
    let report: Report = row.json("report")?;
    let until = report
        .damaged_until
        .map(|ms| OffsetDateTime::from_unix_timestamp(ms / 1_000));
    Ok(Erasure {
        id: row.text("id")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        before: report.before,
        after: report.after,
        damaged_until: until.and_then(std::result::Result::ok),
    })
}
