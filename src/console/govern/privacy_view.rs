//! What the privacy page shows.

use crate::calls::{consent_state, consent_words};
use crate::show::{
    Block, Body, Cell, Column, Field, Form, Note, Page, Problems, Row, Section, Shell, Table, Values, words,
};
use strowger_model::CallId;
use strowger_model::record::Consent;
use strowger_store::{Erasure, Findings};

/// Somebody who was looked for.
#[derive(Debug, Clone)]
pub struct Sought {
    /// What was written.
    pub written: String,
    /// How much is known.
    pub findings: Findings,
}

fn found_section(shell: &Shell, base: &str, sought: &Sought, typed: (&Values, &Problems)) -> Section {
    let findings = &sought.findings;
    let columns = vec![
        Column::name("Where"),
        Column::figure("Rows", "Rows"),
        Column::text("When erased").class("full"),
    ];
    let line = |name: &str, count: i64, fate: &str| {
        let cells = vec![
            Cell::text(name.replace('_', " ")),
            Cell::text(words::grouped(count)),
            Cell::text(fate),
        ];
        Row::of(cells)
    };
    let mut rows = vec![
        line(
            "calls they took part in",
            findings.calls,
            "kept without numbers and names, so that figures count on",
        ),
        line("recordings", findings.recordings, "keys destroyed, transcripts removed"),
        line("messages", findings.messages, "removed"),
    ];
    rows.extend(
        findings
            .rows
            .iter()
            .map(|(table, count)| line(table, *count, "their words taken out")),
    );
    let by_hand = "stays: somebody set it up, change it by hand";
    rows.extend(
        findings
            .settings
            .iter()
            .map(|(table, count)| line(table, *count, by_hand)),
    );
    let table = Table::new("What is known", columns, rows);
    let mut section = Section::new(
        "fo",
        &format!("What is known of {}", sought.written),
        vec![Body::Table(table)],
    );
    let give = Form::post(
        format!("{base}/privacy/export"),
        "Everything as a file",
        &shell.csrf,
        vec![Field::hidden("subject", sought.written.as_str())],
        "Download everything",
    );
    section = section.and(Body::Form(give));
    if let Some(call) = findings.held.first() {
        let count = i64::try_from(findings.held.len()).unwrap_or(i64::MAX);
        return section.and(Body::Note(Note {
            shape: "warn",
            strong: "A legal hold keeps this.".into(),
            text: format!(
                "{} under a hold. While there is one, nothing is erased.",
                words::count(count, "call is", "calls are")
            ),
            link: Some(crate::show::Link::new(
                format!("{base}/calls/{call}"),
                "The first of them",
            )),
        }));
    }
    let sure = Field::tick("sure", "Erase it for good, with the audio of their calls");
    let erase = Form::post(
        format!("{base}/privacy/erase"),
        "Erase everything",
        &shell.csrf,
        vec![Field::hidden("subject", sought.written.as_str()), sure],
        "Erase",
    )
    .filled(typed.0, typed.1)
    .danger();
    section.and(Body::Form(erase))
}

fn erasures_section(shell: &Shell, erasures: &[Erasure]) -> Section {
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("By"),
        Column::figure("Calls", "Calls"),
        Column::figure("Rows", "Rows"),
        Column::figure("Left", "Left"),
        Column::text("Proof").class("full"),
    ];
    let rows = erasures.iter().map(|one| {
        Row::of(vec![
            Cell::text(shell.clock.stamp(one.at)),
            Cell::text(one.actor.clone()),
            Cell::text(words::grouped(one.before.calls)),
            Cell::text(words::grouped(one.before.rows.values().sum())),
            Cell::text(words::grouped(one.after.rows.values().sum())),
            Cell::text(one.id.clone()),
        ])
    });
    let table = Table::new("What was erased", columns, rows.collect());
    let empty = (
        "Nobody was erased yet.",
        "Each erasure leaves a proof here that names nobody.",
    );
    let section = Section::table("er", "Proofs", table, empty);
    match erasures.iter().filter_map(|one| one.damaged_until).max() {
        Some(until) if until > shell.clock.now => section.and(Body::Note(Note {
            shape: "warn",
            strong: "A damaged database still holds some of it.".into(),
            text: format!(
                "It was put aside on the machine and goes by itself on {}; whoever runs the machine may remove the file \
                 strowger.db.damaged-… before.",
                shell.clock.stamp(until)
            ),
            link: None,
        })),
        _ => section,
    }
}

fn consents_section(shell: &Shell, base: &str, consents: &[(CallId, Consent)]) -> Section {
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("Who"),
        Column::text("Answer"),
        Column::text("What they heard").class("full"),
    ];
    let rows = consents.iter().map(|(call, consent)| {
        Row::of(vec![
            Cell::link(format!("{base}/calls/{call}"), shell.clock.stamp(consent.at)),
            Cell::text(consent.party.clone()),
            Cell::State(consent_state(consent)),
            Cell::text(consent_words(consent)),
        ])
    });
    let table = Table::new("Consents to recordings", columns, rows.collect());
    let empty = (
        "Nobody was told or asked yet.",
        "The settings recording_announcement, recording_beep and recording_consent say what callers hear.",
    );
    Section::table("cn", "Consents, newest first", table, empty).aside("Kept when the audio and the call are gone")
}

/// The page.
#[must_use]
pub fn page(
    shell: &Shell,
    base: &str,
    sought: Option<&Sought>,
    (erasures, consents): (&[Erasure], &[(CallId, Consent)]),
    typed: (&Values, &Problems),
) -> Page {
    let field = Field::line("subject", "Number or name")
        .hint("A number with the country’s code, or a name or e-mail address. It is looked for in every table.")
        .required();
    let mut look = Form::post(
        format!("{base}/privacy/find"),
        "Look for somebody",
        &shell.csrf,
        vec![field],
        "Look",
    );
    if sought.is_none() {
        look = look.filled(typed.0, typed.1);
    }
    let mut blocks = vec![Block::One(Section::new("lo", "About whom", vec![Body::Form(look)]))];
    if let Some(sought) = sought {
        blocks.push(Block::One(found_section(shell, base, sought, typed)));
    }
    blocks.push(Block::One(erasures_section(shell, erasures)));
    blocks.push(Block::One(consents_section(shell, base, consents)));
    Page::new(shell, "Privacy", blocks)
        .intro("What is known of a person or number: all of it as a file, or none of it any more.")
}
