//! Reading a capture back, in order, from wherever its records stand.

use super::folder;
use super::index::{Place, Records, segments};
use super::record::{self, Kind, about, read_open};
use crate::keys::{CryptoError, Key};
use crate::{Error, Result, Store};
use std::path::PathBuf;
use std::sync::Arc;
use strowger_model::capture::{CaptureMeta, Chunk, StreamMeta};
use strowger_model::{CaptureId, TenantId};

/// How a capture ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its end mark: nothing is missing.
    Complete,
    /// Without: the daemon was killed, and what it held in memory is missing.
    Cut,
}

/// A place where something that was written is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A record was changed, or put where it does not belong.
    #[error("record {0} of the capture was changed")]
    Changed(u64),
    /// Records are missing, or come later than they should.
    #[error("records {from} to {to} of the capture are missing")]
    Missing {
        /// The first that is not there.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A segment cannot be read any further.
    #[error("a segment of the capture cannot be read")]
    Unreadable,
}

/// A capture opened for reading: an iterator over its chunks in order, with the places of damage
/// between them. It reads files: use it off the async threads.
pub struct CaptureReader {
    key: Arc<Key>,
    capture: CaptureId,
    meta: CaptureMeta,
    streams: Vec<StreamMeta>,
    /// The segments from that of its `Open` record on, and where that stands in the first.
    segments: Arc<[PathBuf]>,
    from: u64,
    /// The segment that comes next.
    next: usize,
    records: Option<Records>,
    expected: u64,
    found: Option<Chunk>,
    ending: Option<Ending>,
    cut_off: bool,
}

/// A capture's `Open` record and where it was found.
pub(super) struct Opened {
    pub(super) tenant: TenantId,
    pub(super) wrapped: String,
    place: Place,
    sealed: Vec<u8>,
    records: Records,
    segments: Vec<PathBuf>,
}

/// Looks for a capture's `Open` record.
pub(super) fn find(folder: &std::path::Path, capture: CaptureId) -> Result<Option<Opened>> {
    find_from(folder, capture, None)
}

/// As [`find`], from where a survey saw it on.
pub(super) fn find_from(
    folder: &std::path::Path,
    capture: CaptureId,
    seen: Option<&(std::path::PathBuf, u64)>,
) -> Result<Option<Opened>> {
    let mut later = segments(folder)?;
    later.retain(|path| seen.is_none_or(|(first, _)| path >= first));
    later.reverse();
    while let Some(path) = later.pop() {
        let fault = || Error::file("read", &path);
        let offset = seen
            .filter(|(first, _)| *first == path)
            .map_or(0, |(_, offset)| *offset);
        let mut records = match Records::of(&path, capture, offset) {
            Ok(Some(records)) => records,
            Ok(None) => continue,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => continue,
            Err(problem) => return Err(fault()(problem)),
        };
        while let Some(place) = records.next().map_err(fault())? {
            if place.head.capture != capture || place.head.kind != Kind::Open {
                continue;
            }
            let body = records.body(&place).map_err(fault())?;
            let open = read_open(&body).ok_or(CryptoError::Tampered)?;
            later.push(path);
            later.reverse();
            return Ok(Some(Opened {
                tenant: open.tenant,
                wrapped: open.wrapped,
                sealed: body.get(open.sealed_at..).unwrap_or_default().to_vec(),
                place,
                records,
                segments: later,
            }));
        }
    }
    Ok(None)
}

impl Opened {
    /// Opens the capture with its tenant's key.
    pub(super) fn unseal(self, tenant_key: &Key) -> Result<CaptureReader> {
        if self.wrapped.is_empty() {
            return Err(CryptoError::Erased.into());
        }
        let capture = self.place.head.capture;
        let key = Arc::new(tenant_key.unwrap(&about(capture), &self.wrapped)?);
        let text = record::open(&key, &self.place.head, self.sealed)?;
        let meta: CaptureMeta = serde_json::from_slice(&text).map_err(|_| CryptoError::Tampered)?;
        if meta.capture != capture || meta.tenant != self.tenant {
            return Err(CryptoError::Tampered.into());
        }
        Ok(CaptureReader {
            key,
            capture,
            meta,
            streams: Vec::new(),
            segments: self.segments.into(),
            from: self.place.offset,
            next: 1,
            records: Some(self.records),
            expected: 1,
            found: None,
            ending: None,
            cut_off: false,
        })
    }
}

impl CaptureReader {
    /// Opens a capture; `None` when the log does not hold it.
    ///
    /// # Errors
    /// It was erased, its first record is damaged, or a segment cannot be read.
    pub async fn open(store: &Store, capture: CaptureId) -> Result<Option<Self>> {
        let folder = folder(store.data_dir());
        let found = tokio::task::spawn_blocking(move || find(&folder, capture))
            .await
            .unwrap_or(Err(Error::Stopped("file worker")))?;
        let Some(opened) = found else { return Ok(None) };
        let key = store.keyring().tenant(store.db(), opened.tenant).await?;
        opened.unseal(&key).map(Some)
    }

    /// The same capture once more from its begin.
    ///
    /// # Errors
    /// Its first segment cannot be read any more.
    pub fn again(&self) -> Result<Self> {
        let mut records = None;
        if let Some(first) = self.segments.first() {
            records = Records::of(first, self.capture, self.from).map_err(Error::file("read", first))?;
        }
        Ok(Self {
            key: Arc::clone(&self.key),
            capture: self.capture,
            meta: self.meta.clone(),
            streams: Vec::new(),
            segments: Arc::clone(&self.segments),
            from: self.from,
            next: 1,
            records,
            expected: 1,
            found: None,
            ending: None,
            cut_off: false,
        })
    }

    /// What the capture is of.
    #[must_use]
    pub const fn meta(&self) -> &CaptureMeta {
        &self.meta
    }

    /// The streams that were announced up to the place read.
    #[must_use]
    pub fn streams(&self) -> &[StreamMeta] {
        &self.streams
    }

    /// How the capture ends; known once the iterator has ended.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        self.ending
    }

    fn step(&mut self) -> Option<Result<Chunk, Damage>> {
        if let Some(chunk) = self.found.take() {
            return Some(Ok(chunk));
        }
        loop {
            if self.ending.is_some() {
                return None;
            }
            let place = match self.next_place() {
                Ok(Some(place)) => place,
                Ok(None) => {
                    self.ending = Some(Ending::Cut);
                    return None;
                }
                Err(damage) => return Some(Err(damage)),
            };
            if place.head.capture == self.capture
                && let Some(item) = self.take(&place)
            {
                return Some(item);
            }
        }
    }

    fn next_place(&mut self) -> Result<Option<Place>, Damage> {
        loop {
            let Some(records) = &mut self.records else {
                return Ok(None);
            };
            match records.next() {
                Ok(Some(place)) => return Ok(Some(place)),
                Ok(None) => {}
                Err(_) if self.cut_off => return Ok(None),
                Err(_) => {
                    self.cut_off = true;
                    return Err(Damage::Unreadable);
                }
            }
            // A segment that another process removed meanwhile held nothing of a capture that lives.
            self.records = self
                .segments
                .get(self.next..)
                .unwrap_or_default()
                .iter()
                .find_map(|path| {
                    self.next += 1;
                    Records::of(path, self.capture, 0).ok().flatten()
                });
        }
    }

    fn take(&mut self, place: &Place) -> Option<Result<Chunk, Damage>> {
        let number = place.head.number;
        // A repeat of what was read: a write that was tried again.
        if number < self.expected {
            return None;
        }
        let body = self.records.as_ref().and_then(|records| records.body(place).ok())?;
        let Ok(text) = record::open(&self.key, &place.head, body) else {
            return Some(Err(Damage::Changed(number)));
        };
        let missing = (number > self.expected).then_some(Damage::Missing {
            from: self.expected,
            to: number - 1,
        });
        self.expected = number + 1;
        match place.head.kind {
            Kind::Chunk => {
                let chunk = Chunk::from_bytes(text);
                let Some(missing) = missing else {
                    return Some(Ok(chunk));
                };
                self.found = Some(chunk);
                return Some(Err(missing));
            }
            Kind::Stream => {
                if let Ok(stream) = serde_json::from_slice(&text) {
                    self.streams.push(stream);
                }
            }
            Kind::End => self.ending = Some(Ending::Complete),
            Kind::Open => {}
        }
        missing.map(Err)
    }
}

impl Iterator for CaptureReader {
    type Item = Result<Chunk, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}
