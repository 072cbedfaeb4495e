//! What is past its time goes from everywhere at once: rows, search index, files, bucket, and the database's copy.

use super::bucket::{Server, blob, bucket, free_port, local, recorded, set};
use super::small::{DAY_MS, ada, twice};
use super::{Bench, Desk, SystemWorld, context, tone};
use std::path::Path;
use std::sync::Arc;
use strowger_media::Codec;
use strowger_model::capture::Purpose;
use strowger_model::job::Job;
use strowger_model::search::Question;
use strowger_model::speech::{Segment, Sentiment, Word};
use strowger_model::world::SeededWorld;
use strowger_model::{CallId, RecordingId, World as _};
use strowger_store::{Narrowed, Page, TranscriptResult};

/// Audio, and the word that was said in it and nowhere else.
struct Thing {
    call: CallId,
    recording: RecordingId,
    blob: String,
    word: &'static str,
}

async fn thing(bench: &Bench, recording: RecordingId, word: &'static str) -> Thing {
    said(bench, recording, word).await;
    let row = bench.recording(recording).await;
    Thing {
        call: row.call,
        recording,
        blob: blob(bench, recording).await,
        word,
    }
}

/// A transcript, as a recogniser would have made it.
async fn said(bench: &Bench, recording: RecordingId, word: &str) {
    let transcripts = bench.scope.transcripts();
    let transcript = transcripts.of_recording(recording).await.unwrap().unwrap();
    let words = vec![Word {
        text: word.to_owned(),
        start_ms: 0,
        end_ms: 400,
        confidence: 0.9,
    }];
    let segment = Segment {
        channel: 0,
        speaker: "caller".to_owned(),
        start_ms: 0,
        end_ms: 400,
        text: word.to_owned(),
        confidence: 0.9,
        sentiment: Sentiment::Neutral,
        words,
    };
    let result = TranscriptResult {
        text: word.to_owned(),
        language: None,
        confidence: 0.9,
        provider: "local".to_owned(),
        model: "tiny".to_owned(),
        cpu_seconds: 0.1,
        cost_micros: 0,
        audio_ms: 400,
        segments: vec![segment],
    };
    transcripts.ready(transcript.id, &result).await.unwrap();
}

/// A message in somebody's mailbox.
async fn message(bench: &Bench, desk: &Desk) -> RecordingId {
    let user = ada(bench).await.id;
    let sound = tone(440.0, 1);
    let legs = [(Codec::Pcma, sound.as_slice())];
    let (_, recording, capture) = bench.call_to(Some(user), Purpose::Voicemail, &legs).await;
    let tenant = bench.scope.tenant();
    let job = Job::ProcessRecording {
        tenant,
        capture,
        recording,
    };
    desk.run(job, context(1, false)).await.unwrap();
    recording
}

fn holds(file: &Path, thing: &Thing) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    let has = |wanted: &str| bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes());
    has(thing.word) || has(&thing.blob)
}

/// Every place that still knows of it.
async fn places(bench: &Bench, server: &Server, thing: &Thing) -> Vec<&'static str> {
    let scope = &bench.scope;
    let row = scope.recordings().get(thing.recording).await.unwrap();
    let narrowed = Narrowed { to: None, user: None };
    let question = Question::read(thing.word);
    let hits = scope.documents().find(&question, narrowed, &Page::first(9)).await;
    let of = |name: &str| bench.folder.path().join(name);
    let found = [
        ("call", scope.calls().get(thing.call).await.unwrap().is_some()),
        ("row", row.is_some_and(|row| row.state != "erased")),
        ("index", !hits.unwrap().items.is_empty()),
        ("file", local(bench, scope.tenant()).contains(&thing.blob)),
        (
            "bucket",
            server.names().await.iter().any(|name| name.ends_with(&thing.blob)),
        ),
        (
            "database",
            holds(&of("strowger.db"), thing) || holds(&of("strowger.db-wal"), thing),
        ),
        ("copy", holds(&of("strowger.db.copy"), thing)),
    ];
    found
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(place, _)| place)
        .collect()
}

const WITH_FILE: [&str; 6] = ["call", "row", "index", "file", "database", "copy"];
const IN_BUCKET: [&str; 6] = ["call", "row", "index", "bucket", "database", "copy"];

#[tokio::test(flavor = "multi_thread")]
async fn at_its_limit_a_thing_goes_from_everywhere_and_not_a_moment_before() {
    let world = Arc::new(SeededWorld::new(5, SystemWorld.now().unix_timestamp() * 1000));
    let bench = Bench::open_in(Arc::clone(&world) as Arc<dyn strowger_model::World>).await;
    let server = Server::start(free_port()).await;
    let store = bench.store.clone().with_bucket(Some(bucket(server.port())));
    let desk = bench.desk(Path::new("/nonexistent"));
    let tenant = bench.scope.tenant();
    set(&bench, "move_recordings", "true").await;
    set(&bench, "move_recordings_after_days", "0").await;
    let far = recorded(&bench, &desk, 1).await;
    let far = thing(&bench, far, "kaleidoscope").await;
    desk.run(Job::MoveRecordings { tenant }, context(1, false))
        .await
        .unwrap();
    set(&bench, "move_recordings", "false").await;
    let near = recorded(&bench, &desk, 1).await;
    let near = thing(&bench, near, "harpsichord").await;
    let message = message(&bench, &desk).await;
    let message = thing(&bench, message, "velociraptor").await;
    // As a worker does every few minutes.
    store.copy_database().await.unwrap().unwrap();

    let retain = || Job::Retain { tenant };
    let (mut now_ms, its_call) = (0, ["call"]);
    for (at_ms, of_message, of_near, of_far) in [
        (30 * DAY_MS - 1, &WITH_FILE[..], &WITH_FILE[..], &IN_BUCKET[..]),
        (30 * DAY_MS, &its_call[..], &WITH_FILE[..], &IN_BUCKET[..]),
        (89 * DAY_MS, &its_call[..], &WITH_FILE[..], &IN_BUCKET[..]),
        (90 * DAY_MS - 1, &its_call[..], &WITH_FILE[..], &IN_BUCKET[..]),
        (90 * DAY_MS, &[], &[], &[]),
        (91 * DAY_MS, &[], &[], &[]),
    ] {
        world.advance(at_ms - now_ms);
        now_ms = at_ms;
        twice(&desk, retain()).await;
        for (thing, wanted) in [(&message, of_message), (&near, of_near), (&far, of_far)] {
            let found = places(&bench, &server, thing).await;
            assert_eq!(
                found,
                wanted,
                "{} after {} days",
                thing.word,
                at_ms as f64 / DAY_MS as f64
            );
        }
    }
    assert!(
        bench.folder.path().join("strowger.db.copy").exists(),
        "a copy to go back to is there all the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_holds_up_nothing_of_it() {
    let world = Arc::new(SeededWorld::new(6, SystemWorld.now().unix_timestamp() * 1000));
    let bench = Bench::open_in(Arc::clone(&world) as Arc<dyn strowger_model::World>).await;
    let port = free_port();
    let store = bench.store.clone().with_bucket(Some(bucket(port)));
    let desk = bench.desk(Path::new("/nonexistent"));
    let near = recorded(&bench, &desk, 1).await;
    let near = thing(&bench, near, "harpsichord").await;
    store.copy_database().await.unwrap().unwrap();
    let held = |name: &str| holds(&bench.folder.path().join(name), &near);
    assert!(held("strowger.db.copy"));
    world.advance(90 * DAY_MS);
    let job = Job::Retain {
        tenant: bench.scope.tenant(),
    };
    desk.run(job, context(1, false)).await.unwrap();
    assert!(!held("strowger.db.copy"), "nor in the copy");
}
