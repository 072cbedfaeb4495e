//! What stands beside a call on its page: its jobs and who looked at it.

use crate::show::words;
use crate::show::{Body, Cell, Clock, Column, Row, Section, Table};
use strowger_model::record::{AuditEntry, JobRow};

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
            Cell::StatePair(
                words::job_state(job.state, job.attempts),
                job.problem.clone().unwrap_or_default(),
            ),
            Cell::text(clock.time(job.finished_at.unwrap_or(job.created_at))),
            Cell::text(took.unwrap_or_default()),
        ])
    });
    Table::new("Jobs", columns, rows.collect())
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
