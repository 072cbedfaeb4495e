//! How rooms look outside.

use crate::body::{Checked, Faults};
use crate::problem::Problem;
use crate::wire::stamp;
use serde::{Deserialize, Deserializer, Serialize};
use strowger_model::meeting::{Meeting, PEOPLE_MOST, RecordingPolicy, Schedule, name_fault, schedule_fault};
use strowger_store::MeetingChange;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// When a meeting is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ScheduleJson {
    /// Its begin, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    starts_at: OffsetDateTime,
    /// Its end, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    ends_at: OffsetDateTime,
    /// The zone people read it in (IANA).
    #[serde(default = "utc")]
    time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomJson {
    /// Its id, opaque and the tenant's alone.
    id: Uuid,
    /// Its tenant.
    tenant_id: Uuid,
    /// The name people join by, unique in the tenant.
    name: String,
    /// Its title; empty when the name says enough.
    title: String,
    /// What it is about.
    description: String,
    /// Whether guests wait until somebody lets them in.
    waiting_room: bool,
    /// Whether only hosts and moderators come in.
    is_locked: bool,
    /// The most people; absent: as many as the machine takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_participants: Option<i64>,
    /// `never`, `on_request` or `always`.
    recording: &'static str,
    /// When it is; absent: it always stands open.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<ScheduleJson>,
    /// What callers type to come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
    /// How many are in now.
    participants: u32,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created_at: String,
}

impl RoomJson {
    pub(super) fn of(meeting: &Meeting, participants: u32) -> Self {
        Self {
            id: meeting.id().uuid(),
            tenant_id: meeting.room.tenant.uuid(),
            name: meeting.room.name.clone(),
            title: meeting.title.clone(),
            description: meeting.description.clone(),
            waiting_room: meeting.waiting_room,
            is_locked: meeting.locked,
            max_participants: Some(meeting.max_participants).filter(|most| *most > 0),
            recording: meeting.recording.code(),
            schedule: meeting.schedule.as_ref().map(|schedule| ScheduleJson {
                starts_at: schedule.starts_at,
                ends_at: schedule.ends_at,
                time_zone: schedule.zone.clone(),
            }),
            pin: meeting.pin.clone(),
            participants,
            created_by: meeting.created_by.clone(),
            created_at: stamp(meeting.room.created_at),
        }
    }
}

/// The rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomList {
    /// By name.
    pub(super) items: Vec<RoomJson>,
}

/// What is said about a room. Making one takes a name; changing one takes what changes.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RoomBody {
    /// The name people join by, unique in the tenant.
    #[schema(example = "Daily Standup")]
    name: Option<String>,
    /// Its title.
    title: Option<String>,
    /// What it is about.
    description: Option<String>,
    /// Whether guests wait until somebody lets them in.
    waiting_room: Option<bool>,
    /// The most people, 1 to 500; 0: as many as the machine takes.
    max_participants: Option<i64>,
    /// `never`, `on_request` or `always`.
    recording: Option<String>,
    /// When it is; `null`: it always stands open.
    #[serde(default, deserialize_with = "said")]
    schedule: Option<Option<ScheduleJson>>,
    /// 4 to 12 digits that callers type; empty: none.
    pin: Option<String>,
    /// Who runs it, when it is made.
    pub(super) host_id: Option<Uuid>,
}

/// Tells `null` from absent.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Checked for RoomBody {
    fn check(&self, faults: &mut Faults) {
        faults.at_most(120, "title", self.title.as_deref());
        faults.at_most(4000, "description", self.description.as_deref());
        if let Some(fault) = self.name.as_deref().and_then(name_fault) {
            faults.unless(false, "name", fault);
        }
        let most = self
            .max_participants
            .is_none_or(|most| (0..=PEOPLE_MOST).contains(&most));
        faults.unless(most, "max_participants", "0 to 500");
        let policy = self
            .recording
            .as_deref()
            .is_none_or(|code| RecordingPolicy::from_code(code).is_some());
        faults.unless(policy, "recording", "never, on_request or always");
        let digits = |pin: &str| {
            pin.is_empty() || ((4..=12).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit()))
        };
        faults.unless(
            self.pin.as_deref().is_none_or(digits),
            "pin",
            "4 to 12 digits, or empty",
        );
        if let Some(Some(schedule)) = &self.schedule {
            if let Some(fault) = schedule_fault(&schedule.read()) {
                faults.unless(false, "schedule.ends_at", fault);
            }
            let zone = jiff::tz::TimeZone::get(&schedule.time_zone).is_ok();
            faults.unless(zone, "schedule.time_zone", "a zone as in Europe/London");
        }
    }
}

impl ScheduleJson {
    fn read(&self) -> Schedule {
        Schedule {
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            zone: self.time_zone.clone(),
        }
    }
}

impl RoomBody {
    /// The change, on top of what holds.
    pub(super) fn change(self, now: Option<&Meeting>) -> Result<MeetingChange, Problem> {
        let mut change = match now {
            Some(now) => MeetingChange {
                name: now.room.name.clone(),
                title: now.title.clone(),
                description: now.description.clone(),
                waiting_room: now.waiting_room,
                max_participants: now.max_participants,
                recording: now.recording,
                schedule: now.schedule.clone(),
                pin: now.pin.clone(),
            },
            None if self.name.is_none() => return Err(Problem::field("name", "give it a name")),
            None => MeetingChange::named(""),
        };
        if let Some(name) = self.name {
            change.name = name;
        }
        if let Some(title) = self.title {
            change.title = title;
        }
        if let Some(description) = self.description {
            change.description = description;
        }
        change.waiting_room = self.waiting_room.unwrap_or(change.waiting_room);
        change.max_participants = self.max_participants.unwrap_or(change.max_participants);
        let policy = self.recording.as_deref().and_then(RecordingPolicy::from_code);
        change.recording = policy.unwrap_or(change.recording);
        if let Some(schedule) = self.schedule {
            change.schedule = schedule.map(|schedule| schedule.read());
        }
        if let Some(pin) = self.pin {
            change.pin = Some(pin).filter(|pin| !pin.is_empty());
        }
        Ok(change)
    }
}
