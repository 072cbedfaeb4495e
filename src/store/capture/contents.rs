//! What stands in a closed segment: whose records, and where. Kept beside it, so that a reader of one capture does not
//! walk through everybody's.
//!
//! It is made of nothing but the segment: lost or damaged, it is made again. `docs/formats/capture.md` describes the
//! bytes.

use super::index::Walk;
use super::record::Kind;
use flate2::Crc;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use strowger_model::CaptureId;
use uuid::Uuid;

const MAGIC: [u8; 4] = *b"SRI1";
/// Magic, the segment's length, how many captures, checksum of all this and of the entries.
const HEADER: usize = 4 + 8 + 4 + 4;
/// Capture, where its `Open` record begins, how many records, checksum of where they begin.
const ENTRY: usize = 16 + 4 + 4 + 4;
/// Instead of the place of an `Open` record that stands in another segment.
const ELSEWHERE: u32 = u32::MAX;

/// The file beside a segment.
pub(super) fn beside(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

/// Removes what stands beside a segment; that nothing does is no fault.
pub(super) fn remove(segment: &Path) {
    let _ = std::fs::remove_file(beside(segment));
}

/// Gathers what is written to a segment.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    captures: BTreeMap<Uuid, Records>,
    /// Whether a place did not fit: then nothing is kept, and readers walk.
    is_too_long: bool,
}

#[derive(Debug, Default)]
struct Records {
    open: Option<u32>,
    begins: Vec<u32>,
}

impl Gathering {
    /// A record that begins at `offset`.
    pub(super) fn add(&mut self, capture: CaptureId, kind: Kind, offset: u64) {
        let Some(offset) = u32::try_from(offset).ok().filter(|offset| *offset != ELSEWHERE) else {
            self.is_too_long = true;
            return;
        };
        let records = self.captures.entry(capture.uuid()).or_default();
        if kind == Kind::Open {
            records.open = Some(offset);
        }
        records.begins.push(offset);
    }

    /// Keeps it beside the segment, which is `length` bytes long.
    ///
    /// # Errors
    /// The disk refused. Nothing is lost by it: readers walk.
    pub(super) fn keep(&self, segment: &Path, length: u64) -> std::io::Result<()> {
        if self.is_too_long {
            return Ok(());
        }
        let count = u32::try_from(self.captures.len()).unwrap_or(u32::MAX);
        let mut file = MAGIC.to_vec();
        file.extend(length.to_le_bytes());
        file.extend(count.to_le_bytes());
        let (mut entries, mut begins) = (Vec::new(), Vec::new());
        for (capture, records) in &self.captures {
            let places: Vec<u8> = records.begins.iter().flat_map(|offset| offset.to_le_bytes()).collect();
            entries.extend(capture.as_bytes());
            entries.extend(records.open.unwrap_or(ELSEWHERE).to_le_bytes());
            entries.extend(u32::try_from(records.begins.len()).unwrap_or(u32::MAX).to_le_bytes());
            entries.extend(checksum(&[&places]).to_le_bytes());
            begins.extend(places);
        }
        file.extend(checksum(&[&file, &entries]).to_le_bytes());
        file.extend(entries);
        file.extend(begins);
        // Two processes may do so at once, with the same bytes.
        let passing = segment.with_extension(format!("idx-{}", std::process::id()));
        std::fs::write(&passing, &file)?;
        std::fs::rename(&passing, beside(segment))
    }

    /// Gathers it from the segment itself.
    fn of(segment: &Path) -> std::io::Result<(Self, u64)> {
        let mut walk = Walk::new(segment)?;
        let mut gathered = Self::default();
        while let Some(place) = walk.next()? {
            gathered.add(place.head.capture, place.head.kind, place.offset);
        }
        Ok((gathered, walk.length()))
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut sum = Crc::new();
    for part in parts {
        sum.update(part);
    }
    sum.sum()
}

/// A capture in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) capture: CaptureId,
    /// Where its `Open` record begins, if that stands here.
    pub(super) open: Option<u64>,
    count: u32,
    checksum: u32,
    /// Where the places of its records stand in the file beside the segment.
    at: u64,
}

/// What stands in a segment.
#[derive(Debug)]
pub(super) struct Contents {
    file: File,
    /// By capture.
    entries: Vec<Entry>,
    length: u64,
}

impl Contents {
    /// What is kept beside a segment; `None` when that is missing, damaged or of another one.
    pub(super) fn read(segment: &Path) -> Option<Self> {
        let length = std::fs::metadata(segment).ok()?.len();
        let file = File::open(beside(segment)).ok()?;
        let mut header = [0u8; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let (head, sum) = header.split_at_checked(HEADER - 4)?;
        let (magic, rest) = head.split_at_checked(4)?;
        let (of, count) = rest.split_at_checked(8)?;
        let count = number(count)? as usize;
        // As many as the file has room for: a damaged count claims no memory.
        let room = usize::try_from(file.metadata().ok()?.len()).ok()? / ENTRY;
        if magic != MAGIC || u64::from_le_bytes(of.try_into().ok()?) != length || count > room {
            return None;
        }
        let mut bytes = vec![0u8; count * ENTRY];
        file.read_exact_at(&mut bytes, HEADER as u64).ok()?;
        if number(sum)? != checksum(&[head, &bytes]) {
            return None;
        }
        let mut at = (HEADER + bytes.len()) as u64;
        let entries = bytes.chunks_exact(ENTRY).map(|entry| {
            let (capture, rest) = entry.split_at_checked(16)?;
            let open = number(rest.get(..4)?)?;
            let entry = Entry {
                capture: CaptureId::from_uuid(Uuid::from_bytes(capture.try_into().ok()?)),
                open: (open != ELSEWHERE).then_some(u64::from(open)),
                count: number(rest.get(4..8)?)?,
                checksum: number(rest.get(8..12)?)?,
                at,
            };
            at += u64::from(entry.count) * 4;
            Some(entry)
        });
        Some(Self {
            entries: entries.collect::<Option<_>>()?,
            file,
            length,
        })
    }

    /// As [`Contents::read`], of a segment that nobody writes to any more: what is missing is made and kept.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub(super) fn read_or_make(segment: &Path) -> std::io::Result<Option<Self>> {
        if let Some(contents) = Self::read(segment) {
            return Ok(Some(contents));
        }
        let (gathered, length) = Gathering::of(segment)?;
        // A disk that takes nothing keeps nobody from walking.
        let kept = gathered.keep(segment, length);
        Ok(kept.ok().and_then(|()| Self::read(segment)))
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is here of a capture.
    pub(super) fn of(&self, capture: CaptureId) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by_key(&capture.uuid(), |entry| entry.capture.uuid());
        self.entries.get(at.ok()?)
    }

    /// Where a capture's records begin, in the order of writing; `None` when that is damaged.
    pub(super) fn begins(&self, entry: &Entry) -> Option<Vec<u32>> {
        let mut bytes = vec![0u8; usize::try_from(entry.count).ok()?.checked_mul(4)?];
        self.file.read_exact_at(&mut bytes, entry.at).ok()?;
        if checksum(&[&bytes]) != entry.checksum {
            return None;
        }
        bytes.chunks_exact(4).map(number).collect()
    }

    /// The stretches of the segment, as `(begin, end)`, that hold nothing but records of captures that `is_dead`, and
    /// among them one of `capture`'s. `Open` records are left out: they say that a capture was erased.
    pub(super) fn dead(&self, capture: CaptureId, is_dead: impl Fn(CaptureId) -> bool) -> Option<Vec<(u64, u64)>> {
        let mut all: Vec<(u32, State)> = Vec::new();
        for entry in &self.entries {
            let state = match entry.capture {
                own if own == capture => State::Own,
                other if is_dead(other) => State::Dead,
                _ => State::Live,
            };
            let begins = self.begins(entry)?;
            all.extend(begins.into_iter().map(|offset| {
                let is_open = entry.open == Some(u64::from(offset));
                (offset, if is_open { State::Live } else { state })
            }));
        }
        all.sort_unstable_by_key(|(offset, _)| *offset);
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let (mut begin, mut is_own): (Option<u64>, bool) = (None, false);
        let end = u32::try_from(self.length).ok()?;
        for (offset, state) in all.into_iter().chain([(end, State::Live)]) {
            match state {
                State::Own | State::Dead => {
                    begin.get_or_insert(u64::from(offset));
                    is_own |= state == State::Own;
                }
                State::Live => {
                    if let Some(begin) = begin.take().filter(|_| is_own) {
                        runs.push((begin, u64::from(offset)));
                    }
                    is_own = false;
                }
            }
        }
        Some(runs)
    }
}

/// Whose a record is, when it is asked what may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The capture's that is erased now.
    Own,
    /// Another's, erased before.
    Dead,
    Live,
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
