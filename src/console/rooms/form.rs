//! What is typed about a room.

use crate::show::{Problems, Values};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use strowger_model::meeting::{
    Invitation, Meeting, PEOPLE_MOST, RecordingPolicy, Schedule, name_fault, schedule_fault,
};
use strowger_store::MeetingChange;
use time::OffsetDateTime;

/// What was typed about a room, or what is wrong with it.
pub(super) fn read(values: &Values) -> Result<MeetingChange, Problems> {
    let mut problems = Problems::default();
    let name = values.get("name").trim();
    if let Some(fault) = name_fault(name) {
        problems.add("name", fault);
    }
    for (field, most) in [("title", 120), ("description", 4000)] {
        if values.get(field).chars().count() > most {
            problems.add(field, format!("Use at most {most} characters."));
        }
    }
    let most = match values.get("max_participants").trim() {
        "" => Some(0),
        number => number.parse().ok().filter(|number| (0..=PEOPLE_MOST).contains(number)),
    };
    if most.is_none() {
        problems.add("max_participants", "Write a number from 1 to 500, or leave it empty.");
    }
    let pin = values.get("pin").trim();
    let is_pin = (4..=12).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit());
    if !(pin.is_empty() || is_pin) {
        problems.add("pin", "Write 4 to 12 digits, or leave it empty.");
    }
    let schedule = schedule(values, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(MeetingChange {
        name: name.to_owned(),
        title: values.get("title").trim().to_owned(),
        description: values.get("description").trim().replace("\r\n", "\n"),
        waiting_room: values.ticked("waiting_room"),
        max_participants: most.unwrap_or(0),
        recording: RecordingPolicy::from_code(values.get("recording")).unwrap_or(RecordingPolicy::OnRequest),
        schedule,
        pin: Some(pin).filter(|pin| !pin.is_empty()).map(str::to_owned),
    })
}

fn schedule(values: &Values, problems: &mut Problems) -> Option<Schedule> {
    let (starts, ends) = (values.get("starts"), values.get("ends"));
    if starts.is_empty() && ends.is_empty() {
        return None;
    }
    let zone = values.get("zone").trim();
    let Ok(found) = TimeZone::get(zone) else {
        problems.add("zone", "Write a zone as in Europe/London.");
        return None;
    };
    let mut moment = |field: &'static str, written: &str| {
        let read = written.parse::<DateTime>().ok().and_then(|local| {
            let stamp = found.to_zoned(local).ok()?.timestamp();
            OffsetDateTime::from_unix_timestamp(stamp.as_second()).ok()
        });
        if read.is_none() {
            problems.add(field, "Write day and time.");
        }
        read
    };
    let (starts_at, ends_at) = (moment("starts", starts), moment("ends", ends));
    let schedule = Schedule {
        starts_at: starts_at?,
        ends_at: ends_at?,
        zone: zone.to_owned(),
    };
    if let Some(fault) = schedule_fault(&schedule) {
        problems.add("ends", fault);
        return None;
    }
    Some(schedule)
}

/// A moment as a form's field takes it, in its zone.
fn local(at: OffsetDateTime, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Timestamp::from_second(at.unix_timestamp())
        .map(|stamp| zone.to_datetime(stamp).strftime("%Y-%m-%dT%H:%M").to_string())
        .unwrap_or_default()
}

/// A room as its form shows it.
pub(super) fn as_typed(meeting: &Meeting, zone: &str) -> Values {
    let mut values = Values::default()
        .with("name", meeting.room.name.clone())
        .with("title", meeting.title.clone())
        .with("description", meeting.description.clone())
        .with("waiting_room", meeting.waiting_room.to_string())
        .with("recording", meeting.recording.code())
        .with("pin", meeting.pin.clone().unwrap_or_default())
        .with("zone", zone);
    if meeting.max_participants > 0 {
        values = values.with("max_participants", meeting.max_participants.to_string());
    }
    match &meeting.schedule {
        Some(schedule) => values
            .with("starts", local(schedule.starts_at, &schedule.zone))
            .with("ends", local(schedule.ends_at, &schedule.zone))
            .with("zone", schedule.zone.clone()),
        None => values,
    }
}

/// The invited, one a line: `Name <address>` or an address.
pub(super) fn invited(written: &str) -> Result<Vec<Invitation>, Problems> {
    let mut out = Vec::new();
    for line in written.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, email) = match line.split_once('<') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches('>').trim()),
            None => ("", line),
        };
        if !strowger_access::is_email(email) {
            let what = format!("“{line}” is no e-mail address: write one a line, or Name <address>.");
            return Err(Problems::one("invited", what));
        }
        out.push(Invitation {
            email: email.to_lowercase(),
            name: name.to_owned(),
            user: None,
        });
    }
    if out.len() > 500 {
        return Err(Problems::one("invited", "Invite at most 500 people."));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_zone_they_were_written_in() {
        let values = Values::default()
            .with("name", "daily")
            .with("starts", "2026-07-01T09:00")
            .with("ends", "2026-07-01T09:30")
            .with("zone", "Europe/London");
        let change = read(&values).unwrap();
        let schedule = change.schedule.unwrap();
        assert_eq!(schedule.starts_at, time::macros::datetime!(2026-07-01 08:00 UTC));
        assert_eq!(local(schedule.starts_at, "Europe/London"), "2026-07-01T09:00");
    }

    #[test]
    fn each_fault_stands_beside_its_field() {
        let values = Values::default()
            .with("name", " ")
            .with("max_participants", "many")
            .with("pin", "12")
            .with("starts", "soon")
            .with("ends", "2026-07-01T09:30")
            .with("zone", "Europe/London");
        let problems = read(&values).unwrap_err();
        for field in ["name", "max_participants", "pin", "starts"] {
            assert!(problems.of(field).is_some(), "{field}");
        }
    }

    #[test]
    fn the_invited_are_written_one_a_line() {
        let people = invited("Ada Lovelace <Ada@Example.org>\n\nbob@example.org\n").unwrap();
        assert_eq!(
            (people[0].name.as_str(), people[0].email.as_str()),
            ("Ada Lovelace", "ada@example.org")
        );
        assert_eq!(people[1].email, "bob@example.org");
        assert!(invited("nobody").is_err());
    }
}
