//! What is amiss between rows and disk is found and named; what is in order is not.

use super::calls::{call, finished, recording};
use super::harness::{Bench, START_MS, on_each_engine};
use crate::capture::{CaptureSpool, SpoolConfig};
use crate::{Afterwards, Finding, NewRecording, NewVoicemail, RecordingResult, Scope};
use aws_lc_rs::digest;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use strowger_model::capture::{CaptureMeta, Purpose};
use strowger_model::{CallId, CallState, CaptureId, RecordingId, VoicemailId};

const SOUND: &[u8] = b"OggS and what was said";

async fn begun(bench: &Bench, scope: &Scope) -> NewRecording {
    let begun = call(bench, scope, "+49170");
    let mut end = finished(bench, &begun, CallState::Completed);
    let new = recording(bench);
    end.recordings.push(new.clone());
    scope.calls().finish(&end).await.unwrap();
    new
}

async fn ready(bench: &Bench, scope: &Scope, sound: &[u8]) -> (RecordingId, String) {
    let new = begun(bench, scope).await;
    let blob = scope.blobs().put(sound).await.unwrap();
    let result = RecordingResult {
        format: "ogg/opus".into(),
        sample_rate_hz: 16_000,
        duration_ms: 5000,
        size_bytes: SOUND.len() as i64,
        sha256: hex::encode(digest::digest(&digest::SHA256, SOUND)),
        blob: blob.clone(),
        peaks: vec![],
    };
    let recordings = scope.recordings();
    assert!(recordings.ready(new.id, &result, Afterwards::Nothing).await.unwrap());
    (new.id, blob)
}

fn file_of(bench: &Bench, scope: &Scope, blob: &str) -> PathBuf {
    let folder = bench.folder.path().join("blobs").join(scope.tenant().to_string());
    folder.join(&blob[34..]).join(blob)
}

async fn findings(bench: &Bench) -> Vec<Finding> {
    bench.store.examine_recordings().await.unwrap().findings
}

fn spool(bench: &Bench) -> CaptureSpool {
    let rules = SpoolConfig {
        reserve_bytes: 0,
        commit_every: Duration::from_millis(20),
        ..SpoolConfig::default()
    };
    CaptureSpool::start(&bench.store, &rules).unwrap()
}

#[test]
fn recordings_that_are_whole_raise_nothing() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        ready(&bench, &scope, SOUND).await;
        let seen = bench.store.examine_recordings().await.unwrap();
        assert_eq!((seen.recordings, seen.findings), (1, vec![]));
    });
}

#[test]
fn lost_and_changed_audio_is_named() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let (changed, _) = ready(&bench, &scope, &SOUND.to_ascii_lowercase()).await;
        let (empty, _) = ready(&bench, &scope, b"").await;
        let (lost, blob) = ready(&bench, &scope, SOUND).await;
        std::fs::remove_file(file_of(&bench, &scope, &blob)).unwrap();
        let waiting = begun(&bench, &scope).await;
        let found = findings(&bench).await;
        let tenant = scope.tenant();
        let is = |recording, what| Finding::Changed {
            tenant,
            recording,
            what,
        };
        assert!(found.contains(&is(changed, "SHA-256")), "{found:?}");
        assert!(found.contains(&is(empty, "no bytes")), "{found:?}");
        assert!(
            found
                .iter()
                .any(|one| matches!(one, Finding::Unreadable { recording, .. } if *recording == lost))
        );
        assert!(found.contains(&Finding::NoCapture {
            tenant,
            recording: waiting.id,
            capture: waiting.capture,
            state: "captured".into()
        }));
        assert_eq!(found.len(), 4, "{found:?}");
    });
}

#[test]
fn what_belongs_to_nothing_is_named_once_it_is_old() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let orphan = scope.blobs().put(SOUND).await.unwrap();
        let file = file_of(&bench, &scope, &orphan);
        let stranger = file.with_file_name("0199c82c-c000-7e95-a449-2f6f2ce90e01.part");
        std::fs::write(&stranger, b"cut").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_millis(START_MS as u64);
        for path in [&file, &stranger] {
            let opened = std::fs::File::options().write(true).open(path).unwrap();
            opened.set_modified(long_ago).unwrap();
        }
        assert_eq!(findings(&bench).await, vec![], "it may be named yet");
        bench.world.advance(3_600_001);
        let found = findings(&bench).await;
        let tenant = scope.tenant();
        assert!(
            found.contains(&Finding::OrphanKey { tenant, blob: orphan }),
            "{found:?}"
        );
        assert!(found.contains(&Finding::OrphanFile { path: stranger }), "{found:?}");
        assert_eq!(found.len(), 2);
    });
}

#[test]
fn a_capture_counts_as_lost_only_when_its_call_has_ended_without_it() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = spool(&bench);
        let running = call(&bench, &scope, "+49171");
        scope.calls().begin(&running, &[]).await.unwrap();
        let meta = |call| CaptureMeta {
            capture: CaptureId::generate(bench.world.as_ref()),
            recording: RecordingId::generate(bench.world.as_ref()),
            tenant: scope.tenant(),
            call,
            purpose: Purpose::Call,
            started_unix_ms: START_MS,
        };
        let (live, lost) = (meta(running.id), meta(CallId::generate(bench.world.as_ref())));
        let (_first, _second) = (
            spool.open(&live, &[]).await.unwrap(),
            spool.open(&lost, &[]).await.unwrap(),
        );
        assert_eq!(
            findings(&bench).await,
            [Finding::NoRow {
                tenant: scope.tenant(),
                capture: lost.capture,
                call: lost.call,
            }]
        );
    });
}

#[test]
fn a_message_without_its_recording_is_named() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let user = bench.user(&scope, "ada", "101").await;
        let begun = call(&bench, &scope, "+49170");
        let mut end = finished(&bench, &begun, CallState::Completed);
        let new = recording(&bench);
        end.voicemail = Some(NewVoicemail {
            id: VoicemailId::generate(bench.world.as_ref()),
            user: user.id,
            recording: new.id,
            duration_ms: 5000,
        });
        scope.calls().finish(&end).await.unwrap();
        assert_eq!(
            findings(&bench).await,
            [Finding::NoRecording {
                tenant: scope.tenant(),
                call: begun.id
            }]
        );
    });
}

#[test]
fn a_start_looks_at_those_captures_alone_whose_work_was_not_asked_for() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let first = spool(&bench);
        let begun = call(&bench, &scope, "+49170");
        let (written, lost) = (recording(&bench), recording(&bench));
        for new in [&written, &lost] {
            let meta = CaptureMeta {
                capture: new.capture,
                recording: new.id,
                tenant: scope.tenant(),
                call: begun.id,
                purpose: Purpose::Call,
                started_unix_ms: 0,
            };
            first.open(&meta, &[]).await.unwrap().finish().await.unwrap();
        }
        let mut end = finished(&bench, &begun, CallState::Completed);
        end.recordings.push(written);
        scope.calls().finish(&end).await.unwrap();
        first.close().await;
        let next = spool(&bench);
        let found = next.recover().await.unwrap();
        let found: Vec<CaptureId> = found.iter().map(|found| found.meta.capture).collect();
        assert_eq!(found, [lost.capture]);
        next.close().await;
    });
}
