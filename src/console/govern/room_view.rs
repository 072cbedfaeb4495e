//! What the page of keys to rooms shows.

use crate::show::{
    Act, Block, Body, Cell, Choice, Column, Field, Form, Note, Page, Problems, Row, Section, Shell, State, Table,
    Values,
};
use strowger_model::WebhookId;
use strowger_model::record::{RoomKey, RoomWebhook, WebhookPost};
use strowger_rooms::AgentWorker;

/// A key that was just made.
#[derive(Debug, Clone)]
pub struct Made {
    /// What people call it.
    pub name: String,
    /// What tokens name it by.
    pub key: String,
    /// What tokens are signed with.
    pub secret: String,
}

/// The keys to rooms of a tenant and the addresses that are told what happens in its rooms.
#[must_use]
pub fn keys(
    shell: &Shell,
    base: &str,
    (keys, webhooks, posts): (&[RoomKey], &[RoomWebhook], &[(WebhookId, WebhookPost)]),
    agents: &[AgentWorker],
    made: Option<&Made>,
    (values, problems): (&Values, &Problems),
) -> Page {
    let mut blocks = Vec::new();
    if let Some(made) = made {
        blocks.push(Block::One(shown_once(made)));
    }
    let empty = (
        "No keys yet.",
        "A program that lets people into rooms signs their tokens with one, as with any LiveKit server.",
    );
    let table = Table::new(
        "Room API keys",
        key_columns(),
        keys.iter().map(|key| key_row(shell, base, key)).collect(),
    );
    blocks.push(Block::One(Section::table("rk", "All keys", table, empty)));
    // Which of the two forms was sent shows in what it holds.
    let of_webhook = !values.get("url").is_empty() || !values.get("key").is_empty();
    let (none, no_problems) = (Values::default(), Problems::default());
    let typed = |mine: bool| {
        if mine {
            (values, problems)
        } else {
            (&none, &no_problems)
        }
    };
    let name = Field::line("name", "Name").hint("Which program it is for.").required();
    let to = format!("{base}/room-keys");
    let (kept, wrong) = typed(!of_webhook);
    let form = Form::post(to, "New key", &shell.csrf, vec![name], "Make a key").filled(kept, wrong);
    blocks.push(Block::One(Section::new("nk", "New key", vec![Body::Form(form)])));
    blocks.push(Block::One(standing_by(shell, agents)));
    blocks.push(Block::One(told(shell, base, webhooks)));
    if !webhooks.is_empty() {
        blocks.push(Block::One(last_told(shell, webhooks, posts)));
    }
    if !keys.is_empty() {
        let (kept, wrong) = typed(of_webhook);
        let form = webhook_form(shell, base, keys).filled(kept, wrong);
        blocks.push(Block::One(Section::new("nw", "New webhook", vec![Body::Form(form)])));
    }
    Page::new(shell, "Room API keys", blocks).intro(
        "Programs sign tokens with a key and hand them to people, who join rooms with LiveKit's client libraries. \
         Revoking a key ends every token signed with it.",
    )
}

fn shown_once(made: &Made) -> Section {
    let note = Note {
        shape: "on",
        strong: "Copy the secret now.".into(),
        text: "It is shown this one time; it is kept sealed and nobody can read it again.".into(),
        link: None,
    };
    let secret = Body::Secret(vec![
        (format!("API key of {}", made.name), made.key.clone()),
        ("API secret".to_owned(), made.secret.clone()),
    ]);
    Section::new("on", "The new key", vec![Body::Note(note), secret])
}

fn key_columns() -> Vec<Column> {
    vec![
        Column::name("Name"),
        Column::text("API key"),
        Column::text("Made").class("w no"),
        Column::text("Last used").class("w"),
        Column::acts(),
    ]
}

fn key_row(shell: &Shell, base: &str, key: &RoomKey) -> Row {
    let to = format!("{base}/room-keys/{}/remove", key.id);
    let name = if key.own {
        format!("{} (our own pages)", key.name)
    } else {
        key.name.clone()
    };
    let used = |at| shell.clock.stamp(at);
    Row::of(vec![
        Cell::text(name),
        Cell::text(key.id.clone()),
        Cell::text(shell.clock.stamp(key.created_at)),
        Cell::text(key.last_used_at.map_or_else(|| "never".to_owned(), used)),
        Cell::Acts(vec![Act::new(to, "Revoke", &key.name, &shell.csrf).danger()]),
    ])
}

fn standing_by(shell: &Shell, agents: &[AgentWorker]) -> Section {
    let columns = vec![
        Column::name("Agent"),
        Column::text("Comes for"),
        Column::text("Jobs"),
        Column::text("Made with").class("w no"),
        Column::text("Here since").class("w"),
        Column::text("State"),
    ];
    let rows = agents.iter().map(|worker| {
        let name = if worker.agent_name.is_empty() {
            "Any room".to_owned()
        } else {
            worker.agent_name.clone()
        };
        let comes = match worker.kind {
            "publisher" => "everybody who speaks or shows",
            "participant" => "everybody in a room",
            _ => "a room",
        };
        let state = if worker.is_available {
            State::ok("Stands by")
        } else {
            State::warn("Takes nothing more")
        };
        Row::of(vec![
            Cell::text(name),
            Cell::text(comes),
            Cell::text(worker.jobs.to_string()),
            Cell::text(worker.version.clone()),
            Cell::text(shell.clock.stamp(worker.since)),
            Cell::State(state),
        ])
    });
    let table = Table::new("Agents", columns, rows.collect());
    let empty = (
        "No agents stand by.",
        "A worker made with LiveKit's agents signs in with one of these keys; flows and rules then send callers to it.",
    );
    Section::table("ag", "Agents", table, empty)
}

fn told(shell: &Shell, base: &str, webhooks: &[RoomWebhook]) -> Section {
    let columns = vec![
        Column::name("Address"),
        Column::text("Signed with"),
        Column::text("Last told").class("w"),
        Column::text("State"),
        Column::acts(),
    ];
    let rows = webhooks.iter().map(|webhook| {
        let to = format!("{base}/room-webhooks/{}/remove", webhook.id);
        let state = match (&webhook.problem, webhook.told_at) {
            (Some(problem), _) => State::warn(problem.clone()),
            (None, Some(_)) => State::ok("Taken"),
            (None, None) => State::idle("Nothing told yet"),
        };
        let told = webhook.told_at;
        Row::of(vec![
            Cell::text(webhook.url.clone()),
            Cell::text(webhook.key.clone()),
            Cell::text(told.map_or_else(|| "never".to_owned(), |at| shell.clock.stamp(at))),
            Cell::State(state),
            Cell::Acts(vec![Act::new(to, "Remove", &webhook.url, &shell.csrf).danger()]),
        ])
    });
    let table = Table::new("Webhooks", columns, rows.collect());
    let empty = (
        "Nobody is told.",
        "An address of yours can hear when rooms begin and end and who comes and goes.",
    );
    Section::table("wh", "Webhooks", table, empty)
}

fn last_told(shell: &Shell, webhooks: &[RoomWebhook], posts: &[(WebhookId, WebhookPost)]) -> Section {
    let columns = vec![
        Column::name("Event"),
        Column::text("Address").class("full"),
        Column::text("Happened").class("w"),
        Column::figure("Sent", "Sent"),
        Column::text("State"),
    ];
    let rows = posts.iter().filter_map(|(of, post)| {
        let webhook = webhooks.iter().find(|webhook| webhook.id == *of)?;
        let why = || post.problem.clone().unwrap_or_default();
        let state = match (post.state.as_str(), post.tries) {
            ("taken", _) => State::ok("Taken"),
            ("given_up", _) => State::bad(format!("Given up: {}", why())),
            (_, 0) => State::idle("Waits"),
            (_, _) => State::warn(format!("Sent again {}: {}", shell.clock.stamp(post.due_at), why())),
        };
        Some(Row::of(vec![
            Cell::text(post.event.clone()),
            Cell::text(webhook.url.clone()),
            Cell::text(shell.clock.stamp(post.created_at)),
            Cell::text(post.tries.to_string()),
            Cell::State(state),
        ]))
    });
    let table = Table::new("Last events", columns, rows.collect());
    Section::table(
        "wp",
        "Last events told",
        table,
        ("None yet.", "What happens in rooms from now on is told."),
    )
}

fn webhook_form(shell: &Shell, base: &str, keys: &[RoomKey]) -> Form {
    let fields = vec![
        Field::line("url", "Address")
            .hint("It must not lie inside this machine or its private network.")
            .required(),
        Field::select(
            "key",
            "Signed with",
            keys.iter()
                .map(|key| Choice::new(key.id.as_str(), format!("{} ({})", key.name, key.id)))
                .collect(),
        ),
    ];
    let to = format!("{base}/room-webhooks");
    Form::post(to, "New webhook", &shell.csrf, fields, "Add the address")
}
