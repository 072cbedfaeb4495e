//! What stands beside a call on its page: its jobs and who looked at it.

use crate::show::words;
use crate::show::{Body, Cell, Clock, Column, Fact, Row, Section, State, Table};
use strowger_model::ConsentOutcome;
use strowger_model::record::{AuditEntry, CallEvent, Consent, JobRow};

/// Leads from one half of a talk that a restart cut in two to the other.
pub(super) fn other_half(event: &CallEvent, base: &str) -> Option<Fact> {
    let call = event.other_half()?;
    let (name, value) = if event.kind == CallEvent::RESTART {
        ("Goes on as", "the call after the restart")
    } else {
        ("Goes on from", "the call before the restart")
    };
    Some(Fact {
        name: name.to_owned(),
        value: value.to_owned(),
        href: format!("{base}/calls/{call}"),
    })
}

pub(super) fn job_section(jobs: &[JobRow], base: &str, clock: &Clock) -> Section {
    if jobs.is_empty() {
        let empty = Body::Empty(
            "No jobs yet.".into(),
            "Recording, transcript and analysis are listed here as they are made.".into(),
        );
        return Section::new("jo", "Jobs for this call", vec![empty]);
    }
    Section::new("jo", "Jobs for this call", vec![Body::Table(job_table(jobs, clock))])
        .link(format!("{base}/jobs"), "All jobs")
}

/// Jobs as a table: job, state with its reason, at, took.
#[must_use]
pub fn job_table(jobs: &[JobRow], clock: &Clock) -> Table {
    let columns = vec![
        Column::name("Job"),
        Column::text("State"),
        Column::figure("At", "At"),
        Column::figure("Took", "Took"),
    ];
    let rows = jobs.iter().map(|job| {
        let took = job
            .started_at
            .zip(job.finished_at)
            .map(|(from, to)| words::span(i64::try_from((to - from).whole_milliseconds()).unwrap_or(0)));
        Row::of(vec![
            Cell::text(words::job_kind(&job.kind)),
            Cell::StatePair(words::job_state(job), job.problem.clone().unwrap_or_default()),
            Cell::text(clock.time(job.finished_at.unwrap_or(job.created_at))),
            Cell::text(took.unwrap_or_default()),
        ])
    });
    Table::new("Jobs", columns, rows.collect())
}

/// What came of telling a party, in words.
#[must_use]
pub fn consent_state(consent: &Consent) -> State {
    match consent.outcome {
        ConsentOutcome::Announced => State::idle("Told"),
        ConsentOutcome::Agreed => State::ok("Agreed"),
        ConsentOutcome::Refused => State::bad("Refused"),
        ConsentOutcome::Unanswered => State::warn("No answer"),
        ConsentOutcome::Unheard => State::warn("Not told"),
    }
}

/// What was told and answered, without its party: for tables.
#[must_use]
pub fn consent_words(consent: &Consent) -> String {
    let said = if consent.text.is_empty() {
        "a beep".to_owned()
    } else {
        format!("“{}”", consent.text)
    };
    consent
        .digit
        .map_or(said.clone(), |digit| format!("{said}, key {digit}"))
}

pub(super) fn consent_section(consents: &[Consent], clock: &Clock) -> Section {
    if consents.is_empty() {
        return Section::plain(vec![]);
    }
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("Who"),
        Column::text("Answer"),
        Column::text("What they heard").class("full"),
    ];
    let rows = consents.iter().map(|consent| {
        Row::of(vec![
            Cell::text(clock.stamp(consent.at)),
            Cell::text(consent.party.clone()),
            Cell::State(consent_state(consent)),
            Cell::text(consent_words(consent)),
        ])
    });
    let table = Table::new("What was said before the recording", columns, rows.collect());
    Section::new("co", "Consent to the recording", vec![Body::Table(table)])
        .aside("Kept when the audio and the call are gone")
}

pub(super) fn looked_section(looked: &[AuditEntry], clock: &Clock) -> Section {
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("Who"),
        Column::text("What").class("full"),
    ];
    let rows = looked.iter().map(|entry| {
        Row::of(vec![
            Cell::text(clock.stamp(entry.at)),
            Cell::text(entry.actor.clone()),
            Cell::Pair(super::audit_words(&entry.action), entry.detail.clone()),
        ])
    });
    let rows: Vec<Row> = rows.collect();
    let body = if rows.is_empty() {
        Body::Empty(
            "Nobody yet.".into(),
            "Who opens, plays, downloads or changes this call is listed here.".into(),
        )
    } else {
        Body::Table(Table::new("Who looked", columns, rows))
    };
    Section::new("wl", "Who looked", vec![body]).aside(format!("Times in {}", clock.zone()))
}
