//! What the dashboard shows.

use crate::calls::list::{Live, live_table};
use crate::draw::bars;
use crate::show::{Block, Body, Cell, Column, Figure, Link, Note, Page, Row, Section, Shell, State, Table, words};
use crate::state::{CertificateLevel, CertificateState};
use strowger_model::disk::{DiskLevel, DiskState};
use strowger_model::record::{JobRow, Notice};

/// Figures of the day and of the machine.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Most calls at once today, if known.
    pub most_today: i64,
    /// Phones that are registered now, and phones there are.
    pub phones: (i64, i64),
    /// Calls that ended today: all, answered.
    pub calls_today: (i64, i64),
    /// The mean score of today's legs.
    pub mos_today: Option<f64>,
    /// Jobs that wait for a worker, and how long the oldest has, milliseconds.
    pub waiting: (i64, i64),
    /// Jobs that were given up.
    pub dead: i64,
    /// Unread messages.
    pub messages: i64,
    /// The disk of recordings, for who may see to it.
    pub disk: Option<DiskState>,
    /// The certificates, for who may see to them.
    pub certificates: Option<CertificateState>,
    /// Workers seen lately.
    pub workers: i64,
}

/// A trunk as the dashboard shows it.
#[derive(Debug, Clone)]
pub struct TrunkLine {
    /// Its name.
    pub name: String,
    /// Where it leads.
    pub href: String,
    /// Whether it works.
    pub state: State,
    /// Calls now and at most.
    pub calls: (i64, i64),
    /// The provider.
    pub host: String,
}

/// Something to do.
#[derive(Debug, Clone)]
pub struct Needs(pub Note);

/// Everything the dashboard shows.
#[derive(Debug, Clone)]
pub struct Today {
    /// Figures.
    pub health: Health,
    /// Calls in progress.
    pub live: Vec<Live>,
    /// Trunks.
    pub trunks: Vec<TrunkLine>,
    /// What was told of certificates lately, the newest first.
    pub told: Vec<Notice>,
    /// The last jobs.
    pub jobs: Vec<JobRow>,
    /// Calls per hour of today.
    pub hours: [i64; 24],
    /// How today's calls ended up, the most first.
    pub ends: Vec<(String, i64)>,
    /// Whether the reader may see jobs and trunks.
    pub may_operate: bool,
    /// What asks for an action besides what the figures say.
    pub notes: Vec<Needs>,
}

fn strip(today: &Today) -> Vec<Figure> {
    let health = &today.health;
    let figure = |name: &str, value: String, state: State| Figure {
        name: name.to_owned(),
        value,
        state,
    };
    let mut out = vec![figure(
        "Calls now",
        today.live.len().to_string(),
        State::ok(format!("Today: {}", words::grouped(health.calls_today.0))),
    )];
    if today.may_operate && !today.trunks.is_empty() {
        let up = today.trunks.iter().filter(|trunk| trunk.state.shape == "ok").count();
        let down = today.trunks.iter().filter(|trunk| trunk.state.shape == "bad").count();
        let state = if down > 0 {
            State::bad(format!("{down} down"))
        } else {
            State::ok("None is down")
        };
        out.push(figure("Trunks", format!("{up} of {}", today.trunks.len()), state));
    }
    let (on, all) = health.phones;
    let offline = all - on;
    let state = if all == 0 {
        State::idle("No phone yet")
    } else if offline > 0 {
        State::idle(format!("{offline} offline"))
    } else {
        State::ok("All online")
    };
    out.push(figure("Phones registered", on.to_string(), state));
    let quality = health.mos_today.map_or_else(
        || ("–".to_owned(), State::idle("No calls yet")),
        |mos| {
            let word = format!("MOS, {}", words::count(health.calls_today.1, "call", "calls"));
            (
                format!("{mos:.1}"),
                if mos < 3.6 { State::warn(word) } else { State::ok(word) },
            )
        },
    );
    out.push(figure("Call quality today", quality.0, quality.1));
    let (waiting, oldest) = health.waiting;
    let state = match (waiting, oldest) {
        (0, _) => State::ok("Nothing waits"),
        (_, ms) if ms > 600_000 => State::warn(format!("Oldest {}", words::short(ms))),
        (_, ms) => State::ok(format!("Oldest {}", words::short(ms))),
    };
    out.push(figure("Jobs waiting", waiting.to_string(), state));
    if let Some(disk) = health.disk {
        let state = match disk.level {
            DiskLevel::Reserve => State::bad("Full"),
            DiskLevel::Low => State::bad("Almost full"),
            DiskLevel::Fills => State::warn("Fills up"),
            DiskLevel::Room => State::ok("Room enough"),
        };
        let used = 100_u64.saturating_sub(disk.free_percent());
        out.push(figure("Recording disk", format!("{used} %"), state));
    }
    out.push(figure(
        "New messages",
        health.messages.to_string(),
        State::idle("Voicemail"),
    ));
    out
}

fn needs(today: &Today, base: &str) -> Section {
    let mut notes: Vec<Body> = today.notes.iter().map(|needs| Body::Note(needs.0.clone())).collect();
    for trunk in today.trunks.iter().filter(|trunk| trunk.state.shape == "bad") {
        notes.push(Body::Note(Note {
            shape: "bad",
            strong: format!("Trunk {} does not work.", trunk.name),
            text: format!("{}. Calls over {} fail until it answers.", trunk.state.word, trunk.host),
            link: Some(Link::new(trunk.href.clone(), "Open trunk")),
        }));
    }
    if today.health.dead > 0 {
        notes.push(Body::Note(Note {
            shape: "bad",
            strong: format!("{} given up.", words::count(today.health.dead, "job was", "jobs were")),
            text: "Each says why and can be tried again.".into(),
            link: Some(Link::new(format!("{base}/jobs?state=dead"), "Open jobs")),
        }));
    }
    if today.health.waiting.1 > 600_000 {
        notes.push(Body::Note(Note {
            shape: "warn",
            strong: "Work runs late.".into(),
            text: format!(
                "The oldest job has waited {}. Is a worker running?",
                words::short(today.health.waiting.1)
            ),
            link: Some(Link::new(format!("{base}/jobs"), "Open jobs")),
        }));
    }
    if let Some(disk) = today.health.disk.filter(|disk| disk.level > DiskLevel::Room) {
        notes.push(Body::Note(Note {
            shape: if disk.level > DiskLevel::Fills { "bad" } else { "warn" },
            strong: "The disk fills up.".into(),
            text: format!(
                "{}. Recording stops when the reserve is reached; calls go on.",
                disk.story()
            ),
            link: Some(Link::new(format!("{base}/retention"), "Open retention")),
        }));
    }
    let ill = |state: &&CertificateState| state.level > CertificateLevel::Good;
    if let Some(certificates) = today.health.certificates.as_ref().filter(ill) {
        notes.push(Body::Note(Note {
            shape: if certificates.level > CertificateLevel::Soon {
                "bad"
            } else {
                "warn"
            },
            strong: "A certificate needs you.".into(),
            text: format!("{}.", certificates.story),
            link: None,
        }));
    }
    let open = notes.len();
    if notes.is_empty() {
        notes.push(Body::Empty(
            "Nothing.".into(),
            "Trunks that fail, jobs given up and a disk that fills up ask for you here.".into(),
        ));
    }
    Section::new("al", "Needs you", notes).aside(if open == 0 {
        String::new()
    } else {
        format!("{open} open")
    })
}

fn trunks(today: &Today, base: &str) -> Section {
    if today.trunks.is_empty() {
        let empty = Body::Empty(
            "No trunk yet.".into(),
            "Without one, phones reach each other but nobody outside.".into(),
        );
        return Section::new("tk", "Trunks", vec![empty]).link(format!("{base}/trunks"), "Add a trunk");
    }
    let columns = vec![
        Column::name("Trunk"),
        Column::text("State"),
        Column::figure("Calls", "Calls"),
        Column::text("Provider").class("no"),
    ];
    let rows = today.trunks.iter().map(|trunk| {
        Row::of(vec![
            Cell::link(trunk.href.clone(), trunk.name.clone()),
            Cell::State(trunk.state.clone()),
            Cell::text(format!("{} of {}", trunk.calls.0, trunk.calls.1)),
            Cell::text(trunk.host.clone()),
        ])
    });
    Section::new(
        "tk",
        "Trunks",
        vec![Body::Table(Table::new("Trunks", columns, rows.collect()))],
    )
    .link(format!("{base}/trunks"), "All trunks")
}

fn hours(today: &Today, shell: &Shell) -> Section {
    let now = shell.clock.hour(shell.clock.now);
    let columns = vec![Column::name("Hour"), Column::figure("Calls", "Calls")];
    let rows = today
        .hours
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(hour, count)| {
            Row::of(vec![
                Cell::text(format!("{hour:02}:00")),
                Cell::text(words::grouped(*count)),
            ])
        });
    let table = Table::new("Calls per hour today", columns, rows.collect());
    let (all, answered) = today.health.calls_today;
    Section::new(
        "vo",
        "Calls per hour",
        vec![
            Body::Drawing(bars::hours(&today.hours, now)),
            Body::Behind("Show as a table".into(), table),
        ],
    )
    .aside(format!("{} so far, {answered} answered", words::grouped(all)))
}

/// How today's calls ended up.
fn ends(today: &Today, base: &str) -> Section {
    let columns = vec![
        Column::name("Ended up as"),
        Column::figure("Calls", "Calls"),
        Column::figure("Share", "Share"),
    ];
    let all: i64 = today.ends.iter().map(|(_, count)| count).sum();
    let rows = today.ends.iter().map(|(word, count)| {
        Row::of(vec![
            Cell::Link {
                href: format!("{base}/calls?end={word}"),
                text: words::spoken(word),
                about: "calls".into(),
            },
            Cell::text(words::grouped(*count)),
            Cell::text(format!("{} %", count * 100 / all.max(1))),
        ])
    });
    let table = Table::new("How today’s calls ended up", columns, rows.collect());
    let bars: Vec<(String, i64)> = today
        .ends
        .iter()
        .map(|(word, count)| (words::spoken(word), *count))
        .collect();
    Section::new(
        "en",
        "How calls ended up",
        vec![
            Body::Drawing(bars::shares("How today’s calls ended up", &bars)),
            Body::Behind("Show as a table".into(), table),
        ],
    )
    .aside(format!("{} today", words::grouped(all)))
}

/// Makes the page.
#[must_use]
pub fn page(shell: &Shell, base: &str, today: &Today) -> Page {
    let live = Body::Live(
        format!("{base}/live/events?board=small"),
        vec![live_table(&today.live, base, &shell.clock, "")],
    );
    let progress = Section::new("lv", "Calls in progress", vec![live]).link(format!("{base}/live"), "Live board");
    let mut blocks = Vec::new();
    if today.may_operate {
        blocks.push(Block::One(needs(today, base)));
        if !today.told.is_empty() {
            blocks.push(Block::One(crate::lines::lately(shell, &today.told)));
        }
    }
    blocks.push(Block::One(progress));
    if today.may_operate {
        blocks.push(Block::Two(trunks(today, base), hours(today, shell)));
        let jobs = if today.jobs.is_empty() {
            Body::Empty(
                "No jobs yet.".into(),
                "Recordings, transcripts and prompts are made by the worker and listed here.".into(),
            )
        } else {
            Body::Table(crate::calls::job_table(&today.jobs, &shell.clock))
        };
        let aside = words::count(today.health.workers, "worker", "workers");
        let jobs = Section::new("jb", "Jobs", vec![jobs])
            .aside(aside)
            .link(format!("{base}/jobs"), "All jobs");
        blocks.push(Block::One(jobs));
    } else {
        blocks.push(Block::One(hours(today, shell)));
    }
    if !today.ends.is_empty() {
        blocks.push(Block::One(ends(today, base)));
    }
    let mut page = Page::new(
        shell,
        format!("Today, {}", shell.clock.weekday(shell.clock.now)),
        blocks,
    );
    page.strip = strip(today);
    page
}
