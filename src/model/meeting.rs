//! Meetings as people know them: who may do what in a room, when its door is open, and for how long a
//! guest's link lasts.

use crate::call::coded;
use crate::record::Room;
use crate::role::{Permission, Role};
use crate::{GuestLinkId, RoomId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long before its time a scheduled room opens to those who do not run it.
pub const GRACE: Duration = Duration::minutes(15);
/// How long after its time a scheduled room still takes people in.
pub const OVERTIME: Duration = Duration::hours(4);
/// The most characters of a room's name.
pub const NAME_MOST: usize = 80;
/// The most people a room may be opened to.
pub const PEOPLE_MOST: i64 = 500;

coded! {
    /// What somebody is in a room.
    RoomRole {
        /// Runs the meeting and may end it.
        Host = "host",
        /// Keeps order.
        Moderator = "moderator",
        /// Takes part.
        Participant = "participant",
    }
}

coded! {
    /// Something a role may be allowed to do in a room.
    RoomAct {
        /// Be heard and seen.
        Publish = "publish",
        /// Show a screen.
        Share = "share",
        /// Write to all.
        Chat = "chat",
        /// Mute others.
        Mute = "mute",
        /// Let waiting guests in or turn them away.
        Admit = "admit",
        /// Lock and unlock the door.
        Lock = "lock",
        /// Show somebody out.
        Remove = "remove",
        /// Call a telephone number in.
        Dial = "dial",
        /// Start and stop the recording.
        Record = "record",
        /// End the meeting for everybody.
        End = "end",
    }
}

impl RoomRole {
    /// Whether this role may do that.
    #[must_use]
    pub const fn may(self, act: RoomAct) -> bool {
        match self {
            Self::Host => true,
            Self::Moderator => !matches!(act, RoomAct::Record | RoomAct::End),
            Self::Participant => matches!(act, RoomAct::Publish | RoomAct::Share | RoomAct::Chat),
        }
    }

    /// What somebody is in a room where they were `given` a role: whoever runs the tenant runs its rooms,
    /// whoever steers its calls keeps order in them.
    #[must_use]
    pub const fn by_office(office: Role, given: Self) -> Self {
        if office.may(Permission::ManageTenant) {
            Self::Host
        } else if office.may(Permission::ManageCalls) && matches!(given, Self::Participant) {
            Self::Moderator
        } else {
            given
        }
    }
}

coded! {
    /// When a room is recorded.
    RecordingPolicy {
        /// Never.
        Never = "never",
        /// When the host asks for it.
        OnRequest = "on_request",
        /// From the first word to the last.
        Always = "always",
    }
}

/// When a scheduled meeting is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its begin.
    pub starts_at: OffsetDateTime,
    /// Its end.
    pub ends_at: OffsetDateTime,
    /// The zone its times were written in (IANA).
    pub zone: String,
}

/// A room with everything people say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// The room.
    pub room: Room,
    /// Its title; the name when empty.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Whether guests wait until somebody lets them in.
    pub waiting_room: bool,
    /// Whether nobody else comes in.
    pub locked: bool,
    /// The most people; 0 for the platform's own limit.
    pub max_participants: i64,
    /// When it is recorded.
    pub recording: RecordingPolicy,
    /// When it is; `None` for a room that always stands open.
    pub schedule: Option<Schedule>,
    /// What callers type after its number, if it can be dialled.
    pub pin: Option<String>,
    /// Who made it, as the audit log names them.
    pub created_by: String,
}

impl Meeting {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> RoomId {
        self.room.id
    }

    /// What people read.
    #[must_use]
    pub fn heading(&self) -> &str {
        if self.title.is_empty() {
            &self.room.name
        } else {
            &self.title
        }
    }

    /// What happens to somebody at the door while `inside` people are in.
    #[must_use]
    pub fn door(&self, visitor: Visitor, inside: i64, now: OffsetDateTime) -> Door {
        let role = match visitor {
            Visitor::Member(role) => role,
            Visitor::Guest => RoomRole::Participant,
        };
        if role.may(RoomAct::Lock) {
            return Door::Open;
        }
        if let Some(schedule) = &self.schedule {
            let opens_at = schedule.starts_at - GRACE;
            if now < opens_at {
                return Door::Shut(Shut::Early { opens_at });
            }
            if now > schedule.ends_at + OVERTIME {
                return Door::Shut(Shut::Over);
            }
        }
        if self.locked {
            return Door::Shut(Shut::Locked);
        }
        if self.max_participants > 0 && inside >= self.max_participants {
            return Door::Shut(Shut::Full);
        }
        if visitor == Visitor::Guest && self.waiting_room {
            return Door::Waits;
        }
        Door::Open
    }
}

/// Who stands at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody of the tenant, with their role in this room.
    Member(RoomRole),
    /// Somebody with a guest's link.
    Guest,
}

/// What the door does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Come in.
    Open,
    /// Wait until somebody lets you in.
    Waits,
    /// Stay out.
    Shut(Shut),
}

/// Why a door is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// A host locked it.
    Locked,
    /// As many as may are in.
    Full,
    /// Its time has not come.
    Early {
        /// When it opens.
        opens_at: OffsetDateTime,
    },
    /// Its time is over.
    Over,
}

impl Shut {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Locked => "room_locked",
            Self::Full => "room_full",
            Self::Early { .. } => "room_not_open",
            Self::Over => "room_over",
        }
    }

    /// A sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Locked => "A host has locked this room.",
            Self::Full => "As many people as may are in this room.",
            Self::Early { .. } => "This meeting has not begun.",
            Self::Over => "This meeting is over.",
        }
    }
}

/// A link with which somebody without an account joins. Its secret is known to who got the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLink {
    /// Its id.
    pub id: GuestLinkId,
    /// Whose room it leads to.
    pub tenant: TenantId,
    /// The room.
    pub room: RoomId,
    /// Whom it is for, as the host wrote it.
    pub label: String,
    /// Whether it lets one person in, once.
    pub once: bool,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was first used.
    pub used_at: Option<OffsetDateTime>,
    /// When it was taken back.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

coded! {
    /// What a link is worth.
    LinkState {
        /// It lets people in.
        Alive = "alive",
        /// It let its one person in.
        Used = "used",
        /// Its time is over.
        Expired = "expired",
        /// It was taken back.
        Revoked = "revoked",
    }
}

impl GuestLink {
    /// What it is worth now.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> LinkState {
        if self.revoked_at.is_some() {
            LinkState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            LinkState::Expired
        } else if self.once && self.used_at.is_some() {
            LinkState::Used
        } else {
            LinkState::Alive
        }
    }
}

/// Somebody who was asked to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// The person, when they are the tenant's.
    pub user: Option<UserId>,
}

/// What is wrong with a room's name, if anything.
#[must_use]
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("Give it a name.")
    } else if name.chars().count() > NAME_MOST {
        Some("Use at most 80 characters.")
    } else if name.chars().any(char::is_control) || name.trim() != name {
        Some("Leave out line breaks and spaces at the ends.")
    } else {
        None
    }
}

/// What is wrong with a schedule, if anything.
#[must_use]
pub fn schedule_fault(schedule: &Schedule) -> Option<&'static str> {
    let length = schedule.ends_at - schedule.starts_at;
    if length <= Duration::ZERO {
        Some("It has to end after it begins.")
    } else if length > Duration::hours(24) {
        Some("It may last a day at most.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn meeting() -> Meeting {
        let world = crate::world::SeededWorld::new(1, 0);
        Meeting {
            room: Room {
                id: RoomId::generate(&world),
                tenant: TenantId::generate(&world),
                name: "daily".into(),
                created_at: NOON,
            },
            title: String::new(),
            description: String::new(),
            waiting_room: false,
            locked: false,
            max_participants: 0,
            recording: RecordingPolicy::OnRequest,
            schedule: None,
            pin: None,
            created_by: String::new(),
        }
    }

    #[test]
    fn each_role_may_what_the_table_says() {
        let table = [
            (RoomAct::Publish, [true, true, true]),
            (RoomAct::Share, [true, true, true]),
            (RoomAct::Chat, [true, true, true]),
            (RoomAct::Mute, [true, true, false]),
            (RoomAct::Admit, [true, true, false]),
            (RoomAct::Lock, [true, true, false]),
            (RoomAct::Remove, [true, true, false]),
            (RoomAct::Dial, [true, true, false]),
            (RoomAct::Record, [true, false, false]),
            (RoomAct::End, [true, false, false]),
        ];
        assert_eq!(table.len(), RoomAct::ALL.len());
        for (act, allowed) in table {
            for (role, may) in RoomRole::ALL.iter().zip(allowed) {
                assert_eq!(role.may(act), may, "{role} {act}");
            }
        }
    }

    #[test]
    fn whoever_runs_the_tenant_runs_its_rooms() {
        for (office, given, role) in [
            (Role::PlatformAdmin, RoomRole::Participant, RoomRole::Host),
            (Role::TenantAdmin, RoomRole::Participant, RoomRole::Host),
            (Role::Manager, RoomRole::Participant, RoomRole::Moderator),
            (Role::Manager, RoomRole::Host, RoomRole::Host),
            (Role::User, RoomRole::Participant, RoomRole::Participant),
            (Role::User, RoomRole::Moderator, RoomRole::Moderator),
        ] {
            assert_eq!(RoomRole::by_office(office, given), role, "{office} {given}");
        }
    }

    #[test]
    fn a_locked_or_full_door_opens_to_those_who_hold_the_key() {
        let member = Visitor::Member(RoomRole::Participant);
        let locked = Meeting {
            locked: true,
            ..meeting()
        };
        assert_eq!(locked.door(member, 0, NOON), Door::Shut(Shut::Locked));
        assert_eq!(locked.door(Visitor::Member(RoomRole::Host), 0, NOON), Door::Open);
        let small = Meeting {
            max_participants: 2,
            ..meeting()
        };
        assert_eq!(small.door(member, 1, NOON), Door::Open);
        assert_eq!(small.door(member, 2, NOON), Door::Shut(Shut::Full));
    }

    #[test]
    fn guests_wait_and_members_do_not() {
        let lobby = Meeting {
            waiting_room: true,
            ..meeting()
        };
        assert_eq!(lobby.door(Visitor::Guest, 0, NOON), Door::Waits);
        assert_eq!(lobby.door(Visitor::Member(RoomRole::Participant), 0, NOON), Door::Open);
    }

    #[test]
    fn a_scheduled_room_opens_a_quarter_of_an_hour_before_its_time() {
        let scheduled = Meeting {
            schedule: Some(Schedule {
                starts_at: NOON,
                ends_at: NOON + Duration::HOUR,
                zone: "UTC".into(),
            }),
            ..meeting()
        };
        let opens_at = NOON - GRACE;
        let second = Duration::SECOND;
        assert_eq!(
            scheduled.door(Visitor::Guest, 0, opens_at - second),
            Door::Shut(Shut::Early { opens_at })
        );
        assert_eq!(scheduled.door(Visitor::Guest, 0, opens_at), Door::Open);
        let late = NOON + Duration::HOUR + OVERTIME + second;
        assert_eq!(scheduled.door(Visitor::Guest, 0, late), Door::Shut(Shut::Over));
        assert_eq!(scheduled.door(Visitor::Member(RoomRole::Host), 0, late), Door::Open);
    }

    #[test]
    fn a_link_works_once_or_until_it_ends_or_is_taken_back() {
        let link = GuestLink {
            id: GuestLinkId::generate(&crate::world::SeededWorld::new(1, 0)),
            tenant: meeting().room.tenant,
            room: meeting().id(),
            label: String::new(),
            once: true,
            expires_at: Some(NOON),
            used_at: None,
            revoked_at: None,
            created_at: NOON - Duration::DAY,
        };
        let before = NOON - Duration::SECOND;
        assert_eq!(link.state(before), LinkState::Alive);
        assert_eq!(link.state(NOON), LinkState::Expired);
        let used = GuestLink {
            used_at: Some(before),
            ..link.clone()
        };
        assert_eq!(used.state(before), LinkState::Used);
        let many = GuestLink { once: false, ..used };
        assert_eq!(many.state(before), LinkState::Alive);
        let revoked = GuestLink {
            revoked_at: Some(before),
            ..link
        };
        assert_eq!(revoked.state(NOON), LinkState::Revoked);
    }

    #[test]
    fn a_name_is_a_line_of_text() {
        assert_eq!(name_fault("Daily Standup"), None);
        for bad in ["", " ", " a", "a\nb", &"x".repeat(81)] {
            assert!(name_fault(bad).is_some(), "{bad:?}");
        }
    }
}
