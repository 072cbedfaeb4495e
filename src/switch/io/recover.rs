//! After a start: what a daemon before this one left open is closed, and what it captured is not lost.

use super::Error;
use super::journal::Journal;
use crate::journal::{Entry, Finished, Message, Taken};
use std::collections::HashMap;
use strowger_model::capture::Purpose;
use strowger_model::record::Call;
use strowger_model::{CallId, HangupCause, RecordingId, VoicemailId, World};
use strowger_store::capture::{CaptureSpool, Recovered};
use strowger_store::{NewRecording, Store};
use time::OffsetDateTime;
use tracing::{info, warn};

pub(super) async fn close_unfinished(
    store: &Store,
    spool: &CaptureSpool,
    journal: &Journal,
    world: &dyn World,
) -> Result<(), Error> {
    let mut captures: HashMap<CallId, Vec<Recovered>> = HashMap::new();
    match spool.recover().await {
        Ok(all) => {
            for recovered in all {
                captures.entry(recovered.meta.call).or_default().push(recovered);
            }
        }
        Err(problem) => warn!(
            problem = &problem as &dyn std::error::Error,
            "the capture spool cannot be searched"
        ),
    }
    let captured = captures.values().flatten().map(|recovered| recovered.meta.recording);
    let captured: Vec<RecordingId> = captured.collect();
    store.abandon_recordings(&captured).await.map_err(Error::Recover)?;
    let unfinished = store.unfinished_calls().await.map_err(Error::Recover)?;
    if !unfinished.is_empty() {
        info!(calls = unfinished.len(), "closing calls that the last run left open");
    }
    for call in unfinished {
        let taken = captures.remove(&call.id).unwrap_or_default();
        let finished = finished(call, &taken, world);
        let tenant = finished.call.tenant;
        journal.write_waiting(tenant, Entry::Finish(Box::new(finished))).await;
    }
    // Captures of calls that were written as ended: their work may have been asked for already, and
    // asking twice changes nothing.
    for recovered in captures.into_values().flatten() {
        let recording = NewRecording {
            id: recovered.meta.recording,
            capture: recovered.meta.capture,
            name: String::new(),
            recorded_by: asked_by(recovered.meta.purpose).to_owned(),
            problem: None,
            created_at: began_at(&recovered),
        };
        let calls = store.tenant(recovered.meta.tenant).calls();
        if let Err(problem) = calls.add_recording(recovered.meta.call, &recording).await {
            warn!(call_id = %recovered.meta.call, problem = &problem as &dyn std::error::Error, "a capture has no call any more");
        }
    }
    Ok(())
}

fn finished(call: Call, captures: &[Recovered], world: &dyn World) -> Finished {
    // The last sound is the best witness of when the call ended.
    let heard = captures.iter().map(|capture| began_at(capture) + capture.length).max();
    let ended_at = heard
        .filter(|heard| *heard > call.started_at)
        .unwrap_or_else(|| world.now());
    let duration = call
        .answered_at
        .map_or(time::Duration::ZERO, |answered_at| ended_at - answered_at);
    let cause = HangupCause::DaemonRestart;
    let message = captures
        .iter()
        .find(|capture| capture.meta.purpose == Purpose::Voicemail);
    Finished {
        taken: captures
            .iter()
            .map(|capture| Taken {
                recording: capture.meta.recording,
                capture: capture.meta.capture,
                recorded_by: asked_by(capture.meta.purpose).to_owned(),
                problem: None,
                began_at: began_at(capture),
            })
            .collect(),
        message: message.zip(call.user).map(|(capture, user)| Message {
            voicemail: VoicemailId::generate(world),
            user,
            recording: capture.meta.recording,
            duration_ms: i64::try_from(capture.length.as_millis()).unwrap_or(0),
        }),
        legs: Vec::new(),
        events: Vec::new(),
        call: Call {
            state: call.state.at_end(call.direction, cause),
            ended_at: Some(ended_at),
            duration_ms: i64::try_from(duration.whole_milliseconds()).unwrap_or(0).max(0),
            cause: Some(cause),
            ..call
        },
    }
}

const fn asked_by(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Voicemail => "voicemail",
        Purpose::Call | Purpose::Room => "settings",
    }
}

fn began_at(capture: &Recovered) -> OffsetDateTime {
    let nanos = i128::from(capture.meta.started_unix_ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
