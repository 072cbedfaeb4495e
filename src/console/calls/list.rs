//! The list of calls and the live board: what they show.

use super::verdict;
use crate::show::{
    Act, Block, Body, Button, Cell, Choice, Clock, Column, Field, Form, Link, Page, Problems, Row, Section, Shell,
    State, Table, Values, words,
};
use strowger_model::record::Call;
use strowger_model::speech::Ending;
use strowger_model::{CallId, CallState, Direction, Role};
use time::OffsetDateTime;

/// A call with what lists show beside it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The call.
    pub call: Call,
    /// Who it reached.
    pub reached: String,
    /// How long the caller waited, milliseconds.
    pub waited_ms: Option<i64>,
    /// Where the mood went.
    pub trend: Option<[f64; 2]>,
    /// The lowest score.
    pub mos: Option<f64>,
    /// What was kept: recording, transcript, message.
    pub kept: Vec<&'static str>,
}

/// A page of the list.
#[derive(Debug, Clone)]
pub struct Found {
    /// The calls, newest first.
    pub calls: Vec<Listed>,
    /// The key of the next page.
    pub next: Option<String>,
    /// The filters as typed.
    pub values: Values,
    /// The filters as a query, without the key.
    pub query: String,
    /// Saved views of this person: id, name, query.
    pub views: Vec<(String, String, String)>,
    /// The users of the tenant to filter by: id and name.
    pub users: Vec<(String, String)>,
    /// The topics to filter by.
    pub topics: Vec<String>,
}

/// The views that everybody has: name and query.
pub const VIEWS: [(&str, &str); 4] = [
    ("All calls", ""),
    ("Missed", "state=missed"),
    ("Gave up", "state=cancelled"),
    ("Failed", "state=failed"),
];

/// A call in progress.
#[derive(Debug, Clone)]
pub struct Live {
    /// The call.
    pub call: CallId,
    /// When it began.
    pub since: OffsetDateTime,
    /// The caller's name or number.
    pub from: String,
    /// The caller's number when `from` is a name.
    pub from_number: String,
    /// Who has it, or what was dialled.
    pub with: String,
    /// Where it stands.
    pub state: CallState,
    /// By which number or flow.
    pub by: String,
    /// Whether it is recorded.
    pub kept: Kept,
}

/// Whether a call in progress is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is not.
    Not,
    /// What is said now is kept.
    Recorded,
    /// What is said is left out until resumed.
    Paused,
}

impl Kept {
    fn cell(self) -> Cell {
        match self {
            Self::Not => Cell::text(""),
            Self::Recorded => Cell::State(State::on("Recorded")),
            Self::Paused => Cell::State(State::warn("Paused")),
        }
    }

    /// What may be done about it: the word on the button and what the form says.
    const fn acts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Not => &[("Record", "record")],
            Self::Recorded => &[("Pause recording", "pause"), ("Stop recording", "stop")],
            Self::Paused => &[("Resume recording", "resume"), ("Stop recording", "stop")],
        }
    }
}

fn filters(action: &str, found: &Found) -> Form {
    let any = |word: &str| vec![Choice::new("", word)];
    let mut ways = any("Any");
    ways.extend(
        Direction::ALL
            .iter()
            .map(|way| Choice::new(way.code(), words::way(*way))),
    );
    let mut states = any("Any");
    states.extend(
        CallState::ALL
            .iter()
            .map(|state| Choice::new(state.code(), words::call_state(*state).word)),
    );
    let mut users = any("Anyone");
    users.extend(found.users.iter().map(|(id, name)| Choice::new(id, name)));
    let mut endings = any("Any");
    endings.extend(
        Ending::ALL
            .iter()
            .map(|ending| Choice::new(ending.code(), words::spoken(ending.code()))),
    );
    let mut topics = any("Anything");
    // What was said and is no list's name is filtered by from a call's page.
    let asked = found.values.get("about").to_owned();
    let others = Some(asked).filter(|name| !name.is_empty() && !found.topics.contains(name));
    topics.extend(
        found
            .topics
            .iter()
            .cloned()
            .chain(others)
            .map(|name| Choice::new(name.clone(), words::spoken(&name))),
    );
    let fields = vec![
        Field::input("q", "Words, name or number", "search", "off"),
        Field::input("from", "From", "date", "off"),
        Field::input("to", "To", "date", "off"),
        Field::select("way", "Way", ways),
        Field::select("state", "Outcome", states),
        Field::select("user", "Reached", users),
        Field::select("about", "About", topics),
        Field::select("seems", "Seems to have ended", endings),
    ];
    Form::get(action, "Filter calls", fields, "Filter").filled(&found.values, &crate::show::Problems::default())
}

fn tabs(here: &str, found: &Found) -> Body {
    let link = |query: &str| {
        if query.is_empty() {
            here.to_owned()
        } else {
            format!("{here}?{query}")
        }
    };
    let mut tabs: Vec<(Link, bool)> = VIEWS
        .iter()
        .map(|(name, query)| (Link::new(link(query), *name), found.query == *query))
        .collect();
    tabs.extend(
        found
            .views
            .iter()
            .map(|(_, name, query)| (Link::new(link(query), name.clone()), &found.query == query)),
    );
    Body::Tabs("Saved views".into(), tabs)
}

fn dash<T>(value: Option<T>, shown: impl Fn(T) -> String) -> Cell {
    Cell::Text(value.map(shown).unwrap_or_default())
}

/// Calls as a table.
#[must_use]
pub fn table(calls: &[Listed], base: &str, clock: &Clock) -> Table {
    let columns = vec![
        Column::text("Start").class("w"),
        Column::text("Way").class("no"),
        Column::name("Other party"),
        Column::text("Number").class("w quiet no"),
        Column::text("Reached").class("full"),
        Column::text("Outcome"),
        Column::figure("Wait", "Wait"),
        Column::figure("Talk", "Talk"),
        Column::text("Mood").class("w no"),
        Column::figure("MOS", "MOS").class("n no"),
        Column::text("Kept").class("no"),
    ];
    let rows = calls.iter().map(|listed| {
        let call = &listed.call;
        let (party, number) = verdict::other_party(call);
        let talked = call.answered_at.map(|_| call.duration_ms);
        Row::of(vec![
            Cell::link(format!("{base}/calls/{}", call.id), clock.stamp(call.started_at)),
            Cell::text(words::way(call.direction)),
            Cell::text(party),
            Cell::text(number),
            Cell::text(listed.reached.clone()),
            Cell::State(words::call_state(call.state)),
            dash(listed.waited_ms, words::clock),
            dash(talked, words::clock),
            dash(listed.trend, |trend| words::mood_way(trend).to_owned()),
            dash(listed.mos, |mos| format!("{mos:.1}")),
            Cell::text(listed.kept.join(", ")),
        ])
    });
    Table::new("Calls, newest first", columns, rows.collect())
}

/// The list page.
#[must_use]
pub fn page(shell: &Shell, base: &str, found: &Found) -> Page {
    let here = format!("{base}/calls");
    let clock = &shell.clock;
    let folded = found.query.is_empty();
    let mut head = vec![tabs(&here, found)];
    head.push(Body::Folded("Filter".into(), !folded, filters(&here, found)));
    let mut body = Vec::new();
    if found.calls.is_empty() {
        body.push(if folded {
            Body::Empty(
                "No calls yet.".into(),
                "Each call is listed here from its first ring. Register a phone and dial.".into(),
            )
        } else {
            Body::Empty("No call fits.".into(), "Take a filter away, or widen the days.".into())
        });
    } else {
        body.push(Body::Table(table(&found.calls, base, clock)));
    }
    let span = found.calls.first().zip(found.calls.last()).map(|(first, last)| {
        let (from, to) = (clock.stamp(last.call.started_at), clock.stamp(first.call.started_at));
        format!("{} shown, {from} to {to}. Times in {}", found.calls.len(), clock.zone())
    });
    let after = found.values.get("after");
    let query = |extra: Option<&str>| {
        let parts: Vec<&str> = [Some(found.query.as_str()), extra]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() {
            here.clone()
        } else {
            format!("{here}?{}", parts.join("&"))
        }
    };
    let newest = (!after.is_empty()).then(|| query(None));
    let older = found.next.as_ref().map(|key| query(Some(&format!("after={key}"))));
    if let Some(span) = span {
        body.push(Body::Pager(newest, span, older));
    }
    let mut blocks = vec![Block::One(Section::plain(head)), Block::One(Section::plain(body))];
    blocks.push(Block::Two(
        save_form(&here, found, &shell.csrf),
        views_section(&here, found, &shell.csrf),
    ));
    let export = if found.query.is_empty() {
        format!("{here}/export.csv")
    } else {
        format!("{here}/export.csv?{}", found.query)
    };
    Page::new(shell, "Calls", blocks)
        .button(Button::Go(Link::new(export, "Export CSV"), false))
        .button(Button::Go(Link::new(format!("{base}/live"), "Live calls"), false))
}

fn save_form(here: &str, found: &Found, csrf: &str) -> Section {
    if found.query.is_empty() {
        let text = "Filter the list first; then the filter can be saved here as a tab.";
        return Section::new("sv", "Save this view", vec![Body::Text(text.into())]);
    }
    let mut query = Field::hidden("query", found.query.clone());
    query.value.clone_from(&found.query);
    let fields = vec![query, Field::line("name", "Name of the tab").required()];
    let form = Form::post(format!("{here}/views"), "Save this view", csrf, fields, "Save view");
    Section::new("sv", "Save this view", vec![Body::Form(form)])
}

fn views_section(here: &str, found: &Found, csrf: &str) -> Section {
    if found.views.is_empty() {
        return Section::new(
            "vs",
            "Your views",
            vec![Body::Empty(
                "None yet.".into(),
                "Saved views are yours alone; they are tabs above the list.".into(),
            )],
        );
    }
    let columns = vec![Column::name("View"), Column::acts()];
    let rows = found.views.iter().map(|(id, name, query)| {
        let act = Act {
            path: format!("{here}/views/remove"),
            word: "Remove".into(),
            about: name.clone(),
            fields: vec![("id", id.clone())],
            danger: false,
            csrf: csrf.to_owned(),
        };
        Row::of(vec![
            Cell::link(format!("{here}?{query}"), name.clone()),
            Cell::Acts(vec![act]),
        ])
    });
    Section::new(
        "vs",
        "Your views",
        vec![Body::Table(Table::new("Your views", columns, rows.collect()))],
    )
}

/// Calls in progress as a table; `csrf` empty leaves out the buttons.
#[must_use]
pub fn live_table(calls: &[Live], base: &str, clock: &Clock, csrf: &str) -> Body {
    if calls.is_empty() {
        return Body::Empty("Nobody is talking.".into(), "Calls appear here as they ring.".into());
    }
    let mut columns = vec![
        Column::figure("Time", "").class("n w"),
        Column::name("From"),
        Column::text("With").class("full"),
        Column::text("State"),
        Column::text("By way of"),
        Column::text("Kept").class("no"),
    ];
    if !csrf.is_empty() {
        columns.push(Column::acts());
    }
    let rows = calls.iter().map(|live| {
        let ms = i64::try_from((clock.now - live.since).whole_milliseconds()).unwrap_or(0);
        let mut cells = vec![
            Cell::Link {
                href: format!("{base}/calls/{}", live.call),
                text: words::clock(ms),
                about: format!("call of {}", live.from),
            },
            Cell::Pair(live.from.clone(), live.from_number.clone()),
            Cell::text(live.with.clone()),
            Cell::State(words::call_state(live.state)),
            Cell::text(live.by.clone()),
            live.kept.cell(),
        ];
        if !csrf.is_empty() {
            let record = |&(word, what): &(&str, &str)| Act {
                path: format!("{base}/live/{}/record", live.call),
                word: word.to_owned(),
                about: live.from.clone(),
                fields: vec![("do", what.to_owned())],
                danger: false,
                csrf: csrf.to_owned(),
            };
            let mut acts: Vec<Act> = live.kept.acts().iter().map(record).collect();
            acts.push(Act {
                path: format!("{base}/live/{}/hang-up", live.call),
                word: "Hang up".into(),
                about: live.from.clone(),
                fields: vec![],
                danger: true,
                csrf: csrf.to_owned(),
            });
            cells.push(Cell::Acts(acts));
        }
        Row::of(cells)
    });
    Body::Table(Table::new("Calls in progress", columns, rows.collect()))
}

/// What was typed to place a call, and what was wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Placing {
    values: Values,
    problems: Problems,
}

impl Placing {
    /// Shown again with what is wrong.
    #[must_use]
    pub fn typed(values: &Values, problems: &Problems) -> Self {
        Self {
            values: values.clone(),
            problems: problems.clone(),
        }
    }
}

fn place_form(base: &str, csrf: &str, placing: &Placing) -> Section {
    let fields = vec![
        Field::line("to", "Call")
            .hint("A number such as +4942112345, or an extension. It is rung first.")
            .required(),
        Field::line("from", "Then connect").hint(
            "An extension that is rung when they answer, or the number to show. Empty: they hear music and wait.",
        ),
        Field::tick("record", "Record the call"),
    ];
    let form = Form::post(format!("{base}/live/place"), "Place a call", csrf, fields, "Call");
    let form = form.filled(&placing.values, &placing.problems);
    Section::new("pc", "Place a call", vec![Body::Form(form)])
}

/// The live board.
#[must_use]
pub fn live_page(shell: &Shell, base: &str, calls: &[Live], role: Role, placing: &Placing) -> Page {
    let may_end = role.may(strowger_model::role::Permission::ManageCalls);
    let csrf = if may_end { shell.csrf.as_str() } else { "" };
    let table = live_table(calls, base, &shell.clock, csrf);
    let live = Body::Live(format!("{base}/live/events"), vec![table]);
    let body = Section::new("lv", "Calls in progress", vec![live]).aside("Kept fresh while the page is open");
    let mut blocks = vec![Block::One(body)];
    if role.may(strowger_model::role::Permission::UsePhone) {
        blocks.push(Block::One(place_form(base, &shell.csrf, placing)));
    }
    Page::new(shell, "Live calls", blocks)
}
