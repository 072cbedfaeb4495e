//! A state: a shape and a word, then a colour.

use askama::Template;

/// A shape with a word.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = "<span class=\"st {{ shape }}\">{{ word }}</span>", ext = "html")]
pub struct State {
    /// `ok` disc, `warn` triangle, `bad` diamond, `on` square, `idle` ring.
    pub shape: &'static str,
    /// The word.
    pub word: String,
}

super::html!(State);

impl State {
    /// A good state.
    #[must_use]
    pub fn ok(word: impl Into<String>) -> Self {
        Self::new("ok", word)
    }

    /// A state to watch.
    #[must_use]
    pub fn warn(word: impl Into<String>) -> Self {
        Self::new("warn", word)
    }

    /// A broken state.
    #[must_use]
    pub fn bad(word: impl Into<String>) -> Self {
        Self::new("bad", word)
    }

    /// Something that happens now.
    #[must_use]
    pub fn on(word: impl Into<String>) -> Self {
        Self::new("on", word)
    }

    /// Nothing to say: past, off, empty.
    #[must_use]
    pub fn idle(word: impl Into<String>) -> Self {
        Self::new("idle", word)
    }

    fn new(shape: &'static str, word: impl Into<String>) -> Self {
        Self {
            shape,
            word: word.into(),
        }
    }
}
