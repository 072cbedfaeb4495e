//! What the page of prompts shows.

use crate::show::{
    Act, Block, Body, Cell, Column, Field, Form, Page, Problems, Row, Section, Shell, Table, Values, words,
};
use strowger_model::record::Prompt;

/// The page: the prompts and the upload.
#[must_use]
pub fn page(shell: &Shell, base: &str, prompts: &[Prompt], typed: (&Values, &Problems), may_change: bool) -> Page {
    let here = format!("{base}/prompts");
    let mut columns = vec![
        Column::name("Name"),
        Column::text("State"),
        Column::figure("Length", "Length"),
        Column::text("File").class("no"),
        Column::text("Made").class("w no"),
        Column::text("Listen").class("full"),
    ];
    if may_change {
        columns.push(Column::acts());
    }
    let rows = prompts.iter().map(|prompt| {
        let ready = prompt.state == "ready";
        let mut cells = vec![
            Cell::text(prompt.name.clone()),
            Cell::StatePair(
                words::piece_state(&prompt.state),
                prompt.problem.clone().unwrap_or_default(),
            ),
            Cell::text(if ready {
                words::clock(prompt.duration_ms)
            } else {
                String::new()
            }),
            Cell::text(prompt.source_name.clone()),
            Cell::text(shell.clock.stamp(prompt.created_at)),
            if ready {
                Cell::Audio(format!("{here}/{}/audio", prompt.id), format!("Prompt {}", prompt.name))
            } else {
                Cell::text("")
            },
        ];
        if may_change {
            cells.push(Cell::Acts(vec![
                Act::new(
                    format!("{here}/{}/remove", prompt.id),
                    "Remove",
                    &prompt.name,
                    &shell.csrf,
                )
                .danger(),
            ]));
        }
        Row::of(cells)
    });
    let table = Table::new("Prompts", columns, rows.collect());
    let list = Section::table(
        "pl",
        "All prompts",
        table,
        ("No prompts yet.", "Upload one below; flows play it by its name."),
    );
    let mut blocks = vec![Block::One(list)];
    if may_change {
        let fields = vec![
            Field::line("name", "Name")
                .hint("Flows play it by this name.")
                .required(),
            Field::file("file", "Audio file", "audio/*")
                .hint("WAV, MP3, FLAC, M4A or Ogg, at most 50 MB. It is levelled and brought to telephone quality.")
                .required(),
        ];
        let form = Form::post(here, "Upload a prompt", &shell.csrf, fields, "Upload").filled(typed.0, typed.1);
        blocks.push(Block::One(Section::new(
            "up",
            "Upload a prompt",
            vec![Body::Form(form)],
        )));
    }
    Page::new(shell, "Prompts", blocks)
        .intro("Audio that flows play. Text that a flow speaks needs no prompt: the machine reads it.")
}
