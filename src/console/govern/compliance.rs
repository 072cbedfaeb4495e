//! Compliance: what an auditor asks, answered from settings and facts.

use crate::desk::{Desk, sees_tenant};
use crate::fault::Page;
use crate::show::{Block, Cell, Column, Row, Section, Shell, State, Table, words};
use axum::response::IntoResponse;
use strowger_model::compliance::{Line, Rules};

pub(super) async fn index(desk: Desk) -> Page {
    sees_tenant(&desk)?;
    let lines = desk
        .scope
        .compliance()
        .report(desk.state.config().machine.clone())
        .await?;
    Ok(page(&desk.shell(), &lines).into_response())
}

/// What the page shows.
#[must_use]
pub fn page(shell: &Shell, lines: &[Line]) -> crate::show::Page {
    let failing = lines.iter().filter(|line| !line.passes).count();
    let columns = vec![
        Column::text("State"),
        Column::name("What is asked"),
        Column::text("What was found").class("full"),
        Column::text("Rules").class("no"),
    ];
    let row = |line: &Line| {
        let state = if line.passes {
            State::ok("Pass")
        } else {
            State::bad("Fail")
        };
        let mend = if line.mend.is_empty() {
            String::new()
        } else {
            format!("To mend: {}.", line.mend)
        };
        let rules: Vec<String> = line
            .rules
            .iter()
            .map(|(rules, part)| format!("{rules} {part}"))
            .collect();
        Row::of(vec![
            Cell::State(state),
            Cell::text(line.asked),
            Cell::Pair(line.found.clone(), mend),
            Cell::text(rules.join(", ")),
        ])
    };
    let table = Table::new("Checklist", columns, lines.iter().map(row).collect());
    let count = |rules: Rules| {
        let own = lines
            .iter()
            .filter(|line| line.rules.iter().any(|(known, _)| *known == rules));
        let (mut all, mut good) = (0_i64, 0_i64);
        for line in own {
            all += 1;
            good += i64::from(line.passes);
        }
        format!("{rules} {good} of {all}")
    };
    let by_rules: Vec<String> = Rules::ALL.iter().map(|rules| count(*rules)).collect();
    let empty = ("Nothing was asked.", "");
    let section = Section::table("ck", "Checklist", table, empty).aside(by_rules.join(", "));
    let fails = words::count(i64::try_from(failing).unwrap_or(i64::MAX), "line fails", "lines fail");
    crate::show::Page::new(shell, "Compliance", vec![Block::One(section)]).intro(format!(
        "{fails}. Evidence about this installation, not legal advice. The same as a command: strowger compliance report."
    ))
}
