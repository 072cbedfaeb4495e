//! The organisations that own data.

use crate::audit::{self, Actor};
use crate::scope::{platform_area, touch_directory};
use crate::sql::{Page, Paged, Row, args, cut};
use crate::{Error, Result};
use strowger_model::TenantId;
use strowger_model::record::Tenant;

/// A tenant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// Its name, unique on this machine.
    pub name: String,
    /// The SIP realm and domain of its devices, unique; can never change, HA1 values hang on it.
    pub realm: String,
}

/// What may change of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantChange {
    /// Its name.
    pub name: String,
    /// Whether it may place and receive calls.
    pub active: bool,
}

platform_area! {
    /// The tenants of this machine.
    Tenants, tenants
}

pub(crate) fn tenant_of(row: &Row) -> Result<Tenant> {
    Ok(Tenant {
        id: row.parse("id")?,
        name: row.text("name")?,
        realm: row.text("realm")?,
        active: row.switch("active")?,
        created_at: row.time("created_at")?,
    })
}

impl Tenants {
    /// All tenants, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Tenant>> {
        let rows = self
            .store
            .read_all()
            .await?
            .all(
                "select id, name, realm, active, created_at from tenants where id > $1 order by id limit $2",
                args![page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, tenant_of, |tenant| tenant.id.to_string())
    }

    /// One tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, tenant: TenantId) -> Result<Option<Tenant>> {
        self.store
            .read_all()
            .await?
            .one(
                "select id, name, realm, active, created_at from tenants where id = $1",
                args![tenant],
            )
            .await?
            .map(|row| tenant_of(&row))
            .transpose()
    }

    /// Makes a tenant with its key.
    ///
    /// # Errors
    /// Its name or realm is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewTenant) -> Result<Tenant> {
        let store = &self.store;
        let tenant = Tenant {
            id: TenantId::generate(store.world()),
            name: new.name,
            realm: new.realm,
            active: true,
            created_at: store.now(),
        };
        let mut tx = store.write_all().await?;
        tx.run(
            "insert into tenants (id, name, realm, active, created_at) values ($1, $2, $3, 1, $4)",
            args![tenant.id, tenant.name, tenant.realm, tenant.created_at],
        )
        .await?;
        store.keyring().create(&mut tx, tenant.id, store.world()).await?;
        touch_directory(&mut tx).await?;
        let line = actor.line("tenant.create", &tenant.id.to_string(), &tenant.name);
        audit::write(&mut tx, store.now(), None, &line).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Renames, stops or starts a tenant; `None` when there is no such tenant.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn update(&self, actor: &Actor, tenant: TenantId, change: &TenantChange) -> Result<Option<Tenant>> {
        let mut tx = self.store.write_all().await?;
        let touched = tx
            .run(
                "update tenants set name = $2, active = $3 where id = $1",
                args![tenant, change.name, change.active],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        touch_directory(&mut tx).await?;
        let detail = format!("name {}, active {}", change.name, change.active);
        let line = actor.line("tenant.update", &tenant.to_string(), &detail);
        audit::write(&mut tx, self.store.now(), None, &line).await?;
        tx.commit().await?;
        self.get(tenant).await
    }

    /// Removes a tenant with everything it owns: first its key, so that nothing of it can be read even
    /// where a file survives, with it all rows, then the files. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer, or files could not be removed.
    pub async fn remove(&self, actor: &Actor, tenant: TenantId) -> Result<bool> {
        let store = &self.store;
        let mut tx = store.write_all().await?;
        crate::blobs::give_up_tenant(&mut tx, tenant).await?;
        let touched = tx.run("delete from tenants where id = $1", args![tenant]).await?;
        if touched == 0 {
            return Ok(false);
        }
        touch_directory(&mut tx).await?;
        let line = actor.line("tenant.remove", &tenant.to_string(), "");
        audit::write(&mut tx, store.now(), None, &line).await?;
        tx.commit().await?;
        store.keyring().forget(tenant);
        store.forget_pages().await?;
        let folder = store.data_dir().join("blobs").join(tenant.to_string());
        match tokio::fs::remove_dir_all(&folder).await {
            Ok(()) => {}
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
            Err(problem) => return Err(Error::file("remove", &folder)(problem)),
        }
        // A bucket that does not answer is asked again by the upkeep; without the key nothing there can be read.
        if let Err(problem) = store.finish_erasures().await {
            tracing::warn!(
                problem = &problem as &dyn std::error::Error,
                "objects of a removed tenant wait in the bucket"
            );
        }
        Ok(true)
    }
}

impl crate::Store {
    /// The ids of all tenants, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn every_tenant(&self) -> Result<Vec<TenantId>> {
        self.read_all()
            .await?
            .all("select id from tenants order by id", args![])
            .await?
            .iter()
            .map(|row| row.parse("id"))
            .collect()
    }
}
