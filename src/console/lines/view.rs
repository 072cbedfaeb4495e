//! What the pages of numbers and trunks show.

use crate::draw::pulse;
use crate::show::{
    Act, Block, Body, Button, Cell, Choice, Column, Field, Form, Page, Problems, Row, Section, Shell, State, Table,
    Values, words,
};
use strowger_model::record::{Notice, Number, Trunk};
use strowger_model::trunk::{NumberTarget, Transport, TrunkKind};
use strowger_store::PooledNumber;

/// What a number may lead to: code and words, by kind.
#[derive(Debug, Clone, Default)]
pub struct Targets(pub Vec<(String, String)>);

impl Targets {
    fn words(&self, target: Option<&NumberTarget>) -> String {
        let Some(target) = target else {
            return String::new();
        };
        let code = target_code(target);
        let found = self.0.iter().find(|(known, _)| *known == code);
        found.map_or_else(|| "something that is gone".to_owned(), |(_, words)| words.clone())
    }

    fn choices(&self) -> Vec<Choice> {
        let mut out = vec![Choice::new("", "Nobody: callers are refused")];
        out.extend(self.0.iter().map(|(code, words)| Choice::new(code, words)));
        out
    }
}

/// A target as a form sends it: `flow:ID`.
#[must_use]
pub fn target_code(target: &NumberTarget) -> String {
    match target {
        NumberTarget::Flow(id) => format!("flow:{id}"),
        NumberTarget::User(id) => format!("user:{id}"),
        NumberTarget::Room(id) => format!("room:{id}"),
        NumberTarget::Voicemail(id) => format!("voicemail:{id}"),
        NumberTarget::Conference => "conference:".to_owned(),
        NumberTarget::Trunk => "trunk:".to_owned(),
    }
}

fn number_fields(targets: &Targets) -> Vec<Field> {
    vec![
        Field::line("number", "Number")
            .hint("As callers dial it, for example +44 20 7946 0018.")
            .required(),
        Field::line("friendly_name", "Name"),
        Field::select("target", "Callers reach", targets.choices()),
        Field::select(
            "record",
            "Record calls",
            vec![
                Choice::new("", "As the settings say"),
                Choice::new("true", "Always"),
                Choice::new("false", "Never"),
            ],
        ),
    ]
}

/// The numbers of a tenant, and those it may claim.
#[must_use]
pub fn numbers(
    shell: &Shell,
    base: &str,
    (numbers, claimable): (&[Number], &[String]),
    targets: &Targets,
    typed: (&Values, &Problems),
    may_change: bool,
) -> Page {
    let columns = vec![
        Column::name("Number").class("w"),
        Column::text("Name"),
        Column::text("Callers reach").class("full"),
        Column::text("Recorded").class("no"),
        Column::text("State"),
    ];
    let rows = numbers.iter().map(|number| {
        Row::of(vec![
            if may_change {
                Cell::link(format!("{base}/numbers/{}", number.id), number.number.clone())
            } else {
                Cell::text(number.number.clone())
            },
            Cell::text(number.friendly_name.clone()),
            Cell::text(targets.words(number.target.as_ref())),
            Cell::text(match number.record {
                None => "By settings",
                Some(true) => "Always",
                Some(false) => "Never",
            }),
            Cell::State(match (&number.target, number.active) {
                (_, false) => State::idle("Off"),
                (None, true) => State::warn("Leads nowhere"),
                (Some(_), true) => State::ok("Taken"),
            }),
        ])
    });
    let table = Table::new("Numbers", columns, rows.collect());
    let empty = (
        "No numbers yet.",
        "Add the number callers dial, and say what they reach.",
    );
    let mut blocks = vec![Block::One(Section::table("nu", "All numbers", table, empty))];
    if may_change {
        let form = Form::post(
            format!("{base}/numbers"),
            "Add a number",
            &shell.csrf,
            number_fields(targets),
            "Add number",
        );
        blocks.push(Block::One(Section::new(
            "ad",
            "Add a number",
            vec![Body::Form(form.filled(typed.0, typed.1))],
        )));
        if !claimable.is_empty() {
            blocks.push(Block::One(free(shell, base, claimable)));
        }
    }
    Page::new(shell, "Numbers", blocks)
}

/// Numbers of the pool, to be taken as they are.
fn free(shell: &Shell, base: &str, claimable: &[String]) -> Section {
    let rows = claimable.iter().map(|number| {
        let take = Act::new(format!("{base}/numbers"), "Take", number, &shell.csrf).with("number", number.clone());
        Row::of(vec![Cell::text(number.clone()), Cell::Acts(vec![take])])
    });
    let columns = vec![Column::name("Number").class("full"), Column::acts()];
    Section::table(
        "fr",
        "Free in the pool",
        Table::new("Free numbers", columns, rows.collect()),
        ("", ""),
    )
}

/// The numbers that tenants may claim.
#[must_use]
pub fn pool(shell: &Shell, numbers: &[PooledNumber], typed: (&Values, &Problems), next: Option<&str>) -> Page {
    const HERE: &str = "/platform/numbers";
    let columns = vec![
        Column::name("Number").class("full"),
        Column::text("State"),
        Column::acts(),
    ];
    let rows = numbers.iter().map(|pooled| {
        let remove = Act::new(format!("{HERE}/remove"), "Take out", &pooled.number, &shell.csrf);
        Row::of(vec![
            Cell::text(pooled.number.clone()),
            Cell::State(if pooled.free_from <= shell.clock.now {
                State::ok("Free")
            } else {
                State::idle(format!("Kept back until {}", shell.clock.date(pooled.free_from)))
            }),
            Cell::Acts(vec![remove.with("number", pooled.number.clone())]),
        ])
    });
    let empty = (
        "Nothing in the pool.",
        "Numbers a tenant gives up come here, and those you add below.",
    );
    let mut list = Section::table(
        "po",
        "Numbers nobody uses",
        Table::new("Pool", columns, rows.collect()),
        empty,
    );
    if let Some(key) = next {
        let further = format!("{HERE}?after={}", crate::query::encoded(key));
        list = list.and(Body::Pager(Some(HERE.to_owned()), String::new(), Some(further)));
    }
    let numbers = Field::area("numbers", "Numbers", 6)
        .hint(
            "One a line: a number, a range such as +493010000..+493010099, or the rows of a provider’s table with the \
             number in the first column. Those in use or here already are left alone.",
        )
        .required();
    let form = Form::post(HERE, "Add numbers", &shell.csrf, vec![numbers], "Add to the pool").filled(typed.0, typed.1);
    let add = Section::new("ad", "Add numbers", vec![Body::Form(form)]);
    Page::new(shell, "Number pool", vec![Block::One(list), Block::One(add)])
        .intro("Administrators of tenants claim numbers from here; one that was given up is kept back for 30 days.")
}

/// One number.
#[must_use]
pub fn number(shell: &Shell, base: &str, number: &Number, targets: &Targets, typed: (&Values, &Problems)) -> Page {
    let here = format!("{base}/numbers/{}", number.id);
    let mut fields = number_fields(targets);
    fields.retain(|field| field.name != "number");
    fields.push(Field::tick("active", "Calls are taken"));
    let form = Form::post(here.clone(), "Edit the number", &shell.csrf, fields, "Save").filled(typed.0, typed.1);
    let remove = Act::new(
        format!("{here}/remove"),
        "Remove this number",
        &number.number,
        &shell.csrf,
    )
    .danger();
    let blocks = vec![
        Block::One(Section::new("ed", "Details", vec![Body::Form(form)])),
        Block::One(Section::new(
            "rm",
            "Remove",
            vec![
                Body::Text("Callers hear that nobody has this number.".into()),
                Body::Buttons(vec![Button::Post(remove)]),
            ],
        )),
    ];
    Page::new(shell, number.number.clone(), blocks).crumb(format!("{base}/numbers"), "Numbers")
}

/// A trunk with where it stands.
#[derive(Debug, Clone)]
pub struct Line {
    /// The trunk.
    pub trunk: Trunk,
    /// Whether it works.
    pub state: State,
}

fn trunk_fields() -> Vec<Field> {
    let kinds = vec![
        Choice::new(TrunkKind::Address.code(), "By address: the provider knows our address"),
        Choice::new(
            TrunkKind::Registration.code(),
            "By registration: we sign in at the provider",
        ),
    ];
    let transports = Transport::ALL
        .iter()
        .map(|transport| Choice::new(transport.code(), transport.code().to_uppercase()));
    vec![
        Field::line("name", "Name").required(),
        Field::select("kind", "How it knows us", kinds),
        Field::line("host", "Provider’s host")
            .hint("A name or address, for example sip.provider.example.")
            .required(),
        Field::input("port", "Port", "number", "off").hint("Empty: 5060, or 5061 for TLS."),
        Field::select("transport", "Transport", transports.collect()),
        Field::line("username", "User name").hint("As the provider knows us."),
        Field::input("password", "Password", "password", "new-password")
            .hint("Sealed; leave empty to keep the present one."),
        Field::line("addresses", "Further addresses")
            .hint("Where its calls also come from, separated by commas: 192.0.2.0/24."),
        Field::line("prefix", "Outbound prefix")
            .hint("Dialled numbers that begin with it go out here; empty takes all."),
        Field::input("max_calls", "Most calls at once", "number", "off"),
    ]
}

/// What was told lately.
#[must_use]
pub fn lately(shell: &Shell, notices: &[Notice]) -> Section {
    let lines = notices.iter().map(|notice| {
        let (at, what) = (shell.clock.stamp(notice.created_at), words::notice(notice.kind));
        format!("{at}: {what}. {}", notice.detail)
    });
    Section::new("tn", "Lately", vec![Body::List(lines.collect())])
}

/// The trunks of a tenant.
#[must_use]
pub fn trunks(
    shell: &Shell,
    base: &str,
    (lines, turns): (&[Line], &[Notice]),
    typed: (&Values, &Problems),
    may_change: bool,
) -> Page {
    let columns = vec![
        Column::name("Trunk"),
        Column::text("State"),
        Column::text("Provider").class("full"),
        Column::text("Kind").class("no"),
        Column::text("Prefix").class("no"),
        Column::figure("Most calls", "At most"),
    ];
    let rows = lines.iter().map(|line| {
        let trunk = &line.trunk;
        Row::of(vec![
            if may_change {
                Cell::link(format!("{base}/trunks/{}", trunk.id), trunk.name.clone())
            } else {
                Cell::text(trunk.name.clone())
            },
            Cell::State(line.state.clone()),
            Cell::text(format!("{}:{} {}", trunk.host, trunk.port, trunk.transport.code())),
            Cell::text(match trunk.kind {
                TrunkKind::Address => "By address",
                TrunkKind::Registration => "By registration",
            }),
            Cell::text(trunk.prefix.clone()),
            Cell::text(words::grouped(trunk.max_calls)),
        ])
    });
    let table = Table::new("Trunks", columns, rows.collect());
    let empty = (
        "No trunk yet.",
        "A trunk joins you to a telephone provider. Without one, phones reach each other only.",
    );
    let mut blocks = vec![Block::One(Section::table("tk", "All trunks", table, empty))];
    if !turns.is_empty() {
        blocks.push(Block::One(lately(shell, turns)));
    }
    if may_change {
        let values = typed.0.clone();
        let values = if values.get("max_calls").is_empty() {
            values.with("max_calls", "30")
        } else {
            values
        };
        let form = Form::post(
            format!("{base}/trunks"),
            "Add a trunk",
            &shell.csrf,
            trunk_fields(),
            "Add trunk",
        );
        blocks.push(Block::One(Section::new(
            "ad",
            "Add a trunk",
            vec![Body::Form(form.filled(&values, typed.1))],
        )));
    }
    Page::new(shell, "Trunks", blocks)
}

/// One trunk.
#[must_use]
pub fn trunk(shell: &Shell, base: &str, line: &Line, typed: (&Values, &Problems), history: &[pulse::Minute]) -> Page {
    let here = format!("{base}/trunks/{}", line.trunk.id);
    let mut fields = trunk_fields();
    fields.push(Field::tick("active", "It is used"));
    let form = Form::post(here.clone(), "Edit the trunk", &shell.csrf, fields, "Save").filled(typed.0, typed.1);
    let remove = Act::new(
        format!("{here}/remove"),
        "Remove this trunk",
        &line.trunk.name,
        &shell.csrf,
    )
    .danger();
    let drawn = if history.is_empty() {
        Body::Empty(
            "Nothing yet.".into(),
            "A provider that is used is asked every ten seconds whether it is there.".into(),
        )
    } else {
        Body::Drawing(pulse::day(history))
    };
    let blocks = vec![
        Block::One(Section::new("hi", "The last 24 hours", vec![drawn])),
        Block::One(Section::new("ed", "Details", vec![Body::Form(form)])),
        Block::One(Section::new(
            "rm",
            "Remove",
            vec![
                Body::Text("Calls through it end in order; new ones take another trunk or fail.".into()),
                Body::Buttons(vec![Button::Post(remove)]),
            ],
        )),
    ];
    Page::new(shell, line.trunk.name.clone(), blocks)
        .crumb(format!("{base}/trunks"), "Trunks")
        .intro(format!("State: {}.", line.state.word))
}
