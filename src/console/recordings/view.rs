//! What the pages of recordings show.

use crate::calls::audit_words;
use crate::show::{
    Act, Block, Body, Button, Cell, Choice, Column, Fact, Field, Form, Link, Note, Page, Problems, Row, Section, Shell,
    State, Table, Values, words,
};
use std::collections::HashSet;
use strowger_model::RecordingId;
use strowger_model::record::{AuditEntry, Recording};
use strowger_store::BucketHealth;
use time::OffsetDateTime;

/// A page of the list.
#[derive(Debug, Clone)]
pub struct Found {
    /// The recordings, newest first.
    pub recordings: Vec<Recording>,
    /// Which of them lie in the bucket.
    pub far: HashSet<RecordingId>,
    /// How the bucket stands, where there is one.
    pub bucket: Option<BucketHealth>,
    /// The key of the next page.
    pub next: Option<String>,
    /// The key of this page.
    pub after: String,
}

/// Where a recording stands, with a hold said first.
#[must_use]
pub fn state(recording: &Recording) -> State {
    match recording.state.as_str() {
        "ready" if recording.held => State::on("Legal hold"),
        "captured" => State::on("In the making"),
        "recording" => State::on("Being recorded"),
        other => words::piece_state(other),
    }
}

/// The list.
#[must_use]
pub fn list(shell: &Shell, base: &str, found: &Found, form: Option<(&Values, &Problems)>) -> Page {
    let columns = vec![
        Column::text("Made").class("w"),
        Column::name("Name"),
        Column::text("State"),
        Column::figure("Length", "Length"),
        Column::figure("Size", "").class("n no"),
        Column::text("Listen").class("full"),
    ];
    let rows = found.recordings.iter().map(|recording| {
        let ready = recording.state == "ready";
        let name = if recording.name.is_empty() {
            "Recording".to_owned()
        } else {
            recording.name.clone()
        };
        let player = Cell::Audio(
            format!("{base}/recordings/{}/audio", recording.id),
            format!("Recording of {name}"),
        );
        Row::of(vec![
            Cell::link(
                format!("{base}/recordings/{}", recording.id),
                shell.clock.stamp(recording.created_at),
            ),
            Cell::LinkPair(format!("{base}/calls/{}", recording.call), name, "call page".into()),
            Cell::StatePair(state(recording), recording.problem.clone().unwrap_or_default()),
            Cell::text(words::clock(recording.duration_ms)),
            Cell::Pair(
                if ready {
                    words::size(recording.size_bytes)
                } else {
                    String::new()
                },
                if ready && found.far.contains(&recording.id) {
                    "in the bucket".into()
                } else {
                    String::new()
                },
            ),
            if ready { player } else { Cell::text("") },
        ])
    });
    let table = Table::new("Recordings, newest first", columns, rows.collect());
    let empty = (
        "No recordings yet.",
        "Calls are recorded when the settings, a number or a program ask for it.",
    );
    let mut section =
        Section::table("re", "Newest first", table, empty).aside(format!("Times in {}", shell.clock.zone()));
    if let Some(bucket) = found.bucket.as_ref().filter(|bucket| bucket.waiting > 0) {
        let waiting = words::count(bucket.waiting, "recording waits", "recordings wait");
        section = section.and(Body::Note(Note {
            shape: if bucket.problem.is_some() { "warn" } else { "on" },
            strong: format!("{waiting} for the bucket."),
            text: bucket.problem.as_ref().map_or_else(String::new, |problem| {
                format!("The last try failed: {problem}. They stay on the disk and are tried again.")
            }),
            link: Some(Link::new(format!("{base}/jobs"), "Open jobs")),
        }));
    }
    let older = found.next.as_ref().map(|key| format!("{base}/recordings?after={key}"));
    let newest = (!found.after.is_empty()).then(|| format!("{base}/recordings"));
    if older.is_some() || newest.is_some() {
        let shown = words::count(i64::try_from(found.recordings.len()).unwrap_or(0), "shown", "shown");
        section = section.and(Body::Pager(newest, shown, older));
    }
    let mut blocks = vec![Block::One(section)];
    if let Some((values, problems)) = form {
        let form = import_form(shell, base).filled(values, problems);
        blocks.push(Block::One(Section::new(
            "import",
            "Import a recording",
            vec![Body::Form(form)],
        )));
    }
    Page::new(shell, "Recordings", blocks)
        .intro("Each is sealed under a key of its own; listening is written to the audit log.")
}

/// What a recording from elsewhere needs.
fn import_form(shell: &Shell, base: &str) -> Form {
    let ways = [
        ("inbound", "They called us"),
        ("outbound", "We called them"),
        ("internal", "Among ourselves"),
    ];
    let fields = vec![
        Field::file("file", "Audio file", "audio/*,.wav,.mp3,.m4a,.ogg,.flac,.webm")
            .hint("WAV, MP3, M4A, Ogg, FLAC or WebM, 50 MB at most; two channels are two speakers. Larger: the REST interface.")
            .required(),
        Field::line("name", "Name").hint("Empty: the file’s name."),
        Field::line("from", "From"),
        Field::line("to", "To"),
        Field::select(
            "direction",
            "Direction",
            ways.map(|(value, text)| Choice::new(value, text)).to_vec(),
        ),
        Field::input("started_at", "Began", "datetime-local", "off")
            .hint(format!("Times in {}. Empty: now.", shell.clock.zone())),
    ];
    Form::post(
        format!("{base}/recordings"),
        "Import a recording",
        &shell.csrf,
        fields,
        "Import",
    )
}

/// How wide its sound is, as far as that is known.
fn sound(recording: &Recording) -> String {
    let rate = recording.sample_rate_hz.map(|hz| format!("{} kHz", hz / 1000));
    let channels = recording.channels().map(|channels| match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        channels => format!("{channels} channels"),
    });
    let bits = recording
        .bits_per_second()
        .map(|bits| format!("{} kbit/s", (bits + 500) / 1000));
    let parts: Vec<String> = [rate, channels, bits].into_iter().flatten().collect();
    parts.join(", ")
}

/// What is known of a recording beside its row, and what may be done to it.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// When retention removes it.
    pub kept_until: Option<OffsetDateTime>,
    /// Who looked at it, the newest first.
    pub looked: Vec<AuditEntry>,
    /// Whether it lies in the bucket.
    pub far: bool,
    /// Whether this person may hold and erase it.
    pub may_erase: bool,
    /// Whether this person may name it: what the form holds and what is wrong with that.
    pub naming: Option<(Values, Problems)>,
}

/// One recording.
#[must_use]
pub fn one(shell: &Shell, base: &str, recording: &Recording, beside: &Beside) -> Page {
    let here = format!("{base}/recordings/{}", recording.id);
    let call = Fact {
        name: "Call".into(),
        value: "Open the call page".into(),
        href: format!("{base}/calls/{}", recording.call),
    };
    let mut facts = vec![
        call,
        Fact::new("Length", words::span(recording.duration_ms)),
        Fact::new("Size", words::size(recording.size_bytes)),
        Fact::new("Format", recording.format.clone()),
        Fact::new("Sound", sound(recording)),
        Fact::new("Asked for by", recording.recorded_by.clone()),
        Fact::new("State", state(recording).word),
    ];
    if recording.state == "ready" {
        facts.push(Fact::new(
            "Kept",
            if beside.far {
                "in the bucket, sealed"
            } else {
                "on this disk, sealed"
            },
        ));
    }
    if let Some(until) = beside.kept_until {
        facts.push(Fact::new(
            "Kept until",
            if recording.held {
                "the hold is lifted".into()
            } else {
                shell.clock.stamp(until)
            },
        ));
    }
    facts.retain(|fact| !fact.value.is_empty());
    if !recording.sha256.is_empty() {
        facts.push(Fact::new(
            "SHA-256",
            recording.sha256.chars().take(16).collect::<String>() + "…",
        ));
    }
    let mut body = Vec::new();
    if recording.state == "ready" {
        let label = format!("Recording, {}", words::span(recording.duration_ms));
        body.push(Body::Audio(format!("{here}/audio"), label));
    }
    if !recording.description.is_empty() {
        body.push(Body::Text(recording.description.clone()));
    }
    body.push(Body::Facts(facts));
    if let Some(problem) = &recording.problem {
        body.push(Body::Note(Note {
            shape: "bad",
            strong: "It could not be made.".into(),
            text: problem.clone(),
            link: Some(Link::new(format!("{base}/jobs?state=dead"), "Open jobs")),
        }));
    }
    let mut blocks = vec![Block::One(Section::plain(body))];
    let columns = vec![Column::text("At").class("w"), Column::name("Who"), Column::text("What")];
    let rows = beside.looked.iter().map(|entry| {
        Row::of(vec![
            Cell::text(shell.clock.stamp(entry.at)),
            Cell::text(entry.actor.clone()),
            Cell::Pair(audit_words(&entry.action), entry.detail.clone()),
        ])
    });
    let table = Table::new("Who looked", columns, rows.collect());
    let who = Section::table(
        "wl",
        "Who looked",
        table,
        ("Nobody yet.", "Plays and downloads are listed here."),
    );
    if let Some((values, problems)) = &beside.naming {
        let form = naming_form(shell, &here).filled(values, problems);
        blocks.push(Block::One(Section::new("wn", "Name", vec![Body::Form(form)])));
    }
    blocks.push(Block::One(who));
    let mut page = Page::new(
        shell,
        if recording.name.is_empty() {
            "Recording"
        } else {
            &recording.name
        },
        blocks,
    )
    .crumb(format!("{base}/recordings"), "Recordings")
    .intro(format!("Made {}.", shell.clock.stamp(recording.created_at)));
    if recording.state == "ready" {
        page = with_buttons(page, shell, &here, recording.held, beside.may_erase);
    }
    page
}

/// What may be done with a recording that can be played.
fn naming_form(shell: &Shell, here: &str) -> Form {
    let fields = vec![
        Field::line("name", "Name"),
        Field::line("description", "Description").hint("One sentence."),
    ];
    Form::post(
        format!("{here}/name"),
        "Name this recording",
        &shell.csrf,
        fields,
        "Save",
    )
}

fn with_buttons(mut page: Page, shell: &Shell, here: &str, held: bool, may_change: bool) -> Page {
    page = page.button(Button::Go(
        Link::new(format!("{here}/audio?download=1"), "Download"),
        false,
    ));
    for (format, word) in [("mp3", "as MP3"), ("m4a", "as M4A"), ("wav", "as WAV")] {
        let link = Link::new(format!("{here}/audio?format={format}"), word);
        page = page.button(Button::Go(link, false));
    }
    if may_change {
        let (word, hold) = if held {
            ("Lift the hold", "false")
        } else {
            ("Put on legal hold", "true")
        };
        page = page.button(Button::Post(
            Act::new(format!("{here}/hold"), word, "", &shell.csrf).with("held", hold),
        ));
        if !held {
            page = page.button(Button::Post(
                Act::new(format!("{here}/erase"), "Erase", "this recording", &shell.csrf).danger(),
            ));
        }
    }
    page
}
