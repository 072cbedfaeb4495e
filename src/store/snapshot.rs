//! A damaged SQLite file: noticed, written to no more, and put back from the last copy at the next start.
//!
//! A worker copies the database every few minutes with `VACUUM INTO`, which reads every row: a copy that came to its
//! end is whole, and one that does not shows the damage early. PostgreSQL is looked after by its own means.

use crate::sql::file_of;
use crate::store::take_turn;
use crate::{Actor, Error, Result, Store, StoreConfig};

use sqlx::{AnyConnection, Connection as _, Row as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// A database up to this size is looked through at every start, which takes well under a second.
const SMALL_BYTES: u64 = 64 << 20;

/// How long a damaged database stays beside the other one, counted from when it was put aside, days. It still holds
/// what is removed and erased in the meantime.
pub const PUT_ASIDE_DAYS: i64 = 14;

/// A damaged database that was put aside and still lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAside {
    /// Where.
    pub file: PathBuf,
    /// When the retention run removes it.
    pub until: OffsetDateTime,
}

/// What was done about a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// What was found.
    pub problem: String,
    /// When the copy was made that stands in its place now.
    pub copied_at: std::time::SystemTime,
    /// Where the damaged file lies.
    pub aside: PathBuf,
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The copy of a database.
fn copy_of(file: &Path) -> PathBuf {
    beside(file, ".copy")
}

/// A copy that is being made.
fn part_of(file: &Path) -> PathBuf {
    beside(file, ".copy-part")
}

/// The note that a database is damaged, with what was seen.
pub(crate) fn mark_of(file: &Path) -> PathBuf {
    beside(file, ".damage")
}

/// Looks whether the database that `config` names is whole as far as a start needs to know, and puts the last copy in
/// its place when it is not; the damaged one is kept beside it. Nothing else may have it open.
///
/// # Errors
/// It is damaged and there is no copy, or a file cannot be moved.
pub async fn mend(config: &StoreConfig) -> Result<Option<PutBack>> {
    mend_by(config, SMALL_BYTES).await
}

/// As [`mend`], after the database could not be opened: every page of it is looked at, however large it is.
///
/// # Errors
/// It is damaged and there is no copy, or a file cannot be moved.
pub async fn mend_thoroughly(config: &StoreConfig) -> Result<Option<PutBack>> {
    mend_by(config, u64::MAX).await
}

async fn mend_by(config: &StoreConfig, small_bytes: u64) -> Result<Option<PutBack>> {
    let Some(file) = file_of(&config.url) else {
        return Ok(None);
    };
    if !file.exists() {
        return Ok(None);
    }
    let _turn = take_turn(&config.data_dir).await?;
    let mark = mark_of(&file);
    let size = std::fs::metadata(&file).map_err(Error::file("look at", &file))?.len();
    let found = if mark.exists() || size <= small_bytes {
        check(&file).await
    } else {
        open(&file).await
    };
    let Err(problem) = found else {
        // What was seen was of a disk that is well again.
        return remove(&mark).map(|()| None);
    };
    put_back(&file, problem).map(Some)
}

/// Puts the copy in the place of the database.
fn put_back(file: &Path, problem: String) -> Result<PutBack> {
    let copy = copy_of(file);
    let no_copy = |_| Error::Damaged(format!("{problem}; there is no copy to go back to: restore a backup"));
    let copied_at = std::fs::metadata(&copy)
        .and_then(|about| about.modified())
        .map_err(no_copy)?;
    let seconds = copied_at
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let aside = (0..)
        .map(|n| beside(file, &format!(".damaged-{seconds}-{n}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| beside(file, ".damaged"));
    for ending in ["-wal", "-shm"] {
        let from = beside(file, ending);
        if from.exists() {
            let to = beside(&aside, ending);
            std::fs::rename(&from, &to).map_err(Error::file("move", &from))?;
        }
    }
    std::fs::rename(file, &aside).map_err(Error::file("move", file))?;
    // Under another name first: a cut in the middle is repeated at the next start.
    let fresh = beside(file, ".back");
    std::fs::copy(&copy, &fresh).map_err(Error::file("copy", &copy))?;
    sync(&fresh)?;
    std::fs::rename(&fresh, file).map_err(Error::file("move", &fresh))?;
    remove(&mark_of(file))?;
    Ok(PutBack {
        problem,
        copied_at,
        aside,
    })
}

/// Puts a copy that came to its end in the place of the one before.
fn keep(fresh: &Path, copy: &Path) -> Result<()> {
    sync(fresh)?;
    std::fs::rename(fresh, copy).map_err(Error::file("move", fresh))
}

fn sync(file: &Path) -> Result<()> {
    std::fs::File::open(file)
        .and_then(|file| file.sync_all())
        .map_err(Error::file("make durable", file))
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", file)(problem)),
        _ => Ok(()),
    }
}

/// Counted from its renaming, which its inode remembers.
fn lies_until(file: PathBuf) -> Option<PutAside> {
    let about = std::fs::metadata(&file).ok()?;
    let moved = std::os::unix::fs::MetadataExt::ctime(&about);
    let moved = OffsetDateTime::from_unix_timestamp(moved).ok()?;
    let until = moved + time::Duration::days(PUT_ASIDE_DAYS);
    Some(PutAside { file, until })
}

async fn connect(file: &Path) -> std::result::Result<AnyConnection, String> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode=rw", file.display());
    AnyConnection::connect(&url)
        .await
        .map_err(|problem| problem.to_string())
}

/// Whether its head and its schema can be read.
async fn open(file: &Path) -> std::result::Result<(), String> {
    let mut connection = connect(file).await?;
    let read = sqlx::query("select count(*) as n from sqlite_master")
        .fetch_one(&mut connection)
        .await;
    let closed = connection.close().await;
    read.map(drop).and(closed).map_err(|problem| problem.to_string())
}

/// Whether every page is as SQLite left it.
async fn check(file: &Path) -> std::result::Result<(), String> {
    let mut connection = connect(file).await?;
    let rows = sqlx::query("pragma quick_check(1)").fetch_one(&mut connection).await;
    let closed = connection.close().await;
    let said: String = rows
        .and_then(|row| row.try_get(0))
        .map_err(|problem| problem.to_string())?;
    closed.map_err(|problem| problem.to_string())?;
    if said == "ok" { Ok(()) } else { Err(said) }
}

impl Store {
    /// What is known of a damage of the database, and nothing when it is whole.
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        self.db().damage()
    }

    /// The damaged databases that were put aside and still lie there.
    #[must_use]
    pub fn put_aside(&self) -> Vec<PutAside> {
        let Some(file) = file_of(self.url()) else {
            return Vec::new();
        };
        let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
            return Vec::new();
        };
        let aside = format!("{name}.damaged-");
        let is_aside = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&aside) && !name.ends_with("-wal") && !name.ends_with("-shm")
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path()).filter(is_aside);
        files.filter_map(lies_until).collect()
    }

    /// Removes the damaged databases whose time is up; says how many they were.
    ///
    /// # Errors
    /// A file cannot be removed, or the database did not answer.
    pub async fn remove_put_aside(&self) -> Result<usize> {
        let mut count = 0;
        for aside in self.put_aside() {
            if aside.until > self.now() {
                continue;
            }
            // Its own name last: cut in between, it is found again.
            for ending in ["-wal", "-shm", ""] {
                remove(&beside(&aside.file, ending))?;
            }
            let name = aside.file.file_name().unwrap_or_default().to_string_lossy();
            self.write_audit(&Actor::named("retention"), "database.expire", &name, "")
                .await?;
            count += 1;
        }
        Ok(count)
    }

    /// Copies a SQLite database, in place of the copy before; says how long that took. `None` where there is nothing
    /// to copy, another copies right now, or the disk has no room for one.
    ///
    /// # Errors
    /// The database is damaged, or the copy cannot be written.
    pub async fn copy_database(&self) -> Result<Option<Duration>> {
        let Some(file) = file_of(self.url()) else {
            return Ok(None);
        };
        let lock = beside(&file, ".copy-lock");
        let lock = std::fs::File::create(&lock).map_err(Error::file("create", &lock))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let size = std::fs::metadata(&file).map_err(Error::file("look at", &file))?.len();
        // Twice: the log of changes needs room too.
        if crate::capture::free_bytes(self.data_dir()).is_some_and(|free| free < 2 * size) {
            return Ok(None);
        }
        let began = tokio::time::Instant::now();
        let fresh = part_of(&file);
        remove(&fresh)?;
        let wish = sqlx::query("vacuum into $1").bind(fresh.to_string_lossy().into_owned());
        let done = wish.execute(self.db().pool()).await;
        done.map_err(|problem| self.db().noticed(problem))?;
        let copy = copy_of(&file);
        let kept = tokio::task::spawn_blocking(move || keep(&fresh, &copy)).await;
        drop(lock);
        match kept.unwrap_or(Err(Error::Stopped("file worker"))) {
            Ok(()) => Ok(Some(began.elapsed())),
            // Something was erased meanwhile.
            Err(problem) if problem.is_absence() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Makes the copy anew after rows went because their time was up, so that none of them comes back with it, and cuts
    /// the log of changes, which holds them too. Where no copy can be made right now, the one there is goes.
    /// `PostgreSQL` has neither file.
    ///
    /// # Errors
    /// The database is damaged, or a file cannot be written or removed.
    pub async fn renew_copy(&self) -> Result<()> {
        if file_of(self.url()).is_none() {
            return Ok(());
        }
        self.forget_samples().await?;
        self.cut_log().await?;
        if self.copy_database().await?.is_none() {
            self.drop_copy()?;
        }
        Ok(())
    }

    /// Removes the copy, and one that is being made: what was erased must not stand in it until the next.
    pub(crate) fn drop_copy(&self) -> Result<()> {
        let Some(file) = file_of(self.url()) else {
            return Ok(());
        };
        // In this order: without its passing name a copy that ends right now cannot take the place of the other.
        remove(&part_of(&file))?;
        remove(&copy_of(&file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_whose_passing_file_was_removed_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (fresh, copy) = (folder.path().join("part"), folder.path().join("copy"));
        assert!(keep(&fresh, &copy).unwrap_err().is_absence());
        assert!(!copy.exists());
        std::fs::write(&fresh, "rows").unwrap();
        keep(&fresh, &copy).unwrap();
        assert!(copy.exists() && !fresh.exists());
    }
}
