//! One call's page, and what people and programs change on a call.

use super::{Calls, call_of, leg_of, search, with_tags};
use crate::Result;
use crate::audit::Actor;
use crate::consents::consent_of;
use crate::recordings::{Gone, destroy_keys, forget_audio, is_call_free, recording_of};
use crate::sql::{Tx, args};
use crate::transcripts::transcript_of;
use crate::voicemails::voicemail_of;
use strowger_model::record::{Call, CallEvent, Consent, Leg, Recording, Voicemail};
use strowger_model::transcript::Transcript;
use strowger_model::{CallId, Metadata, TenantId};
use time::OffsetDateTime;

/// A call with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallDetail {
    /// The call.
    pub call: Call,
    /// Its legs in order.
    pub legs: Vec<Leg>,
    /// What happened, in order.
    pub events: Vec<CallEvent>,
    /// Its recordings in order.
    pub recordings: Vec<Recording>,
    /// Their transcripts, with segments.
    pub transcripts: Vec<Transcript>,
    /// The message left in it.
    pub voicemail: Option<Voicemail>,
    /// What its parties were told and answered before they were recorded.
    pub consents: Vec<Consent>,
}

pub(super) async fn put_tag(tx: &mut Tx, tenant: TenantId, call: CallId, tag: &str) -> Result<()> {
    tx.run(
        "insert into call_tags (call_id, tag, tenant_id, started_at) select id, $2, tenant_id, started_at from calls \
         where tenant_id = $3 and id = $1 on conflict (call_id, tag) do nothing",
        args![call, tag, tenant],
    )
    .await?;
    Ok(())
}

impl Calls {
    /// One call with its tags.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, call: CallId) -> Result<Option<Call>> {
        self.read_call(&mut self.scope.read().await?, call).await
    }

    async fn read_call(&self, tx: &mut Tx, call: CallId) -> Result<Option<Call>> {
        let row = tx
            .one(
                "select id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
                 started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, \
                 cost_micros, currency from calls where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), call],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(with_tags(tx, self.scope.tenant(), vec![call_of(&row)?]).await?.pop())
    }

    /// One call with all that belongs to it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn detail(&self, call: CallId) -> Result<Option<CallDetail>> {
        let mut tx = self.scope.read().await?;
        let Some(found) = self.read_call(&mut tx, call).await? else {
            return Ok(None);
        };
        let key = || args![self.scope.tenant(), call];
        let legs = tx
            .all(
                "select id, call_id, side, party, device_id, trunk_id, sip_call_id, codec, started_at, answered_at, \
                 ended_at, cause, quality, user_id, browser from legs where tenant_id = $1 and call_id = $2 order by started_at, id",
                key(),
            )
            .await?;
        let events = tx
            .all(
                "select at, kind, leg_id, detail from call_events where tenant_id = $1 and call_id = $2 \
                 order by position",
                key(),
            )
            .await?;
        let recordings = tx
            .all(
                "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
                 size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
                 where tenant_id = $1 and call_id = $2 order by created_at, id",
                key(),
            )
            .await?;
        let transcripts = tx
            .all(
                "select id, tenant_id, recording_id, call_id, source, source_id, state, problem, text, language, confidence, \
                 provider, model, cpu_seconds, cost_micros, audio_ms, analysis, segments, created_at, finished_at \
                 from transcripts where tenant_id = $1 and call_id = $2 order by created_at, id",
                key(),
            )
            .await?;
        let voicemail = tx
            .one(
                "select id, tenant_id, user_id, call_id, recording_id, from_number, to_number, duration_ms, is_read, \
                 is_deleted, created_at from voicemails where tenant_id = $1 and call_id = $2",
                key(),
            )
            .await?;
        let consents = tx
            .all(
                "select at, leg_id, party, outcome, digit, text from consents \
                 where tenant_id = $1 and call_id = $2 order by position",
                key(),
            )
            .await?;
        Ok(Some(CallDetail {
            consents: consents.iter().map(consent_of).collect::<Result<_>>()?,
            call: found,
            legs: legs.iter().map(leg_of).collect::<Result<_>>()?,
            events: events
                .iter()
                .map(|row| {
                    Ok(CallEvent {
                        at: row.time("at")?,
                        kind: row.text("kind")?,
                        leg: row.opt_parse("leg_id")?,
                        detail: row.text("detail")?,
                    })
                })
                .collect::<Result<_>>()?,
            recordings: recordings.iter().map(recording_of).collect::<Result<_>>()?,
            transcripts: transcripts.iter().map(transcript_of).collect::<Result<_>>()?,
            voicemail: voicemail.map(|row| voicemail_of(&row)).transpose()?,
        }))
    }

    /// Changes what people may change of a call; `None` leaves a field. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn update(
        &self,
        actor: &Actor,
        call: CallId,
        notes: Option<&str>,
        metadata: Option<&Metadata>,
    ) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update calls set notes = coalesce($3, notes), metadata = coalesce($4, metadata) \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), call, notes, metadata],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        search::refresh(&mut tx, self.scope.tenant(), call).await?;
        self.scope.note(&mut tx, actor, "call.update", &call, "").await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a call exactly these tags. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_tags(&self, actor: &Actor, call: CallId, tags: &[String]) -> Result<bool> {
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        if self.read_call(&mut tx, call).await?.is_none() {
            return Ok(false);
        }
        tx.run(
            "delete from call_tags where tenant_id = $1 and call_id = $2",
            args![tenant, call],
        )
        .await?;
        for tag in tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
            put_tag(&mut tx, tenant, call, tag).await?;
        }
        search::refresh(&mut tx, tenant, call).await?;
        self.scope
            .note(&mut tx, actor, "call.tags", &call, &tags.join(", "))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Adds a tag to a call.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn add_tag(&self, actor: &Actor, call: CallId, tag: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        put_tag(&mut tx, self.scope.tenant(), call, tag.trim()).await?;
        search::refresh(&mut tx, self.scope.tenant(), call).await?;
        self.scope.note(&mut tx, actor, "call.tag", &call, tag).await?;
        tx.commit().await
    }

    /// Takes a tag from a call.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove_tag(&self, actor: &Actor, call: CallId, tag: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from call_tags where tenant_id = $1 and call_id = $2 and tag = $3",
            args![self.scope.tenant(), call, tag],
        )
        .await?;
        search::refresh(&mut tx, self.scope.tenant(), call).await?;
        self.scope.note(&mut tx, actor, "call.untag", &call, tag).await?;
        tx.commit().await
    }

    /// Every tag in use, sorted.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tags(&self) -> Result<Vec<String>> {
        self.scope
            .read()
            .await?
            .all(
                "select distinct tag from call_tags where tenant_id = $1 order by tag",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(|row| row.text("tag"))
            .collect()
    }

    /// Whether somebody removed this call, or erased a person or number, since then. An audit line of it outlives
    /// the rows.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn was_removed(&self, call: CallId, since: OffsetDateTime) -> Result<bool> {
        let mut tx = self.scope.read().await?;
        let lines = tx
            .count(
                "select count(*) as n from audit where at >= $1 and tenant_id = $2 \
                 and (action = 'call.remove' and target = $3 or action = 'subject.erase')",
                args![since, self.scope.tenant(), call],
            )
            .await?;
        Ok(lines > 0)
    }

    /// Removes a call with its legs, recordings, messages and transcripts, and destroys the keys of its
    /// audio. A call under a legal hold stays. Returns whether it was removed.
    ///
    /// # Errors
    /// A legal hold keeps it, or the database did not answer.
    pub async fn remove(&self, actor: &Actor, call: CallId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        if !is_call_free(&mut tx, self.scope.tenant(), call).await? {
            return Err(crate::Error::State {
                what: "this call",
                state: "under a legal hold".to_owned(),
                wish: "be removed",
            });
        }
        let Some(gone) = remove_call(&mut tx, self.scope.tenant(), call).await? else {
            return Ok(false);
        };
        self.scope.note(&mut tx, actor, "call.remove", &call, "").await?;
        tx.commit().await?;
        forget_audio(&self.scope, &gone).await?;
        Ok(true)
    }
}

/// Deletes a call's row and all below it, and the keys of its audio; returns what is to be removed after
/// the commit, or `None` when there was no such call.
pub(crate) async fn remove_call(tx: &mut Tx, tenant: TenantId, call: CallId) -> Result<Option<Gone>> {
    let recordings = tx
        .all(
            "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, duration_ms, \
             size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz from recordings \
             where tenant_id = $1 and call_id = $2",
            args![tenant, call],
        )
        .await?
        .iter()
        .map(recording_of)
        .collect::<Result<Vec<_>>>()?;
    let mut gone = Gone::default();
    for recording in &recordings {
        destroy_keys(tx, recording, &mut gone).await?;
    }
    let touched = tx
        .run(
            "delete from calls where tenant_id = $1 and id = $2",
            args![tenant, call],
        )
        .await?;
    Ok((touched > 0).then_some(gone))
}
