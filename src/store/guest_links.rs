//! Links with which people without an account join a room. Of a link's secret only its SHA-256 is kept.

use crate::audit::Actor;
use crate::scope::area;
use crate::sql::{Row, args};
use crate::{Accounts, Result};
use strowger_model::meeting::{GuestLink, LinkState};
use strowger_model::{GuestLinkId, RoomId};
use time::OffsetDateTime;

/// A link to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGuestLink {
    /// Where it leads.
    pub room: RoomId,
    /// Whom it is for.
    pub label: String,
    /// Whether it lets one person in, once.
    pub once: bool,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// SHA-256 of its secret, hexadecimal.
    pub secret_hash: String,
}

area! {
    /// The tenant's guest links.
    GuestLinks, guest_links
}

fn link_of(row: &Row) -> Result<GuestLink> {
    Ok(GuestLink {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        room: row.parse("room_id")?,
        label: row.text("label")?,
        once: row.switch("once")?,
        expires_at: row.opt_time("expires_at")?,
        used_at: row.opt_time("used_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        created_at: row.time("created_at")?,
    })
}

impl GuestLinks {
    /// The links to a room, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_room(&self, room: RoomId) -> Result<Vec<GuestLink>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, room_id, label, once, expires_at, used_at, revoked_at, created_at \
                 from guest_links where tenant_id = $1 and room_id = $2 order by id desc",
                args![self.scope.tenant(), room],
            )
            .await?
            .iter()
            .map(link_of)
            .collect()
    }

    /// Makes a link.
    ///
    /// # Errors
    /// There is no such room, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewGuestLink) -> Result<GuestLink> {
        if self.scope.rooms().get(new.room).await?.is_none() {
            return Err(crate::Error::Dangling);
        }
        let link = GuestLink {
            id: GuestLinkId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            room: new.room,
            label: new.label,
            once: new.once,
            expires_at: new.expires_at,
            used_at: None,
            revoked_at: None,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into guest_links (id, tenant_id, room_id, label, secret_hash, once, expires_at, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                link.id,
                link.tenant,
                link.room,
                link.label,
                new.secret_hash,
                link.once,
                link.expires_at,
                link.created_at
            ],
        )
        .await?;
        self.scope
            .note(&mut tx, actor, "room.link", &link.room, &link.label)
            .await?;
        tx.commit().await?;
        Ok(link)
    }

    /// Takes a link back. Returns whether there was one that still stood.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn revoke(&self, actor: &Actor, link: GuestLinkId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update guest_links set revoked_at = $3 where tenant_id = $1 and id = $2 and revoked_at is null",
                args![self.scope.tenant(), link, self.scope.now()],
            )
            .await?;
        if touched > 0 {
            self.scope.note(&mut tx, actor, "room.link.revoke", &link, "").await?;
        }
        tx.commit().await?;
        Ok(touched > 0)
    }

    /// Lets somebody in with a link: marks its use. `false` when it is worth nothing any more, which
    /// of two at once only one is spared.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn spend(&self, link: &GuestLink) -> Result<bool> {
        let now = self.scope.now();
        if link.state(now) != LinkState::Alive {
            return Ok(false);
        }
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update guest_links set used_at = $3 where tenant_id = $1 and id = $2 and revoked_at is null \
                 and (once = 0 or used_at is null)",
                args![self.scope.tenant(), link.id, now],
            )
            .await?;
        tx.commit().await?;
        Ok(touched > 0)
    }
}

impl Accounts {
    /// The link of a secret, given its hash, whatever it is worth. A stopped tenant has none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn guest_link(&self, secret_hash: &str) -> Result<Option<GuestLink>> {
        self.store
            .read_all()
            .await?
            .one(
                "select g.id, g.tenant_id, g.room_id, g.label, g.once, g.expires_at, g.used_at, g.revoked_at, \
                 g.created_at from guest_links g join tenants t on t.id = g.tenant_id \
                 where g.secret_hash = $1 and t.active = 1",
                args![secret_hash],
            )
            .await?
            .map(|row| link_of(&row))
            .transpose()
    }
}
