//! Jobs over a real store: a call is captured, processed, transcribed and understood; every step may be
//! repeated.

mod bucket;
mod import;
mod killed;
mod meeting;
mod outside;
mod redact;
mod retention;
mod small;
mod wide;

use super::Desk;
use crate::audio::decode::{Layout, decode};
use crate::whisper::models::ModelStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strowger_media::coder::Encoder;
use strowger_media::{Codec, timeline};
use strowger_model::capture::{CaptureMeta, Chunk, Frame, Purpose, Sink, StreamMeta};
use strowger_model::job::Job;
use strowger_model::record::{Call, Recording};
use strowger_model::{
    CallId, CallState, CallType, CaptureId, Direction, HangupCause, JobId, LegId, RecordingId, UserId, VoicemailId,
    World,
};
use strowger_store::capture::{CaptureReader, CaptureSpool, SpoolConfig};
use strowger_store::queue::{Context, JobError, JobFilter, Progress};
use strowger_store::{
    Actor, FinishedCall, NewRecording, NewTenant, NewVoicemail, Page, Scope, Store, StoreConfig, SystemWorld,
};
use tokio_util::sync::CancellationToken;

const SOUNDS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// A machine with one tenant.
struct Bench {
    store: Store,
    scope: Scope,
    world: Arc<dyn World>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn open() -> Self {
        Self::open_in(Arc::new(SystemWorld)).await
    }

    async fn open_in(world: Arc<dyn World>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            url: format!("sqlite://{}/strowger.db", folder.path().display()),
            data_dir: folder.path().to_owned(),
            master_key: [7; 32],
        };
        let store = Store::open(&config, Arc::clone(&world)).await.unwrap();
        let new = NewTenant {
            name: "acme".to_owned(),
            realm: "acme.example".to_owned(),
        };
        let tenant = store.tenants().create(&actor(), new).await.unwrap();
        Self {
            scope: store.tenant(tenant.id),
            store,
            world,
            folder,
        }
    }

    fn desk(&self, models: &Path) -> Desk {
        Desk::new(
            self.store.clone(),
            Arc::clone(&self.world),
            ModelStore::new(models),
            "tiny.en".to_owned(),
        )
    }

    /// A call in which the caller says `left` and the callee `right` (8 kHz), captured as G.711.
    async fn call(&self, left: &[i16], right: &[i16]) -> (CallId, RecordingId, CaptureId) {
        self.call_of(Purpose::Call, &[(Codec::Pcma, left), (Codec::Pcma, right)])
            .await
    }

    /// A call, what each leg says in which codec, at that codec's rate, and what it was captured for.
    async fn call_of(&self, purpose: Purpose, legs: &[(Codec, &[i16])]) -> (CallId, RecordingId, CaptureId) {
        self.call_to(None, purpose, legs).await
    }

    /// As [`Bench::call_of`]; what was captured is a message to somebody.
    async fn call_to(
        &self,
        mailbox: Option<UserId>,
        purpose: Purpose,
        legs: &[(Codec, &[i16])],
    ) -> (CallId, RecordingId, CaptureId) {
        let world = self.world.as_ref();
        let now = world.now();
        let call = Call {
            id: CallId::generate(world),
            tenant: self.scope.tenant(),
            user: None,
            direction: Direction::Inbound,
            call_type: CallType::CustomerInbound,
            state: CallState::Initiated,
            from_number: "+4930555".to_owned(),
            from_name: Some("Ada".to_owned()),
            to_number: "+4930123".to_owned(),
            started_at: now,
            answered_at: None,
            ended_at: None,
            duration_ms: 0,
            cause: None,
            flow_version: None,
            notes: String::new(),
            metadata: strowger_model::Metadata::empty(),
            transcribe: true,
            cost_micros: 0,
            currency: "EUR".to_owned(),
            tags: Vec::new(),
        };
        self.scope.calls().begin(&call, &[]).await.unwrap();
        let meta = CaptureMeta {
            capture: CaptureId::generate(world),
            recording: RecordingId::generate(world),
            tenant: self.scope.tenant(),
            call: call.id,
            purpose,
            started_unix_ms: 0,
        };
        self.capture(&meta, legs).await;
        let finished = FinishedCall {
            call: Call {
                state: CallState::Completed,
                answered_at: Some(now),
                ended_at: Some(now),
                duration_ms: 1,
                cause: Some(HangupCause::Normal),
                ..call.clone()
            },
            legs: Vec::new(),
            recordings: vec![NewRecording {
                id: meta.recording,
                capture: meta.capture,
                name: "Call".to_owned(),
                recorded_by: "settings".to_owned(),
                problem: None,
                created_at: now,
            }],
            voicemail: mailbox.map(|user| NewVoicemail {
                id: VoicemailId::generate(world),
                user,
                recording: meta.recording,
                duration_ms: 0,
            }),
        };
        self.scope.calls().finish(&finished).await.unwrap();
        (call.id, meta.recording, meta.capture)
    }

    async fn capture(&self, meta: &CaptureMeta, legs: &[(Codec, &[i16])]) {
        let config = SpoolConfig {
            reserve_bytes: 0,
            ..SpoolConfig::default()
        };
        let spool = CaptureSpool::start(&self.store, &config).unwrap();
        let streams: Vec<StreamMeta> = (0..legs.len())
            .map(|n| StreamMeta {
                stream: u8::try_from(n).unwrap(),
                leg: LegId::generate(self.world.as_ref()),
                speaker: format!("speaker {n}"),
            })
            .collect();
        let capture = spool.open(meta, &streams).await.unwrap();
        let mut sinks: Vec<_> = streams.iter().map(|stream| capture.sink(stream.stream)).collect();
        let mut packed: Vec<_> = legs
            .iter()
            .enumerate()
            .map(|(stream, (codec, samples))| packed(stream, *codec, samples).into_iter())
            .collect();
        // A second of each in turn, as media threads hand them over.
        loop {
            let mut are_over = true;
            for (sink, chunks) in sinks.iter_mut().zip(&mut packed) {
                if let Some(chunk) = chunks.next() {
                    submit(sink, chunk).await;
                    are_over = false;
                }
            }
            if are_over {
                break;
            }
        }
        capture.finish().await.unwrap();
        spool.close().await;
    }

    /// Does every job that was asked for, in order, and says which they were.
    async fn work(&self, desk: &Desk) -> Vec<&'static str> {
        let mut done: Vec<(JobId, &'static str)> = Vec::new();
        loop {
            let page = Page {
                after: None,
                limit: 100,
            };
            let rows = self.scope.jobs().list(&JobFilter::default(), &page).await.unwrap();
            let due = rows
                .items
                .iter()
                .rev()
                .find(|row| done.iter().all(|(id, _)| *id != row.id));
            let Some(row) = due else {
                return done.into_iter().map(|(_, kind)| kind).collect();
            };
            let job: Job = serde_json::from_value(row.payload.clone()).unwrap();
            // Twice: a worker that was killed after the last write does it again.
            desk.run(job.clone(), context(1, false)).await.unwrap();
            desk.run(job.clone(), context(2, false)).await.unwrap();
            done.push((row.id, job.kind()));
        }
    }

    async fn recording(&self, id: RecordingId) -> Recording {
        self.scope.recordings().get(id).await.unwrap().unwrap()
    }
}

/// The memory of a second of packets in any codec.
const CHUNK_BYTES: usize = 50 * 300;

/// What somebody says in a codec, as packets of 20 ms, a second of them in each chunk.
fn packed(stream: usize, codec: Codec, samples: &[i16]) -> Vec<Chunk> {
    let rate = timeline::rate_of(codec.captured());
    let mut encoder = Encoder::new(codec, rate, None).unwrap();
    let frame = usize::from(rate.khz()) * 20;
    let mut payload = [0; 280];
    let mut chunks = Vec::new();
    for (n, samples) in samples.chunks(frame).enumerate() {
        let mut samples = samples.to_vec();
        if codec.is_wide() {
            samples.resize(frame, 0);
        }
        let length = encoder.encode(&samples, &mut payload);
        let frame = Frame {
            stream: u8::try_from(stream).unwrap(),
            codec: codec.captured(),
            arrival_us: n as u64 * 20_000,
            rtp_timestamp: n as u32 * 20 * u32::from(codec.clock_khz()),
            sequence: n as u16,
            payload: &payload[..length],
        };
        if n.is_multiple_of(50) {
            chunks.push(Chunk::with_capacity(CHUNK_BYTES));
        }
        assert!(chunks.last_mut().unwrap().push(&frame));
    }
    chunks
}

async fn submit(sink: &mut impl Sink, mut chunk: Chunk) {
    loop {
        // A test is faster than the disk; real legs are not.
        let kept = chunk.clone();
        match sink.submit(chunk) {
            Ok(_) => return,
            Err((_, why)) => {
                assert_eq!(why, strowger_model::capture::Refusal::Full);
                tokio::task::yield_now().await;
                chunk = Chunk::with_capacity(CHUNK_BYTES);
                for frame in kept.frames() {
                    chunk.push(&frame);
                }
            }
        }
    }
}

fn actor() -> Actor {
    Actor::named("tester@example.org")
}

fn context(attempt: u32, is_last: bool) -> Context {
    Context {
        attempt,
        is_last,
        spent: None,
        cancelled: CancellationToken::new(),
        progress: Progress::default(),
    }
}

/// A spoken prompt of Debian's package, 8 kHz.
fn spoken(name: &str) -> Vec<i16> {
    let path = PathBuf::from(SOUNDS).join(format!("{name}.wav"));
    let file = std::fs::read(&path).expect("tests need speech: apt install asterisk-core-sounds-en-wav");
    decode(&file, "x.wav", 8000, Layout::Mono).unwrap().channels.remove(0)
}

/// The folder with tiny.en that the tests' set-up fetched.
#[expect(
    clippy::disallowed_methods,
    reason = "where the set-up put the model is the test's environment"
)]
fn models() -> PathBuf {
    let folder = std::env::var("STROWGER_TEST_MODELS").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../var/models")),
        PathBuf::from,
    );
    assert!(
        folder.join("manifest.json").exists(),
        "tests need a speech model: run packaging/fetch-models, or let STROWGER_TEST_MODELS name its folder"
    );
    folder
}

fn tone(hz: f32, seconds: usize) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / 8000.0;
    (0..8000 * seconds)
        .map(|n| ((n as f32 * step).sin() * 8000.0) as i16)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_call_becomes_a_recording_a_transcript_and_its_meaning() {
    let bench = Bench::open().await;
    let desk = bench.desk(&models());
    let (left, right) = (spoken("vm-options"), spoken("demo-congrats"));
    let (call, recording, capture) = bench.call(&left, &right).await;

    assert_eq!(bench.work(&desk).await, ["process_recording", "transcribe", "analyse"]);

    let made = bench.recording(recording).await;
    assert_eq!((made.state.as_str(), made.format.as_str()), ("ready", "ogg/opus"));
    let wanted_ms = left.len().max(right.len()) as i64 / 8;
    assert!(
        (made.duration_ms - wanted_ms).abs() <= 20,
        "{} is not {wanted_ms}",
        made.duration_ms
    );
    assert_eq!((made.peaks.len(), made.capture), (2, None));
    assert!(
        CaptureReader::open(&bench.store, capture).await.is_err(),
        "the capture's key is gone"
    );

    let detail = bench.scope.calls().detail(call).await.unwrap().unwrap();
    let [transcript] = &detail.transcripts[..] else {
        panic!("one transcript")
    };
    assert_eq!(
        (transcript.state.as_str(), transcript.model.as_str()),
        ("ready", "tiny.en")
    );
    let side = |channel: u8| {
        let segments = transcript
            .segments
            .iter()
            .filter(move |segment| segment.channel == channel);
        segments
            .map(|segment| segment.text.to_lowercase())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        side(0).contains("greeting") && !side(0).contains("asterisk"),
        "{}",
        side(0)
    );
    assert!(
        side(1).contains("congratulations") && !side(1).contains("greeting"),
        "{}",
        side(1)
    );
    assert!(
        transcript
            .segments
            .iter()
            .all(|s| (s.channel == 0) == (s.speaker == "Ada"))
    );
    assert!(!transcript.analysis.as_ref().unwrap().summary.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_in_which_nobody_was_heard_is_no_empty_recording() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let (_, recording, capture) = bench.call(&[], &[]).await;
    let job = Job::ProcessRecording {
        tenant: bench.scope.tenant(),
        capture,
        recording,
    };
    let Err(JobError::GiveUp(said)) = desk.run(job, context(1, false)).await else {
        panic!("there is nothing to make a recording of");
    };
    assert!(said.contains("nobody was heard"), "{said}");
    let row = bench.recording(recording).await;
    assert_eq!((row.state.as_str(), row.problem), ("failed", Some(said)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_of_a_recording_holds_its_speaker_only() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let (_, recording, capture) = bench.call(&tone(440.0, 3), &tone(1000.0, 3)).await;
    let job = Job::ProcessRecording {
        tenant: bench.scope.tenant(),
        capture,
        recording,
    };
    desk.run(job, context(1, false)).await.unwrap();
    let blob = bench.recording(recording).await.blob.unwrap();
    let file = bench.scope.blobs().get(&blob).await.unwrap();
    let pcm = decode(&file, "", 8000, Layout::Kept).unwrap();
    let crossings = |channel: &[i16]| channel.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    assert!(crossings(&pcm.channels[0]).abs_diff(440 * 3) < 20);
    assert!(crossings(&pcm.channels[1]).abs_diff(1000 * 3) < 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_the_job_says_which_command_mends_it() {
    let bench = Bench::open().await;
    let empty = tempfile::tempdir().unwrap();
    let desk = bench.desk(empty.path());
    let (call, recording, capture) = bench.call(&tone(440.0, 1), &tone(440.0, 1)).await;
    let tenant = bench.scope.tenant();
    let process = Job::ProcessRecording {
        tenant,
        capture,
        recording,
    };
    desk.run(process, context(1, false)).await.unwrap();
    let asked = bench.scope.calls().detail(call).await.unwrap().unwrap().transcripts;
    let job = Job::Transcribe {
        tenant,
        recording,
        transcript: asked[0].id,
    };
    let problem = "no speech model installed: run strowger models pull tiny.en";
    let first = desk.run(job.clone(), context(1, false)).await;
    assert_eq!(first, Err(JobError::Retry(problem.to_owned())));
    assert_eq!(
        bench.scope.transcripts().get(asked[0].id).await.unwrap().unwrap().state,
        "running"
    );
    desk.run(job, context(3, true)).await.unwrap_err();
    let row = bench.scope.transcripts().get(asked[0].id).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.problem.as_deref()), ("failed", Some(problem)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_no_audio_fails_with_the_reason_and_a_good_one_can_be_played() {
    let bench = Bench::open().await;
    let desk = bench.desk(Path::new("/nonexistent"));
    let tenant = bench.scope.tenant();
    let bad = bench
        .scope
        .prompts()
        .create(&actor(), "bad", "bad.mp3", b"not audio")
        .await
        .unwrap();
    let job = Job::NormalisePrompt { tenant, prompt: bad.id };
    assert!(matches!(
        desk.run(job, context(1, false)).await,
        Err(JobError::GiveUp(_))
    ));
    let row = bench.scope.prompts().get(bad.id).await.unwrap().unwrap();
    assert_eq!(row.state, "failed");
    assert!(row.problem.unwrap().contains("not an audio file"));

    let path = PathBuf::from(SOUNDS).join("vm-goodbye.wav");
    let file = std::fs::read(path).unwrap();
    let good = bench
        .scope
        .prompts()
        .create(&actor(), "bye", "vm-goodbye.wav", &file)
        .await
        .unwrap();
    let job = Job::NormalisePrompt {
        tenant,
        prompt: good.id,
    };
    desk.run(job.clone(), context(1, false)).await.unwrap();
    desk.run(job, context(2, false)).await.unwrap();
    let row = bench.scope.prompts().get(good.id).await.unwrap().unwrap();
    assert_eq!(
        (row.state.as_str(), row.duration_ms),
        ("ready", spoken("vm-goodbye").len() as i64 / 8)
    );
    let audio = bench
        .scope
        .prompts()
        .audio(good.id)
        .await
        .unwrap()
        .unwrap()
        .audio
        .unwrap();
    assert_eq!(
        bench.scope.blobs().get(&audio).await.unwrap().len(),
        spoken("vm-goodbye").len() * 2
    );
}
