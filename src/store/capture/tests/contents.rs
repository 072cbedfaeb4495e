//! What is kept beside closed segments, and what it is for.

use super::*;
use crate::capture::contents::{Contents, Gathering, beside};
use crate::capture::index::Records;
use crate::capture::record::Kind;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// Segments of some records: a chunk with sound in it fills more than one block of a disk.
fn short() -> SpoolConfig {
    SpoolConfig {
        segment_bytes: 256 << 10,
        commit_every: Duration::from_millis(1),
        ..quick()
    }
}

fn long_chunk(n: u16) -> Chunk {
    let mut chunk = Chunk::with_capacity(50_000);
    assert!(chunk.push(&frame(n, &[0x55; 48_000])));
    chunk
}

/// Three captures that talk in turn over several segments, short ones between them, and one that runs: the newest segment is
/// its.
async fn several(bench: &Bench, scope: &Scope, spool: &CaptureSpool) -> (Vec<CaptureId>, Vec<CaptureId>, Capture) {
    let mut captures = Vec::new();
    for _ in 0..3 {
        captures.push(begin(bench, scope, spool).await);
    }
    let mut sinks: Vec<StreamSink> = captures.iter().map(|capture| capture.sink(0)).collect();
    let mut others = Vec::new();
    for n in 0..20 {
        for sink in &mut sinks {
            assert!(sink.submit(long_chunk(n)).is_ok());
        }
        // Waits until all of it is on the disk.
        let short = begin(bench, scope, spool).await;
        others.push(short.meta().capture);
        short.finish().await.unwrap();
    }
    let ids = captures.iter().map(|capture| capture.meta().capture).collect();
    for capture in captures {
        capture.finish().await.unwrap();
    }
    (ids, others, begin(bench, scope, spool).await)
}

fn closed(bench: &Bench) -> Vec<PathBuf> {
    let mut all = segments(&folder(bench.folder.path())).unwrap();
    all.pop();
    all
}

fn blocks(paths: &[PathBuf]) -> u64 {
    paths.iter().map(|path| std::fs::metadata(path).unwrap().blocks()).sum()
}

#[test]
fn a_reader_finds_its_records_by_what_is_kept_and_as_well_without() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &short()).unwrap();
        let (captures, _others, _running) = several(&bench, &scope, &spool).await;
        assert!(closed(&bench).len() > 3);
        let whole = (0..20).collect::<Vec<u16>>();
        for path in closed(&bench) {
            // Every record of the segment, whose ever it is.
            let contents = Contents::read(&path).expect("what stands in a closed segment");
            let mut places: Vec<u32> = Vec::new();
            for entry in contents.entries() {
                places.extend(contents.begins(entry).unwrap());
            }
            places.sort_unstable();
            let bytes = std::fs::read(&path).unwrap();
            let mut at = 0;
            for place in places {
                assert_eq!(place as usize, at);
                at += HEADER + Head::read(&bytes[at..]).unwrap().length;
            }
            assert_eq!(at, bytes.len());
        }
        for capture in &captures {
            let mut reader = reopen(&bench, *capture).await;
            assert_eq!(read(&mut reader), (whole.clone(), vec![]));
            assert_eq!(reader.ending(), Some(Ending::Complete));
            let mut again = reader.again().unwrap();
            assert_eq!(read(&mut again), (whole.clone(), vec![]));
            assert_eq!((again.ending(), again.streams()), (reader.ending(), reader.streams()));
        }
        for path in closed(&bench) {
            std::fs::remove_file(beside(&path)).unwrap();
        }
        assert_eq!(read(&mut reopen(&bench, captures[1]).await), (whole, vec![]));
        spool.close().await;
    });
}

#[test]
fn a_reader_does_not_look_at_what_others_wrote() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &short()).unwrap();
        let (captures, _others, _running) = several(&bench, &scope, &spool).await;
        let (mut seen, own) = (0, captures[1]);
        for path in closed(&bench) {
            let Some(mut records) = Records::of(&path, own, 0).unwrap() else {
                continue;
            };
            while let Some(place) = records.next().unwrap() {
                assert_eq!(place.head.capture, own);
                seen += 1;
            }
        }
        // Its begin, its stream and what it said; its end may stand in the newest segment.
        assert!(seen >= 22, "{seen} records");
        spool.close().await;
    });
}

#[test]
fn what_is_erased_gives_its_room_back_though_others_beside_it_are_kept() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let spool = CaptureSpool::start(&bench.store, &short()).unwrap();
        let (captures, others, _running) = several(&bench, &scope, &spool).await;
        for other in others {
            erase(&bench.store, other).await.unwrap();
        }
        let paths = closed(&bench);
        let before = blocks(&paths);
        erase(&bench.store, captures[0]).await.unwrap();
        let one_gone = blocks(&paths);
        erase(&bench.store, captures[2]).await.unwrap();
        let two_gone = blocks(&paths);
        // Three spoke equally much, in blocks of which some are shared.
        assert!(one_gone < before * 3 / 4, "{one_gone} of {before} blocks");
        assert!(two_gone < before / 2, "{two_gone} of {before} blocks");
        let whole = ((0..20).collect::<Vec<u16>>(), vec![]);
        assert_eq!(read(&mut reopen(&bench, captures[1]).await), whole);
        // A walk goes over the holes.
        for path in &paths {
            std::fs::remove_file(beside(path)).unwrap();
        }
        assert_eq!(read(&mut reopen(&bench, captures[1]).await), whole);
        let gone = CaptureReader::open(&bench.store, captures[0]).await;
        assert!(matches!(gone, Err(Error::Crypto(CryptoError::Erased))));
        // What a survey makes anew is enough to erase the last one, and all closed segments with it.
        erase(&bench.store, captures[1]).await.unwrap();
        assert_eq!(closed(&bench), Vec::<PathBuf>::new());
        let names = std::fs::read_dir(folder(bench.folder.path())).unwrap();
        assert_eq!(names.count(), 1, "nothing is left beside the newest segment");
        spool.close().await;
    });
}

#[test]
fn what_is_kept_of_another_segment_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let segment = folder.path().join("1.seg");
    std::fs::write(&segment, [0; 100]).unwrap();
    let mut gathered = Gathering::default();
    gathered.add(CaptureId::from_uuid(uuid::Uuid::from_u128(1)), Kind::Open, 0);
    gathered.keep(&segment, 99).unwrap();
    assert!(Contents::read(&segment).is_none());
    gathered.keep(&segment, 100).unwrap();
    assert!(Contents::read(&segment).is_some());
    // A place that does not fit is not kept at all.
    gathered.add(CaptureId::from_uuid(uuid::Uuid::from_u128(1)), Kind::Chunk, 1 << 32);
    std::fs::remove_file(beside(&segment)).unwrap();
    gathered.keep(&segment, 100).unwrap();
    assert!(Contents::read(&segment).is_none());
}

proptest! {
    #[test]
    fn any_flipped_bit_of_what_is_kept_is_seen(
        records in proptest::collection::vec((0_u128..4, 1_u64..1000), 1..40),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let segment = folder.path().join("1.seg");
        let mut gathered = Gathering::default();
        let (mut offset, mut expected) = (0, std::collections::BTreeMap::<u128, Vec<u32>>::new());
        for (capture, length) in records {
            gathered.add(CaptureId::from_uuid(uuid::Uuid::from_u128(capture)), Kind::Chunk, offset);
            expected.entry(capture).or_default().push(offset as u32);
            offset += length;
        }
        std::fs::write(&segment, vec![0; offset as usize]).unwrap();
        gathered.keep(&segment, offset).unwrap();
        let all = |contents: &Contents| -> Vec<Option<Vec<u32>>> {
            contents.entries().iter().map(|entry| contents.begins(entry)).collect()
        };
        let kept = Contents::read(&segment).unwrap();
        let wanted: Vec<Option<Vec<u32>>> = expected.values().cloned().map(Some).collect();
        prop_assert_eq!(all(&kept), wanted);
        let mut bytes = std::fs::read(beside(&segment)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(beside(&segment), bytes).unwrap();
        if let Some(damaged) = Contents::read(&segment) {
            prop_assert!(all(&damaged).contains(&None));
        }
    }
}
