//! Programs' keys to rooms. A token is signed with the secret, so the secret itself is kept, sealed.

use crate::audit::Actor;
use crate::keys::CryptoError;
use crate::scope::area;
use crate::sql::{Row, Tx, args};
use crate::{Accounts, Result};
use strowger_model::TenantId;
use strowger_model::record::RoomKey;
use zeroize::Zeroizing;

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoomKey {
    /// What tokens name it by, unique on this machine.
    pub id: String,
    /// What people call it, unique in the tenant.
    pub name: String,
    /// What tokens are signed with.
    pub secret: Zeroizing<String>,
    /// Whether the product signs its own tokens with it.
    pub own: bool,
}

/// A key with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRoomKey {
    /// The key.
    pub key: RoomKey,
    /// What tokens are signed with.
    pub secret: Zeroizing<String>,
}

area! {
    /// The tenant's keys to rooms.
    RoomKeys, room_keys
}

fn key_of(row: &Row) -> Result<RoomKey> {
    Ok(RoomKey {
        id: row.text("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        own: row.switch("own")?,
        last_used_at: row.opt_time("last_used_at")?,
        created_at: row.time("created_at")?,
    })
}

fn about(id: &str) -> String {
    format!("secret of room key {id}")
}

impl RoomKeys {
    /// The keys, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<RoomKey>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, name, own, last_used_at, created_at from room_keys \
                 where tenant_id = $1 order by created_at, id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(key_of)
            .collect()
    }

    /// Makes a key.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewRoomKey) -> Result<RoomKey> {
        let sealed = self.seal(&new).await?;
        let key = RoomKey {
            id: new.id,
            tenant: self.scope.tenant(),
            name: new.name,
            own: new.own,
            last_used_at: None,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into room_keys (id, tenant_id, name, secret, own, last_used_at, created_at) \
             values ($1, $2, $3, $4, $5, null, $6)",
            args![key.id, key.tenant, key.name, sealed, key.own, key.created_at],
        )
        .await?;
        self.scope
            .note(&mut tx, actor, "room_key.create", &key.id, &key.name)
            .await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The key the product signs its own tokens with; `make` gives it when there is none. Of two who make
    /// it at once, both get the one that stands.
    ///
    /// # Errors
    /// A person's key bears its name, or the database did not answer.
    pub async fn own(&self, make: impl FnOnce() -> NewRoomKey + Send) -> Result<KnownRoomKey> {
        if let Some(known) = self.find_own().await? {
            return Ok(known);
        }
        let new = make();
        let sealed = self.seal(&new).await?;
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into room_keys (id, tenant_id, name, secret, own, last_used_at, created_at) \
             values ($1, $2, $3, $4, 1, null, $5) on conflict (tenant_id, name) do nothing",
            args![new.id, self.scope.tenant(), new.name, sealed, self.scope.now()],
        )
        .await?;
        tx.commit().await?;
        self.find_own().await?.ok_or(crate::Error::Dangling)
    }

    /// One key with its secret.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn known(&self, id: &str) -> Result<Option<KnownRoomKey>> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select id, tenant_id, name, secret, own, last_used_at, created_at from room_keys \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.opened(&row).await.map(Some)
    }

    async fn opened(&self, row: &Row) -> Result<KnownRoomKey> {
        let key = key_of(row)?;
        let secret = open(&*self.scope.key().await?, &key.id, &row.text("secret")?)?;
        Ok(KnownRoomKey { key, secret })
    }

    async fn find_own(&self) -> Result<Option<KnownRoomKey>> {
        let row = self
            .scope
            .read()
            .await?
            .one(
                "select id, tenant_id, name, secret, own, last_used_at, created_at from room_keys \
                 where tenant_id = $1 and own = 1 order by created_at, id limit 1",
                args![self.scope.tenant()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.opened(&row).await.map(Some)
    }

    async fn seal(&self, new: &NewRoomKey) -> Result<String> {
        let key = self.scope.key().await?;
        Ok(key.seal_text(self.scope.world(), &about(&new.id), new.secret.as_bytes())?)
    }

    /// Ends a key and with it every token signed with it. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, id: &str) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from room_keys where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), id],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope.note(&mut tx, actor, "room_key.remove", &id, "").await?;
        tx.commit().await?;
        Ok(true)
    }
}

fn open(key: &crate::keys::Key, id: &str, sealed: &str) -> Result<Zeroizing<String>> {
    let bytes = key.open_text(&about(id), sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CryptoError::Tampered)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl Accounts {
    /// The living key that a token names, with its secret. A stopped tenant has none. That it was used is
    /// not marked: the signature is still to be checked.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn room_key(&self, id: &str) -> Result<Option<KnownRoomKey>> {
        let row = self
            .store
            .read_all()
            .await?
            .one(
                "select k.id, k.tenant_id, k.name, k.secret, k.own, k.last_used_at, k.created_at \
                 from room_keys k join tenants t on t.id = k.tenant_id where k.id = $1 and t.active = 1",
                args![id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = key_of(&row)?;
        let secret = open(
            &*self.store.tenant(key.tenant).key().await?,
            &key.id,
            &row.text("secret")?,
        )?;
        Ok(Some(KnownRoomKey { key, secret }))
    }

    /// Marks that a key was used, to the minute.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn room_key_used(&self, key: &RoomKey) -> Result<()> {
        let now = self.store.now();
        if key
            .last_used_at
            .is_some_and(|used| now - used <= time::Duration::minutes(1))
        {
            return Ok(());
        }
        let mut tx = self.store.write_all().await?;
        mark(&mut tx, key.tenant, &key.id, now).await?;
        tx.commit().await
    }
}

async fn mark(tx: &mut Tx, tenant: TenantId, id: &str, now: time::OffsetDateTime) -> Result<()> {
    tx.run(
        "update room_keys set last_used_at = $3 where tenant_id = $1 and id = $2",
        args![tenant, id, now],
    )
    .await?;
    Ok(())
}
