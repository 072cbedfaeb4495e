//! A page: the frame with the menu, and sections that hang from a rule.

use super::{Form, State, Table};
use askama::Template;
use askama_web::WebTemplate;

/// A link.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where to.
    pub href: String,
    /// The words.
    pub text: String,
}

impl Link {
    /// A link.
    #[must_use]
    pub fn new(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            href: href.into(),
            text: text.into(),
        }
    }
}

/// A group of the menu.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Whether it is open.
    pub open: bool,
    /// Its entries: link, whether it is the page shown, how many wait there (0 shows nothing).
    pub entries: Vec<(Link, bool, i64)>,
}

/// What surrounds every page of a signed-in person.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The menu.
    pub menu: Vec<Group>,
    /// Where the brand and the search lead: the tenant's first page, and its calls.
    pub home: String,
    /// The address of the search, empty when there is nothing to search here.
    pub search: String,
    /// The tenant's name, or "Platform".
    pub place: String,
    /// Version of the machine.
    pub version: String,
    /// Who is signed in.
    pub person: String,
    /// The CSRF token of this session.
    pub csrf: String,
    /// What the last form did, shown once.
    pub notice: String,
    /// The clock the page is read by.
    pub clock: super::Clock,
}

impl Shell {
    /// The time, for the bar.
    #[must_use]
    pub fn time(&self) -> String {
        self.clock.time(self.clock.now)
    }
}

/// A figure of the strip: name, value, state below it.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it means.
    pub state: State,
}

/// A fact: name and value, which may be a link.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it leads, if anywhere.
    pub href: String,
}

impl Fact {
    /// A fact.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            href: String::new(),
        }
    }
}

/// Something that asks for an action or tells what it did.
#[derive(Debug, Clone)]
pub struct Note {
    /// `bad`, `warn`, `ok` or `on`.
    pub shape: &'static str,
    /// The first sentence.
    pub strong: String,
    /// What it means and what to do.
    pub text: String,
    /// Where to go.
    pub link: Option<Link>,
}

/// A button at the head of a page.
#[derive(Debug, Clone)]
pub enum Button {
    /// A link that looks like a button; the main one is filled.
    Go(Link, bool),
    /// A form with one button.
    Post(super::Act),
}

/// What stands in a section.
#[derive(Debug, Clone)]
pub enum Body {
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A form.
    Form(Form),
    /// A form that opens on demand: its summary and the form.
    Folded(String, bool, Form),
    /// Nothing here: why, and the next step.
    Empty(String, String),
    /// Facts.
    Facts(Vec<Fact>),
    /// A note.
    Note(Note),
    /// A secret that is shown once: label and value each.
    Secret(Vec<(String, String)>),
    /// Lines that begin with a dash.
    List(Vec<String>),
    /// A drawing of ours, ready as SVG.
    Drawing(String),
    /// A player: what it plays, and its name for who cannot see it.
    Audio(String, String),
    /// A table below a drawing.
    Behind(String, Table),
    /// Words in the machine's type.
    Code(String),
    /// Pages of a list: newer, what is shown, older.
    Pager(Option<String>, String, Option<String>),
    /// Buttons.
    Buttons(Vec<Button>),
    /// Views of a list: link and whether it is the one shown.
    Tabs(String, Vec<(Link, bool)>),
    /// A part that `live.js` keeps fresh: the address of its events, and what it holds.
    Live(String, Vec<Body>),
}

/// A section that hangs from a rule.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/section.html")]
pub struct Section {
    /// Its id.
    pub id: String,
    /// Its heading; without one it is a plain block.
    pub title: String,
    /// What stands at the end of its head.
    pub aside: String,
    /// A link at the end of its head.
    pub link: Option<Link>,
    /// What it holds.
    pub body: Vec<Body>,
}

super::html!(Section, Bodies<'_>);

/// A run of bodies, for the parts that hold others.
#[derive(Template)]
#[template(path = "parts/bodies.html")]
pub struct Bodies<'a> {
    /// What to show.
    pub body: &'a [Body],
}

impl Section {
    /// A section.
    #[must_use]
    pub fn new(id: &str, title: &str, body: Vec<Body>) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            aside: String::new(),
            link: None,
            body,
        }
    }

    /// A block without a heading.
    #[must_use]
    pub fn plain(body: Vec<Body>) -> Self {
        Self::new("", "", body)
    }

    /// A section with a table, or why it is empty and the next step.
    #[must_use]
    pub fn table(id: &str, title: &str, table: Table, empty: (&str, &str)) -> Self {
        let body = if table.rows.is_empty() {
            Body::Empty(empty.0.to_owned(), empty.1.to_owned())
        } else {
            Body::Table(table)
        };
        Self::new(id, title, vec![body])
    }

    /// The same section with one more part.
    #[must_use]
    pub fn and(mut self, part: Body) -> Self {
        self.body.push(part);
        self
    }

    /// The same section with words at the end of its head.
    #[must_use]
    pub fn aside(self, aside: impl Into<String>) -> Self {
        Self {
            aside: aside.into(),
            ..self
        }
    }

    /// The same section with a link at the end of its head.
    #[must_use]
    pub fn link(self, href: impl Into<String>, text: &str) -> Self {
        Self {
            link: Some(Link::new(href, text)),
            ..self
        }
    }

    fn shown(&self) -> Bodies<'_> {
        Bodies { body: &self.body }
    }
}

/// How sections sit.
#[derive(Debug, Clone)]
pub enum Block {
    /// The whole width.
    One(Section),
    /// Two side by side.
    Two(Section, Section),
    /// A wider and a narrower one.
    Wide(Section, Section),
}

/// A page of sections.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "page.html")]
pub struct Page {
    /// What surrounds it.
    pub shell: Shell,
    /// The way here.
    pub crumbs: Vec<Link>,
    /// Its heading.
    pub title: String,
    /// One or two sentences below it.
    pub intro: String,
    /// Buttons beside the heading.
    pub buttons: Vec<Button>,
    /// Figures below the head.
    pub strip: Vec<Figure>,
    /// Its sections.
    pub blocks: Vec<Block>,
}

impl Page {
    /// A page.
    #[must_use]
    pub fn new(shell: &Shell, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self {
            shell: shell.clone(),
            crumbs: Vec::new(),
            title: title.into(),
            intro: String::new(),
            buttons: Vec::new(),
            strip: Vec::new(),
            blocks,
        }
    }

    /// The same page with an introduction.
    #[must_use]
    pub fn intro(self, intro: impl Into<String>) -> Self {
        Self {
            intro: intro.into(),
            ..self
        }
    }

    /// The same page with the way to it.
    #[must_use]
    pub fn crumb(mut self, href: impl Into<String>, text: &str) -> Self {
        self.crumbs.push(Link::new(href, text));
        self
    }

    /// The same page with a button.
    #[must_use]
    pub fn button(mut self, button: Button) -> Self {
        self.buttons.push(button);
        self
    }
}
