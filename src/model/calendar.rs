//! A meeting as a calendar file (RFC 5545), for whatever calendar a person keeps.

use crate::meeting::{Invitation, Meeting, Schedule};
use time::OffsetDateTime;

/// What surrounds a meeting's entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The meeting.
    pub meeting: &'a Meeting,
    /// When it is.
    pub schedule: &'a Schedule,
    /// Where people join: a URL.
    pub url: &'a str,
    /// The organiser's e-mail address; none when empty.
    pub organizer: &'a str,
    /// Who was asked to come.
    pub invited: &'a [Invitation],
    /// When the file is written.
    pub now: OffsetDateTime,
}

/// The file, as `text/calendar`.
#[must_use]
pub fn write(entry: &Entry<'_>) -> String {
    let meeting = entry.meeting;
    let mut out = Lines::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line("PRODID:-//Strowger//Rooms//EN");
    out.line("CALSCALE:GREGORIAN");
    out.line("METHOD:PUBLISH");
    out.line("BEGIN:VEVENT");
    out.line(&format!("UID:{}@strowger", meeting.id()));
    out.line(&format!("DTSTAMP:{}", stamp(entry.now)));
    // Both ends in UTC: a calendar shows them in its own zone, and no rule of ours can go stale.
    out.line(&format!("DTSTART:{}", stamp(entry.schedule.starts_at)));
    out.line(&format!("DTEND:{}", stamp(entry.schedule.ends_at)));
    out.line(&format!("SUMMARY:{}", text(meeting.heading())));
    let about = if meeting.description.is_empty() {
        format!("Join: {}", entry.url)
    } else {
        format!("{}\n\nJoin: {}", meeting.description, entry.url)
    };
    out.line(&format!("DESCRIPTION:{}", text(&about)));
    out.line(&format!("LOCATION:{}", text(entry.url)));
    out.line(&format!("URL:{}", uri(entry.url)));
    if !entry.organizer.is_empty() {
        out.line(&format!("ORGANIZER:mailto:{}", uri(entry.organizer)));
    }
    for guest in entry.invited {
        let name = parameter(&guest.name);
        out.line(&format!(
            "ATTENDEE;CN=\"{name}\";ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:{}",
            uri(&guest.email)
        ));
    }
    out.line("BEGIN:VALARM");
    out.line("ACTION:DISPLAY");
    out.line(&format!("DESCRIPTION:{}", text(meeting.heading())));
    out.line("TRIGGER:-PT10M");
    out.line("END:VALARM");
    out.line("END:VEVENT");
    out.line("END:VCALENDAR");
    out.0
}

/// RFC 5545 §3.3.5, form 2: a date with UTC time.
fn stamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// RFC 5545 §3.3.11: backslash, semicolon, comma and line breaks are escaped; other controls have no place.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.replace("\r\n", "\n").chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            ';' => out.push_str("\\;"),
            ',' => out.push_str("\\,"),
            '\n' => out.push_str("\\n"),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// RFC 5545 §3.2: a quoted parameter holds neither quotes nor controls.
fn parameter(value: &str) -> String {
    value
        .chars()
        .filter(|character| *character != '"' && !character.is_control())
        .collect()
}

/// An address as it is, without what would end the line.
fn uri(value: &str) -> String {
    value
        .chars()
        .filter(|character| !character.is_control() && !character.is_whitespace())
        .collect()
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    /// RFC 5545 §3.1: at most 75 octets a line, continued after a space, never inside a character.
    fn line(&mut self, content: &str) {
        let mut room = 75;
        for character in content.chars() {
            if character.len_utf8() > room {
                self.0.push_str("\r\n ");
                room = 74;
            }
            self.0.push(character);
            room -= character.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::RecordingPolicy;
    use crate::record::Room;
    use crate::{RoomId, TenantId};
    use time::macros::datetime;

    fn file(title: &str, description: &str) -> String {
        let world = crate::world::SeededWorld::new(1, 0);
        let meeting = Meeting {
            room: Room {
                id: RoomId::generate(&world),
                tenant: TenantId::generate(&world),
                name: "daily".into(),
                created_at: datetime!(2026-11-01 0:00 UTC),
            },
            title: title.into(),
            description: description.into(),
            waiting_room: false,
            locked: false,
            max_participants: 0,
            recording: RecordingPolicy::Never,
            schedule: None,
            pin: None,
            created_by: String::new(),
        };
        let schedule = Schedule {
            starts_at: datetime!(2026-11-21 15:00 +1),
            ends_at: datetime!(2026-11-21 16:30 +1),
            zone: "Europe/Berlin".into(),
        };
        let invited = [Invitation {
            email: "jonas@acme.example".into(),
            name: "Jonas \"JW\" Weber".into(),
            user: None,
        }];
        write(&Entry {
            meeting: &meeting,
            schedule: &schedule,
            url: "https://pbx.example/meet/1",
            organizer: "ines@acme.example",
            invited: &invited,
            now: datetime!(2026-11-20 8:00 UTC),
        })
    }

    fn unfolded(file: &str) -> String {
        file.replace("\r\n ", "")
    }

    #[test]
    fn times_are_in_utc_and_lines_end_as_the_rfc_says() {
        let file = file("Stand-up", "");
        assert!(file.contains("DTSTART:20261121T140000Z\r\n"));
        assert!(file.contains("DTEND:20261121T153000Z\r\n"));
        assert!(file.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
        assert!(file.ends_with("END:VCALENDAR\r\n"));
        assert!(!file.replace("\r\n", "").contains('\n'));
        assert!(unfolded(&file).contains("ATTENDEE;CN=\"Jonas JW Weber\";"));
    }

    #[test]
    fn text_is_escaped_and_long_lines_are_folded_between_characters() {
        let long = "Ärger, Übermut; und \\ mehr\nzweite Zeile ".repeat(6);
        let file = file("a;b,c", &long);
        for line in file.split("\r\n") {
            assert!(line.len() <= 75, "{line}");
        }
        let flat = unfolded(&file);
        assert!(flat.contains("SUMMARY:a\\;b\\,c\r\n"));
        assert!(flat.contains("DESCRIPTION:Ärger\\, Übermut\\; und \\\\ mehr\\nzweite Zeile "));
    }

    #[test]
    fn nothing_typed_adds_a_line_of_its_own() {
        let file = unfolded(&file("x\r\nBEGIN:VALARM\u{7}", "y\rz"));
        assert!(file.contains("SUMMARY:x\\nBEGIN:VALARM\r\n"));
        assert_eq!(file.matches("\r\nBEGIN:VALARM\r\n").count(), 1);
    }
}
