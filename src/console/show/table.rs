//! Tables that fold into short stacked rows on a phone.

use super::State;
use askama::Template;

/// A column's head and how its cells sit.
#[derive(Debug, Clone)]
pub struct Column {
    /// The head; empty heads are read out as "Actions".
    pub head: String,
    /// Classes of head and cells: `n` figures, `w` no wrapping, `no` dropped and `full` on its own line on a phone.
    pub class: &'static str,
    /// The label of the cell in a folded row.
    pub label: &'static str,
    /// Whether it names the row.
    pub name: bool,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub fn text(head: &str) -> Self {
        Self {
            head: head.to_owned(),
            class: "",
            label: "",
            name: false,
        }
    }

    /// The column that names the row.
    #[must_use]
    pub fn name(head: &str) -> Self {
        Self {
            name: true,
            ..Self::text(head)
        }
    }

    /// A column of end-aligned figures, labelled in folded rows.
    #[must_use]
    pub fn figure(head: &str, label: &'static str) -> Self {
        Self {
            class: "n",
            label,
            ..Self::text(head)
        }
    }

    /// A column of buttons.
    #[must_use]
    pub fn acts() -> Self {
        Self {
            class: "w acts",
            ..Self::text("")
        }
    }

    /// The same column with other classes.
    #[must_use]
    pub fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }
}

/// A button in a row: a form of its own that posts.
#[derive(Debug, Clone)]
pub struct Act {
    /// Where it posts to.
    pub path: String,
    /// The word on it.
    pub word: String,
    /// What it is about, for those who hear the page.
    pub about: String,
    /// Hidden fields besides the CSRF token.
    pub fields: Vec<(&'static str, String)>,
    /// Whether it destroys something.
    pub danger: bool,
    /// The CSRF token.
    pub csrf: String,
}

impl Act {
    /// A button without further fields.
    #[must_use]
    pub fn new(path: impl Into<String>, word: &str, about: &str, csrf: &str) -> Self {
        Self {
            path: path.into(),
            word: word.to_owned(),
            about: about.to_owned(),
            fields: Vec::new(),
            danger: false,
            csrf: csrf.to_owned(),
        }
    }

    /// The same button in red.
    #[must_use]
    pub fn danger(self) -> Self {
        Self { danger: true, ..self }
    }

    /// The same button with a hidden field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// What a cell shows.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Text; empty text is shown as an en dash.
    Text(String),
    /// Text with a quieter second part.
    Pair(String, String),
    /// A link.
    Link {
        /// Where to.
        href: String,
        /// The words.
        text: String,
        /// What is read out after the words.
        about: String,
    },
    /// A link with a quieter second part.
    LinkPair(String, String, String),
    /// A state.
    State(State),
    /// A state with a quieter second part.
    StatePair(State, String),
    /// A player: address and label.
    Audio(String, String),
    /// Buttons.
    Acts(Vec<Act>),
    /// Nothing at all, not even a dash.
    Blank,
}

impl Cell {
    /// A text cell.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A link cell.
    #[must_use]
    pub fn link(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Link {
            href: href.into(),
            text: text.into(),
            about: String::new(),
        }
    }
}

/// A row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its fragment id, if it is linked to.
    pub id: String,
    /// One cell a column.
    pub cells: Vec<Cell>,
}

impl Row {
    /// A row without an id.
    #[must_use]
    pub fn of(cells: Vec<Cell>) -> Self {
        Self {
            id: String::new(),
            cells,
        }
    }
}

/// A table.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/table.html")]
pub struct Table {
    /// What it lists, read out.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Whether it folds on a phone.
    pub fold: bool,
}

super::html!(Table);

impl Table {
    /// A table that folds on a phone.
    #[must_use]
    pub fn new(caption: &str, columns: Vec<Column>, rows: Vec<Row>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns,
            rows,
            fold: true,
        }
    }
}
