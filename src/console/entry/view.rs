//! The pages before the door: sign-in, first set-up, and what is said when something does not work.

use crate::people::view::Credentials;
use crate::show::{Body, Field, Form, Problems, Section, Values, page::Bodies};
use askama::Template;
use askama_web::WebTemplate;

/// A page without the menu.
#[derive(Debug, Clone, Template, WebTemplate)]
#[template(path = "entry/gate.html")]
pub struct Gate {
    /// Its heading.
    pub title: String,
    /// A sentence below it.
    pub intro: String,
    /// Whether it takes the wider form.
    pub wide: bool,
    /// Steps with their state: name, `done`, `here` or `later`.
    pub steps: Vec<(&'static str, &'static str)>,
    /// Something to be seen from afar: a number to dial.
    pub big: String,
    /// What it holds.
    pub body: Vec<Body>,
    /// Its sections.
    pub sections: Vec<Section>,
}

impl Gate {
    fn new(title: &str, intro: &str, body: Vec<Body>) -> Self {
        Self {
            title: title.to_owned(),
            intro: intro.to_owned(),
            wide: false,
            steps: Vec::new(),
            big: String::new(),
            body,
            sections: Vec::new(),
        }
    }

    fn shown(&self) -> Bodies<'_> {
        Bodies { body: &self.body }
    }
}

/// The sign-in page. Its form comes before any session, so it proves its origin and carries no token.
#[must_use]
pub fn sign_in(next: &str, typed: (&Values, &Problems)) -> Gate {
    let fields = vec![
        Field::hidden("next", next),
        Field::input("email", "E-mail address", "email", "username").required(),
        Field::input("password", "Password", "password", "current-password").required(),
    ];
    let form = Form::post("/login", "Sign in", "", fields, "Sign in")
        .stacked()
        .filled(typed.0, typed.1);
    Gate::new("Sign in", "", vec![Body::Form(form)])
}

/// The first step of the set-up: the code from the log, the administrator, the first tenant and user.
#[must_use]
pub fn first_run(typed: (&Values, &Problems)) -> Gate {
    let fields = vec![
        Field::line("code", "One-time code")
            .hint("The daemon wrote it to its log at start: journalctl -u strowger, or the terminal.")
            .required(),
        Field::line("name", "Your name").required(),
        Field::input("email", "Your e-mail address", "email", "username").required(),
        Field::input("password", "A password", "password", "new-password")
            .hint("At least 10 characters.")
            .required(),
        Field::line("tenant", "Name of the organisation")
            .hint("Everything belongs to a tenant; more can follow.")
            .required(),
        Field::line("realm", "Domain of its phones")
            .hint("Frozen afterwards, for example pbx.acme.example.")
            .required(),
        Field::line("person", "The first person with a phone").required(),
        Field::line("extension", "Their extension")
            .hint("The short number others dial.")
            .required(),
    ];
    let form = Form::post("/setup", "Set up", "", fields, "Set up")
        .stacked()
        .filled(typed.0, typed.1);
    let mut gate = Gate::new(
        "Set up this machine",
        "Nobody has signed in here yet. Four things, then you can call.",
        vec![Body::Form(form)],
    );
    gate.wide = true;
    gate.steps = vec![
        ("The machine and its people", "here"),
        ("Connect a phone", "later"),
        ("Make a test call", "later"),
    ];
    gate
}

/// The second step: what to write into the phone and what to dial.
#[must_use]
pub fn connect(credentials: &Credentials, dial: &str, home: &str) -> Gate {
    let mut gate = Gate::new(
        "Connect a phone, then dial",
        "Write these four lines into a desk phone or a phone program.",
        crate::people::view::once(credentials),
    );
    gate.wide = true;
    gate.steps = vec![
        ("The machine and its people", "done"),
        ("Connect a phone", "here"),
        ("Make a test call", "later"),
    ];
    dial.clone_into(&mut gate.big);
    let go = crate::show::Button::Go(crate::show::Link::new(home, "Continue to the dashboard"), true);
    let phones = crate::show::Button::Go(
        crate::show::Link::new(format!("{home}devices"), "See whether it registered"),
        false,
    );
    gate.sections = vec![
        Section::new("go", "When the phone says it is registered", vec![Body::Buttons(vec![go, phones])]),
        Section::new("no", "If nothing happens", vec![Body::List(vec![
            "The phone says “not registered”: compare user name, password and domain, letter by letter.".into(),
            "You hear nothing, or only one side hears: a firewall drops UDP. Let the media ports of the configuration through.".into(),
            "The call ends at once: the phone offers no codec we take. Turn on G.711 on the phone.".into(),
        ])]),
    ];
    gate
}

/// Something that does not work, or does not exist.
#[must_use]
pub fn trouble(title: &str, text: &str) -> Gate {
    let home = crate::show::Button::Go(crate::show::Link::new("/", "To the first page"), true);
    Gate::new(title, text, vec![Body::Buttons(vec![home])])
}
