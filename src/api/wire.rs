//! How rows look outside: the words every response shares.

use serde::Serialize;
use strowger_store::{Page, Paged};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// A time as written in JSON: RFC 3339, UTC.
#[must_use]
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The items, newest first unless said otherwise.
    pub items: Vec<T>,
    /// Pass as `cursor` for the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Writes a part of a list.
    pub(crate) fn of<R>(paged: Paged<R>, write: impl Fn(R) -> T) -> Self {
        Self {
            items: paged.items.into_iter().map(write).collect(),
            next_cursor: paged.next,
        }
    }
}

/// The most items of one answer.
pub(crate) const MOST_ITEMS: u32 = 200;

/// The part of a list that was asked for.
#[must_use]
pub(crate) fn page(cursor: Option<String>, limit: Option<u32>) -> Page {
    Page {
        after: cursor,
        limit: i64::from(limit.unwrap_or(50).clamp(1, MOST_ITEMS)),
    }
}

/// A duration in whole seconds, rounded.
#[must_use]
pub(crate) const fn seconds(duration_ms: i64) -> i64 {
    (duration_ms + 500) / 1000
}
