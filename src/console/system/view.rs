//! What the pages of jobs and health show.

use crate::show::{Act, Block, Body, Cell, Column, Fact, Figure, Link, Page, Row, Section, Shell, State, Table, words};
use strowger_model::job::JobState;
use strowger_model::record::JobRow;
use strowger_store::ProviderSpend;

/// A check of the health page.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was seen, and what mends it.
    pub detail: String,
}

/// The jobs of a tenant.
#[must_use]
pub fn jobs(
    shell: &Shell,
    base: &str,
    jobs: &[JobRow],
    state: Option<JobState>,
    next: Option<&str>,
    may_retry: bool,
) -> Page {
    let here = format!("{base}/jobs");
    let mut tabs = vec![(Link::new(here.clone(), "All"), state.is_none())];
    for (one, word) in [
        (JobState::Queued, "Waiting"),
        (JobState::Running, "Running"),
        (JobState::Done, "Done"),
        (JobState::Dead, "Given up"),
    ] {
        tabs.push((
            Link::new(format!("{here}?state={}", one.code()), word),
            state == Some(one),
        ));
    }
    let mut columns = vec![
        Column::name("Job"),
        Column::text("State"),
        Column::text("Reason").class("full"),
        Column::figure("Tries", "Tries"),
        Column::text("Asked for").class("w"),
        Column::figure("Took", "Took"),
        Column::text("Worker").class("no"),
    ];
    if may_retry {
        columns.push(Column::acts());
    }
    let rows = jobs.iter().map(|job| {
        let took = job
            .started_at
            .zip(job.finished_at)
            .map(|(from, to)| i64::try_from((to - from).whole_milliseconds()).unwrap_or(0));
        let mut cells = vec![
            Cell::text(words::job_kind(&job.kind)),
            Cell::State(words::job_state(job)),
            Cell::text(job.problem.clone().unwrap_or_default()),
            Cell::text(job.attempts.to_string()),
            Cell::text(shell.clock.stamp(job.created_at)),
            Cell::text(took.map(words::span).unwrap_or_default()),
            Cell::text(job.worker.clone().unwrap_or_default()),
        ];
        if may_retry {
            let act = |what: &str, label: &str| {
                let path = format!("{here}/{}/{what}", job.id);
                Cell::Acts(vec![Act::new(path, label, words::job_kind(&job.kind), &shell.csrf)])
            };
            cells.push(if job.state == JobState::Dead {
                act("retry", "Try again")
            } else if job.can_be_stopped() {
                act("stop", "Stop")
            } else {
                Cell::Blank
            });
        }
        Row::of(cells)
    });
    let table = Table::new("Jobs, newest first", columns, rows.collect());
    let mut list = if table.rows.is_empty() {
        vec![Body::Empty(
            "No jobs here.".into(),
            "Recordings, transcripts, prompts and retention are made by the worker and listed here.".into(),
        )]
    } else {
        vec![Body::Table(table)]
    };
    if let Some(key) = next {
        let kept = state
            .map(|state| format!("state={}&", state.code()))
            .unwrap_or_default();
        list.push(Body::Pager(
            Some(here.clone()),
            String::new(),
            Some(format!("{here}?{kept}after={key}")),
        ));
    }
    let mut body = vec![Body::Tabs("States".into(), tabs)];
    body.extend(list);
    Page::new(shell, "Jobs", vec![Block::One(Section::plain(body))])
}

/// The health of the machine.
#[must_use]
pub fn health(shell: &Shell, checks: &[Check], strip: Vec<Figure>, facts: Vec<Fact>, spend: &[ProviderSpend]) -> Page {
    let columns = vec![
        Column::name("Check"),
        Column::text("State"),
        Column::text("What we saw").class("full"),
    ];
    let rows = checks.iter().map(|check| {
        Row::of(vec![
            Cell::text(check.name.clone()),
            Cell::State(check.state.clone()),
            Cell::text(check.detail.clone()),
        ])
    });
    let table = Table::new("Checks", columns, rows.collect());
    let bad = checks.iter().filter(|check| check.state.shape == "bad").count();
    let warns = checks.iter().filter(|check| check.state.shape == "warn").count();
    let intro = match (bad, warns) {
        (0, 0) => "Everything that was checked works.".to_owned(),
        (0, warns) => format!(
            "Everything works; {} somebody to look.",
            words::count(i64::try_from(warns).unwrap_or(0), "check wants", "checks want")
        ),
        (bad, _) => format!(
            "{} fail. Calls go on where they can.",
            words::count(i64::try_from(bad).unwrap_or(0), "check", "checks")
        ),
    };
    let mut blocks = vec![Block::One(
        Section::new("ck", "Checks", vec![Body::Table(table)]).aside(format!("At {}", shell.time())),
    )];
    if !spend.is_empty() {
        blocks.push(Block::One(services(spend)));
    }
    blocks.push(Block::One(Section::new("fa", "This machine", vec![Body::Facts(facts)])));
    let mut page = Page::new(shell, "Health", blocks).intro(intro);
    page.strip = strip;
    page
}

/// What tenants had language services do this month.
fn services(spend: &[ProviderSpend]) -> Section {
    let columns = vec![
        Column::name("Tenant"),
        Column::text("Service"),
        Column::figure("Asked", "Asked"),
        Column::figure("Failed", "Failed"),
        Column::figure("Tokens", "Tokens"),
        Column::figure("Cost", "Cost"),
    ];
    let rows = spend.iter().map(|one| {
        let figures = &one.figures;
        Row::of(vec![
            Cell::text(one.tenant_name.clone()),
            Cell::Pair(figures.provider.clone(), figures.task.clone()),
            Cell::text(words::grouped(figures.asked)),
            Cell::text(words::grouped(figures.failed)),
            Cell::text(words::grouped(figures.tokens_asked + figures.tokens_answered)),
            Cell::text(words::cost(figures.cost_micros)),
        ])
    });
    let table = Table::new(
        "What tenants had language services do this month",
        columns,
        rows.collect(),
    );
    let total: i64 = spend.iter().map(|one| one.figures.cost_micros).sum();
    Section::new("ls", "Language services this month", vec![Body::Table(table)])
        .aside(format!("{} together, in the currency of the house", words::cost(total)))
}
