//! What one recording costs while many others are captured: fills the log as so many calls at once do for so long, of
//! which one lasts throughout, and then finds, reads and erases captures that ended, as the worker does.
//!
//! `cargo run --release -p strowger-store --example captures -- [CALLS] [MINUTES]`; 200 calls of three minutes during
//! ten by default, which needs 2 GB below the temporary folder.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use strowger_model::capture::{CaptureMeta, Chunk, Codec, Frame, Purpose, Sink, StreamMeta};
use strowger_model::{CallId, CaptureId, LegId, RecordingId};
use strowger_store::capture::{self, Capture, CaptureReader, CaptureSpool, SpoolConfig, StreamSink};
use strowger_store::{Actor, NewTenant, Scope, Store, StoreConfig, SystemWorld};

/// Frames of 20 ms in a chunk, and chunks of a call of three minutes.
const FRAMES: u16 = 15;
const CHUNKS: u64 = 600;
/// Captures looked at.
const LOOKED_AT: usize = 20;

struct Talk {
    capture: Capture,
    sinks: Vec<StreamSink>,
    left: u64,
}

#[tokio::main]
async fn main() {
    let mut given = std::env::args()
        .skip(1)
        .map(|given| given.parse::<u64>().expect("a number"));
    let (calls, minutes) = (given.next().unwrap_or(200), given.next().unwrap_or(10));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = StoreConfig {
        url: format!("sqlite://{}/strowger.db", folder.path().display()),
        data_dir: folder.path().to_owned(),
        master_key: [7; 32],
    };
    let store = Store::open(&config, Arc::new(SystemWorld)).await.expect("the store");
    let new = NewTenant {
        name: "bench".to_owned(),
        realm: "bench.example".to_owned(),
    };
    let tenant = store
        .tenants()
        .create(&Actor::named("bench"), new)
        .await
        .expect("a tenant");
    let scope = store.tenant(tenant.id);
    let config = SpoolConfig {
        reserve_bytes: 0,
        ..SpoolConfig::default()
    };
    let spool = CaptureSpool::start(&store, &config).expect("the spool");

    let mut talks = Vec::new();
    for n in 0..calls {
        // They end one after the other; the first one never does.
        let left = if n == 0 { u64::MAX } else { 1 + n * CHUNKS / calls };
        talks.push(begin(&spool, &scope, left).await);
    }
    let mut ended = Vec::new();
    for n in 0..minutes * 200 {
        for talk in &mut talks {
            if talk.left == 0 {
                let next = begin(&spool, &scope, CHUNKS).await;
                let over = std::mem::replace(talk, next);
                ended.push(over.capture.meta().capture);
                over.capture.finish().await.expect("an end");
            }
            talk.left -= 1;
            for (stream, sink) in (0..).zip(&mut talk.sinks) {
                sink.submit(sound(n, stream)).map_err(|(_, why)| why).expect("room");
            }
        }
        // Waits until the writer has all of it.
        begin(&spool, &scope, 1).await.capture.finish().await.expect("an end");
    }
    println!(
        "{calls} calls for {minutes} min: {} MB in the log, {} calls ended",
        megabytes(folder.path()),
        ended.len()
    );

    let (mut found_ms, mut read_ms, mut erased_ms) = (Vec::new(), Vec::new(), Vec::new());
    for capture in ended.iter().rev().take(LOOKED_AT) {
        let mut at = Instant::now();
        let mut took = || {
            let before = std::mem::replace(&mut at, Instant::now());
            (at - before).as_secs_f64() * 1000.0
        };
        let reader = CaptureReader::open(&store, *capture)
            .await
            .expect("the log")
            .expect("a capture");
        found_ms.push(took());
        reader.for_each(|chunk| drop(chunk.expect("a whole capture")));
        read_ms.push(took());
        capture::erase(&store, *capture).await.expect("an erased capture");
        erased_ms.push(took());
    }
    for (what, took) in [
        ("finding", &mut found_ms),
        ("reading", &mut read_ms),
        ("erasing", &mut erased_ms),
    ] {
        took.sort_by(f64::total_cmp);
        let at = |n: usize| took.get(n).copied().unwrap_or_default();
        println!(
            "{what} one: median {:.1} ms, worst {:.1} ms",
            at(took.len() / 2),
            at(took.len() - 1)
        );
    }
    for capture in ended.iter().rev().skip(LOOKED_AT) {
        capture::erase(&store, *capture).await.expect("an erased capture");
    }
    println!(
        "all but those that run are erased: {} MB on the disk",
        megabytes(folder.path())
    );
    spool.close().await;
}

async fn begin(spool: &CaptureSpool, scope: &Scope, left: u64) -> Talk {
    let meta = CaptureMeta {
        capture: CaptureId::generate(&SystemWorld),
        recording: RecordingId::generate(&SystemWorld),
        tenant: scope.tenant(),
        call: CallId::generate(&SystemWorld),
        purpose: Purpose::Call,
        started_unix_ms: 0,
    };
    let stream = |stream| StreamMeta {
        stream,
        leg: LegId::generate(&SystemWorld),
        speaker: String::new(),
    };
    let capture = spool.open(&meta, &[stream(0), stream(1)]).await.expect("a capture");
    let sinks = vec![capture.sink(0), capture.sink(1)];
    Talk { capture, sinks, left }
}

/// Three hundred milliseconds of one side.
fn sound(n: u64, stream: u8) -> Chunk {
    let mut chunk = Chunk::with_capacity(4096);
    for frame in 0..FRAMES {
        let number = n * u64::from(FRAMES) + u64::from(frame);
        chunk.push(&Frame {
            stream,
            codec: Codec::Pcma,
            arrival_us: number * 20_000,
            rtp_timestamp: number as u32 * 160,
            sequence: number as u16,
            payload: &[0x55; 160],
        });
    }
    chunk
}

/// What the log takes on the disk.
fn megabytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let files = std::fs::read_dir(folder.join("captures")).expect("the log").flatten();
    files
        .map(|file| file.metadata().map_or(0, |file| file.blocks() * 512))
        .sum::<u64>()
        / 1_000_000
}
