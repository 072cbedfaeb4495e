//! Rows and audio beside each other: what should be there and is not, what is there and should not be.
//!
//! Nothing is changed. What only lies about is removed by [`Store::sweep_blobs`] a day later; what is
//! missing an operator must know of.

use crate::capture::{CaptureReader, captures_kept};
use crate::recordings::recording_of;
use crate::sql::args;
use crate::{Error, Result, Store};
use aws_lc_rs::digest;
use std::path::PathBuf;
use strowger_model::record::Recording;
use strowger_model::{CallId, CaptureId, RecordingId, TenantId};

/// Something amiss between rows and audio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A recording that is said to be ready cannot be read.
    #[error("tenant {tenant}: recording {recording} cannot be read: {problem}")]
    Unreadable {
        /// Whose.
        tenant: TenantId,
        /// Which.
        recording: RecordingId,
        /// Why.
        problem: String,
    },
    /// A recording's audio is not what its row says.
    #[error("tenant {tenant}: recording {recording} is not what its row says: {what}")]
    Changed {
        /// Whose.
        tenant: TenantId,
        /// Which.
        recording: RecordingId,
        /// `no bytes`, `size` or `SHA-256`.
        what: &'static str,
    },
    /// A recording waits for a capture that is not on this disk.
    #[error("tenant {tenant}: recording {recording} is {state} and capture {capture} is gone")]
    NoCapture {
        /// Whose.
        tenant: TenantId,
        /// Which.
        recording: RecordingId,
        /// Its capture.
        capture: CaptureId,
        /// The row's state.
        state: String,
    },
    /// A message names a recording that is not there.
    #[error("tenant {tenant}: a message of call {call} has no recording")]
    NoRecording {
        /// Whose.
        tenant: TenantId,
        /// The call it was left in.
        call: CallId,
    },
    /// A capture of a call that has ended has no recording.
    #[error("tenant {tenant}: capture {capture} of call {call} has no recording")]
    NoRow {
        /// Whose.
        tenant: TenantId,
        /// Which.
        capture: CaptureId,
        /// The call.
        call: CallId,
    },
    /// A capture that is kept cannot be opened.
    #[error("capture {capture} cannot be opened: {problem}")]
    Sealed {
        /// Which.
        capture: CaptureId,
        /// Why.
        problem: String,
    },
    /// A key of a blob that no row names.
    #[error("tenant {tenant}: blob {blob} belongs to nothing")]
    OrphanKey {
        /// Whose.
        tenant: TenantId,
        /// Which.
        blob: String,
    },
    /// An object in the bucket that no key opens.
    #[error("tenant {tenant}: object {blob} in the bucket belongs to nothing")]
    OrphanObject {
        /// Whose.
        tenant: TenantId,
        /// Which.
        blob: String,
    },
    /// The bucket could not be looked at.
    #[error("the bucket cannot be looked at: {problem}")]
    NoBucket {
        /// Why.
        problem: String,
    },
    /// A file that no key opens.
    #[error("{} belongs to nothing", path.display())]
    OrphanFile {
        /// Where it lies.
        path: PathBuf,
    },
}

/// What an examination saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Recordings looked at.
    pub recordings: u64,
    /// Captures looked at.
    pub captures: u64,
    /// What is amiss.
    pub findings: Vec<Finding>,
}

/// How long something may lie about before it counts as left behind: longer than any step between writing
/// a file and naming it.
const GRACE: time::Duration = time::Duration::hours(1);

impl Store {
    /// Compares every tenant's recordings, messages and captures with what lies on the disk. Each recording is
    /// read whole, from the bucket too, and its SHA-256 compared, so it takes as long as disk and bucket need.
    ///
    /// # Errors
    /// The database did not answer, or the captures cannot be listed.
    pub async fn examine_recordings(&self) -> Result<Examination> {
        let mut seen = Examination::default();
        let kept = captures_kept(self).await?;
        let before = self.now() - GRACE;
        for tenant in self.every_tenant().await? {
            self.examine_rows(tenant, &kept, &mut seen).await?;
            self.examine_messages(tenant, &mut seen).await?;
            for path in self.files_without_key(tenant, before).await? {
                seen.findings.push(Finding::OrphanFile { path });
            }
            self.examine_bucket(tenant, before, &mut seen).await?;
        }
        for capture in kept {
            seen.captures += 1;
            seen.findings.extend(self.examine_capture(capture).await?);
        }
        for (tenant, blob) in self.keys_nothing_names(before).await? {
            seen.findings.push(Finding::OrphanKey { tenant, blob });
        }
        Ok(seen)
    }

    async fn examine_bucket(
        &self,
        tenant: TenantId,
        before: time::OffsetDateTime,
        seen: &mut Examination,
    ) -> Result<()> {
        match self.objects_without_key(tenant, before).await {
            Ok(strange) => seen
                .findings
                .extend(strange.into_iter().map(|blob| Finding::OrphanObject { tenant, blob })),
            Err(problem @ Error::Bucket { .. }) => seen.findings.push(Finding::NoBucket {
                problem: chain(&problem),
            }),
            Err(problem) => return Err(problem),
        }
        Ok(())
    }

    async fn examine_rows(&self, tenant: TenantId, kept: &[CaptureId], seen: &mut Examination) -> Result<()> {
        let mut after = String::new();
        loop {
            let rows = self
                .tenant(tenant)
                .read()
                .await?
                .all(
                    "select id, tenant_id, call_id, capture_id, state, problem, name, description, format, \
                     duration_ms, size_bytes, sha256, blob, peaks, recorded_by, held, created_at, sample_rate_hz \
                     from recordings where tenant_id = $1 and id > $2 order by id limit 500",
                    args![tenant, after],
                )
                .await?;
            for row in &rows {
                let recording = recording_of(row)?;
                after = recording.id.to_string();
                seen.recordings += 1;
                seen.findings.extend(self.examine_recording(&recording, kept).await?);
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    async fn examine_recording(&self, recording: &Recording, kept: &[CaptureId]) -> Result<Option<Finding>> {
        match (recording.state.as_str(), recording.capture) {
            ("ready", _) => Ok(self.examine_audio(recording).await),
            ("erased", _) | (_, None) => Ok(None),
            (_, Some(capture)) if kept.contains(&capture) => Ok(None),
            (_, Some(capture)) => self.examine_wait(recording, capture).await,
        }
    }

    /// A recording whose capture was not among those listed: it began since, or was processed since, or is lost.
    async fn examine_wait(&self, recording: &Recording, capture: CaptureId) -> Result<Option<Finding>> {
        if matches!(CaptureReader::open(self, capture).await, Ok(Some(_))) {
            return Ok(None);
        }
        let now = self.tenant(recording.tenant).recordings().get(recording.id).await?;
        let still_waits = now.is_some_and(|now| now.state == recording.state && now.capture == Some(capture));
        Ok(still_waits.then(|| Finding::NoCapture {
            tenant: recording.tenant,
            recording: recording.id,
            capture,
            state: recording.state.clone(),
        }))
    }

    async fn examine_audio(&self, recording: &Recording) -> Option<Finding> {
        let (tenant, id) = (recording.tenant, recording.id);
        let changed = |what| Finding::Changed {
            tenant,
            recording: id,
            what,
        };
        let blob = recording.blob.clone().unwrap_or_default();
        match self.tenant(tenant).blobs().get(&blob).await {
            Err(problem) => Some(Finding::Unreadable {
                tenant,
                recording: id,
                problem: chain(&problem),
            }),
            Ok(bytes) if bytes.is_empty() => Some(changed("no bytes")),
            Ok(bytes) if i64::try_from(bytes.len()) != Ok(recording.size_bytes) => Some(changed("size")),
            Ok(bytes) => {
                let sha256 = hex::encode(digest::digest(&digest::SHA256, &bytes));
                (sha256 != recording.sha256).then(|| changed("SHA-256"))
            }
        }
    }

    async fn examine_messages(&self, tenant: TenantId, seen: &mut Examination) -> Result<()> {
        let rows = self
            .tenant(tenant)
            .read()
            .await?
            .all(
                "select v.call_id from voicemails v where v.tenant_id = $1 \
                 and not exists (select 1 from recordings r where r.id = v.recording_id) order by v.id",
                args![tenant],
            )
            .await?;
        for row in &rows {
            let call = row.parse("call_id")?;
            seen.findings.push(Finding::NoRecording { tenant, call });
        }
        Ok(())
    }

    /// A capture whose call runs has no row yet; its call's end writes one.
    async fn examine_capture(&self, capture: CaptureId) -> Result<Option<Finding>> {
        let meta = match CaptureReader::open(self, capture).await {
            Ok(Some(reader)) => reader.meta().clone(),
            // It was erased since the captures were listed.
            Ok(None) | Err(Error::Crypto(crate::keys::CryptoError::Erased)) => return Ok(None),
            Err(problem) => {
                let problem = problem.to_string();
                return Ok(Some(Finding::Sealed { capture, problem }));
            }
        };
        let scope = self.tenant(meta.tenant);
        if scope.recordings().get(meta.recording).await?.is_some() {
            return Ok(None);
        }
        let runs = scope
            .read()
            .await?
            .one(
                "select 1 from calls where tenant_id = $1 and id = $2 and ended_at is null",
                args![meta.tenant, meta.call],
            )
            .await?
            .is_some();
        Ok((!runs).then_some(Finding::NoRow {
            tenant: meta.tenant,
            capture,
            call: meta.call,
        }))
    }
}

fn chain(problem: &dyn std::error::Error) -> String {
    let mut said = problem.to_string();
    let mut next = problem.source();
    while let Some(inner) = next {
        said.push_str(": ");
        said.push_str(&inner.to_string());
        next = inner.source();
    }
    said
}
