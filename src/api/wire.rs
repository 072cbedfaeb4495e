//! How rows look outside: the words every response shares.

use crate::problem::Problem;
use serde::Serialize;
use strowger_store::{Page, Paged};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

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

/// How many items were asked for; 50 when nothing was said.
///
/// # Errors
/// None, or more than one answer holds.
pub(crate) fn items(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(50) {
        limit @ 1..=MOST_ITEMS => Ok(limit),
        _ => Err(Problem::field("limit", format!("a number from 1 to {MOST_ITEMS}"))),
    }
}

/// What the cursor of a list looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cursor {
    /// The id of the last item.
    Id,
    /// The name or number of the last item.
    Name,
    /// The last item's time in milliseconds, or its place in an index.
    Whole,
    /// Its time and its id, as the call log has them.
    TimeAndId,
    /// Its time, its call and its position in that, as consents have them.
    TimeIdAndPosition,
}

impl Cursor {
    fn holds(self, cursor: &str) -> bool {
        let whole = |text: &str| text.parse::<i64>().is_ok();
        let id = |text: &str| Uuid::parse_str(text).is_ok();
        match self {
            Self::Id => id(cursor),
            Self::Name => cursor.len() <= 1000,
            Self::Whole => whole(cursor),
            Self::TimeAndId => cursor.split_once('.').is_some_and(|(at, call)| whole(at) && id(call)),
            Self::TimeIdAndPosition => {
                let parts: Vec<&str> = cursor.split('_').collect();
                matches!(parts[..], [at, call, position] if whole(at) && id(call) && whole(position))
            }
        }
    }
}

/// The part of a list that was asked for.
///
/// # Errors
/// The limit is out of range, or the cursor is none that this list gives out.
pub(crate) fn page(cursor: Option<String>, limit: Option<u32>, form: Cursor) -> Result<Page, Problem> {
    if cursor.as_deref().is_some_and(|cursor| !form.holds(cursor)) {
        return Err(Problem::field("cursor", "the `next_cursor` of the answer before"));
    }
    Ok(Page {
        after: cursor,
        limit: i64::from(items(limit)?),
    })
}

/// A duration in whole seconds, rounded.
#[must_use]
pub(crate) const fn seconds(duration_ms: i64) -> i64 {
    (duration_ms + 500) / 1000
}
