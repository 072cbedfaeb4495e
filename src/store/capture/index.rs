//! Finding captures in the segments, and erasing them.

use super::contents::{self, Contents};
use super::folder;
use super::record::{HEADER, Head, Kind, MAGIC, OPEN_PREFIX, read_open};
use crate::{Error, Result, Store};
use rustix::fs::FallocateFlags;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use strowger_model::CaptureId;

/// Where a record stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) head: Head,
    /// Where its header begins in the segment.
    pub(super) offset: u64,
}

/// The segments in the order they were written.
pub(super) fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(Error::file("list", folder)(problem)),
    };
    let mut all: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    all.sort();
    Ok(all)
}

/// A walk over the records of a segment. Where damage stands in the way it goes on at the next magic
/// bytes; what the last write of a killed process left incomplete ends it.
pub(super) struct Walk {
    file: File,
    length: u64,
    offset: u64,
}

impl Walk {
    pub(super) fn new(path: &Path) -> std::io::Result<Self> {
        Self::at(path, 0)
    }

    /// A walk from a place where a record begins.
    pub(super) fn at(path: &Path, offset: u64) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length, offset })
    }

    /// How long the segment was when the walk began.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The record that begins at `offset`, if one does.
    pub(super) fn record_at(&self, offset: u64) -> std::io::Result<Option<Place>> {
        let mut bytes = [0u8; HEADER];
        if offset + HEADER as u64 > self.length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut bytes, offset)?;
        let head = Head::read(&bytes).filter(|head| offset + (HEADER + head.length) as u64 <= self.length);
        Ok(head.map(|head| Place { head, offset }))
    }

    /// A record's body.
    pub(super) fn body(&self, place: &Place) -> std::io::Result<Vec<u8>> {
        let mut body = vec![0u8; place.head.length];
        self.file.read_exact_at(&mut body, place.offset + HEADER as u64)?;
        Ok(body)
    }

    /// The next whole record.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Place>> {
        loop {
            if self.offset + HEADER as u64 > self.length {
                return Ok(None);
            }
            let mut bytes = [0u8; HEADER];
            self.file.read_exact_at(&mut bytes, self.offset)?;
            if let Some(head) = Head::read(&bytes) {
                let end = self.offset + (HEADER + head.length) as u64;
                if end <= self.length {
                    let place = Place {
                        head,
                        offset: self.offset,
                    };
                    // Where no record follows, this length or the next record's first bytes are damaged;
                    // the seal tells which. The walk goes on at the next magic bytes either way.
                    self.offset = if self.magic_at(end)? {
                        end
                    } else {
                        self.next_magic(self.offset + HEADER as u64)?.unwrap_or(self.length)
                    };
                    return Ok(Some(place));
                }
            }
            match self.next_magic(self.offset + 1)? {
                Some(offset) => self.offset = offset,
                None => return Ok(None),
            }
        }
    }

    /// Whether a record begins here, or begins and was cut.
    fn magic_at(&self, offset: u64) -> std::io::Result<bool> {
        let length = usize::try_from((self.length - offset).min(4)).unwrap_or(4);
        let mut bytes = [0u8; 4];
        let found = bytes.get_mut(..length).unwrap_or_default();
        self.file.read_exact_at(found, offset)?;
        Ok(MAGIC.starts_with(found))
    }

    fn next_magic(&self, from: u64) -> std::io::Result<Option<u64>> {
        let mut buffer = vec![0u8; 64 * 1024];
        let mut at = from;
        while at + 4 <= self.length {
            let length = usize::try_from((self.length - at).min(buffer.len() as u64)).unwrap_or(buffer.len());
            let part = buffer.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(part, at)?;
            if let Some(found) = part.windows(4).position(|window| window == MAGIC) {
                return Ok(Some(at + found as u64));
            }
            at += (length as u64).saturating_sub(3).max(1);
        }
        Ok(None)
    }
}

/// A capture's records in a segment: those that are known, or all while nothing is known of the segment.
pub(super) enum Records {
    All(Walk),
    Known {
        walk: Walk,
        begins: std::vec::IntoIter<u32>,
    },
}

impl Records {
    /// The records from `from` on; `None` when the segment holds none of the capture.
    pub(super) fn of(path: &Path, capture: CaptureId, from: u64) -> std::io::Result<Option<Self>> {
        let walk = Walk::at(path, from)?;
        let Some(contents) = Contents::read(path) else {
            return Ok(Some(Self::All(walk)));
        };
        let Some(entry) = contents.of(capture) else {
            return Ok(None);
        };
        let Some(mut begins) = contents.begins(entry) else {
            return Ok(Some(Self::All(walk)));
        };
        begins.retain(|begin| u64::from(*begin) >= from);
        Ok(Some(Self::Known {
            walk,
            begins: begins.into_iter(),
        }))
    }

    /// The next whole record, which may be another capture's.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Place>> {
        match self {
            Self::All(walk) => walk.next(),
            Self::Known { walk, begins } => {
                for begin in begins {
                    if let Some(place) = walk.record_at(u64::from(begin))? {
                        return Ok(Some(place));
                    }
                }
                Ok(None)
            }
        }
    }

    /// A record's body.
    pub(super) fn body(&self, place: &Place) -> std::io::Result<Vec<u8>> {
        match self {
            Self::All(walk) | Self::Known { walk, .. } => walk.body(place),
        }
    }
}

/// What the log knows of a capture without opening it.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The segment and offset of its `Open` record.
    pub(super) open: Option<(PathBuf, u64)>,
    /// Whether its key is destroyed.
    pub(super) is_erased: bool,
}

/// What stands in one segment.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) captures: HashSet<CaptureId>,
}

/// Looks through all segments. Those that nobody writes to any more are walked once.
pub(super) fn survey(folder: &Path) -> Result<(HashMap<CaptureId, Known>, Vec<Segment>)> {
    let mut known: HashMap<CaptureId, Known> = HashMap::new();
    let mut list = Vec::new();
    let mut paths = segments(folder)?;
    let newest = paths.pop();
    for (path, is_closed) in paths
        .into_iter()
        .map(|path| (path, true))
        .chain(newest.map(|path| (path, false)))
    {
        match survey_one(&path, is_closed, &mut known) {
            Ok(captures) => list.push(Segment { path, captures }),
            // Another process removed it meanwhile.
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
            Err(problem) => return Err(Error::file("read", &path)(problem)),
        }
    }
    Ok((known, list))
}

fn survey_one(
    path: &Path,
    is_closed: bool,
    known: &mut HashMap<CaptureId, Known>,
) -> std::io::Result<HashSet<CaptureId>> {
    let contents = if is_closed {
        Contents::read_or_make(path)?
    } else {
        Contents::read(path)
    };
    let mut captures = HashSet::new();
    let mut walk = Walk::new(path)?;
    let mut meet = |walk: &Walk, place: &Place| {
        captures.insert(place.head.capture);
        let entry = known.entry(place.head.capture).or_default();
        if place.head.kind == Kind::Open {
            let body = walk.body(place)?;
            entry.is_erased = read_open(&body).is_none_or(|open| open.wrapped.is_empty());
            entry.open = Some((path.to_owned(), place.offset));
        }
        std::io::Result::Ok(())
    };
    let Some(contents) = contents else {
        while let Some(place) = walk.next()? {
            meet(&walk, &place)?;
        }
        return Ok(captures);
    };
    for offset in contents.entries().iter().filter_map(|entry| entry.open) {
        if let Some(place) = walk.record_at(offset)? {
            meet(&walk, &place)?;
        }
    }
    for entry in contents.entries() {
        captures.insert(entry.capture);
        known.entry(entry.capture).or_default();
    }
    Ok(captures)
}

/// The captures whose keys are not destroyed, in no order.
pub(crate) async fn captures_kept(store: &Store) -> Result<Vec<CaptureId>> {
    let folder = folder(store.data_dir());
    let (known, _) = tokio::task::spawn_blocking(move || survey(&folder))
        .await
        .unwrap_or(Err(Error::Stopped("file worker")))?;
    let kept = known
        .into_iter()
        .filter(|(_, known)| known.open.is_some() && !known.is_erased);
    Ok(kept.map(|(capture, _)| capture).collect())
}

/// Destroys a capture's key where it stands, removes the segments that hold nothing readable any more, and gives back the
/// room in those that others still need. A capture that is gone is no fault.
///
/// # Errors
/// A segment cannot be read, written or removed.
pub async fn erase(store: &Store, capture: CaptureId) -> Result<()> {
    let folder = folder(store.data_dir());
    tokio::task::spawn_blocking(move || erase_in(&folder, capture))
        .await
        .unwrap_or(Err(Error::Stopped("file worker")))
}

pub(super) fn erase_in(folder: &Path, capture: CaptureId) -> Result<()> {
    let (mut known, segments) = survey(folder)?;
    if let Some(entry) = known.get_mut(&capture)
        && let Some((path, offset)) = &entry.open
        && !entry.is_erased
    {
        overwrite_key(path, *offset).map_err(Error::file("erase a key in", path))?;
        entry.is_erased = true;
    }
    // The newest segment may be being written.
    let older = segments.split_last().map_or(&[][..], |(_, older)| older);
    let is_dead = |capture: CaptureId| {
        known
            .get(&capture)
            .is_none_or(|entry| entry.is_erased || entry.open.is_none())
    };
    for segment in older {
        if segment.captures.iter().all(|capture| is_dead(*capture)) {
            match std::fs::remove_file(&segment.path) {
                Ok(()) => contents::remove(&segment.path),
                Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
                Err(problem) => return Err(Error::file("remove", &segment.path)(problem)),
            }
        } else if segment.captures.contains(&capture) {
            give_back(&segment.path, capture, is_dead);
        }
    }
    Ok(())
}

/// Makes holes where nothing readable stands: a call of hours would keep what was said beside it that long. Where the file system
/// has no holes the room comes back with the segment.
fn give_back(path: &Path, capture: CaptureId, is_dead: impl Fn(CaptureId) -> bool) {
    let runs = Contents::read(path).and_then(|contents| contents.dead(capture, is_dead));
    let Ok(file) = File::options().write(true).open(path) else {
        return;
    };
    for (begin, end) in runs.unwrap_or_default() {
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if rustix::fs::fallocate(&file, how, begin, end - begin).is_err() {
            return;
        }
    }
}

fn overwrite_key(path: &Path, offset: u64) -> std::io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let start = offset + HEADER as u64 + 16;
    let mut length = [0u8; 2];
    file.read_exact_at(&mut length, start)?;
    let zeros = vec![0u8; usize::from(u16::from_le_bytes(length))];
    file.write_all_at(&zeros, offset + (HEADER + OPEN_PREFIX) as u64)?;
    file.sync_data()
}
