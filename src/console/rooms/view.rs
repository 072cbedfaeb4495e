//! What the pages of rooms show.

use crate::show::{
    Act, Block, Body, Button, Cell, Choice, Clock, Column, Fact, Field, Form, Link, Note, Page, Problems, Row, Section,
    Shell, State, Table, Values, words,
};
use strowger_model::meeting::{GuestLink, Invitation, LinkState, Meeting, RecordingPolicy, RoomRole};
use strowger_model::record::User;
use strowger_model::{RoomId, UserId};
use time::OffsetDateTime;

/// A room in which somebody is.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its row, if it has one: a program may open a room that nobody wrote down.
    pub room: Option<RoomId>,
    /// What people read.
    pub name: String,
    /// Since when.
    pub since: OffsetDateTime,
    /// How many are in.
    pub people: u32,
    /// How many of them can be heard or seen.
    pub speaking: u32,
    /// Whether it is recorded.
    pub recorded: bool,
}

/// The board of running rooms.
#[must_use]
pub fn board(running: &[Running], base: &str, clock: &Clock) -> Body {
    if running.is_empty() {
        let next = "As soon as somebody joins a room it appears here.";
        return Body::Empty("Nobody is in a meeting.".into(), next.into());
    }
    let columns = vec![
        Column::name("Room"),
        Column::figure("For", "For"),
        Column::figure("People", "People"),
        Column::figure("Heard or seen", "Heard or seen").class("n no"),
        Column::text("State"),
        Column::text(""),
    ];
    let rows = running.iter().map(|room| {
        let name = match room.room {
            Some(id) => Cell::link(format!("{base}/rooms/{id}"), room.name.clone()),
            None => Cell::text(room.name.clone()),
        };
        let join = match room.room {
            Some(id) => Cell::Link {
                href: format!("/meet/{id}"),
                text: "Join".into(),
                about: room.name.clone(),
            },
            None => Cell::Blank,
        };
        Row::of(vec![
            name,
            Cell::text(clock.since(room.since)),
            Cell::text(room.people.to_string()),
            Cell::text(room.speaking.to_string()),
            Cell::State(if room.recorded {
                State::bad("Recorded")
            } else {
                State::on("Running")
            }),
            join,
        ])
    });
    Body::Table(Table::new("Rooms in which somebody is", columns, rows.collect()))
}

fn when(meeting: &Meeting, clock: &Clock) -> String {
    meeting.schedule.as_ref().map_or_else(String::new, |schedule| {
        let own = Clock::new(clock.now, &schedule.zone);
        format!("{} to {}", own.stamp(schedule.starts_at), own.stamp(schedule.ends_at))
    })
}

fn is_to_come(meeting: &Meeting, clock: &Clock) -> bool {
    meeting
        .schedule
        .as_ref()
        .is_some_and(|schedule| schedule.ends_at >= clock.now)
}

fn standing(meeting: &Meeting) -> State {
    if meeting.locked {
        State::warn("Locked")
    } else {
        State::ok("Open")
    }
}

fn table(caption: &str, meetings: &[&Meeting], base: &str, clock: &Clock) -> Table {
    let columns = vec![
        Column::name("Room"),
        Column::text("When").class("full"),
        Column::text("Door"),
        Column::text("Guests").class("no"),
        Column::text("Recorded").class("no"),
        Column::text(""),
    ];
    let rows = meetings.iter().map(|meeting| {
        let href = format!("{base}/rooms/{}", meeting.id());
        let quiet = if meeting.title.is_empty() {
            String::new()
        } else {
            meeting.room.name.clone()
        };
        Row::of(vec![
            Cell::LinkPair(href, meeting.heading().to_owned(), quiet),
            Cell::text(match when(meeting, clock) {
                text if text.is_empty() => "Always".to_owned(),
                text => text,
            }),
            Cell::State(standing(meeting)),
            Cell::text(if meeting.waiting_room { "Wait" } else { "Come in" }),
            Cell::text(policy(meeting.recording)),
            Cell::Link {
                href: format!("/meet/{}", meeting.id()),
                text: "Join".into(),
                about: meeting.heading().to_owned(),
            },
        ])
    });
    Table::new(caption, columns, rows.collect())
}

const fn policy(policy: RecordingPolicy) -> &'static str {
    match policy {
        RecordingPolicy::Never => "Never",
        RecordingPolicy::OnRequest => "When the host asks",
        RecordingPolicy::Always => "Always",
    }
}

fn fields() -> Vec<Field> {
    let recording = RecordingPolicy::ALL
        .iter()
        .map(|code| Choice::new(code.code(), policy(*code)));
    vec![
        Field::line("name", "Name")
            .hint("People join by it; unique here.")
            .required(),
        Field::line("title", "Title").hint("What people read; the name when empty."),
        Field::input("starts", "Begins", "datetime-local", "off").hint("Empty: it always stands open."),
        Field::input("ends", "Ends", "datetime-local", "off"),
        Field::line("zone", "Time zone").hint("For example Europe/London."),
        Field::input("max_participants", "Most people", "number", "off").hint("Empty: as many as the machine takes."),
        Field::line("pin", "PIN for phones").hint("4 to 12 digits; empty: no dialling in by PIN."),
        Field::select("recording", "Record", recording.collect()),
        Field::tick("waiting_room", "Guests wait until somebody lets them in"),
        Field::area("description", "What it is about", 3),
    ]
}

/// The rooms of a tenant.
#[must_use]
pub fn index(
    shell: &Shell,
    base: &str,
    running: &[Running],
    meetings: &[Meeting],
    typed: (&Values, &Problems),
    may_create: bool,
) -> Page {
    let clock = &shell.clock;
    let mut blocks = Vec::new();
    if may_create {
        let mut name = Field::line("name", "Name of the room")
            .hint("The room is made when there is none of that name.")
            .required();
        if let Some(problem) = typed.1.of("meet") {
            problem.clone_into(&mut name.error);
        }
        let meet = Form::post(
            format!("{base}/rooms/meet"),
            "Meet now",
            &shell.csrf,
            vec![name],
            "Join",
        )
        .stacked();
        let intro = "Browser calls are free: colleagues who write the same name meet in the same room.";
        blocks.push(Block::One(Section::new(
            "me",
            "Meet now",
            vec![Body::Text(intro.into()), Body::Form(meet)],
        )));
    }
    let live = Body::Live(format!("{base}/rooms/events"), vec![board(running, base, clock)]);
    blocks.push(Block::One(
        Section::new("li", "Running now", vec![live]).link(format!("{base}/rooms/history"), "Past meetings"),
    ));
    let mut to_come: Vec<&Meeting> = meetings.iter().filter(|meeting| is_to_come(meeting, clock)).collect();
    to_come.sort_by_key(|meeting| meeting.schedule.as_ref().map(|schedule| schedule.starts_at));
    let rest: Vec<&Meeting> = meetings.iter().filter(|meeting| !is_to_come(meeting, clock)).collect();
    blocks.push(Block::One(Section::table(
        "sc",
        "Scheduled",
        table("Scheduled rooms", &to_come, base, clock),
        ("No meeting is to come.", "Give a room a begin and an end below."),
    )));
    blocks.push(Block::One(Section::table(
        "ro",
        "Standing rooms",
        table("Standing rooms", &rest, base, clock),
        ("No room yet.", "Join one by its name above, or add one below."),
    )));
    if may_create {
        let form = Form::post(format!("{base}/rooms"), "Add a room", &shell.csrf, fields(), "Add room")
            .stacked()
            .filled(typed.0, typed.1);
        let open = !typed.1.is_empty() && typed.1.of("meet").is_none();
        let folded = Body::Folded("Name, time, guests, recording".into(), open, form);
        blocks.push(Block::One(Section::new("ad", "Add a room", vec![folded])));
    }
    Page::new(shell, "Rooms", blocks)
}

/// One room and what is known of it.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The room.
    pub meeting: &'a Meeting,
    /// How many are in it now.
    pub running: usize,
    /// The tenant's people.
    pub users: &'a [User],
    /// Who has a role in it.
    pub roles: &'a [(UserId, RoomRole)],
    /// The guests' links.
    pub links: &'a [GuestLink],
    /// Who was asked to come.
    pub invited: &'a [Invitation],
    /// A link that was made just now, shown once.
    pub link: Option<&'a str>,
    /// What its form shows.
    pub values: Values,
    /// What is wrong with what was typed.
    pub problems: &'a Problems,
    /// The list of the invited as it was typed, when it was refused.
    pub invited_typed: Option<String>,
    /// Whether the visitor runs the room.
    pub runs: bool,
}

/// One room.
#[must_use]
pub fn one(shell: &Shell, base: &str, seen: &Seen<'_>) -> Page {
    let meeting = seen.meeting;
    let here = format!("{base}/rooms/{}", meeting.id());
    let mut blocks = Vec::new();
    if let Some(link) = seen.link {
        blocks.push(Block::One(Section::new("on", "The new link", once(link))));
    }
    blocks.push(Block::One(facts(shell, seen)));
    if seen.runs {
        let form = Form::post(here.clone(), "Edit the room", &shell.csrf, fields(), "Save")
            .stacked()
            .filled(&seen.values, seen.problems);
        blocks.push(Block::One(Section::new("ed", "Edit", vec![Body::Form(form)])));
        blocks.push(Block::One(links(shell, &here, seen)));
    }
    blocks.push(Block::Two(people(shell, &here, seen), invited(shell, &here, seen)));
    if seen.runs {
        let name = meeting.heading();
        let remove = Act::new(format!("{here}/remove"), "Remove this room", name, &shell.csrf).danger();
        blocks.push(Block::One(Section::new(
            "rm",
            "Remove",
            vec![
                Body::Text("Everybody in it is shown out and its links end. What was recorded stays.".into()),
                Body::Buttons(vec![Button::Post(remove)]),
            ],
        )));
    }
    let mut page = Page::new(shell, meeting.heading(), blocks)
        .crumb(format!("{base}/rooms"), "Rooms")
        .button(Button::Go(Link::new(format!("/meet/{}", meeting.id()), "Join"), true));
    if meeting.schedule.is_some() {
        page = page.button(Button::Go(
            Link::new(format!("{here}/calendar.ics"), "Add to my calendar"),
            false,
        ));
    }
    if seen.runs {
        let (word, value) = if meeting.locked {
            ("Unlock", "false")
        } else {
            ("Lock", "true")
        };
        let lock = Act::new(format!("{here}/lock"), word, "the room", &shell.csrf).with("locked", value);
        page = page.button(Button::Post(lock));
        if seen.running > 0 {
            let end = Act::new(format!("{here}/end"), "End for everybody", "", &shell.csrf).danger();
            page = page.button(Button::Post(end));
        }
    }
    page
}

fn facts(shell: &Shell, seen: &Seen<'_>) -> Section {
    let meeting = seen.meeting;
    let mut facts = vec![
        Fact::new(
            "Now",
            match seen.running {
                0 => "Nobody is in".to_owned(),
                people => words::count(
                    i64::try_from(people).unwrap_or(i64::MAX),
                    "person is in",
                    "people are in",
                ),
            },
        ),
        Fact::new("Door", if meeting.locked { "Locked" } else { "Open" }),
        Fact::new(
            "Guests",
            if meeting.waiting_room {
                "Wait to be let in"
            } else {
                "Come in at once"
            },
        ),
        Fact::new("Recorded", policy(meeting.recording)),
        Fact::new("Made by", meeting.created_by.clone()),
    ];
    if let Some(schedule) = &meeting.schedule {
        facts.insert(
            0,
            Fact::new("When", format!("{}, {}", when(meeting, &shell.clock), schedule.zone)),
        );
    }
    if let Some(pin) = &meeting.pin {
        facts.push(Fact::new("PIN for phones", pin.clone()));
    }
    let mut body = vec![Body::Facts(facts)];
    if !meeting.description.is_empty() {
        body.insert(0, Body::Text(meeting.description.clone()));
    }
    Section::plain(body)
}

fn once(link: &str) -> Vec<Body> {
    vec![
        Body::Note(Note {
            shape: "on",
            strong: "Send this link to your guest now.".into(),
            text: "It is shown this one time; only a fingerprint of it is kept.".into(),
            link: None,
        }),
        Body::Secret(vec![("Link".to_owned(), link.to_owned())]),
    ]
}

fn links(shell: &Shell, here: &str, seen: &Seen<'_>) -> Section {
    let columns = vec![
        Column::name("For"),
        Column::text("State"),
        Column::text("Lets in"),
        Column::text("Until").class("no"),
        Column::text("Made").class("no"),
        Column::acts(),
    ];
    let clock = &shell.clock;
    let rows = seen.links.iter().map(|link| {
        let state = link.state(clock.now);
        let label = if link.label.is_empty() {
            "A guest"
        } else {
            link.label.as_str()
        };
        let acts = match state {
            LinkState::Alive | LinkState::Used => vec![
                Act::new(
                    format!("{here}/links/{}/revoke", link.id),
                    "Take back",
                    label,
                    &shell.csrf,
                )
                .danger(),
            ],
            LinkState::Expired | LinkState::Revoked => Vec::new(),
        };
        Row::of(vec![
            Cell::text(label),
            Cell::State(match state {
                LinkState::Alive => State::ok("Valid"),
                LinkState::Used => State::idle("Used"),
                LinkState::Expired => State::idle("Expired"),
                LinkState::Revoked => State::idle("Taken back"),
            }),
            Cell::text(if link.once {
                "One person, once"
            } else {
                "Everybody who has it"
            }),
            Cell::text(
                link.expires_at
                    .map_or_else(|| "Taken back".to_owned(), |at| clock.stamp(at)),
            ),
            Cell::text(clock.stamp(link.created_at)),
            if acts.is_empty() { Cell::Blank } else { Cell::Acts(acts) },
        ])
    });
    let table = Table::new("Guest links", columns, rows.collect());
    let hours = vec![
        Choice::new("24", "One day"),
        Choice::new("1", "One hour"),
        Choice::new("168", "One week"),
        Choice::new("720", "30 days"),
        Choice::new("never", "Until it is taken back"),
    ];
    let fields = vec![
        Field::line("label", "Whom it is for"),
        Field::select("hours", "How long it lasts", hours),
        Field::tick("once", "For one person, once"),
    ];
    let form = Form::post(
        format!("{here}/links"),
        "Make a link",
        &shell.csrf,
        fields,
        "Make a link",
    );
    let empty = ("No link yet.", "With a link somebody without an account joins.");
    Section::table("gl", "Guest links", table, empty).and(Body::Form(form))
}

const fn role(role: RoomRole) -> &'static str {
    match role {
        RoomRole::Host => "Host",
        RoomRole::Moderator => "Moderator",
        RoomRole::Participant => "Takes part",
    }
}

fn people(shell: &Shell, here: &str, seen: &Seen<'_>) -> Section {
    let name = |id: UserId| {
        let user = seen.users.iter().find(|user| user.id == id);
        user.map_or_else(|| "Somebody who left".to_owned(), |user| user.name.clone())
    };
    let columns = vec![Column::name("Person"), Column::text("Role")];
    let rows = seen
        .roles
        .iter()
        .map(|(id, given)| Row::of(vec![Cell::text(name(*id)), Cell::text(role(*given))]));
    let table = Table::new("Roles", columns, rows.collect());
    let empty = (
        "Nobody runs it yet.",
        "Administrators run every room; managers keep order in all.",
    );
    let section = Section::table("rl", "Who runs it", table, empty);
    if !seen.runs || seen.users.is_empty() {
        return section;
    }
    let users = seen
        .users
        .iter()
        .map(|user| Choice::new(user.id.to_string(), user.name.clone()));
    let roles = RoomRole::ALL.iter().map(|one| Choice::new(one.code(), role(*one)));
    let fields = vec![
        Field::select("user", "Person", users.collect()),
        Field::select("role", "Is", roles.collect()),
    ];
    section.and(Body::Form(Form::post(
        format!("{here}/roles"),
        "Give a role",
        &shell.csrf,
        fields,
        "Give role",
    )))
}

fn invited(shell: &Shell, here: &str, seen: &Seen<'_>) -> Section {
    let line = |person: &Invitation| {
        if person.name.is_empty() {
            person.email.clone()
        } else {
            format!("{} <{}>", person.name, person.email)
        }
    };
    let lines: Vec<String> = seen.invited.iter().map(line).collect();
    if !seen.runs {
        let body = if lines.is_empty() {
            Body::Empty("Nobody was invited.".into(), String::new())
        } else {
            Body::List(lines)
        };
        return Section::new("iv", "Invited", vec![body]);
    }
    let mut field = Field::area("invited", "People, one a line", 5)
        .hint("Ada Lovelace <ada@acme.example>. They stand in the calendar file; nothing is sent.");
    field.value = seen.invited_typed.clone().unwrap_or_else(|| lines.join("\n"));
    if let Some(problem) = seen.problems.of("invited") {
        problem.clone_into(&mut field.error);
    }
    let form = Form::post(
        format!("{here}/invited"),
        "Invited",
        &shell.csrf,
        vec![field],
        "Keep the list",
    )
    .stacked();
    Section::new("iv", "Invited", vec![Body::Form(form)])
}
