//! Connections and transactions, and the few differences between the two engines.

use super::{Arg, Row};
use crate::snapshot::mark_of;
use crate::{Error, Result};
use sqlx::any::{AnyArguments, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Transaction};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use strowger_model::TenantId;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::error;

/// Which database stands behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// The pool and what must be known to use it.
pub(crate) struct Db {
    pool: AnyPool,
    engine: Engine,
    /// On SQLite writers queue here in order instead of polling the file's lock.
    writer: Arc<Mutex<()>>,
    damage: Damage,
}

/// The note beside a SQLite file that says that it is damaged; all who use the file heed it.
#[derive(Clone, Default)]
struct Damage {
    file: Option<Arc<Watched>>,
}

struct Watched {
    file: PathBuf,
    mark: PathBuf,
    /// Of the file as it was opened: another may stand in its place after a damage.
    inode: u64,
}

impl Watched {
    fn new(file: PathBuf) -> Self {
        let (mark, inode) = (mark_of(&file), inode_of(&file));
        Self { file, mark, inode }
    }
}

fn inode_of(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |about| std::os::unix::fs::MetadataExt::ino(&about))
}

impl Damage {
    /// What is known of it.
    fn known(&self) -> Option<String> {
        let watched = self.file.as_deref()?;
        if let Ok(said) = std::fs::read_to_string(&watched.mark) {
            return Some(said);
        }
        let is_other = inode_of(&watched.file) != watched.inode;
        is_other.then(|| "another file stands in its place".to_owned())
    }

    /// An error of the database, which may show that it is damaged.
    fn noticed(&self, problem: sqlx::Error) -> Error {
        if let (Some(watched), sqlx::Error::Database(inner)) = (self.file.as_deref(), &problem) {
            let code: Option<i64> = inner.code().and_then(|code| code.parse().ok());
            // <https://www.sqlite.org/rescode.html>: CORRUPT, CORRUPT_SEQUENCE, CORRUPT_INDEX and NOTADB. CORRUPT_VTAB is
            // of the index of words, which can be made anew.
            if matches!(code, Some(11 | 523 | 779 | 26)) && !watched.mark.exists() {
                let text = inner.message();
                let noted = std::fs::write(&watched.mark, text);
                error!(
                    problem = text,
                    noted = noted.is_ok(),
                    "the database is damaged; nothing is written to it any more"
                );
            }
        }
        Error::from(problem)
    }
}

/// The file of a SQLite address; `None` of PostgreSQL's.
pub(crate) fn file_of(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(PathBuf::from(path.split('?').next().unwrap_or(path)))
}

/// Whose rows a transaction may see where the engine enforces it (row-level security).
#[derive(Clone, Copy)]
enum Rows {
    Of(TenantId),
    All,
}

/// A connection in use: a transaction, or on SQLite a plain connection for reading.
pub(crate) struct Tx {
    inner: Inner,
    engine: Engine,
    damage: Damage,
    _turn: Option<OwnedMutexGuard<()>>,
}

enum Inner {
    Plain(PoolConnection<Any>),
    Transaction(Transaction<'static, Any>),
}

impl Db {
    /// Opens the pool; creates the SQLite file and its folder where missing.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let file = file_of(url);
        let (engine, url) = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if let Some(folder) = file.as_deref().and_then(Path::parent) {
                crate::store::private_folder(folder)?;
            }
            let sign = if path.contains('?') { '&' } else { '?' };
            (Engine::Sqlite, format!("sqlite://{path}{sign}mode=rwc"))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            (Engine::Postgres, url.to_owned())
        } else {
            return Err(Error::Address(url.to_owned()));
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(move |connection, _| Box::pin(prepare(connection, engine)))
            .connect(&url)
            .await?;
        Ok(Self {
            pool,
            engine,
            writer: Arc::new(Mutex::new(())),
            damage: Damage {
                file: file.map(|file| Arc::new(Watched::new(file))),
            },
        })
    }

    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    /// What is known of a damage.
    pub(crate) fn damage(&self) -> Option<String> {
        self.damage.known()
    }

    /// An error of the database, which may show that it is damaged.
    pub(crate) fn noticed(&self, problem: sqlx::Error) -> Error {
        self.damage.noticed(problem)
    }

    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a writing transaction over one tenant's rows.
    pub(crate) async fn write(&self, tenant: TenantId) -> Result<Tx> {
        self.begin_write(Rows::Of(tenant)).await
    }

    /// Begins a writing transaction over the platform's rows and every tenant's.
    pub(crate) async fn write_all(&self) -> Result<Tx> {
        self.begin_write(Rows::All).await
    }

    /// A connection for reading one tenant's rows.
    pub(crate) async fn read(&self, tenant: TenantId) -> Result<Tx> {
        self.begin_read(Rows::Of(tenant)).await
    }

    /// A connection for reading the platform's rows and every tenant's.
    pub(crate) async fn read_all(&self) -> Result<Tx> {
        self.begin_read(Rows::All).await
    }

    // A deferred BEGIN that later writes fails at once when another writer was faster, whatever the
    // time-out: on SQLite a writing transaction takes the lock at its start.
    async fn begin_write(&self, rows: Rows) -> Result<Tx> {
        match self.engine {
            Engine::Sqlite => {
                if let Some(damage) = self.damage() {
                    return Err(Error::Damaged(damage));
                }
                let turn = Arc::clone(&self.writer).lock_owned().await;
                let inner = Inner::Transaction(self.pool.begin_with("begin immediate").await?);
                Ok(Tx {
                    inner,
                    engine: self.engine,
                    damage: self.damage.clone(),
                    _turn: Some(turn),
                })
            }
            Engine::Postgres => self.begin_scoped(rows).await,
        }
    }

    async fn begin_read(&self, rows: Rows) -> Result<Tx> {
        match self.engine {
            Engine::Sqlite => Ok(Tx {
                inner: Inner::Plain(self.pool.acquire().await?),
                engine: self.engine,
                damage: self.damage.clone(),
                _turn: None,
            }),
            Engine::Postgres => self.begin_scoped(rows).await,
        }
    }

    async fn begin_scoped(&self, rows: Rows) -> Result<Tx> {
        let mut tx = Tx {
            inner: Inner::Transaction(self.pool.begin().await?),
            engine: self.engine,
            damage: self.damage.clone(),
            _turn: None,
        };
        let scope = match rows {
            Rows::Of(tenant) => tenant.to_string(),
            Rows::All => "*".to_owned(),
        };
        tx.one(
            "select set_config('strowger.tenant', $1, true) as scope",
            vec![Arg::Text(Some(scope))],
        )
        .await?;
        Ok(tx)
    }
}

async fn prepare(connection: &mut AnyConnection, engine: Engine) -> Result<(), sqlx::Error> {
    match engine {
        Engine::Sqlite => {
            for pragma in [
                "pragma busy_timeout = 10000",
                "pragma journal_mode = wal",
                // With `normal` a power cut takes what was committed last, after the capture it was made of is gone.
                "pragma synchronous = full",
                "pragma foreign_keys = on",
                "pragma secure_delete = on",
                "pragma temp_store = memory",
            ] {
                sqlx::query(pragma).execute(&mut *connection).await?;
            }
        }
        Engine::Postgres => {
            sqlx::query("set application_name = 'strowger'")
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

impl Tx {
    /// Whose statements it takes.
    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    fn connection(&mut self) -> &mut AnyConnection {
        match &mut self.inner {
            Inner::Plain(connection) => connection,
            Inner::Transaction(transaction) => transaction,
        }
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn run(&mut self, statement: &'static str, args: Vec<Arg>) -> Result<u64> {
        let query = bind(sqlx::query(statement), args);
        let done = query.execute(self.connection()).await;
        Ok(done.map_err(|problem| self.damage.noticed(problem))?.rows_affected())
    }

    /// The only row, or the first.
    pub(crate) async fn one(&mut self, statement: &'static str, args: Vec<Arg>) -> Result<Option<Row>> {
        let query = bind(sqlx::query(statement), args);
        let found = query.fetch_optional(self.connection()).await;
        Ok(found.map_err(|problem| self.damage.noticed(problem))?.map(Row))
    }

    /// All rows.
    pub(crate) async fn all(&mut self, statement: &'static str, args: Vec<Arg>) -> Result<Vec<Row>> {
        self.rows(bind(sqlx::query(statement), args)).await
    }

    /// All rows of a statement put together from static pieces.
    pub(crate) async fn all_of(&mut self, statement: String, args: Vec<Arg>) -> Result<Vec<Row>> {
        self.rows(bind(sqlx::query(AssertSqlSafe(statement)), args)).await
    }

    async fn rows(&mut self, query: Query<'static, Any, AnyArguments>) -> Result<Vec<Row>> {
        let found = query.fetch_all(self.connection()).await;
        let found = found.map_err(|problem| self.damage.noticed(problem))?;
        Ok(found.into_iter().map(Row).collect())
    }

    /// A whole number from the first row's column `n`; 0 without a row.
    pub(crate) async fn count(&mut self, statement: &'static str, args: Vec<Arg>) -> Result<i64> {
        self.one(statement, args).await?.map_or(Ok(0), |row| row.int("n"))
    }

    /// Makes the changes last.
    pub(crate) async fn commit(self) -> Result<()> {
        if let Inner::Transaction(transaction) = self.inner {
            let done = transaction.commit().await;
            done.map_err(|problem| self.damage.noticed(problem))?;
        }
        Ok(())
    }
}

fn bind(mut query: Query<'static, Any, AnyArguments>, args: Vec<Arg>) -> Query<'static, Any, AnyArguments> {
    for arg in args {
        query = match arg {
            Arg::Text(text) => query.bind(text),
            Arg::Int(number) => query.bind(number),
            Arg::Real(number) => query.bind(number),
            Arg::Bytes(bytes) => query.bind(bytes),
        };
    }
    query
}
