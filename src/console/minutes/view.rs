//! What the pages of past meetings show.

use crate::show::{Block, Body, Cell, Column, Fact, Link, Note, Page, Row, Section, Shell, State, Table, words};
use strowger_model::minutes::{Member, Minutes};
use strowger_model::record::Recording;
use strowger_model::speech::{Analysis, Point};
use strowger_store::MinutesDetail;

/// A page of the list.
#[derive(Debug, Clone)]
pub struct Found {
    /// The meetings, newest first.
    pub meetings: Vec<Minutes>,
    /// The key of the next page.
    pub next: Option<String>,
    /// The key of this page.
    pub after: String,
    /// What was searched for.
    pub search: String,
}

fn title(minutes: &Minutes) -> &str {
    if minutes.title.is_empty() {
        &minutes.room
    } else {
        &minutes.title
    }
}

fn length(minutes: &Minutes) -> Option<i64> {
    let length = minutes.ended_at? - minutes.started_at;
    i64::try_from(length.whole_milliseconds()).ok()
}

fn state(minutes: &Minutes) -> State {
    match minutes.ended_at {
        None => State::on("Running"),
        Some(_) => State::idle("Over"),
    }
}

/// The list.
#[must_use]
pub fn list(shell: &Shell, base: &str, found: &Found) -> Page {
    let columns = vec![
        Column::text("Began").class("w"),
        Column::name("Meeting"),
        Column::text("State"),
        Column::figure("Length", "Length"),
        Column::figure("Most at once", ""),
        Column::text("Host"),
    ];
    let rows = found.meetings.iter().map(|minutes| {
        Row::of(vec![
            Cell::text(shell.clock.stamp(minutes.started_at)),
            Cell::LinkPair(
                format!("{base}/rooms/history/{}", minutes.call),
                title(minutes).to_owned(),
                if minutes.title.is_empty() {
                    String::new()
                } else {
                    minutes.room.clone()
                },
            ),
            Cell::State(state(minutes)),
            Cell::text(length(minutes).map_or_else(String::new, words::clock)),
            Cell::text(minutes.peak.to_string()),
            Cell::text(minutes.host.clone().unwrap_or_default()),
        ])
    });
    let table = Table::new("Meetings, newest first", columns, rows.collect());
    let empty = (
        "No meeting was held yet.",
        "Every meeting is listed here once its first member has come.",
    );
    let mut section =
        Section::table("mh", "Newest first", table, empty).aside(format!("Times in {}", shell.clock.zone()));
    let older = found.next.as_ref().map(|key| {
        let search = crate::query::encoded(&found.search);
        format!("{base}/rooms/history?q={search}&after={key}")
    });
    let newest = (!found.after.is_empty()).then(|| format!("{base}/rooms/history"));
    if older.is_some() || newest.is_some() {
        let shown = words::count(i64::try_from(found.meetings.len()).unwrap_or(0), "shown", "shown");
        section = section.and(Body::Pager(newest, shown, older));
    }
    Page::new(shell, "Meetings held", vec![Block::One(section)])
        .crumb(format!("{base}/rooms"), "Rooms")
        .intro("Who met when, what was written, recorded and said.")
}

/// One meeting.
#[must_use]
pub fn one(shell: &Shell, base: &str, detail: &MinutesDetail) -> Page {
    let minutes = &detail.meeting;
    let mut facts = vec![
        Fact::new("Room", minutes.room.clone()),
        Fact::new("State", state(minutes).word),
        Fact::new("Host", minutes.host.clone().unwrap_or_else(|| "nobody".to_owned())),
        Fact::new("Most at once", minutes.peak.to_string()),
    ];
    if let Some(length) = length(minutes) {
        facts.push(Fact::new("Length", words::span(length)));
    }
    facts.push(Fact {
        name: "Call".into(),
        value: "Open the call page".into(),
        href: format!("{base}/calls/{}", minutes.call),
    });
    let mut blocks = vec![Block::One(Section::plain(vec![Body::Facts(facts)]))];
    for (n, recording) in detail.recordings.iter().enumerate() {
        blocks.extend(recorded(shell, base, detail, recording, n));
    }
    blocks.push(Block::One(members(shell, detail)));
    blocks.push(Block::One(chat(shell, detail)));
    Page::new(shell, title(minutes), blocks)
        .crumb(format!("{base}/rooms/history"), "Meetings held")
        .intro(format!("Began {}.", shell.clock.stamp(minutes.started_at)))
}

fn members(shell: &Shell, detail: &MinutesDetail) -> Section {
    let columns = vec![
        Column::name("Who"),
        Column::text("Part"),
        Column::text("Came").class("w"),
        Column::text("Left").class("w"),
        Column::text("Last known"),
    ];
    let rows = detail.members.iter().map(|member| {
        let mut part = member.role.clone();
        if member.kind != "standard" {
            part = format!("{part}, {}", kind_word(&member.kind));
        }
        Row::of(vec![
            Cell::Pair(member.shown().to_owned(), other_name(member)),
            Cell::text(part),
            Cell::text(shell.clock.stamp(member.joined_at)),
            Cell::Pair(
                member.left_at.map_or_else(String::new, |left| shell.clock.stamp(left)),
                member.reason.as_deref().map(reason_words).unwrap_or_default(),
            ),
            Cell::text(flags(member)),
        ])
    });
    let table = Table::new("Who was there", columns, rows.collect());
    Section::table(
        "mm",
        "Who was there",
        table,
        ("Nobody came.", "The room was made and left empty."),
    )
}

/// The identity, where it is not what is shown.
fn other_name(member: &Member) -> String {
    if member.shown() == member.identity {
        String::new()
    } else {
        member.identity.clone()
    }
}

fn kind_word(kind: &str) -> &str {
    match kind {
        "sip" => "phone",
        other => other,
    }
}

fn reason_words(reason: &str) -> String {
    match reason {
        "client_initiated" => "left".to_owned(),
        "participant_removed" => "was removed".to_owned(),
        "duplicate_identity" => "came again from elsewhere".to_owned(),
        "room_ended" | "room_deleted" | "room_closed" => "the meeting ended".to_owned(),
        "signal_close" | "connection_timeout" | "state_mismatch" => "connection lost".to_owned(),
        other => other.replace('_', " "),
    }
}

fn flags(member: &Member) -> String {
    let mut words = vec![if member.is_muted { "muted" } else { "microphone on" }];
    if member.has_video {
        words.push("camera on");
    }
    if member.is_sharing {
        words.push("sharing a screen");
    }
    words.join(", ")
}

fn chat(shell: &Shell, detail: &MinutesDetail) -> Section {
    let columns = vec![
        Column::text("At").class("w"),
        Column::name("Who"),
        Column::text("Wrote"),
    ];
    let rows = detail.chat.iter().map(|line| {
        let name = if line.name.is_empty() {
            &line.identity
        } else {
            &line.name
        };
        Row::of(vec![
            Cell::text(shell.clock.stamp(line.sent_at)),
            Cell::text(name.clone()),
            Cell::text(line.text.clone()),
        ])
    });
    let table = Table::new("What was written", columns, rows.collect());
    Section::table(
        "mc",
        "Chat",
        table,
        ("Nobody wrote.", "What members write to all is kept with the meeting."),
    )
}

/// A recording: players for everybody together and each speaker alone, then what was said.
fn recorded(shell: &Shell, base: &str, detail: &MinutesDetail, recording: &Recording, n: usize) -> Vec<Block> {
    let mut rows = Vec::new();
    if recording.state == "ready" {
        let address = format!("{base}/recordings/{}", recording.id);
        rows.push(Row::of(vec![
            Cell::link(address.clone(), "Everybody"),
            Cell::text(words::clock(recording.duration_ms)),
            Cell::text(words::size(recording.size_bytes)),
            Cell::Audio(format!("{address}/audio"), "Everybody together".to_owned()),
        ]));
        let tracks = detail.tracks.iter().filter(|track| track.recording == recording.id);
        rows.extend(tracks.map(|track| {
            let audio = format!("{address}/tracks/{}", track.position);
            Row::of(vec![
                Cell::Pair(track.name.clone(), String::new()),
                Cell::text(words::clock(track.duration_ms)),
                Cell::text(words::size(track.size_bytes)),
                Cell::Audio(audio, format!("{} alone", track.name)),
            ])
        }));
    }
    let columns = vec![
        Column::name("Who"),
        Column::figure("Length", "Length"),
        Column::figure("Size", "").class("n no"),
        Column::text("Listen").class("full"),
    ];
    let heading = format!("Recording {}", n + 1);
    let empty = match recording.state.as_str() {
        "recording" => ("It is being recorded.", "It can be played a little after the meeting."),
        "captured" => ("It is being made.", "Reload in a moment."),
        "erased" => ("It was erased.", "Its key is destroyed."),
        _ => ("It could not be made.", "The jobs page says why."),
    };
    let table = Table::new(&heading, columns, rows);
    let mut section = Section::table(&format!("mr{n}"), &heading, table, empty).aside(format!(
        "asked for by {}, {}",
        recording.recorded_by,
        shell.clock.stamp(recording.created_at)
    ));
    if let Some(problem) = &recording.problem {
        section = section.and(Body::Note(Note {
            shape: "bad",
            strong: "It could not be made.".into(),
            text: problem.clone(),
            link: Some(Link::new(format!("{base}/jobs?state=dead"), "Open jobs")),
        }));
    }
    let mut blocks = vec![Block::One(section)];
    let transcript = detail.transcripts.iter().find(|found| found.recording == recording.id);
    let Some(transcript) = transcript else { return blocks };
    if let Some(analysis) = &transcript.analysis {
        blocks.push(Block::One(understood(analysis, n)));
    }
    let columns = vec![Column::text("At").class("w"), Column::name("Who"), Column::text("Said")];
    let rows = transcript.segments.iter().map(|segment| {
        Row::of(vec![
            Cell::text(words::clock(segment.start_ms)),
            Cell::text(segment.speaker.clone()),
            Cell::text(segment.text.clone()),
        ])
    });
    let table = Table::new("What was said", columns, rows.collect());
    let empty = match transcript.state.as_str() {
        "ready" => ("Nobody said a word.", "There was no speech in the recording."),
        "failed" => ("It could not be transcribed.", "The jobs page says why."),
        _ => ("It is being transcribed.", "Reload in a moment."),
    };
    blocks.push(Block::One(Section::table(
        &format!("mt{n}"),
        "What was said",
        table,
        empty,
    )));
    blocks
}

fn understood(analysis: &Analysis, n: usize) -> Section {
    let points = |points: &[Point]| {
        let line = |point: &Point| format!("{} ({}, {})", point.text, point.speaker, words::clock(point.at_ms));
        points.iter().map(line).collect::<Vec<_>>()
    };
    let mut body = vec![Body::Text(analysis.summary.clone())];
    if !analysis.key_points.is_empty() {
        body.push(Body::List(points(&analysis.key_points)));
    }
    if !analysis.action_items.is_empty() {
        body.push(Body::Text("To be done:".to_owned()));
        body.push(Body::List(points(&analysis.action_items)));
    }
    Section::new(&format!("ms{n}"), "Summary", body)
}
