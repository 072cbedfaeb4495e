//! The tenant's standing meetings.

use crate::Result;
use crate::audit::Actor;
use crate::numbers::forget_target;
use crate::scope::area;
use crate::sql::{Row, args};
use strowger_model::RoomId;
use strowger_model::record::Room;
use strowger_model::trunk::NumberTarget;

area! {
    /// The rooms of the tenant.
    Rooms, rooms
}

pub(crate) fn room_of(row: &Row) -> Result<Room> {
    Ok(Room {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        created_at: row.time("created_at")?,
    })
}

impl Rooms {
    /// The rooms by name.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<Room>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, name, created_at from rooms where tenant_id = $1 order by name",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(room_of)
            .collect()
    }

    /// One room.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, room: RoomId) -> Result<Option<Room>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, name, created_at from rooms where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), room],
            )
            .await?
            .map(|row| room_of(&row))
            .transpose()
    }

    /// Makes a room.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, name: &str) -> Result<Room> {
        let room = Room {
            id: RoomId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            name: name.to_owned(),
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into rooms (id, tenant_id, name, created_at) values ($1, $2, $3, $4)",
            args![room.id, room.tenant, room.name, room.created_at],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "room.create", &room.id, name)
            .await?;
        tx.commit().await?;
        Ok(room)
    }

    /// Removes a room and takes it out of the numbers that led there. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, room: RoomId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from rooms where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), room],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        forget_target(&mut tx, self.scope.tenant(), NumberTarget::Room(room)).await?;
        self.scope
            .note_directory(&mut tx, actor, "room.remove", &room, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
