mod contents;

use super::index::{erase_in, segments};
use super::reader::find;
use super::record::{HEADER, Head};
use super::*;
use crate::keys::{CryptoError, Key};
use crate::tests::harness::{Bench, on_each_engine};
use crate::{Error, Scope};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use strowger_model::capture::{CaptureMeta, Chunk, Codec, Frame, Mark, Purpose, Refusal, Sink, StreamMeta};
use strowger_model::{CallId, CaptureId, LegId, RecordingId, World};
use zeroize::Zeroizing;

fn quick() -> SpoolConfig {
    SpoolConfig {
        reserve_bytes: 0,
        commit_every: Duration::from_millis(20),
        ..SpoolConfig::default()
    }
}

fn meta(world: &dyn World, tenant: strowger_model::TenantId) -> CaptureMeta {
    CaptureMeta {
        capture: CaptureId::generate(world),
        recording: RecordingId::generate(world),
        tenant,
        call: CallId::generate(world),
        purpose: Purpose::Call,
        started_unix_ms: 0,
    }
}

fn stream(world: &dyn World, stream: u8) -> StreamMeta {
    StreamMeta {
        stream,
        leg: LegId::generate(world),
        speaker: "caller".into(),
    }
}

fn frame(n: u16, payload: &[u8]) -> Frame<'_> {
    Frame {
        stream: 0,
        codec: Codec::Pcma,
        arrival_us: u64::from(n) * 20_000,
        rtp_timestamp: u32::from(n) * 160,
        sequence: n,
        payload,
    }
}

fn chunk(n: u16) -> Chunk {
    let mut chunk = Chunk::with_capacity(1000);
    assert!(chunk.push(&frame(n, &[0x55; 160])));
    chunk
}

async fn begin(bench: &Bench, scope: &Scope, spool: &CaptureSpool) -> Capture {
    let meta = meta(bench.world.as_ref(), scope.tenant());
    let streams = [stream(bench.world.as_ref(), 0)];
    spool.open(&meta, &streams).await.unwrap()
}

/// The sequence numbers a reader finds, and the damage.
fn read(reader: &mut CaptureReader) -> (Vec<u16>, Vec<Damage>) {
    let (mut seen, mut damage) = (vec![], vec![]);
    for item in reader {
        match item {
            Ok(chunk) => seen.extend(chunk.frames().filter(|f| f.codec != Codec::Mark).map(|f| f.sequence)),
            Err(found) => damage.push(found),
        }
    }
    (seen, damage)
}

async fn reopen(bench: &Bench, capture: CaptureId) -> CaptureReader {
    CaptureReader::open(&bench.store, capture).await.unwrap().unwrap()
}

#[test]
fn two_captures_share_the_log_and_come_back_whole() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &quick()).unwrap();
        let one = begin(&bench, &scope, &spool).await;
        let two = begin(&bench, &scope, &spool).await;
        let (mut a, mut b) = (one.sink(0), two.sink(0));
        for n in 0..50 {
            assert!(a.submit(chunk(n)).is_ok());
            assert!(b.submit(chunk(n + 1000)).is_ok());
            // The wait for the disk here is the test's pacing: only so many may be on their way.
            if n % 16 == 15 {
                begin(&bench, &scope, &spool).await.finish().await.unwrap();
            }
        }
        let (first, second) = (one.meta().clone(), two.meta().clone());
        one.finish().await.unwrap();
        two.finish().await.unwrap();
        let mut reader = reopen(&bench, first.capture).await;
        assert_eq!(reader.meta(), &first);
        assert_eq!(read(&mut reader), ((0..50).collect(), vec![]));
        assert_eq!((reader.ending(), reader.streams().len()), (Some(Ending::Complete), 1));
        let mut reader = reopen(&bench, second.capture).await;
        assert_eq!(read(&mut reader), ((1000..1050).collect(), vec![]));
        // Nothing of the sound stands in the log in clear.
        for path in segments(&folder(bench.folder.path())).unwrap() {
            let bytes = std::fs::read(path).unwrap();
            assert!(!bytes.windows(16).any(|window| window == [0x55; 16]));
        }
        spool.close().await;
    });
}

#[test]
fn an_erased_capture_cannot_be_read_and_its_segment_goes_with_the_last_one() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &quick()).unwrap();
        let one = begin(&bench, &scope, &spool).await;
        let two = begin(&bench, &scope, &spool).await;
        let (first, second) = (one.meta().capture, two.meta().capture);
        one.finish().await.unwrap();
        two.finish().await.unwrap();
        spool.close().await;
        let later = CaptureSpool::start(&bench.store, &quick()).unwrap();
        assert_eq!(later.recover().await.unwrap().len(), 2);
        let three = begin(&bench, &scope, &later).await;
        erase(&bench.store, first).await.unwrap();
        let gone = CaptureReader::open(&bench.store, first).await;
        assert!(matches!(gone, Err(Error::Crypto(CryptoError::Erased))));
        assert_eq!(read(&mut reopen(&bench, second).await).1, []);
        let folder = folder(bench.folder.path());
        assert_eq!(segments(&folder).unwrap().len(), 2);
        erase(&bench.store, second).await.unwrap();
        erase(&bench.store, second).await.unwrap();
        assert_eq!(segments(&folder).unwrap().len(), 1);
        three.finish().await.unwrap();
        later.close().await;
    });
}

#[test]
fn a_killed_daemons_captures_are_found_with_what_was_written() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &quick()).unwrap();
        let capture = begin(&bench, &scope, &spool).await;
        let mut sink = capture.sink(0);
        for n in 0..20 {
            assert!(sink.submit(chunk(n)).is_ok());
        }
        // A later capture's durability covers everything before it.
        begin(&bench, &scope, &spool).await.finish().await.unwrap();
        let meta = capture.meta().clone();
        // As a kill does: nothing is said to the writer any more.
        std::mem::forget(capture);
        let next = CaptureSpool::start(&bench.store, &quick()).unwrap();
        let found = next.recover().await.unwrap();
        let cut: Vec<_> = found.iter().filter(|found| found.ending == Ending::Cut).collect();
        assert_eq!(cut.len(), 1);
        assert_eq!((&cut[0].meta, cut[0].length), (&meta, Duration::from_millis(19 * 20)));
        next.close().await;
        spool.close().await;
    });
}

#[test]
fn under_the_reserve_recording_stops_and_calls_go_on() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let full = SpoolConfig {
            reserve_bytes: u64::MAX,
            ..quick()
        };
        let spool = CaptureSpool::start(&bench.store, &full).unwrap();
        let refused = spool.open(&meta(bench.world.as_ref(), scope.tenant()), &[]).await;
        assert!(matches!(refused, Err(Error::NoCapture)));
        assert!(spool.state().is_stopped);
        spool.close().await;
    });
}

#[test]
fn a_call_that_begins_and_ends_while_the_disk_stalls_is_captured_whole() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let (spool, stalled) = CaptureSpool::stalled(&bench.store, &quick());
        let opened = tokio::time::timeout(Duration::from_secs(10), begin(&bench, &scope, &spool)).await;
        let capture = opened.expect("a capture that does not wait for the disk");
        let id = capture.meta().capture;
        let mut sink = capture.sink(0);
        for n in 0..10 {
            assert!(sink.submit(chunk(n)).is_ok());
        }
        drop((capture, sink, spool));
        // The disk takes it all at last.
        stalled.go_on();
        let mut reader = reopen(&bench, id).await;
        assert_eq!(read(&mut reader), ((0..10).collect(), vec![]));
        assert_eq!(reader.ending(), Some(Ending::Complete));
    });
}

#[test]
fn a_disk_that_stalls_and_then_is_full_leaves_no_recording_without_a_capture() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let full = SpoolConfig {
            reserve_bytes: u64::MAX,
            ..quick()
        };
        let (spool, stalled) = CaptureSpool::stalled(&bench.store, &full);
        let capture = begin(&bench, &scope, &spool).await;
        let id = capture.meta().capture;
        drop((capture, spool));
        stalled.go_on();
        let mut reader = reopen(&bench, id).await;
        assert_eq!(read(&mut reader), (vec![], vec![]));
        assert_eq!(reader.ending(), Some(Ending::Complete));
    });
}

#[test]
fn a_sink_without_a_writer_gives_the_memory_back() {
    let (to_writer, messages) = std::sync::mpsc::sync_channel(1);
    let (give_back, back) = std::sync::mpsc::sync_channel(1);
    let mut sink = StreamSink {
        capture: CaptureId::generate(&crate::SystemWorld),
        stream: 0,
        to_writer,
        back,
        give_back,
        made: 0,
        lost: Arc::default(),
        shared: Arc::default(),
    };
    assert!(sink.submit(chunk(0)).is_ok());
    let (back, why) = sink.submit(chunk(1)).unwrap_err();
    assert_eq!((why, back.is_empty(), back.capacity()), (Refusal::Full, true, 1000));
    drop(messages);
    assert_eq!(sink.submit(chunk(2)).unwrap_err().1, Refusal::Stopped);
    assert!(sink.lost.load(std::sync::atomic::Ordering::Relaxed));
}

/// A small capture as bytes: open, stream, four chunks, end; and the places of its records.
fn small() -> (Vec<u8>, Vec<usize>, CaptureId) {
    let world = strowger_model::world::SeededWorld::new(9, 0);
    let key = Key::generate(&world).unwrap();
    let meta = meta(&world, strowger_model::TenantId::generate(&world));
    let id = meta.capture;
    let wrapped = tenant_key().wrap(&world, &record::about(id), &key).unwrap();
    let clear = record::open_prefix(meta.tenant, &wrapped);
    let (mut out, mut places) = (vec![], vec![]);
    let mut put = |out: &mut Vec<u8>, number, kind, clear: &[u8], text: &[u8]| {
        places.push(out.len());
        let label = record::Label {
            capture: id,
            number,
            kind,
        };
        record::append(out, &key, label, clear, text).unwrap();
    };
    put(
        &mut out,
        0,
        record::Kind::Open,
        &clear,
        &serde_json::to_vec(&meta).unwrap(),
    );
    let announced = serde_json::to_vec(&stream(&world, 0)).unwrap();
    put(&mut out, 1, record::Kind::Stream, &[], &announced);
    for n in 0..4 {
        let mut small = Chunk::with_capacity(100);
        small.push(&frame(n, &[7; 20]));
        put(&mut out, 2 + u64::from(n), record::Kind::Chunk, &[], small.bytes());
    }
    put(&mut out, 6, record::Kind::End, &[], &6u64.to_le_bytes());
    places.push(out.len());
    (out, places, id)
}

fn tenant_key() -> Key {
    Key::from_bytes(Zeroizing::new([3; 32])).unwrap()
}

/// What a reader makes of these bytes as a segment; `None` where the capture does not open.
fn read_bytes(bytes: &[u8], id: CaptureId) -> Option<(Vec<u16>, Vec<Damage>, Option<Ending>)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.seg"), bytes).unwrap();
    let mut reader = find(folder.path(), id).ok()??.unseal(&tenant_key()).ok()?;
    let (seen, damage) = read(&mut reader);
    Some((seen, damage, reader.ending()))
}

#[test]
fn cut_at_any_byte_every_whole_chunk_before_is_there() {
    let (bytes, places, id) = small();
    for cut in 0..=bytes.len() {
        let whole = places.iter().filter(|place| **place <= cut).count() - 1;
        let read = read_bytes(&bytes[..cut], id);
        if whole == 0 {
            assert!(read.is_none(), "{cut}");
            continue;
        }
        let (seen, damage, ending) = read.unwrap();
        let chunks = u16::try_from(whole.saturating_sub(2).min(4)).unwrap();
        assert_eq!(seen, (0..chunks).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(damage, [], "cut at {cut}");
        let complete = cut == bytes.len();
        assert_eq!(ending == Some(Ending::Complete), complete, "cut at {cut}");
    }
}

#[test]
fn any_flipped_bit_is_seen_and_costs_one_record_at_most() {
    let (bytes, _, id) = small();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let Some((seen, damage, ending)) = read_bytes(&changed, id) else {
            continue;
        };
        assert!(seen.len() >= 3, "byte {at}: {seen:?} {damage:?}");
        assert!(seen.is_sorted());
        let noticed = !damage.is_empty() || ending == Some(Ending::Cut);
        assert!(noticed, "byte {at} went unseen");
    }
}

#[test]
fn records_that_were_exchanged_or_taken_out_are_seen() {
    let (bytes, places, id) = small();
    let part = |n: usize| &bytes[places[n]..places[n + 1]];
    let swapped = [part(0), part(1), part(3), part(2), part(4), part(5), part(6)].concat();
    let (seen, damage, _) = read_bytes(&swapped, id).unwrap();
    assert_eq!(
        (seen, damage),
        (vec![1, 2, 3], vec![Damage::Missing { from: 2, to: 2 }])
    );
    let without = [part(0), part(1), part(2), part(5), part(6)].concat();
    let (seen, damage, _) = read_bytes(&without, id).unwrap();
    assert_eq!((seen, damage), (vec![0, 3], vec![Damage::Missing { from: 3, to: 4 }]));
    // A record written again, as after a failed write, is read once.
    let twice = [part(0), part(1), part(2), part(2), part(3), part(4), part(5), part(6)].concat();
    let (seen, damage, ending) = read_bytes(&twice, id).unwrap();
    assert_eq!(
        (seen, damage, ending),
        (vec![0, 1, 2, 3], vec![], Some(Ending::Complete))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 0usize..600) {
        let (whole, _, id) = small();
        let _ = read_bytes(&bytes, id);
        let mixed = [&whole[..cut.min(whole.len())], &bytes, &whole[cut.min(whole.len())..]].concat();
        let _ = read_bytes(&mixed, id);
    }
}

#[test]
fn a_header_is_what_it_was() {
    let (bytes, places, id) = small();
    let head = Head::read(&bytes[places[2]..]).unwrap();
    assert_eq!((head.capture, head.number, head.kind), (id, 2, record::Kind::Chunk));
    assert_eq!(head.bytes(), bytes[places[2]..places[2] + HEADER]);
    assert!(erase_in(std::path::Path::new("/nonexistent"), id).is_ok());
    assert_eq!(Mark::of(&[Mark::Lost.byte()]), Some(Mark::Lost));
}
