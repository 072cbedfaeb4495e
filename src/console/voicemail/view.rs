//! What the voicemail inbox shows.

use crate::show::{Act, Block, Body, Cell, Column, Link, Page, Row, Section, Shell, State, Table, words};
use strowger_model::record::{Greeting, Voicemail};

/// A message with what stands beside it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The message.
    pub voicemail: Voicemail,
    /// Whose mailbox.
    pub mailbox: String,
    /// What was said, once it is known.
    pub text: String,
    /// Whether its audio is there.
    pub ready: bool,
}

/// The greetings with whose they are: what callers hear, and why one cannot be heard.
fn greetings_section(shell: &Shell, greetings: &[(Greeting, String)]) -> Section {
    let columns = vec![
        Column::name("Greeting"),
        Column::text("Of"),
        Column::text("State"),
        Column::text("Text").class("full"),
        Column::text("Made").class("w no"),
    ];
    let rows = greetings.iter().map(|(greeting, of)| {
        Row::of(vec![
            Cell::text(greeting.name.clone()),
            Cell::text(of.clone()),
            Cell::StatePair(
                words::piece_state(&greeting.state),
                greeting
                    .problem
                    .clone()
                    .unwrap_or_else(|| if greeting.is_default { "Callers hear it" } else { "" }.to_owned()),
            ),
            Cell::text(greeting.text.clone().unwrap_or_else(|| "An uploaded file".to_owned())),
            Cell::text(shell.clock.stamp(greeting.created_at)),
        ])
    });
    let table = Table::new("Greetings", columns, rows.collect());
    let empty = (
        "No greeting of its own.",
        "Callers of every mailbox hear the standard greeting.",
    );
    Section::table("gr", "Greetings", table, empty)
}

/// The inbox, or the trash.
#[must_use]
pub fn page(
    shell: &Shell,
    base: &str,
    (messages, greetings): (&[Message], &[(Greeting, String)]),
    trash: bool,
    next: Option<&str>,
) -> Page {
    let here = format!("{base}/voicemail");
    let columns = vec![
        Column::text("Left").class("w"),
        Column::name("From"),
        Column::text("For"),
        Column::text("State"),
        Column::figure("Length", "Length"),
        Column::text("Listen").class("full"),
        Column::text("What was said").class("full"),
        Column::acts(),
    ];
    let rows = messages.iter().map(|message| {
        let mail = &message.voicemail;
        let path = |verb: &str| format!("{here}/{}/{verb}", mail.id);
        let button = |verb: &str, word: &str| {
            Act::new(
                path(verb),
                word,
                &format!("message from {}", mail.from_number),
                &shell.csrf,
            )
        };
        let acts = if trash {
            vec![button("undelete", "Put back")]
        } else if mail.is_read {
            vec![button("unread", "Mark new"), button("delete", "Delete")]
        } else {
            vec![button("read", "Mark heard"), button("delete", "Delete")]
        };
        let src = format!("{base}/recordings/{}/audio", mail.recording);
        Row::of(vec![
            Cell::link(
                format!("{base}/calls/{}", mail.call),
                shell.clock.stamp(mail.created_at),
            ),
            Cell::text(mail.from_number.clone()),
            Cell::text(message.mailbox.clone()),
            Cell::State(if mail.is_read {
                State::idle("Heard")
            } else {
                State::on("New")
            }),
            Cell::text(words::clock(mail.duration_ms)),
            if message.ready {
                Cell::Audio(src, format!("Message from {}", mail.from_number))
            } else {
                Cell::text("in the making")
            },
            Cell::text(message.text.clone()),
            Cell::Acts(acts),
        ])
    });
    let table = Table::new("Messages, newest first", columns, rows.collect());
    let tabs = Body::Tabs(
        "Folders".into(),
        vec![
            (Link::new(here.clone(), "Inbox"), !trash),
            (Link::new(format!("{here}?folder=trash"), "Trash"), trash),
        ],
    );
    let empty = if trash {
        (
            "The trash is empty.",
            "Deleted messages stay here until their retention is over.",
        )
    } else {
        (
            "No messages.",
            "Callers leave one when nobody answers and voicemail is on.",
        )
    };
    let body = if table.rows.is_empty() {
        Body::Empty(empty.0.into(), empty.1.into())
    } else {
        Body::Table(table)
    };
    let mut parts = vec![tabs, body];
    if let Some(key) = next {
        let folder = if trash { "&folder=trash" } else { "" };
        parts.push(Body::Pager(
            None,
            String::new(),
            Some(format!("{here}?after={key}{folder}")),
        ));
    }
    let mut blocks = vec![Block::One(Section::plain(parts))];
    if !trash {
        blocks.push(Block::One(greetings_section(shell, greetings)));
    }
    Page::new(shell, "Voicemail", blocks)
}
