//! What the pages of retention, settings, tokens and the audit log show.

use crate::calls::audit_words;
use crate::show::{
    Act, Block, Body, Cell, Choice, Column, Field, Form, Page, Problems, Row, Section, Shell, State, Table, Values,
    words,
};
use strowger_model::Role;
use strowger_model::record::{ApiToken, AuditEntry};
use strowger_model::settings::{KEYS, Key, Kind, Layer, Lock, Settings, Tier};

/// One line of a dry run.
#[derive(Debug, Clone)]
pub struct Due {
    /// What kind of thing.
    pub kind: String,
    /// Days it is kept.
    pub days: i64,
    /// How many are past their time.
    pub remove: i64,
    /// How many a legal hold keeps.
    pub held: i64,
    /// The setting that says so; empty: none, it is always so.
    pub setting: &'static str,
}

/// One thing that a run would remove.
#[derive(Debug, Clone)]
pub struct Going {
    /// What kind of thing, and where its page is; empty: it has none.
    pub kind: &'static str,
    /// The path of its page below the tenant.
    pub page: String,
    /// When it was made.
    pub since: time::OffsetDateTime,
    /// Bytes of its audio.
    pub bytes: i64,
}

/// Things that are listed at most; the rest is counted above.
pub const LISTED: i64 = 100;

fn going_section(shell: &Shell, base: &str, going: &[Going]) -> Section {
    let columns = vec![
        Column::name("Kind"),
        Column::text("Made").class("w"),
        Column::figure("Audio", "Audio"),
    ];
    let rows = going.iter().map(|thing| {
        Row::of(vec![
            Cell::link(format!("{base}{}", thing.page), thing.kind),
            Cell::text(shell.clock.stamp(thing.since)),
            Cell::text(if thing.bytes == 0 {
                String::new()
            } else {
                words::size(thing.bytes)
            }),
        ])
    });
    let table = Table::new("What goes next, oldest first", columns, rows.collect());
    let empty = ("Nothing is due.", "Things appear here when they are past their time.");
    Section::table("gn", "What goes next", table, empty).aside(format!("At most {LISTED} of each kind"))
}

/// Retention: policy, what a run would do, run now.
#[must_use]
pub fn retention(
    shell: &Shell,
    base: &str,
    (due, going): (&[Due], &[Going]),
    runs: &[strowger_model::record::JobRow],
    may_change: bool,
) -> Page {
    let columns = vec![
        Column::name("Kind"),
        Column::figure("Kept, days", "Days"),
        Column::figure("Would go now", "Would go"),
        Column::figure("Kept by a hold", "Held"),
        Column::text("Set by").class("no"),
    ];
    let rows = due.iter().map(|line| {
        Row::of(vec![
            Cell::text(line.kind.clone()),
            Cell::text(words::grouped(line.days)),
            Cell::text(words::grouped(line.remove)),
            Cell::text(words::grouped(line.held)),
            match line.setting {
                "" => Cell::text("fixed"),
                setting => Cell::link(format!("{base}/settings#s-{setting}"), setting),
            },
        ])
    });
    let all: i64 = due.iter().map(|line| line.remove).sum();
    let table = Body::Table(Table::new("What a run would do now", columns, rows.collect()));
    let mut policy =
        Section::new("dr", "Dry run", vec![table]).aside(format!("As of {}", shell.clock.time(shell.clock.now)));
    if may_change {
        let run = Act::new(format!("{base}/retention/run"), "Run now", "", &shell.csrf).danger();
        let text = if all == 0 {
            "Nothing is past its time. A run would remove nothing.".to_owned()
        } else {
            format!(
                "A run removes {} for good. What a legal hold keeps stays.",
                words::count(all, "thing", "things")
            )
        };
        policy = policy
            .and(Body::Text(text))
            .and(Body::Buttons(vec![crate::show::Button::Post(run)]));
    }
    let last = if runs.is_empty() {
        Body::Empty("No run yet.".into(), "The worker runs it every night.".into())
    } else {
        Body::Table(crate::calls::job_table(runs, &shell.clock))
    };
    let runs = Section::new("rn", "Last runs", vec![last]);
    Page::new(
        shell,
        "Retention",
        vec![
            Block::One(policy),
            Block::One(going_section(shell, base, going)),
            Block::One(runs),
        ],
    )
    .intro("How long things are kept is a setting; here is what it means today.")
}

fn badge(settings: &Settings, tier: Tier, key: &Key) -> (State, String) {
    let effective = settings.effective(key.name);
    let from = match effective.from {
        None => "default".to_owned(),
        Some(Tier::Platform) => "from the platform".to_owned(),
        Some(Tier::Tenant) => "from the tenant".to_owned(),
        Some(Tier::User) => "from the user".to_owned(),
    };
    let state = match effective.locked_by {
        Some(by) if by == tier => State::warn("Locked here"),
        Some(by) => State::warn(format!("Locked by the {by}")),
        None if effective.overrides_soft_lock => State::on("Overrides a soft lock"),
        None if effective.from.is_none() => State::idle("Default"),
        None => State::ok("Set"),
    };
    (state, from)
}

fn value_field(key: &Key, value: &str) -> Field {
    let mut field = match key.kind {
        Kind::Switch => Field::select(
            "value",
            "Value here",
            vec![
                Choice::new("", "Leave to the tier above"),
                Choice::new("true", "Yes"),
                Choice::new("false", "No"),
            ],
        ),
        Kind::Number(low, high) => Field::input("value", "Value here", "text", "off")
            .hint(format!("{low} to {high}; empty leaves it to the tier above.")),
        Kind::Text(most) => Field::line("value", "Value here")
            .hint(format!("At most {most} characters; empty leaves it to the tier above.")),
    };
    value.clone_into(&mut field.value);
    field
}

/// The settings of a tier: what counts, where it comes from, and a form a key.
#[must_use]
pub fn settings(
    shell: &Shell,
    action: &str,
    (tier, whose): (Tier, &str),
    (resolved, layer): (&Settings, &Layer),
    typed: (&Values, &Problems),
    may_change: bool,
) -> Page {
    let columns = vec![
        Column::name("Setting"),
        Column::text("Value").class("w"),
        Column::text("State"),
        Column::text("Where from").class("no"),
    ];
    let shown = |value: &str| match value {
        "true" => "Yes".to_owned(),
        "false" => "No".to_owned(),
        other => other.to_owned(),
    };
    let rows = KEYS.iter().map(|key| {
        let (state, from) = badge(resolved, tier, key);
        Row {
            id: format!("s-{}", key.name),
            cells: vec![
                Cell::Pair(key.label.to_owned(), key.name.to_owned()),
                Cell::text(shown(&resolved.effective(key.name).value)),
                Cell::State(state),
                Cell::text(from),
            ],
        }
    });
    let table = Table::new("Settings that count", columns, rows.collect());
    let mut blocks = vec![Block::One(Section::new("st", "What counts", vec![Body::Table(table)]))];
    if may_change {
        let forms = KEYS
            .iter()
            .map(|key| setting_form(shell, action, (tier, key), (resolved, layer), typed));
        blocks.push(Block::One(
            Section::new("ch", "Change", forms.collect()).aside("Open one to change it"),
        ));
    }
    Page::new(shell, format!("Settings of {whose}"), blocks).intro(
        "Platform, tenant, user: the lowest tier that says something counts, unless a tier above holds a hard lock.",
    )
}

fn setting_form(
    shell: &Shell,
    action: &str,
    (tier, key): (Tier, &Key),
    (resolved, layer): (&Settings, &Layer),
    typed: (&Values, &Problems),
) -> Body {
    let entry = layer.get(key.name);
    let present = entry.and_then(|entry| entry.value.clone()).unwrap_or_default();
    let locked = resolved.effective(key.name).locked_by.filter(|by| *by != tier);
    let mut fields = vec![Field::hidden("key", key.name), value_field(key, &present)];
    if tier != Tier::User {
        let locks = vec![
            Choice::new(Lock::Unlocked.code(), "Lower tiers decide freely"),
            Choice::new(Lock::Soft.code(), "Soft: they may override, marked"),
            Choice::new(Lock::Hard.code(), "Hard: they may not change it"),
        ];
        let mut lock = Field::select("lock", "Lock", locks);
        lock.value = entry.map_or(Lock::Unlocked, |entry| entry.lock).code().to_owned();
        fields.push(lock);
    }
    let mut form = Form::post(action, key.label, &shell.csrf, fields, "Save");
    let refused = typed.0.get("key") == key.name;
    if refused {
        form = form.filled(typed.0, typed.1);
    }
    if let Some(by) = locked {
        form.error = format!(
            "{} The {by} holds a hard lock: what you save counts once it is gone.",
            form.error
        )
        .trim()
        .to_owned();
    }
    Body::Folded(key.label.to_owned(), refused, form)
}

/// The API tokens of a tenant.
#[must_use]
pub fn tokens(
    shell: &Shell,
    base: &str,
    tokens: &[ApiToken],
    made: Option<&(String, String)>,
    typed: (&Values, &Problems),
) -> Page {
    let mut blocks = Vec::new();
    if let Some((name, secret)) = made {
        let note = crate::show::Note {
            shape: "on",
            strong: "Copy the token now.".into(),
            text: "It is shown this one time; only a fingerprint of it is kept.".into(),
            link: None,
        };
        let secret = Body::Secret(vec![(format!("Token {name}"), secret.clone())]);
        blocks.push(Block::One(Section::new(
            "on",
            "The new token",
            vec![Body::Note(note), secret],
        )));
    }
    let columns = vec![
        Column::name("Token"),
        Column::text("Acts as"),
        Column::text("Made").class("w no"),
        Column::text("Last used").class("w"),
        Column::text("Ends").class("w"),
        Column::acts(),
    ];
    let rows = tokens.iter().map(|token| {
        let act = Act::new(
            format!("{base}/tokens/{}/remove", token.id),
            "Revoke",
            &token.name,
            &shell.csrf,
        )
        .danger();
        Row::of(vec![
            Cell::text(token.name.clone()),
            Cell::text(words::role(token.role)),
            Cell::text(shell.clock.stamp(token.created_at)),
            Cell::text(
                token
                    .last_used_at
                    .map_or_else(|| "never".to_owned(), |at| shell.clock.stamp(at)),
            ),
            Cell::text(
                token
                    .expires_at
                    .map_or_else(|| "never".to_owned(), |at| shell.clock.stamp(at)),
            ),
            Cell::Acts(vec![act]),
        ])
    });
    let table = Table::new("API tokens", columns, rows.collect());
    let empty = (
        "No tokens yet.",
        "A program signs in with one: Authorization: Bearer TOKEN.",
    );
    blocks.push(Block::One(Section::table("to", "All tokens", table, empty)));
    let roles = Role::ALL.iter().filter(|role| **role != Role::PlatformAdmin);
    let fields = vec![
        Field::line("name", "Name").hint("Which program it is for.").required(),
        Field::select(
            "role",
            "Acts as",
            roles.map(|role| Choice::new(role.code(), words::role(*role))).collect(),
        ),
        Field::input("days", "Days until it ends", "number", "off").hint("Empty: it does not end."),
    ];
    let form = Form::post(
        format!("{base}/tokens"),
        "New token",
        &shell.csrf,
        fields,
        "Make a token",
    )
    .filled(typed.0, typed.1);
    blocks.push(Block::One(Section::new("nw", "New token", vec![Body::Form(form)])));
    Page::new(shell, "API tokens", blocks)
}

/// The audit log.
#[must_use]
pub fn audit(shell: &Shell, here: &str, entries: &[AuditEntry], values: &Values, next: Option<&str>) -> Page {
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("Who"),
        Column::text("What"),
        Column::text("On what").class("full"),
        Column::text("More").class("full"),
    ];
    let rows = entries.iter().map(|entry| {
        Row::of(vec![
            Cell::text(format!("{} {}", shell.clock.day(entry.at), shell.clock.time(entry.at))),
            Cell::text(entry.actor.clone()),
            Cell::text(audit_words(&entry.action)),
            Cell::text(entry.target.clone()),
            Cell::text(entry.detail.clone()),
        ])
    });
    let table = Table::new("Audit log, newest first", columns, rows.collect());
    let fields = vec![
        Field::line("actor", "Who"),
        Field::line("action", "What").hint("For example recording.play."),
        Field::line("target", "On what"),
    ];
    let form = Form::get(here, "Filter the audit log", fields, "Filter").filled(values, &Problems::default());
    let mut list = Section::table(
        "au",
        "Newest first",
        table,
        (
            "Nothing fits.",
            "Sign-ins, plays, downloads and every change are listed here.",
        ),
    )
    .aside(format!("Times in {}", shell.clock.zone()));
    if let Some(key) = next {
        let kept: Vec<String> = ["actor", "action", "target"]
            .iter()
            .filter(|name| !values.get(name).is_empty())
            .map(|name| format!("{name}={}", crate::query::encoded(values.get(name))))
            .chain([format!("after={key}")])
            .collect();
        list = list.and(Body::Pager(
            Some(here.to_owned()),
            String::new(),
            Some(format!("{here}?{}", kept.join("&"))),
        ));
    }
    Page::new(
        shell,
        "Audit log",
        vec![Block::One(Section::plain(vec![Body::Form(form)])), Block::One(list)],
    )
    .intro("Append-only: each line holds the fingerprint of the one before, so a changed or missing line shows.")
}
