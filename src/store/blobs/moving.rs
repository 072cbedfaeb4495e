//! Taking recordings to the bucket, reading them there, removing them there.
//!
//! Always local first: a blob is marked `moving`, its file is written to the bucket and read back, and only when
//! both are the same the row says `bucket` and the file goes. Cut anywhere, the next run does the step again. An
//! object whose key was destroyed is noted in the same transaction and removed after it, at once or when the
//! bucket answers again.

use super::format::{self, Header};
use super::{Blobs, run_blocking};
use crate::bucket::Bucket;
use crate::health::BucketHealth;
use crate::keys::Key;
use crate::queue::ask;
use crate::recordings::Recordings;
use crate::scope::Scope;
use crate::sql::{Tx, args};
use crate::{Error, Result, Store};
use strowger_model::TenantId;
use strowger_model::job::Job;
use strowger_model::settings::Settings;
use tracing::{debug, warn};

/// What a run took to the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Blobs that lie there now.
    pub blobs: u64,
    /// Their size before sealing.
    pub bytes: u64,
}

/// The blobs of finished recordings made until $2. A recording whose transcript is still to come is not
/// finished, for its audio may change; messages stay, for phones play them.
const DUE: &str = "select r.id from recordings r where r.tenant_id = $1 and r.state = 'ready' and r.created_at <= $2 \
     and not exists (select 1 from voicemails v where v.recording_id = r.id) \
     and not exists (select 1 from transcripts t where t.recording_id = r.id and t.state in ('queued', 'running'))";

/// How many days after its making a recording moves; `None` where the settings want none to move.
fn days(settings: &Settings) -> Option<i64> {
    settings
        .switch("move_recordings")
        .then(|| settings.number("move_recordings_after_days"))
}

impl Recordings {
    /// Asks for what is due to be moved to the bucket, unless that is asked for already. Does nothing without a
    /// bucket, or where the tenant's settings keep recordings here.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask_move(&self) -> Result<bool> {
        let scope = self.scope();
        if scope.store().bucket().is_none() {
            return Ok(false);
        }
        let Some(days) = days(&scope.settings().resolve().await?) else {
            return Ok(false);
        };
        let mut tx = scope.write().await?;
        let waiting = tx
            .one(
                "select 1 from jobs where tenant_id = $1 and kind = 'move_recordings' and state = 'queued' limit 1",
                args![scope.tenant()],
            )
            .await?;
        // Marked also where a job waits for a bucket that is away, so that all that is due counts as waiting.
        let is_asked = mark(&mut tx, scope, days).await? > 0 && waiting.is_none();
        if is_asked {
            let job = Job::MoveRecordings { tenant: scope.tenant() };
            ask(&mut tx, scope.store(), &job).await?;
        }
        tx.commit().await?;
        Ok(is_asked)
    }

    /// How the bucket stands for this tenant; `None` where there is none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn bucket(&self) -> Result<Option<BucketHealth>> {
        let scope = self.scope();
        scope.store().bucket_health(Some(scope.tenant())).await
    }

    /// Takes what is due to the bucket, the oldest first, until `is_over`.
    ///
    /// # Errors
    /// There is no bucket, it does not answer or gave back other bytes, or the database did not answer.
    pub async fn move_due(&self, is_over: &(dyn Fn() -> bool + Sync)) -> Result<Moved> {
        let scope = self.scope();
        let Some(bucket) = scope.store().bucket() else {
            return Err(Error::State {
                what: "the bucket",
                state: "not configured".to_owned(),
                wish: "take recordings",
            });
        };
        scope.store().finish_erasures().await?;
        if let Some(days) = days(&scope.settings().resolve().await?) {
            let mut tx = scope.write().await?;
            mark(&mut tx, scope, days).await?;
            tx.commit().await?;
        }
        let mut moved = Moved::default();
        let mut altered = None;
        let mut after = String::new();
        while let Some((blob, size)) = next_marked(scope, &after).await? {
            if is_over() {
                break;
            }
            match scope.blobs().move_one(bucket, &blob).await {
                Ok(true) => {
                    moved.blobs += 1;
                    moved.bytes += size;
                }
                Ok(false) => {}
                // One that comes back otherwise does not hold up the rest.
                Err(problem @ Error::Altered { .. }) => altered = Some(problem),
                Err(problem) => return Err(problem),
            }
            after = blob;
        }
        altered.map_or(Ok(moved), Err)
    }
}

/// Marks the blobs of recordings that are due. Returns how many wait now.
async fn mark(tx: &mut Tx, scope: &Scope, days: i64) -> Result<i64> {
    let limit = scope.now() - time::Duration::days(days);
    tx.all_of(
        format!(
            "update object_keys set tier = 'moving' where tenant_id = $1 and tier = 'local' and (blob in \
             (select x.blob from recordings x where x.tenant_id = $1 and x.id in ({DUE})) or blob in \
             (select x.blob from recording_tracks x where x.tenant_id = $1 and x.recording_id in ({DUE})))"
        ),
        args![scope.tenant(), limit],
    )
    .await?;
    let row = tx
        .one(
            "select count(*) as n from object_keys where tier = 'moving' and tenant_id = $1",
            args![scope.tenant()],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

async fn next_marked(scope: &Scope, after: &str) -> Result<Option<(String, u64)>> {
    scope
        .read()
        .await?
        .one(
            "select blob, size_bytes from object_keys where tier = 'moving' and tenant_id = $1 and blob > $2 \
             order by blob limit 1",
            args![scope.tenant(), after],
        )
        .await?
        .map(|row| Ok((row.text("blob")?, u64::try_from(row.int("size_bytes")?).unwrap_or(0))))
        .transpose()
}

impl Blobs {
    /// Whether a blob lies in the bucket; `None` once erased.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn is_in_bucket(&self, blob: &str) -> Result<Option<bool>> {
        self.scope
            .read()
            .await?
            .one(
                "select tier from object_keys where tenant_id = $1 and blob = $2",
                args![self.scope.tenant(), blob],
            )
            .await?
            .map(|row| Ok(row.text("tier")? == "bucket"))
            .transpose()
    }

    /// Whether a blob's file belongs in the local folder.
    pub(super) async fn is_local(&self, blob: &str) -> Result<bool> {
        Ok(self.is_in_bucket(blob).await? == Some(false))
    }

    /// Returns whether it lies in the bucket now.
    async fn move_one(&self, bucket: &Bucket, blob: &str) -> Result<bool> {
        let tenant = self.scope.tenant();
        let path = self.path(blob)?;
        let read = path.clone();
        let sealed = run_blocking(move || std::fs::read(&read).map_err(Error::file("read", &read))).await;
        let sealed = match sealed {
            Err(problem) if problem.is_absence() => {
                warn!(%tenant, blob, "a recording that is to be moved is not on this machine's disk");
                return Ok(false);
            }
            sealed => sealed?,
        };
        bucket.put(tenant, blob, sealed).await?;
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update object_keys set tier = 'bucket' where tenant_id = $1 and blob = $2 and tier = 'moving'",
                args![tenant, blob],
            )
            .await?;
        tx.commit().await?;
        if touched == 0 {
            debug!(%tenant, blob, "a recording was erased while it moved");
            bucket.remove(tenant, blob).await?;
            return Ok(false);
        }
        match tokio::fs::remove_file(&path).await {
            Ok(()) => Ok(true),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(problem) => Err(Error::file("remove", &path)(problem)),
        }
    }

    /// A range of the text of a blob that lies in the bucket.
    pub(super) async fn read_far(
        &self,
        bucket: &Bucket,
        key: &Key,
        header: &Header,
        (start, length): (u64, u64),
    ) -> Result<Vec<u8>> {
        if length == 0 && header.size > 0 {
            return Ok(Vec::new());
        }
        let extent = format::extent(header, start, length);
        let part = bucket.part(self.scope.tenant(), &header.name, extent).await?;
        format::same_size(header, part.whole)?;
        Ok(format::open(key, header, start, length, &part.bytes)?)
    }

    /// Removes objects whose keys are destroyed. A bucket that does not answer is asked again later: without the
    /// key nothing there can be read.
    pub(super) async fn unlink_far(&self, blobs: &[String]) -> Result<()> {
        let Some(bucket) = self.scope.store().bucket() else {
            return Ok(());
        };
        let tenant = self.scope.tenant();
        for blob in blobs {
            if !is_noted(&self.scope, blob).await? {
                continue;
            }
            if let Err(problem) = bucket.remove(tenant, blob).await {
                warn!(
                    problem = &problem as &dyn std::error::Error,
                    "erased objects wait in the bucket to be removed"
                );
                return Ok(());
            }
            forget(self.scope.store(), tenant, blob).await?;
        }
        Ok(())
    }
}

async fn is_noted(scope: &Scope, blob: &str) -> Result<bool> {
    let row = scope
        .read()
        .await?
        .one(
            "select 1 from bucket_erasures where tenant_id = $1 and blob = $2",
            args![scope.tenant(), blob],
        )
        .await?;
    Ok(row.is_some())
}

async fn forget(store: &Store, tenant: TenantId, blob: &str) -> Result<()> {
    let mut tx = store.write_all().await?;
    tx.run(
        "delete from bucket_erasures where tenant_id = $1 and blob = $2",
        args![tenant, blob],
    )
    .await?;
    tx.commit().await
}

/// Notes that an object is to be removed, in the transaction that destroys its key.
pub(super) async fn note_erasure(tx: &mut Tx, tenant: TenantId, blob: &str) -> Result<()> {
    tx.run(
        "insert into bucket_erasures (tenant_id, blob) select tenant_id, blob from object_keys \
         where tenant_id = $1 and blob = $2 and tier <> 'local' on conflict do nothing",
        args![tenant, blob],
    )
    .await?;
    Ok(())
}

/// Notes all objects of a tenant that goes.
pub(crate) async fn give_up_tenant(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    tx.run(
        "insert into bucket_erasures (tenant_id, blob) select tenant_id, blob from object_keys \
         where tenant_id = $1 and tier <> 'local' on conflict do nothing",
        args![tenant],
    )
    .await?;
    Ok(())
}

impl Store {
    /// Removes from the bucket what was erased while it did not answer. Returns how many objects went.
    ///
    /// # Errors
    /// The bucket or the database did not answer.
    pub async fn finish_erasures(&self) -> Result<u64> {
        let Some(bucket) = self.bucket() else { return Ok(0) };
        let rows = self
            .read_all()
            .await?
            .all(
                "select tenant_id, blob from bucket_erasures order by tenant_id, blob limit 1000",
                args![],
            )
            .await?;
        for row in &rows {
            let (tenant, blob) = (row.parse("tenant_id")?, row.text("blob")?);
            bucket.remove(tenant, &blob).await?;
            forget(self, tenant, &blob).await?;
        }
        Ok(rows.len() as u64)
    }

    /// The objects of a tenant in the bucket that belong to nothing and were written before a time.
    pub(crate) async fn objects_without_key(
        &self,
        tenant: TenantId,
        before: time::OffsetDateTime,
    ) -> Result<Vec<String>> {
        let Some(bucket) = self.bucket() else {
            return Ok(Vec::new());
        };
        let scope = self.tenant(tenant);
        let mut strange = Vec::new();
        for object in bucket.list(tenant).await? {
            if object.written_at < before
                && scope.blobs().is_in_bucket(&object.blob).await? != Some(true)
                && !is_noted(&scope, &object.blob).await?
            {
                strange.push(object.blob);
            }
        }
        Ok(strange)
    }

    /// Removes a tenant's objects in the bucket that belong to nothing, when older than a day. Returns how many went.
    ///
    /// # Errors
    /// The bucket or the database did not answer.
    pub async fn sweep_bucket(&self, tenant: TenantId) -> Result<u64> {
        let Some(bucket) = self.bucket() else { return Ok(0) };
        let strange = self
            .objects_without_key(tenant, self.now() - time::Duration::days(1))
            .await?;
        for blob in &strange {
            bucket.remove(tenant, blob).await?;
        }
        Ok(strange.len() as u64)
    }

    /// Asks for the recordings of every tenant that are due in the bucket. Returns how many tenants have some.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn ask_moves(&self) -> Result<u64> {
        if self.bucket().is_none() {
            return Ok(0);
        }
        let mut asked = 0;
        for tenant in self.every_tenant().await? {
            asked += u64::from(self.tenant(tenant).recordings().ask_move().await?);
        }
        Ok(asked)
    }

    /// How the bucket stands, for one tenant or for all.
    pub(crate) async fn bucket_health(&self, tenant: Option<TenantId>) -> Result<Option<BucketHealth>> {
        let Some(bucket) = self.bucket() else { return Ok(None) };
        let mut tx = self.read_all().await?;
        let mut health = BucketHealth {
            place: bucket.place().to_owned(),
            moved: 0,
            waiting: 0,
            to_remove: 0,
            problem: None,
        };
        let tiers = tx
            .all(
                "select tier, count(*) as n from object_keys where tier in ('moving', 'bucket') \
                 and ($1 is null or tenant_id = $1) group by tier",
                args![tenant],
            )
            .await?;
        for row in &tiers {
            match row.text("tier")?.as_str() {
                "moving" => health.waiting = row.int("n")?,
                _ => health.moved = row.int("n")?,
            }
        }
        let row = tx
            .one(
                "select count(*) as n from bucket_erasures where ($1 is null or tenant_id = $1)",
                args![tenant],
            )
            .await?;
        health.to_remove = row.map_or(Ok(0), |row| row.int("n"))?;
        let row = tx
            .one(
                "select problem from jobs where kind = 'move_recordings' and state in ('queued', 'dead') \
                 and problem is not null and ($1 is null or tenant_id = $1) order by id desc limit 1",
                args![tenant],
            )
            .await?;
        health.problem = row.map(|row| row.text("problem")).transpose()?;
        Ok(Some(health))
    }
}
