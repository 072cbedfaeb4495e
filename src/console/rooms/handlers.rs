//! What is asked and posted about rooms.

use super::{form, view};
use crate::desk::{Desk, Sent};
use crate::fault::{Fault, Page};
use crate::meet::running;
use crate::people::form::taken;
use crate::show::{Problems, Values};
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use strowger_access::secret;
use strowger_model::meeting::{Meeting, RoomRole, name_fault};
use strowger_model::role::Permission;
use strowger_model::{GuestLinkId, RoomId, calendar};
use strowger_store::{MeetingChange, NewGuestLink, Page as Keyset};
use time::Duration;

const TAKEN: [(&str, &str); 2] = [
    ("name", "There is a room of that name. Choose another."),
    ("pin", "Another room has this PIN. Choose another."),
];

/// Lets those pass who use rooms or read all of the tenant.
fn sees(desk: &Desk) -> Page<()> {
    if desk.can(Permission::UsePhone) || desk.can(Permission::ReadAllCalls) {
        Ok(())
    } else {
        Err(Fault::forbidden(Permission::UsePhone))
    }
}

/// Whether this person runs the room: its host, or whoever steers the tenant's calls.
async fn runs(desk: &Desk, room: RoomId) -> Page<bool> {
    let given = match desk.user() {
        Some(user) => desk.scope.meetings().role_of(room, user).await?,
        None => RoomRole::Participant,
    };
    Ok(desk.can(Permission::ManageCalls) || RoomRole::by_office(desk.role(), given) == RoomRole::Host)
}

async fn steered(desk: &Desk, room: RoomId) -> Page<Meeting> {
    desk.may(Permission::UsePhone)?;
    let meeting = desk.scope.meetings().get(room).await?.ok_or(Fault::NotFound)?;
    if runs(desk, room).await? {
        Ok(meeting)
    } else {
        Err(Fault::forbidden(Permission::ManageCalls))
    }
}

async fn list(desk: &Desk, values: &Values, problems: &Problems) -> Page {
    let meetings = desk.scope.meetings().list().await?;
    let page = view::index(
        &desk.shell(),
        &desk.base(),
        &super::live::now(desk).await?,
        &meetings,
        (values, problems),
        desk.can(Permission::UsePhone),
    );
    Ok((problems.status(), page).into_response())
}

fn blank(desk: &Desk) -> Values {
    Values::default().with("zone", desk.shell().clock.zone())
}

pub(super) async fn index(desk: Desk) -> Page {
    sees(&desk)?;
    list(&desk, &blank(&desk), &Problems::default()).await
}

pub(super) async fn create(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::UsePhone)?;
    let change = match form::read(&values) {
        Ok(change) => change,
        Err(problems) => return list(&desk, &values, &problems).await,
    };
    let host = tenants_own(&desk).await?;
    match desk.scope.meetings().create(&desk.actor(), host, change).await {
        Ok(meeting) => {
            desk.state.exchange().reload();
            Ok(desk.back(&format!("/rooms/{}", meeting.id()), "added"))
        }
        Err(error) => {
            let problems = taken(error, &TAKEN)?;
            list(&desk, &values, &problems).await
        }
    }
}

/// The person, when they are one of the tenant's: a platform administrator has no row there.
async fn tenants_own(desk: &Desk) -> Page<Option<strowger_model::UserId>> {
    Ok(match desk.user() {
        Some(user) => desk.scope.users().get(user).await?.map(|user| user.id),
        None => None,
    })
}

/// Joins the room of a name, which is made when there is none.
pub(super) async fn meet(sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    desk.may(Permission::UsePhone)?;
    let name = values.get("name").trim();
    if let Some(fault) = name_fault(name) {
        return list(&desk, &blank(&desk), &Problems::one("meet", fault)).await;
    }
    let meetings = desk.scope.meetings();
    let room = match meetings.named(name).await? {
        Some(meeting) => meeting.id(),
        None => {
            let host = tenants_own(&desk).await?;
            match meetings.create(&desk.actor(), host, MeetingChange::named(name)).await {
                Ok(meeting) => meeting.id(),
                // Somebody was faster with the same name.
                Err(strowger_store::Error::Taken { .. }) => meetings.named(name).await?.ok_or(Fault::NotFound)?.id(),
                Err(error) => return Err(error.into()),
            }
        }
    };
    desk.state.exchange().reload();
    Ok(Redirect::to(&format!("/meet/{room}")).into_response())
}

/// What a page of one room shows besides the room.
#[derive(Default)]
struct Extra {
    problems: Problems,
    values: Option<Values>,
    link: Option<String>,
    invited: Option<String>,
}

async fn one(desk: &Desk, meeting: &Meeting, extra: Extra) -> Page {
    let room = meeting.id();
    let users = desk.scope.users().list(&Keyset::first(1000)).await?.items;
    let running = match desk.state.rooms() {
        Some(rooms) => rooms.participants(&running(meeting)).await.unwrap_or_default().len(),
        None => 0,
    };
    let invited = desk.scope.meetings().invited(room).await?;
    let links = desk.scope.guest_links().of_room(room).await?;
    let roles = desk.scope.meetings().roles(room).await?;
    let clock = desk.state.clock();
    let status = extra.problems.status();
    let seen = view::Seen {
        meeting,
        running,
        users: &users,
        roles: &roles,
        links: &links,
        invited: &invited,
        link: extra.link.as_deref(),
        values: extra.values.unwrap_or_else(|| form::as_typed(meeting, clock.zone())),
        problems: &extra.problems,
        invited_typed: extra.invited,
        runs: runs(desk, room).await?,
    };
    Ok((status, view::one(&desk.shell(), &desk.base(), &seen)).into_response())
}

pub(super) async fn show(Path((_, room)): Path<(String, RoomId)>, desk: Desk) -> Page {
    sees(&desk)?;
    let meeting = desk.scope.meetings().get(room).await?.ok_or(Fault::NotFound)?;
    one(&desk, &meeting, Extra::default()).await
}

pub(super) async fn update(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let meeting = steered(&desk, room).await?;
    let refused = |problems, values| Extra {
        problems,
        values: Some(values),
        ..Extra::default()
    };
    let change = match form::read(&values) {
        Ok(change) => change,
        Err(problems) => return one(&desk, &meeting, refused(problems, values)).await,
    };
    match desk.scope.meetings().update(&desk.actor(), room, &change).await {
        Ok(_) => {
            // A room that runs learns what holds from now on; one that does not runs by its row later.
            if let Some(rooms) = desk.state.rooms() {
                let _ = rooms.set_waiting_room(&running(&meeting), change.waiting_room).await;
            }
            desk.state.exchange().reload();
            Ok(desk.back(&format!("/rooms/{room}"), "saved"))
        }
        Err(error) => {
            let problems = taken(error, &TAKEN)?;
            one(&desk, &meeting, refused(problems, values)).await
        }
    }
}

pub(super) async fn remove(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    let meeting = steered(&desk, room).await?;
    if let Some(rooms) = desk.state.rooms() {
        // Not running is as good.
        let _ = rooms.delete(&running(&meeting)).await;
    }
    desk.scope.rooms().remove(&desk.actor(), room).await?;
    desk.state.exchange().reload();
    Ok(desk.back("/rooms", "removed"))
}

pub(super) async fn end(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    let meeting = steered(&desk, room).await?;
    let ended = match desk.state.rooms() {
        Some(rooms) => rooms.delete(&running(&meeting)).await.is_ok(),
        None => false,
    };
    if ended {
        let target = room.to_string();
        desk.scope.audit().write(&desk.actor(), "room.end", &target, "").await?;
    }
    let done = if ended { "room-ended" } else { "room-idle" };
    Ok(desk.back(&format!("/rooms/{room}"), done))
}

pub(super) async fn lock(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    let meeting = steered(&desk, room).await?;
    let locked = sent.values.get("locked") == "true";
    desk.scope.meetings().set_locked(&desk.actor(), room, locked).await?;
    if let Some(rooms) = desk.state.rooms() {
        let _ = rooms.set_lock(&running(&meeting), locked).await;
    }
    Ok(desk.back(&format!("/rooms/{room}"), "saved"))
}

pub(super) async fn roles(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    steered(&desk, room).await?;
    let user = values.get("user").parse().map_err(|_| Fault::NotFound)?;
    let role = RoomRole::from_code(values.get("role")).ok_or(Fault::NotFound)?;
    match desk.scope.meetings().set_role(&desk.actor(), room, user, role).await {
        Ok(()) => Ok(desk.back(&format!("/rooms/{room}"), "saved")),
        Err(strowger_store::Error::Dangling) => Err(Fault::NotFound),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn invited(Path((_, room)): Path<(String, RoomId)>, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let meeting = steered(&desk, room).await?;
    let mut people = match form::invited(values.raw("invited")) {
        Ok(people) => people,
        Err(problems) => {
            let extra = Extra {
                problems,
                invited: Some(values.raw("invited").to_owned()),
                ..Extra::default()
            };
            return one(&desk, &meeting, extra).await;
        }
    };
    let users = desk.scope.users().list(&Keyset::first(1000)).await?.items;
    for person in &mut people {
        let known = users.iter().find(|user| user.email.eq_ignore_ascii_case(&person.email));
        person.user = known.map(|user| user.id);
        if let (true, Some(user)) = (person.name.is_empty(), known) {
            person.name.clone_from(&user.name);
        }
    }
    desk.scope.meetings().invite(&desk.actor(), room, &people).await?;
    Ok(desk.back(&format!("/rooms/{room}"), "invited"))
}

/// Makes a guest's link, which is shown once.
pub(super) async fn link(Path((_, room)): Path<(String, RoomId)>, headers: HeaderMap, sent: Sent) -> Page {
    let (desk, values) = (sent.desk, sent.values);
    let meeting = steered(&desk, room).await?;
    let hours = match values.get("hours") {
        "1" => Some(1),
        "168" => Some(168),
        "720" => Some(720),
        "never" => None,
        _ => Some(24),
    };
    let written = secret::random_hex(desk.state.access().world());
    let new = NewGuestLink {
        room,
        label: values.get("label").chars().take(100).collect(),
        once: values.ticked("once"),
        expires_at: hours.map(|hours| desk.state.now() + Duration::hours(hours)),
        secret_hash: secret::digest_hex(&written),
    };
    desk.scope.guest_links().create(&desk.actor(), new).await?;
    let extra = Extra {
        link: Some(format!("{}/join/{written}", desk.origin(&headers))),
        ..Extra::default()
    };
    one(&desk, &meeting, extra).await
}

pub(super) async fn revoke(Path((_, room, link)): Path<(String, RoomId, GuestLinkId)>, sent: Sent) -> Page {
    let desk = sent.desk;
    steered(&desk, room).await?;
    let links = desk.scope.guest_links();
    if !links.of_room(room).await?.iter().any(|known| known.id == link) {
        return Err(Fault::NotFound);
    }
    links.revoke(&desk.actor(), link).await?;
    Ok(desk.back(&format!("/rooms/{room}"), "revoked"))
}

pub(super) async fn calendar(Path((_, room)): Path<(String, RoomId)>, headers: HeaderMap, desk: Desk) -> Page {
    sees(&desk)?;
    let meeting = desk.scope.meetings().get(room).await?.ok_or(Fault::NotFound)?;
    let schedule = meeting.schedule.as_ref().ok_or(Fault::NotFound)?;
    let invited = desk.scope.meetings().invited(room).await?;
    let entry = calendar::Entry {
        meeting: &meeting,
        schedule,
        url: &format!("{}/meet/{room}", desk.origin(&headers)),
        organizer: if meeting.created_by.contains('@') {
            &meeting.created_by
        } else {
            ""
        },
        invited: &invited,
        now: desk.state.now(),
    };
    Ok(file(calendar::write(&entry)))
}

fn file(text: String) -> Response {
    let kind = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"meeting.ics\""),
    ];
    (kind, text).into_response()
}
