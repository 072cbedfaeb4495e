//! Lists that are read page by page, by key: the place after the last row, never a row count.

use crate::Result;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The `next` of the page before; `None` for the first page.
    pub after: Option<String>,
    /// The most items.
    pub limit: i64,
}

impl Page {
    /// The first `limit` items.
    #[must_use]
    pub const fn first(limit: i64) -> Self {
        Self { after: None, limit }
    }

    /// The limit within reason, and one more to see whether a further page exists.
    pub(crate) fn fetch(&self) -> i64 {
        self.size() + 1
    }

    pub(crate) fn size(&self) -> i64 {
        self.limit.clamp(1, 1000)
    }

    /// The key to start after; empty sorts before every id.
    pub(crate) fn after_id(&self) -> &str {
        self.after.as_deref().unwrap_or("")
    }

    /// The key to continue before in lists with the newest first; `~` sorts after every id.
    pub(crate) fn before_id(&self) -> &str {
        self.after.as_deref().unwrap_or("~")
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(50)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What to pass as [`Page::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Cuts what was fetched with [`Page::fetch`] to the page's size.
pub(crate) fn cut_by<T>(mut items: Vec<T>, page: &Page, key: impl Fn(&T) -> String) -> Paged<T> {
    let size = usize::try_from(page.size()).unwrap_or(1);
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(key);
    Paged { items, next }
}

/// Reads rows and cuts them to the page's size.
pub(crate) fn cut<T>(
    rows: &[super::Row],
    page: &Page,
    read: impl Fn(&super::Row) -> Result<T>,
    key: impl Fn(&T) -> String,
) -> Result<Paged<T>> {
    let items = rows.iter().map(read).collect::<Result<Vec<T>>>()?;
    Ok(cut_by(items, page, key))
}

/// Text for a `like` pattern with `escape '\\'`, meaning itself.
pub(crate) fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
