//! What can go wrong at rest.

use crate::bucket::BucketError;
use crate::keys::CryptoError;
use std::path::PathBuf;

/// A database driver's error, kept behind our own type.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(#[from] sqlx::Error);

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the database did not answer as it should")]
    Database(#[source] DatabaseError),
    /// The database's file is damaged, so nothing is written to it.
    #[error("the database is damaged ({0}); nothing is written to it; restart strowger to go back to the last copy")]
    Damaged(String),
    /// The schema could not be brought up to date.
    #[error("cannot bring the database schema up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Something else already has this value: shown beside the form field of that name.
    #[error("`{field}` is already taken")]
    Taken {
        /// The field whose value must be unique.
        field: String,
    },
    /// The row names something that does not exist, or is still named by something else.
    #[error("the row refers to something that does not exist")]
    Dangling,
    /// A stored value is not what its column should hold.
    #[error("column `{column}` holds `{value}`")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// A setting was refused.
    #[error(transparent)]
    Setting(#[from] strowger_model::settings::Invalid),
    /// The change does not fit the present state.
    #[error("{what} is {state}: cannot {wish}")]
    State {
        /// The thing.
        what: &'static str,
        /// Its state.
        state: String,
        /// What was wished for.
        wish: &'static str,
    },
    /// The signalling of a call could not be packed or unpacked.
    #[error("the signalling of a call is damaged")]
    Signalling(#[source] std::io::Error),
    /// Sealing or opening failed.
    #[error("cannot seal or open stored data")]
    Crypto(#[from] CryptoError),
    /// A file under the data folder could not be read or written.
    #[error("cannot {doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bucket refused or could not be reached.
    #[error("cannot {doing} the bucket")]
    Bucket {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: BucketError,
    },
    /// The bucket gave back other bytes than it was given.
    #[error("the bucket gave back blob {blob} otherwise than it was sent; it stays on this disk")]
    Altered {
        /// Which.
        blob: String,
    },
    /// The address of the database is not one we know.
    #[error("`{0}` is no database address: write sqlite:///path/strowger.db or postgres://user@host/name")]
    Address(String),
    /// The queue could not be reached.
    #[error("the job queue did not answer as it should")]
    Queue(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No sound is captured now.
    #[error("the disk is full up to its reserve, or does not take what is written")]
    NoCapture,
    /// A thread or task of the store ended unexpectedly.
    #[error("the {0} has stopped")]
    Stopped(&'static str),
}

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        if let sqlx::Error::Database(inner) = &source {
            if inner.is_unique_violation() {
                return Self::Taken {
                    field: taken_field(inner.constraint(), inner.table(), inner.message()),
                };
            }
            if inner.is_foreign_key_violation() {
                return Self::Dangling;
            }
        }
        Self::Database(DatabaseError(source))
    }
}

impl Error {
    /// Whether a file is simply not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether the bucket has no such object.
    pub(crate) const fn is_no_object(&self) -> bool {
        matches!(self, Self::Bucket { source, .. } if source.is_not_found())
    }

    pub(crate) fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}

/// PostgreSQL names the constraint (`users_email_taken`), SQLite the columns
/// (`UNIQUE constraint failed: users.tenant_id, users.extension`).
fn taken_field(constraint: Option<&str>, table: Option<&str>, message: &str) -> String {
    if let Some(name) = constraint {
        let name = name.strip_suffix("_taken").unwrap_or(name);
        let prefix = format!("{}_", table.unwrap_or_default());
        return name.strip_prefix(&prefix).unwrap_or(name).to_owned();
    }
    message
        .rsplit(['.', ' '])
        .next()
        .map(|column| column.trim_end_matches(')').to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_name_the_same_field() {
        assert_eq!(
            taken_field(Some("users_extension_taken"), Some("users"), ""),
            "extension"
        );
        assert_eq!(
            taken_field(None, None, "UNIQUE constraint failed: users.tenant_id, users.extension"),
            "extension"
        );
        assert_eq!(
            taken_field(None, None, "UNIQUE constraint failed: users.email"),
            "email"
        );
    }
}
