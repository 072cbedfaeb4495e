//! What people say about the tenant's rooms: properties, who runs them, who was asked to come.

mod due;

use crate::Result;
use crate::audit::Actor;
use crate::rooms::room_of;
use crate::scope::area;
use crate::sql::{Arg, Row, Tx, args};
use strowger_model::meeting::{Invitation, Meeting, RecordingPolicy, RoomRole, Schedule};
use strowger_model::record::Room;
use strowger_model::{RoomId, UserId};

/// The statement that reads rooms; what follows `from`.
macro_rules! rooms {
    ($which:literal) => {
        concat!(
            "select id, tenant_id, name, title, description, waiting_room, locked, max_participants, recording, \
             starts_at, ends_at, zone, pin, created_by, created_at from rooms ",
            $which
        )
    };
}

/// What may be said about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingChange {
    /// Its name, unique in the tenant.
    pub name: String,
    /// Its title; the name when empty.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Whether guests wait until somebody lets them in.
    pub waiting_room: bool,
    /// The most people; 0 for the platform's own limit.
    pub max_participants: i64,
    /// When it is recorded.
    pub recording: RecordingPolicy,
    /// When it is.
    pub schedule: Option<Schedule>,
    /// What callers type after its number, unique in the tenant.
    pub pin: Option<String>,
}

impl MeetingChange {
    /// A room that always stands open, with a name and nothing else said.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: String::new(),
            description: String::new(),
            waiting_room: false,
            max_participants: 0,
            recording: RecordingPolicy::OnRequest,
            schedule: None,
            pin: None,
        }
    }
}

area! {
    /// The tenant's rooms with everything people say about them.
    Meetings, meetings
}

fn meeting_of(row: &Row) -> Result<Meeting> {
    let schedule = match (row.opt_time("starts_at")?, row.opt_time("ends_at")?) {
        (Some(starts_at), Some(ends_at)) => Some(Schedule {
            starts_at,
            ends_at,
            zone: row.text("zone")?,
        }),
        (_, _) => None,
    };
    Ok(Meeting {
        room: room_of(row)?,
        title: row.text("title")?,
        description: row.text("description")?,
        waiting_room: row.switch("waiting_room")?,
        locked: row.switch("locked")?,
        max_participants: row.int("max_participants")?,
        recording: row.code("recording", RecordingPolicy::from_code)?,
        schedule,
        pin: row.opt_text("pin")?,
        created_by: row.text("created_by")?,
    })
}

impl Meetings {
    /// The rooms by name.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<Meeting>> {
        self.scope
            .read()
            .await?
            .all(rooms!("where tenant_id = $1 order by name"), args![self.scope.tenant()])
            .await?
            .iter()
            .map(meeting_of)
            .collect()
    }

    /// One room.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, room: RoomId) -> Result<Option<Meeting>> {
        self.only(
            rooms!("where tenant_id = $1 and id = $2"),
            args![self.scope.tenant(), room],
        )
        .await
    }

    /// The room of that name.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn named(&self, name: &str) -> Result<Option<Meeting>> {
        self.only(
            rooms!("where tenant_id = $1 and name = $2"),
            args![self.scope.tenant(), name],
        )
        .await
    }

    /// The room that callers reach by typing `pin`.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn with_pin(&self, pin: &str) -> Result<Option<Meeting>> {
        self.only(
            rooms!("where tenant_id = $1 and pin = $2"),
            args![self.scope.tenant(), pin],
        )
        .await
    }

    async fn only(&self, statement: &'static str, key: Vec<Arg>) -> Result<Option<Meeting>> {
        let row = self.scope.read().await?.one(statement, key).await?;
        row.map(|row| meeting_of(&row)).transpose()
    }

    /// Makes a room; `host` runs it.
    ///
    /// # Errors
    /// The name or the PIN is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, host: Option<UserId>, new: MeetingChange) -> Result<Meeting> {
        let meeting = Meeting {
            room: Room {
                id: RoomId::generate(self.scope.world()),
                tenant: self.scope.tenant(),
                name: new.name,
                created_at: self.scope.now(),
            },
            title: new.title,
            description: new.description,
            waiting_room: new.waiting_room,
            locked: false,
            max_participants: new.max_participants,
            recording: new.recording,
            schedule: new.schedule,
            pin: new.pin,
            created_by: actor.name().to_owned(),
        };
        let (starts_at, ends_at, zone) = columns(meeting.schedule.as_ref());
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into rooms (id, tenant_id, name, title, description, waiting_room, max_participants, recording, \
             starts_at, ends_at, zone, pin, created_by, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            args![
                meeting.room.id,
                meeting.room.tenant,
                meeting.room.name,
                meeting.title,
                meeting.description,
                meeting.waiting_room,
                meeting.max_participants,
                meeting.recording.code(),
                starts_at,
                ends_at,
                zone,
                meeting.pin,
                meeting.created_by,
                meeting.room.created_at
            ],
        )
        .await?;
        if let Some(host) = host {
            self.put_role(&mut tx, meeting.room.id, host, RoomRole::Host).await?;
        }
        self.scope
            .note_directory(&mut tx, actor, "room.create", &meeting.room.id, &meeting.room.name)
            .await?;
        tx.commit().await?;
        Ok(meeting)
    }

    /// Changes what is said about a room. `None` when there is no such room.
    ///
    /// # Errors
    /// The name or the PIN is taken, or the database did not answer.
    pub async fn update(&self, actor: &Actor, room: RoomId, change: &MeetingChange) -> Result<Option<Meeting>> {
        let (starts_at, ends_at, zone) = columns(change.schedule.as_ref());
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update rooms set name = $3, title = $4, description = $5, waiting_room = $6, max_participants = $7, \
                 recording = $8, starts_at = $9, ends_at = $10, zone = $11, pin = $12 where tenant_id = $1 and id = $2",
                args![
                    self.scope.tenant(),
                    room,
                    change.name,
                    change.title,
                    change.description,
                    change.waiting_room,
                    change.max_participants,
                    change.recording.code(),
                    starts_at,
                    ends_at,
                    zone,
                    change.pin
                ],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        self.scope
            .note_directory(&mut tx, actor, "room.update", &room, &change.name)
            .await?;
        tx.commit().await?;
        self.get(room).await
    }

    /// Locks a room, or unlocks it. Returns whether there is such a room.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_locked(&self, actor: &Actor, room: RoomId, locked: bool) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update rooms set locked = $3 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), room, locked],
            )
            .await?;
        if touched > 0 {
            let action = if locked { "room.lock" } else { "room.unlock" };
            self.scope.note(&mut tx, actor, action, &room, "").await?;
        }
        tx.commit().await?;
        Ok(touched > 0)
    }

    /// Who has a role in a room beyond taking part.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn roles(&self, room: RoomId) -> Result<Vec<(UserId, RoomRole)>> {
        self.scope
            .read()
            .await?
            .all(
                "select user_id, role from room_roles where tenant_id = $1 and room_id = $2 order by role, user_id",
                args![self.scope.tenant(), room],
            )
            .await?
            .iter()
            .map(|row| Ok((row.parse("user_id")?, row.code("role", RoomRole::from_code)?)))
            .collect()
    }

    /// What a person is in a room.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn role_of(&self, room: RoomId, user: UserId) -> Result<RoomRole> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select role from room_roles where tenant_id = $1 and room_id = $2 and user_id = $3",
                args![self.scope.tenant(), room, user],
            )
            .await?;
        row.map_or(Ok(RoomRole::Participant), |row| row.code("role", RoomRole::from_code))
    }

    /// Makes a person something in a room. Room and person have to be the tenant's.
    ///
    /// # Errors
    /// There is no such room or person, or the database did not answer.
    pub async fn set_role(&self, actor: &Actor, room: RoomId, user: UserId, role: RoomRole) -> Result<()> {
        if self.get(room).await?.is_none() || self.scope.users().get(user).await?.is_none() {
            return Err(crate::Error::Dangling);
        }
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from room_roles where tenant_id = $1 and room_id = $2 and user_id = $3",
            args![self.scope.tenant(), room, user],
        )
        .await?;
        if role != RoomRole::Participant {
            self.put_role(&mut tx, room, user, role).await?;
        }
        self.scope
            .note(&mut tx, actor, "room.role", &room, &format!("{user} {role}"))
            .await?;
        tx.commit().await
    }

    async fn put_role(&self, tx: &mut Tx, room: RoomId, user: UserId, role: RoomRole) -> Result<()> {
        tx.run(
            "insert into room_roles (tenant_id, room_id, user_id, role) values ($1, $2, $3, $4)",
            args![self.scope.tenant(), room, user, role.code()],
        )
        .await?;
        Ok(())
    }

    /// Who was asked to come, by address.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn invited(&self, room: RoomId) -> Result<Vec<Invitation>> {
        self.scope
            .read()
            .await?
            .all(
                "select email, name, user_id from room_invitations where tenant_id = $1 and room_id = $2 order by email",
                args![self.scope.tenant(), room],
            )
            .await?
            .iter()
            .map(|row| {
                Ok(Invitation {
                    email: row.text("email")?,
                    name: row.text("name")?,
                    user: row.opt_parse("user_id")?,
                })
            })
            .collect()
    }

    /// Says anew who is asked to come. Returns whether there is such a room.
    ///
    /// # Errors
    /// A person is not known, or the database did not answer.
    pub async fn invite(&self, actor: &Actor, room: RoomId, people: &[Invitation]) -> Result<bool> {
        if self.get(room).await?.is_none() {
            return Ok(false);
        }
        for user in people.iter().filter_map(|person| person.user) {
            if self.scope.users().get(user).await?.is_none() {
                return Err(crate::Error::Dangling);
            }
        }
        let mut tx = self.scope.write().await?;
        tx.run(
            "delete from room_invitations where tenant_id = $1 and room_id = $2",
            args![self.scope.tenant(), room],
        )
        .await?;
        for person in people {
            tx.run(
                "insert into room_invitations (tenant_id, room_id, email, name, user_id, created_at) \
                 values ($1, $2, $3, $4, $5, $6) on conflict (room_id, email) do nothing",
                args![
                    self.scope.tenant(),
                    room,
                    person.email,
                    person.name,
                    person.user,
                    self.scope.now()
                ],
            )
            .await?;
        }
        self.scope
            .note(&mut tx, actor, "room.invite", &room, &people.len().to_string())
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

type Columns<'a> = (Option<time::OffsetDateTime>, Option<time::OffsetDateTime>, &'a str);

fn columns(schedule: Option<&Schedule>) -> Columns<'_> {
    schedule.map_or((None, None, ""), |schedule| {
        (Some(schedule.starts_at), Some(schedule.ends_at), schedule.zone.as_str())
    })
}
