//! What the pages of users and phones show.

use crate::show::{
    Act, Block, Body, Cell, Choice, Column, Fact, Field, Form, Note, Page, Problems, Row, Section, Shell, State, Table,
    Values, words,
};
use std::collections::HashMap;
use strowger_model::record::{Binding, Device, User};
use strowger_model::{Role, UserId};

/// A phone with where it can be reached.
#[derive(Debug, Clone)]
pub struct Phone {
    /// The phone.
    pub device: Device,
    /// Its owner's name.
    pub owner: String,
    /// Where it can be reached now.
    pub bindings: Vec<Binding>,
}

/// What a phone must be told; shown once.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The SIP user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The realm and domain.
    pub realm: String,
    /// The address of this machine.
    pub server: String,
}

/// The credentials as a block that is shown once.
#[must_use]
pub fn once(credentials: &Credentials) -> Vec<Body> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        Body::Note(Note {
            shape: "on",
            strong: "Write this into the phone now.".into(),
            text: "The password is shown this one time; only a fingerprint of it is kept.".into(),
            link: None,
        }),
        Body::Secret(vec![
            pair("User name", &credentials.username),
            pair("Password", &credentials.password),
            pair("Domain", &credentials.realm),
            pair("Server", &credentials.server),
        ]),
    ]
}

fn roles(may_make_admins: bool) -> Vec<Choice> {
    Role::ALL
        .iter()
        .filter(|role| !matches!(role, Role::PlatformAdmin) && (may_make_admins || !matches!(role, Role::TenantAdmin)))
        .map(|role| Choice::new(role.code(), words::role(*role)))
        .collect()
}

fn user_fields(password: &str) -> Vec<Field> {
    vec![
        Field::line("name", "Name").required(),
        Field::input("email", "E-mail address", "email", "off")
            .hint("They sign in with it.")
            .required(),
        Field::select("role", "Role", roles(true)),
        Field::line("extension", "Extension").hint("The short number colleagues dial, for example 204."),
        Field::input("password", "Password", "password", "new-password").hint(password),
    ]
}

/// The users of a tenant, and how many phone pages each has open.
#[derive(Debug, Clone, Copy)]
pub struct People<'a> {
    /// Everybody.
    pub users: &'a [User],
    /// Open phone pages; who has none is left out.
    pub pages: &'a HashMap<UserId, usize>,
    /// Whether the visitor has a phone to call them with.
    pub may_call: bool,
}

/// The users of a tenant.
#[must_use]
pub fn users(shell: &Shell, base: &str, people: &People<'_>, typed: (&Values, &Problems), may_change: bool) -> Page {
    let columns = vec![
        Column::name("Name"),
        Column::text("E-mail").class("full"),
        Column::figure("Extension", "Ext."),
        Column::text("Role"),
        Column::text("State"),
        Column::text("In the browser"),
    ];
    let rows = people.users.iter().map(|user| {
        Row::of(vec![
            Cell::link(format!("{base}/users/{}", user.id), user.name.clone()),
            Cell::text(user.email.clone()),
            match &user.extension {
                Some(extension) if people.may_call && user.active => {
                    Cell::link(format!("/call?contact={}", user.id), extension.clone())
                }
                Some(extension) => Cell::text(extension.clone()),
                None => Cell::text(""),
            },
            Cell::text(words::role(user.role)),
            Cell::State(if user.active {
                State::ok("Active")
            } else {
                State::idle("Off")
            }),
            match people.pages.get(&user.id) {
                Some(1) => Cell::State(State::ok("Phone open")),
                Some(windows) => Cell::State(State::ok(format!("Phone open in {windows} windows"))),
                None => Cell::text(""),
            },
        ])
    });
    let table = Table::new("Users", columns, rows.collect());
    let mut blocks = vec![Block::One(Section::table(
        "us",
        "Everybody",
        table,
        ("Nobody yet.", "Add the first user below."),
    ))];
    if may_change {
        let fields = user_fields("At least 10 characters. Leave it empty for somebody who only has a phone.");
        let form =
            Form::post(format!("{base}/users"), "Add a user", &shell.csrf, fields, "Add user").filled(typed.0, typed.1);
        blocks.push(Block::One(Section::new("ad", "Add a user", vec![Body::Form(form)])));
    }
    Page::new(shell, "Users", blocks)
}

/// One user with their phones.
#[must_use]
pub fn user(shell: &Shell, base: &str, user: &User, phones: &[Phone], typed: (&Values, &Problems)) -> Page {
    let here = format!("{base}/users/{}", user.id);
    let mut fields = user_fields("Leave it empty to keep the present one.");
    fields.push(Field::tick("active", "May sign in and be called"));
    let form = Form::post(here.clone(), "Edit the user", &shell.csrf, fields, "Save").filled(typed.0, typed.1);
    let edit = Section::new("ed", "Details", vec![Body::Form(form)]);
    let table = phone_table(shell, base, phones, false);
    let list = Section::table(
        "ph",
        "Phones",
        table,
        ("No phone yet.", "Add one: it gets a user name and a password."),
    );
    let mut name = Field::line("name", "Name of the phone").required();
    name.value = format!("{}’s phone", user.name.split(' ').next().unwrap_or("New"));
    let fields = vec![Field::hidden("user", user.id.to_string()), name];
    let add = Form::post(
        format!("{base}/devices"),
        "Add a phone",
        &shell.csrf,
        fields,
        "Add phone",
    );
    let settings = crate::show::Link::new(format!("{base}/settings?user={}", user.id), "Their settings");
    let remove = Act::new(format!("{here}/remove"), "Remove this user", &user.name, &shell.csrf).danger();
    let last = Section::new(
        "rm",
        "Remove",
        vec![
            Body::Text("Their phones stop working at once. Calls they took part in stay.".into()),
            Body::Buttons(vec![crate::show::Button::Post(remove)]),
        ],
    );
    Page::new(
        shell,
        user.name.clone(),
        vec![
            Block::One(edit),
            Block::One(list.and(Body::Form(add))),
            Block::One(last),
        ],
    )
    .crumb(format!("{base}/users"), "Users")
    .button(crate::show::Button::Go(settings, false))
}

fn phone_table(shell: &Shell, base: &str, phones: &[Phone], owner: bool) -> Table {
    let mut columns = vec![Column::name("Phone")];
    if owner {
        columns.push(Column::text("Of"));
    }
    columns.extend([
        Column::text("User name").class("w"),
        Column::text("State"),
        Column::text("Reached at").class("no"),
        Column::text("Kind").class("no"),
    ]);
    let rows = phones.iter().map(|phone| {
        let device = &phone.device;
        let mut cells = vec![Cell::link(format!("{base}/devices/{}", device.id), device.name.clone())];
        if owner {
            cells.push(Cell::text(phone.owner.clone()));
        }
        let last = phone.bindings.first();
        cells.extend([
            Cell::text(device.username.clone()),
            Cell::State(match last {
                _ if !device.active => State::idle("Off"),
                Some(binding) => State::ok(format!("Online until {}", shell.clock.stamp(binding.expires_at))),
                None => State::idle("Not registered"),
            }),
            Cell::text(last.map(|binding| binding.source.clone()).unwrap_or_default()),
            Cell::text(last.and_then(|binding| binding.user_agent.clone()).unwrap_or_default()),
        ]);
        Row::of(cells)
    });
    Table::new("Phones", columns, rows.collect())
}

/// All phones of a tenant.
#[must_use]
pub fn phones(
    shell: &Shell,
    base: &str,
    phones: &[Phone],
    users: &[(String, String)],
    made: Option<&Credentials>,
) -> Page {
    let mut blocks = Vec::new();
    if let Some(credentials) = made {
        blocks.push(Block::One(Section::new("on", "The new phone", once(credentials))));
    }
    let table = phone_table(shell, base, phones, true);
    let empty = (
        "No phones yet.",
        "A phone belongs to a user; it gets a user name and a password of its own.",
    );
    blocks.push(Block::One(Section::table("ph", "All phones", table, empty)));
    if !users.is_empty() {
        let choices = users.iter().map(|(id, name)| Choice::new(id, name)).collect();
        let fields = vec![
            Field::select("user", "Whose phone", choices),
            Field::line("name", "Name of the phone")
                .hint("For example: desk, mobile.")
                .required(),
            algorithm(),
        ];
        let form = Form::post(
            format!("{base}/devices"),
            "Add a phone",
            &shell.csrf,
            fields,
            "Add phone",
        );
        blocks.push(Block::One(Section::new("ad", "Add a phone", vec![Body::Form(form)])));
    }
    Page::new(shell, "Phones", blocks)
}

fn algorithm() -> Field {
    let choices = vec![
        Choice::new("MD5", "MD5, every phone"),
        Choice::new("SHA-256", "SHA-256, newer phones"),
    ];
    Field::select("algorithm", "How it proves its password", choices)
}

/// One phone.
#[must_use]
pub fn phone(shell: &Shell, base: &str, phone: &Phone, realm: &str, made: Option<&Credentials>) -> Page {
    let device = &phone.device;
    let here = format!("{base}/devices/{}", device.id);
    let mut body = made.map(once).unwrap_or_default();
    body.push(Body::Facts(vec![
        Fact {
            name: "Belongs to".into(),
            value: phone.owner.clone(),
            href: format!("{base}/users/{}", device.user),
        },
        Fact::new("User name", device.username.clone()),
        Fact::new("Domain", realm),
        Fact::new("Proof", device.algorithm.code()),
        Fact::new("Made", shell.clock.stamp(device.created_at)),
    ]));
    let columns = vec![
        Column::name("Reached at"),
        Column::text("By"),
        Column::text("Until"),
        Column::text("Kind").class("full"),
    ];
    let rows = phone.bindings.iter().map(|binding| {
        Row::of(vec![
            Cell::text(binding.source.clone()),
            Cell::text(binding.transport.code().to_uppercase()),
            Cell::text(shell.clock.stamp(binding.expires_at)),
            Cell::text(binding.user_agent.clone().unwrap_or_default()),
        ])
    });
    let table = Table::new("Where it can be reached", columns, rows.collect());
    let empty = (
        "It is not registered.",
        "Compare user name, domain and password; a wrong password is counted on the health page.",
    );
    let online = Section::table("bi", "Where it can be reached", table, empty);
    let mut name = Field::line("name", "Name").required();
    name.value.clone_from(&device.name);
    let mut active = Field::tick("active", "May register and call");
    active.value = device.active.to_string();
    let form = Form::post(here.clone(), "Edit the phone", &shell.csrf, vec![name, active], "Save");
    let renew = Act::new(format!("{here}/password"), "New password", &device.name, &shell.csrf);
    let remove = Act::new(format!("{here}/remove"), "Remove this phone", &device.name, &shell.csrf).danger();
    let buttons = Body::Buttons(vec![
        crate::show::Button::Post(renew),
        crate::show::Button::Post(remove),
    ]);
    let edit = Section::new("ed", "Change", vec![Body::Form(form), buttons]);
    Page::new(
        shell,
        device.name.clone(),
        vec![Block::One(Section::plain(body)), Block::Two(online, edit)],
    )
    .crumb(format!("{base}/devices"), "Phones")
}
