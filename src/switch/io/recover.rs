//! After a start: what a daemon before this one left open is closed, and what it captured is not lost.
//!
//! In two steps, because a talk that goes on says so in the row of the call it was: first what is left is looked at, and
//! closed what nobody can go on with; the rest is closed by [`close`] or by the call that goes on.

use super::Error;
use super::journal::Journal;
use crate::journal::{Entry, Finished, Message, Taken};
use std::collections::{BTreeMap, HashMap};
use strowger_model::capture::Purpose;
use strowger_model::record::Call;
use strowger_model::{
    CallId, CallState, CallType, Direction, HangupCause, Metadata, RecordingId, TenantId, VoicemailId, World,
};
use strowger_store::capture::{self, CaptureSpool, Recovered};
use strowger_store::{NewRecording, Store};
use time::OffsetDateTime;
use tracing::{info, warn};

/// The calls that were left open, as they are to be written. Captures of others are seen to.
pub(super) async fn left_open(
    store: &Store,
    spool: &CaptureSpool,
    journal: &Journal,
    world: &dyn World,
) -> Result<BTreeMap<CallId, Finished>, Error> {
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
    let mut open = BTreeMap::new();
    for call in unfinished {
        let taken = captures.remove(&call.id).unwrap_or_default();
        open.insert(call.id, finished(call, &taken, world));
    }
    for (call, taken) in captures {
        let Some(tenant) = taken.first().map(|recovered| recovered.meta.tenant) else {
            continue;
        };
        let calls = store.tenant(tenant).calls();
        let since = taken.iter().map(began_at).min().unwrap_or_else(|| world.now());
        if calls.get(call).await.map_err(Error::Recover)?.is_some() {
            add(store, &taken).await;
        } else if calls.was_removed(call, since).await.map_err(Error::Recover)? {
            erase(store, &taken).await;
        } else {
            warn!(call_id = %call, "a call's row was lost; it is made anew from what was captured");
            let call = lost(call, tenant, since, &taken);
            let begin = Entry::Begin {
                call: Box::new(call.clone()),
                legs: Vec::new(),
            };
            journal.write_waiting(tenant, begin).await;
            let finished = finished(call, &taken, world);
            journal.write_waiting(tenant, Entry::Finish(Box::new(finished))).await;
        }
    }
    Ok(open)
}

/// Closes calls that do not go on.
pub(super) async fn close(open: BTreeMap<CallId, Finished>, journal: &Journal) {
    metrics::counter!("strowger_calls_after_restart_total", "outcome" => "ended").increment(open.len() as u64);
    for finished in open.into_values() {
        let tenant = finished.call.tenant;
        journal.write_waiting(tenant, Entry::Finish(Box::new(finished))).await;
    }
}

/// Captures of a call that was written as ended: their work may have been asked for already, and asking twice
/// changes nothing.
async fn add(store: &Store, taken: &[Recovered]) {
    for recovered in taken {
        let recording = NewRecording {
            id: recovered.meta.recording,
            capture: recovered.meta.capture,
            name: String::new(),
            recorded_by: asked_by(recovered.meta.purpose).to_owned(),
            problem: None,
            created_at: began_at(recovered),
        };
        let calls = store.tenant(recovered.meta.tenant).calls();
        if let Err(problem) = calls.add_recording(recovered.meta.call, &recording).await {
            warn!(call_id = %recovered.meta.call, problem = &problem as &dyn std::error::Error, "a capture's recording cannot be written");
        }
    }
}

/// Somebody removed the call; its audio was to go with it.
async fn erase(store: &Store, taken: &[Recovered]) {
    for recovered in taken {
        if let Err(problem) = capture::erase(store, recovered.meta.capture).await {
            warn!(call_id = %recovered.meta.call, problem = &problem as &dyn std::error::Error, "a removed call's capture cannot be erased");
        }
    }
}

/// What a capture knows of a call whose row a power cut took, or the end of a daemon while its database was silent.
fn lost(id: CallId, tenant: TenantId, since: OffsetDateTime, taken: &[Recovered]) -> Call {
    let mut speakers = taken.iter().flat_map(|recovered| &recovered.streams);
    Call {
        id,
        tenant,
        user: None,
        direction: Direction::Internal,
        call_type: CallType::Internal,
        state: CallState::Active,
        from_number: "unknown".to_owned(),
        from_name: speakers.next().map(|stream| stream.speaker.clone()),
        to_number: "unknown".to_owned(),
        started_at: since,
        answered_at: Some(since),
        ended_at: None,
        duration_ms: 0,
        cause: None,
        flow_version: None,
        notes: "The row of this call was lost in a power cut; its recording was found.".to_owned(),
        metadata: Metadata::default(),
        transcribe: false,
        cost_micros: 0,
        currency: String::new(),
        tags: Vec::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::super::journal;
    use super::super::testing::store;
    use super::*;
    use std::time::Duration;
    use strowger_host::Shutdown;
    use strowger_model::capture::{CaptureMeta, Chunk, Codec, Frame, Sink as _, StreamMeta};
    use strowger_model::{CaptureId, LegId};
    use strowger_store::Actor;
    use strowger_store::capture::SpoolConfig;

    /// One capture of a second of sound whose daemon went down.
    async fn left_behind(store: &Store, tenant: TenantId, world: &dyn World) -> CaptureMeta {
        let config = SpoolConfig {
            reserve_bytes: 0,
            commit_every: Duration::from_millis(20),
            ..SpoolConfig::default()
        };
        let spool = CaptureSpool::start(store, &config).unwrap();
        let meta = CaptureMeta {
            capture: CaptureId::generate(world),
            recording: RecordingId::generate(world),
            tenant,
            call: CallId::generate(world),
            purpose: Purpose::Call,
            started_unix_ms: 1_700_000_000_000,
        };
        let stream = StreamMeta {
            stream: 0,
            leg: LegId::generate(world),
            speaker: "Ada".to_owned(),
        };
        let capture = spool.open(&meta, &[stream]).await.unwrap();
        let mut chunk = Chunk::with_capacity(20_000);
        for n in 0..50_u16 {
            let frame = Frame {
                stream: 0,
                codec: Codec::Pcma,
                arrival_us: u64::from(n) * 20_000,
                rtp_timestamp: u32::from(n) * 160,
                sequence: n,
                payload: &[0x55; 160],
            };
            assert!(chunk.push(&frame));
        }
        assert!(capture.sink(0).submit(chunk).is_ok());
        capture.finish().await.unwrap();
        spool.close().await;
        meta
    }

    async fn restart(store: &Store, world: &dyn World) {
        let shutdown = Shutdown::new();
        let spool = CaptureSpool::start(store, &SpoolConfig::default()).unwrap();
        let journal = journal::start(store, &shutdown).await.unwrap();
        let open = left_open(store, &spool, &journal, world).await.unwrap();
        close(open, &journal).await;
        drop(journal);
        shutdown.tasks().close();
        shutdown.tasks().wait().await;
        spool.close().await;
    }

    #[tokio::test]
    async fn a_capture_whose_calls_row_a_power_cut_took_becomes_a_recording() {
        let folder = tempfile::tempdir().unwrap();
        let (store, tenant, world) = store(folder.path()).await;
        let meta = left_behind(&store, tenant, world.as_ref()).await;
        // Twice: a second crash in the middle changes nothing.
        for _ in 0..2 {
            restart(&store, world.as_ref()).await;
        }
        let call = store.tenant(tenant).calls().detail(meta.call).await.unwrap().unwrap();
        assert_eq!(call.call.from_name.as_deref(), Some("Ada"));
        assert_eq!(call.call.cause, Some(HangupCause::DaemonRestart));
        assert!(
            (900..=1100).contains(&call.call.duration_ms),
            "{}",
            call.call.duration_ms
        );
        let recordings: Vec<_> = call.recordings.iter().map(|one| (one.id, one.capture)).collect();
        assert_eq!(recordings, [(meta.recording, Some(meta.capture))]);
    }

    #[tokio::test]
    async fn a_removed_call_does_not_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let (store, tenant, world) = store(folder.path()).await;
        let meta = left_behind(&store, tenant, world.as_ref()).await;
        let calls = store.tenant(tenant).calls();
        let call = lost(meta.call, tenant, world.now(), &[]);
        calls.begin(&call, &[]).await.unwrap();
        assert!(calls.remove(&Actor::system(), meta.call).await.unwrap());
        restart(&store, world.as_ref()).await;
        assert!(calls.get(meta.call).await.unwrap().is_none());
        let spool = CaptureSpool::start(&store, &SpoolConfig::default()).unwrap();
        assert!(spool.recover().await.unwrap().is_empty());
        spool.close().await;
    }
}
