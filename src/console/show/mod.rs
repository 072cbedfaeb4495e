//! What pages are made of: words, states, tables, forms, sections.
//!
//! Everything here is a value that holds text ready to show; the templates under
//! `templates/parts/` turn it into HTML and decide nothing. It does not know the store, a request or
//! a permission. Start reading at [`page::Page`].

pub mod form;
pub mod page;
pub mod state;
pub mod table;
pub mod words;

pub use form::{Choice, Field, Form, Problems, Values};
pub use page::{Block, Body, Button, Fact, Figure, Link, Note, Page, Section, Shell};
pub use state::State;
pub use table::{Act, Cell, Column, Row, Table};
pub use words::Clock;

/// Implements `HtmlSafe` for a template, so that it is put into another without escaping twice.
macro_rules! html {
    ($($name:ty),* $(,)?) => { $(impl askama::filters::HtmlSafe for $name {})* };
}
pub(crate) use html;
