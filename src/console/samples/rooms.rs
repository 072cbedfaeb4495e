//! Rooms and the page people meet on.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::meet::view::Stage;
use crate::rooms::view::{self as rooms, Running, Seen};
use crate::show::{Problems, Values};
use strowger_model::meeting::{GuestLink, Invitation, Meeting, RecordingPolicy, RoomRole, Schedule};
use strowger_model::record::{Room, User};
use strowger_model::{GuestLinkId, Role, RoomId, TenantId, UserId};
use time::Duration;

fn meeting(name: &str, title: &str) -> Meeting {
    Meeting {
        room: Room {
            id: RoomId::generate(&world()),
            tenant: TenantId::generate(&world()),
            name: name.into(),
            created_at: NOW - Duration::days(12),
        },
        title: title.into(),
        description: String::new(),
        waiting_room: false,
        locked: false,
        max_participants: 0,
        recording: RecordingPolicy::OnRequest,
        schedule: None,
        pin: None,
        created_by: "ines@harbour.example".into(),
    }
}

fn review() -> Meeting {
    let starts_at = NOW + Duration::hours(3);
    Meeting {
        description: "The quarter in figures, then questions.\nBring the list of open treatments.".into(),
        waiting_room: true,
        max_participants: 25,
        recording: RecordingPolicy::Always,
        schedule: Some(Schedule {
            starts_at,
            ends_at: starts_at + Duration::minutes(50),
            zone: "Europe/London".into(),
        }),
        pin: Some("471100".into()),
        ..meeting("q4-review", "Review of the quarter")
    }
}

fn people() -> Vec<User> {
    ["Ines Duarte", "Jonas Weber"]
        .iter()
        .map(|name| User {
            id: UserId::generate(&world()),
            tenant: Some(TenantId::generate(&world())),
            email: format!("{}@harbour.example", name.to_lowercase().replace(' ', ".")),
            name: (*name).into(),
            role: Role::User,
            extension: None,
            active: true,
            created_at: NOW,
        })
        .collect()
}

fn links() -> Vec<GuestLink> {
    let link = |label: &str, once: bool, hours: i64| GuestLink {
        id: GuestLinkId::generate(&world()),
        tenant: TenantId::generate(&world()),
        room: RoomId::generate(&world()),
        label: label.into(),
        once,
        expires_at: Some(NOW + Duration::hours(hours)),
        used_at: None,
        revoked_at: None,
        created_at: NOW - Duration::hours(30),
    };
    vec![link("Dr Patel", true, 20), link("The laboratory", false, -6)]
}

pub(super) fn samples() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = (Values::default(), Problems::default());
    let locked = Meeting {
        locked: true,
        ..meeting("reception", "")
    };
    let meetings = [meeting("Daily Standup", ""), review(), locked];
    let running = [Running {
        room: meetings.first().map(Meeting::id),
        name: "Daily Standup".into(),
        since: NOW - Duration::minutes(7),
        people: 4,
        speaking: 3,
        recorded: true,
    }];
    let wrong = Problems::one("ends", "It has to end after it begins.");
    let typed = Values::default()
        .with("name", "q4-review")
        .with("starts", "2026-11-21T17:00")
        .with("ends", "2026-11-21T16:00")
        .with("zone", "Europe/London");
    let users = people();
    let roles: Vec<(UserId, RoomRole)> = users.iter().map(|user| (user.id, RoomRole::Host)).take(1).collect();
    let invited = [Invitation {
        email: "jonas.weber@harbour.example".into(),
        name: "Jonas Weber".into(),
        user: None,
    }];
    let links = links();
    let review = review();
    let seen = |runs: bool| Seen {
        meeting: &review,
        running: 4,
        users: &users,
        roles: &roles,
        links: &links,
        invited: &invited,
        link: runs.then_some("https://pbx.harbour.example/join/0f3a"),
        values: typed.clone(),
        problems: if runs { &wrong } else { &problems },
        invited_typed: None,
        runs,
    };
    vec![
        sample(
            "rooms",
            &rooms::index(&shell, BASE, &running, &meetings, (&values, &problems), true),
        ),
        sample(
            "rooms_empty",
            &rooms::index(&shell, BASE, &[], &[], (&values, &problems), true),
        ),
        sample("room", &rooms::one(&shell, BASE, &seen(false))),
        sample("room_refused", &rooms::one(&shell, BASE, &seen(true))),
        sample(
            "phone",
            &crate::phone::view::Phone::of("Ines Duarte", people().first(), "+44 20 7946 0958", ""),
        ),
        sample(
            "meet",
            &Stage::member(
                &review,
                &shell.clock,
                "Ines Duarte",
                "sample-token",
                &format!("{BASE}/rooms"),
            ),
        ),
        sample("meet_guest", &Stage::guest(&review, &shell.clock, "0f3a")),
    ]
}
