//! Sealed blobs: recordings, prompts, greetings, spoken texts.
//!
//! A blob lies in `blobs/<tenant>/<prefix>/<key>` of the data folder, sealed in pieces of 64 KiB with a
//! key of its own ([`format`]); the key stands in the database, wrapped by the tenant's. A file is
//! written under a passing name, made durable and renamed, and only then named by a row, so a row never
//! names a file that is not whole. Erasing destroys the key first: what is left of the file, on whatever
//! medium, cannot be read.
//!
//! Where there is a bucket, [`moving`] takes recordings there that are due; what is read is looked for in the
//! local folder first.

mod format;
mod moving;

pub use moving::Moved;
pub(crate) use moving::give_up_tenant;

use crate::keys::{CryptoError, Key};
use crate::scope::area;
use crate::sql::{Tx, args};
use crate::{Error, Result, Scope, Store};
use format::Header;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strowger_model::TenantId;

area! {
    /// The sealed blobs of the tenant.
    Blobs, blobs
}

/// Destroys a blob's key in a transaction; [`Blobs::unlink`] removes the file after the commit.
pub(crate) async fn destroy_key(tx: &mut Tx, tenant: TenantId, blob: &str) -> Result<()> {
    moving::note_erasure(tx, tenant, blob).await?;
    tx.run(
        "delete from object_keys where tenant_id = $1 and blob = $2",
        args![tenant, blob],
    )
    .await?;
    Ok(())
}

fn about(blob: &str) -> String {
    format!("blob {blob}")
}

/// A blob opened for reading.
struct Open {
    key: Key,
    size: u64,
    path: PathBuf,
}

impl Blobs {
    /// Seals and keeps bytes; returns the blob's key.
    ///
    /// # Errors
    /// The file cannot be written, or the database did not answer.
    pub async fn put(&self, bytes: &[u8]) -> Result<String> {
        let tenant_key = self.scope.key().await?;
        let world = self.scope.world();
        let blob = uuid_of(&self.scope);
        let key = Key::generate(world)?;
        let wrapped = tenant_key.wrap(world, &about(&blob), &key)?;
        let sealed = format::seal(&key, &blob, bytes)?;
        let path = self.path(&blob)?;
        run_blocking(move || write_durably(&path, &sealed)).await?;
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into object_keys (tenant_id, blob, wrapped, size_bytes, created_at) values ($1, $2, $3, $4, $5)",
            args![
                self.scope.tenant(),
                blob,
                wrapped,
                i64::try_from(bytes.len()).unwrap_or(i64::MAX),
                self.scope.now()
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(blob)
    }

    /// The whole blob.
    ///
    /// # Errors
    /// Its key was destroyed, the file is damaged or gone, or the database did not answer.
    pub async fn get(&self, blob: &str) -> Result<Vec<u8>> {
        let open = self.open(blob).await?;
        let size = open.size;
        self.read(blob, open, 0, size).await
    }

    /// How long the blob is, before sealing; `None` once erased.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn size(&self, blob: &str) -> Result<Option<u64>> {
        self.scope
            .read()
            .await?
            .one(
                "select size_bytes from object_keys where tenant_id = $1 and blob = $2",
                args![self.scope.tenant(), blob],
            )
            .await?
            .map(|row| Ok(u64::try_from(row.int("size_bytes")?).unwrap_or(0)))
            .transpose()
    }

    /// At most `length` bytes from `start` on; fewer at the end.
    ///
    /// # Errors
    /// As [`Blobs::get`].
    pub async fn range(&self, blob: &str, start: u64, length: u64) -> Result<Vec<u8>> {
        let open = self.open(blob).await?;
        let length = length.min(open.size.saturating_sub(start));
        self.read(blob, open, start, length).await
    }

    async fn open(&self, blob: &str) -> Result<Open> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select wrapped, size_bytes from object_keys where tenant_id = $1 and blob = $2",
                args![self.scope.tenant(), blob],
            )
            .await?
            .ok_or(CryptoError::Erased)?;
        let key = self.scope.key().await?.unwrap(&about(blob), &row.text("wrapped")?)?;
        Ok(Open {
            key,
            size: u64::try_from(row.int("size_bytes")?).unwrap_or(0),
            path: self.path(blob)?,
        })
    }

    async fn read(&self, blob: &str, open: Open, start: u64, length: u64) -> Result<Vec<u8>> {
        let header = Header {
            name: blob.to_owned(),
            size: open.size,
        };
        let far = Arc::new((open, header));
        let near = Arc::clone(&far);
        let read = run_blocking(move || {
            let (open, header) = near.as_ref();
            let mut file = std::fs::File::open(&open.path).map_err(Error::file("open", &open.path))?;
            format::read(&mut file, &open.key, header, start, length).map_err(|problem| match problem {
                format::Problem::Crypto(problem) => Error::Crypto(problem),
                format::Problem::Io(problem) => Error::file("read", &open.path)(problem),
            })
        })
        .await;
        match (read, self.scope.store().bucket()) {
            (Err(problem), Some(bucket)) if problem.is_absence() => {
                let (open, header) = far.as_ref();
                match self.read_far(bucket, &open.key, header, (start, length)).await {
                    Err(far) if far.is_no_object() => Err(problem),
                    far => far,
                }
            }
            (read, _) => read,
        }
    }

    /// Destroys the blob's key and removes its file. A blob that is gone is no fault.
    ///
    /// # Errors
    /// The file cannot be removed, or the database did not answer.
    pub async fn erase(&self, blob: &str) -> Result<()> {
        let mut tx = self.scope.write().await?;
        destroy_key(&mut tx, self.scope.tenant(), blob).await?;
        tx.commit().await?;
        self.unlink(&[blob.to_owned()]).await
    }

    /// Removes files whose keys are destroyed.
    pub(crate) async fn unlink(&self, blobs: &[String]) -> Result<()> {
        for blob in blobs {
            let path = self.path(blob)?;
            match tokio::fs::remove_file(&path).await {
                Ok(()) => {}
                Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
                Err(problem) => return Err(Error::file("remove", &path)(problem)),
            }
        }
        self.unlink_far(blobs).await
    }

    /// Where a blob lies. Only keys that this store made are names of files.
    fn path(&self, blob: &str) -> Result<PathBuf> {
        let name = uuid::Uuid::try_parse(blob)
            .map_err(|_| CryptoError::Erased)?
            .to_string();
        // The last characters of a time-ordered UUID are its random ones: folders fill evenly.
        let prefix = name.get(34..36).unwrap_or("00").to_owned();
        Ok(folder(self.scope.store(), self.scope.tenant()).join(prefix).join(name))
    }
}

fn folder(store: &Store, tenant: TenantId) -> PathBuf {
    store.data_dir().join("blobs").join(tenant.to_string())
}

fn uuid_of(scope: &Scope) -> String {
    // Any id is a fresh time-ordered UUID; a blob's is a name of its own.
    strowger_model::RecordingId::generate(scope.world()).to_string()
}

async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Stopped("file worker")))
}

/// Writes a file so that it is either whole under its name or not there, power cuts included. Where the file system can,
/// it has no name until it is whole, and a process that is killed leaves nothing to sweep.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    let is_named = match unnamed(folder) {
        Some(file) => {
            fill(&file, path, bytes)?;
            name(&file, path).is_ok()
        }
        None => false,
    };
    if !is_named {
        let fresh = path.with_extension("part");
        let file = std::fs::File::create(&fresh).map_err(Error::file("create", &fresh))?;
        fill(&file, &fresh, bytes)?;
        std::fs::rename(&fresh, path).map_err(Error::file("rename", &fresh))?;
    }
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::file("sync", folder))
}

fn fill(mut file: &std::fs::File, path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(Error::file("write", path))
}

/// A file in a folder that has no name yet (open(2), `O_TMPFILE`), if the file system knows such.
fn unnamed(folder: &Path) -> Option<std::fs::File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)).ok()?;
    Some(file.into())
}

/// Gives it a name, as open(2) describes it for processes without privileges.
fn name(file: &std::fs::File, path: &Path) -> rustix::io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    use std::os::fd::AsRawFd as _;
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

impl Store {
    /// Removes what a crash left among the blobs: files without a key and unfinished files, when older
    /// than a day, and keys without a row that names them. Returns how many went.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn sweep_blobs(&self) -> Result<u64> {
        let yesterday = self.now() - time::Duration::days(1);
        let mut gone = 0;
        for (tenant, blob) in self.keys_nothing_names(yesterday).await? {
            self.tenant(tenant).blobs().erase(&blob).await?;
            gone += 1;
        }
        for tenant in self.every_tenant().await? {
            gone += self.sweep_files(tenant, yesterday).await?;
        }
        Ok(gone)
    }

    /// At most a thousand keys of blobs that no row names, made before a time.
    pub(crate) async fn keys_nothing_names(&self, before: time::OffsetDateTime) -> Result<Vec<(TenantId, String)>> {
        self.read_all()
            .await?
            .all(
                "select tenant_id, blob from object_keys k where created_at < $1 \
                 and not exists (select 1 from recordings r where r.blob = k.blob) \
                 and not exists (select 1 from recording_tracks t where t.blob = k.blob) \
                 and not exists (select 1 from prompts p where p.source_blob = k.blob or p.audio_blob = k.blob) \
                 and not exists (select 1 from upload_pieces u where u.blob = k.blob) \
                 and not exists (select 1 from greetings g where g.source_blob = k.blob or g.audio_blob = k.blob) \
                 and not exists (select 1 from speech s where s.blob = k.blob) limit 1000",
                args![before],
            )
            .await?
            .iter()
            .map(|row| Ok((row.parse("tenant_id")?, row.text("blob")?)))
            .collect()
    }

    /// The files of a tenant's blobs that were last written before a time and have no key.
    pub(crate) async fn files_without_key(
        &self,
        tenant: TenantId,
        before: time::OffsetDateTime,
    ) -> Result<Vec<PathBuf>> {
        let root = folder(self, tenant);
        let files = run_blocking(move || Ok(old_files(&root, before))).await?;
        let blobs = self.tenant(tenant).blobs();
        let mut strange = Vec::new();
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !blobs.is_local(name).await? {
                strange.push(file);
            }
        }
        Ok(strange)
    }

    async fn sweep_files(&self, tenant: TenantId, before: time::OffsetDateTime) -> Result<u64> {
        let mut gone = 0;
        for file in self.files_without_key(tenant, before).await? {
            tokio::fs::remove_file(&file)
                .await
                .map_err(Error::file("remove", &file))?;
            gone += 1;
        }
        Ok(gone)
    }
}

fn old_files(root: &Path, before: time::OffsetDateTime) -> Vec<PathBuf> {
    let list = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    list(root)
        .flat_map(|prefix| list(&prefix.path()))
        .filter(|file| {
            file.metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| time::OffsetDateTime::from(at) < before)
        })
        .map(|file| file.path())
        .collect()
}
