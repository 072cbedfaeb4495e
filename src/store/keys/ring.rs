//! The keys in use: the master key and the tenants' keys that were asked for.

use super::{CryptoError, Key};
use crate::Result;
use crate::sql::{Db, Tx, args};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use strowger_model::{TenantId, World};
use zeroize::Zeroizing;

const CHECK: &str = "master_key_check";
const CHECK_TEXT: &[u8] = b"strowger";

/// The master key and a cache of unwrapped tenant keys.
pub(crate) struct Keyring {
    master: Key,
    tenants: Mutex<HashMap<TenantId, Arc<Key>>>,
}

impl Keyring {
    pub(crate) fn new(master: [u8; 32]) -> Result<Self> {
        Ok(Self {
            master: Key::from_bytes(Zeroizing::new(master))?,
            tenants: Mutex::new(HashMap::new()),
        })
    }

    /// Compares the master key with the check value made at the first start; makes it then.
    pub(crate) async fn check(&self, db: &Db, world: &dyn World) -> Result<()> {
        let mut tx = db.write_all().await?;
        // Whoever comes first decides; machines that start together must agree.
        let value = self.master.seal_text(world, CHECK, CHECK_TEXT)?;
        tx.run(
            "insert into platform_values (name, value) values ($1, $2) on conflict (name) do nothing",
            args![CHECK, value],
        )
        .await?;
        let stored = tx
            .one("select value from platform_values where name = $1", args![CHECK])
            .await?
            .ok_or(CryptoError::WrongMasterKey)?;
        self.master
            .open_text(CHECK, &stored.text("value")?)
            .map_err(|_| CryptoError::WrongMasterKey)?;
        tx.commit().await
    }

    /// Wraps every tenant's key by another master key; returns how many there are. This keyring keeps
    /// the former one and is of no more use.
    pub(crate) async fn rewrap(&self, db: &Db, world: &dyn World, next: [u8; 32]) -> Result<u64> {
        let next = Key::from_bytes(Zeroizing::new(next))?;
        let mut tx = db.write_all().await?;
        self.is_in_force(&mut tx).await?;
        let rows = tx.all("select tenant_id, wrapped from tenant_keys", args![]).await?;
        let mut wrapped = 0;
        for row in &rows {
            let tenant: TenantId = row.parse("tenant_id")?;
            let key = self.master.unwrap(&about(tenant), &row.text("wrapped")?)?;
            wrapped += tx
                .run(
                    "update tenant_keys set wrapped = $2 where tenant_id = $1",
                    args![tenant, next.wrap(world, &about(tenant), &key)?],
                )
                .await?;
        }
        let value = next.seal_text(world, CHECK, CHECK_TEXT)?;
        tx.run(
            "update platform_values set value = $2 where name = $1",
            args![CHECK, value],
        )
        .await?;
        tx.commit().await?;
        Ok(wrapped)
    }

    /// Refuses when the master key was changed since this process began, and keeps it from being
    /// changed until the transaction ends.
    async fn is_in_force(&self, tx: &mut Tx) -> Result<()> {
        let stored = tx
            .one(
                "update platform_values set value = value where name = $1 returning value",
                args![CHECK],
            )
            .await?
            .ok_or(CryptoError::WrongMasterKey)?;
        self.master
            .open_text(CHECK, &stored.text("value")?)
            .map_err(|_| CryptoError::KeyChanged)?;
        Ok(())
    }

    /// Makes a new tenant's key.
    pub(crate) async fn create(&self, tx: &mut Tx, tenant: TenantId, world: &dyn World) -> Result<()> {
        self.is_in_force(tx).await?;
        let key = Key::generate(world)?;
        let wrapped = self.master.wrap(world, &about(tenant), &key)?;
        tx.run(
            "insert into tenant_keys (tenant_id, wrapped) values ($1, $2)",
            args![tenant, wrapped],
        )
        .await?;
        Ok(())
    }

    /// A tenant's key, from memory or the database.
    pub(crate) async fn tenant(&self, db: &Db, tenant: TenantId) -> Result<Arc<Key>> {
        if let Some(key) = self.cached(tenant) {
            return Ok(key);
        }
        let mut tx = db.read(tenant).await?;
        let row = tx
            .one("select wrapped from tenant_keys where tenant_id = $1", args![tenant])
            .await?
            .ok_or(CryptoError::Erased)?;
        let key = Arc::new(self.master.unwrap(&about(tenant), &row.text("wrapped")?)?);
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tenant, Arc::clone(&key));
        Ok(key)
    }

    fn cached(&self, tenant: TenantId) -> Option<Arc<Key>> {
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant)
            .cloned()
    }

    /// Forgets a removed tenant's key.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&tenant);
    }
}

fn about(tenant: TenantId) -> String {
    format!("tenant key {tenant}")
}
