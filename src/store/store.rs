//! The store as a whole.

use crate::bucket::Bucket;
use crate::keys::Keyring;
use crate::sql::{Db, Engine, Tx};
use crate::{Error, Result, Scope, migrate};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use strowger_model::disk::DiskWatch;
use strowger_model::{TenantId, World};
use time::OffsetDateTime;

/// Where things lie.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:///path/strowger.db` or `postgres://user@host/name`.
    pub url: String,
    /// The folder of blobs, captures and the queue.
    pub data_dir: PathBuf,
    /// The key above all keys.
    pub master_key: [u8; 32],
}

/// The store. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    url: String,
    world: Arc<dyn World>,
    keyring: Keyring,
    data_dir: PathBuf,
    bucket: OnceLock<Bucket>,
    disk: Mutex<Option<DiskWatch>>,
}

impl Store {
    /// Opens the database, brings its schema up to date and checks the master key.
    ///
    /// # Errors
    /// The database cannot be opened, its schema is newer, or the master key is another one.
    pub async fn open(config: &StoreConfig, world: Arc<dyn World>) -> Result<Self> {
        private_folder(&config.data_dir)?;
        // Daemon and worker may start at the same moment on the same folder: one makes the schema.
        let turn = take_turn(&config.data_dir).await?;
        let db = Db::open(&config.url).await?;
        migrate::run(&db).await?;
        let keyring = Keyring::new(config.master_key)?;
        keyring.check(&db, world.as_ref()).await?;
        drop(turn);
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                url: config.url.clone(),
                world,
                keyring,
                data_dir: config.data_dir.clone(),
                bucket: OnceLock::new(),
                disk: Mutex::new(None),
            }),
        })
    }

    /// The rows and blobs of one tenant.
    #[must_use]
    pub fn tenant(&self, tenant: TenantId) -> Scope {
        Scope::new(self.clone(), tenant)
    }

    /// The same store with a bucket that finished recordings move to; a second one counts for nothing.
    #[must_use]
    pub fn with_bucket(self, bucket: Option<Bucket>) -> Self {
        if let Some(bucket) = bucket {
            self.inner.bucket.get_or_init(|| bucket);
        }
        self
    }

    /// The bucket that finished recordings move to, where there is one.
    #[must_use]
    pub fn bucket(&self) -> Option<&Bucket> {
        self.inner.bucket.get()
    }

    /// Closes every connection, after the running statements.
    pub async fn close(&self) {
        self.inner.db.pool().close().await;
    }

    /// Takes what was deleted out of all that still holds it: SQLite's log of changes, copy and samples, PostgreSQL's dead
    /// rows and statistics.
    ///
    /// # Errors
    /// The database did not answer.
    pub(crate) async fn forget_pages(&self) -> Result<()> {
        self.drop_copy()?;
        self.forget_samples().await?;
        self.cut_log().await
    }

    pub(crate) async fn cut_log(&self) -> Result<()> {
        let statement = match self.db().engine() {
            Engine::Sqlite => "pragma wal_checkpoint(truncate)",
            Engine::Postgres => "vacuum (analyze)",
        };
        sqlx::query(statement).execute(self.db().pool()).await?;
        Ok(())
    }

    /// What is to be done every hour or so: forgets sessions and bindings whose time is up and blobs that
    /// nothing names, and lets SQLite count its rows, on which its choice of index hangs.
    ///
    /// # Errors
    /// The database did not answer, or a file cannot be removed.
    pub async fn upkeep(&self) -> Result<()> {
        self.accounts().sweep_sessions().await?;
        self.bindings().sweep().await?;
        self.sweep_uploads().await?;
        self.sweep_blobs().await?;
        if self.db().engine() == Engine::Sqlite {
            let mut tx = self.write_all().await?;
            crate::samples::count_rows(&mut tx).await?;
            tx.commit().await?;
        }
        self.finish_erasures().await.map(drop)
    }

    /// The folder of blobs, captures and the queue.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    pub(crate) fn disk_watch(&self) -> &Mutex<Option<DiskWatch>> {
        &self.inner.disk
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub(crate) fn world(&self) -> &dyn World {
        self.inner.world.as_ref()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.inner.world.now()
    }

    pub(crate) async fn write_all(&self) -> Result<Tx> {
        self.inner.db.write_all().await
    }

    pub(crate) async fn read_all(&self) -> Result<Tx> {
        self.inner.db.read_all().await
    }
}

/// Makes a folder that nobody else looks into; one that is there stays as it is.
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(Error::file("create", folder))
}

/// Waits for the folder's lock, which is held while schemas are made; dropping the file gives it back.
pub(crate) async fn take_turn(data_dir: &Path) -> Result<std::fs::File> {
    let path = data_dir.join("start.lock");
    tokio::task::spawn_blocking(move || {
        let file = std::fs::File::create(&path).map_err(Error::file("create", &path))?;
        file.lock().map_err(Error::file("lock", &path))?;
        Ok(file)
    })
    .await
    .unwrap_or(Err(Error::Stopped("file worker")))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Store")
            .field("data_dir", &self.inner.data_dir)
            .finish_non_exhaustive()
    }
}
