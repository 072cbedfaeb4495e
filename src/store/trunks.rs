//! The providers a tenant exchanges calls with. The password we register with is kept sealed.

mod health;

pub use health::TrunkMinute;

use crate::Result;
use crate::audit::Actor;
use crate::keys::{CryptoError, Key};
use crate::scope::area;
use crate::sql::{Row, args};
use strowger_model::TrunkId;
use strowger_model::record::Trunk;
use strowger_model::trunk::{Transport, TrunkKind};
use zeroize::Zeroizing;

/// A trunk to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrunk {
    /// What people call it, unique in the tenant.
    pub name: String,
    /// How we know each other.
    pub kind: TrunkKind,
    /// The provider's host.
    pub host: String,
    /// The provider's port.
    pub port: u16,
    /// How SIP travels to it.
    pub transport: Transport,
    /// Addresses or networks its calls come from besides `host`.
    pub addresses: Vec<String>,
    /// The user name it knows us by.
    pub username: Option<String>,
    /// The password that goes with it.
    pub password: Option<Zeroizing<String>>,
    /// The prefix of dialled numbers that go out here.
    pub prefix: String,
    /// The most calls at once.
    pub max_calls: i64,
}

/// What may change of a trunk: everything. A password of `None` keeps the one there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkChange {
    /// The new values.
    pub values: NewTrunk,
    /// Whether it is used.
    pub active: bool,
}

area! {
    /// The trunks of the tenant.
    Trunks, trunks
}

pub(crate) fn trunk_of(row: &Row) -> Result<Trunk> {
    Ok(Trunk {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        name: row.text("name")?,
        kind: row.code("kind", TrunkKind::from_code)?,
        host: row.text("host")?,
        port: u16::try_from(row.int("port")?).unwrap_or(5060),
        transport: row.code("transport", Transport::from_code)?,
        addresses: row.json("addresses")?,
        username: row.opt_text("username")?,
        prefix: row.text("prefix")?,
        max_calls: row.int("max_calls")?,
        active: row.switch("active")?,
        created_at: row.time("created_at")?,
    })
}

fn about(trunk: TrunkId) -> String {
    format!("password of trunk {trunk}")
}

/// Opens a trunk's password.
pub(crate) fn open_secret(key: &Key, trunk: TrunkId, sealed: &str) -> Result<Zeroizing<String>> {
    let bytes = key.open_text(&about(trunk), sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CryptoError::Tampered)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl Trunks {
    /// The trunks of the tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self) -> Result<Vec<Trunk>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, name, kind, host, port, transport, addresses, username, prefix, max_calls, \
                 active, created_at from trunks where tenant_id = $1 order by id",
                args![self.scope.tenant()],
            )
            .await?
            .iter()
            .map(trunk_of)
            .collect()
    }

    /// One trunk.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, trunk: TrunkId) -> Result<Option<Trunk>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, name, kind, host, port, transport, addresses, username, prefix, max_calls, \
                 active, created_at from trunks where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), trunk],
            )
            .await?
            .map(|row| trunk_of(&row))
            .transpose()
    }

    /// Makes a trunk.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewTrunk) -> Result<Trunk> {
        let id = TrunkId::generate(self.scope.world());
        let secret = self.seal(id, new.password.as_ref()).await?;
        let trunk = Trunk {
            id,
            tenant: self.scope.tenant(),
            name: new.name,
            kind: new.kind,
            host: new.host,
            port: new.port,
            transport: new.transport,
            addresses: new.addresses,
            username: new.username,
            prefix: new.prefix,
            max_calls: new.max_calls,
            active: true,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        tx.run(
            "insert into trunks (id, tenant_id, name, kind, host, port, transport, addresses, username, secret, \
             prefix, max_calls, active, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13)",
            args![
                trunk.id,
                trunk.tenant,
                trunk.name,
                trunk.kind,
                trunk.host,
                i64::from(trunk.port),
                trunk.transport,
                serde_json::json!(trunk.addresses),
                trunk.username,
                secret,
                trunk.prefix,
                trunk.max_calls,
                trunk.created_at
            ],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "trunk.create", &trunk.id, &trunk.name)
            .await?;
        tx.commit().await?;
        Ok(trunk)
    }

    async fn seal(&self, trunk: TrunkId, password: Option<&Zeroizing<String>>) -> Result<Option<String>> {
        let Some(password) = password else { return Ok(None) };
        let key = self.scope.key().await?;
        Ok(Some(key.seal_text(
            self.scope.world(),
            &about(trunk),
            password.as_bytes(),
        )?))
    }

    /// Changes a trunk; `None` when there is none.
    ///
    /// # Errors
    /// The name is taken, or the database did not answer.
    pub async fn update(&self, actor: &Actor, trunk: TrunkId, change: &TrunkChange) -> Result<Option<Trunk>> {
        let secret = self.seal(trunk, change.values.password.as_ref()).await?;
        let new = &change.values;
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update trunks set name = $3, kind = $4, host = $5, port = $6, transport = $7, addresses = $8, \
                 username = $9, secret = coalesce($10, secret), prefix = $11, max_calls = $12, active = $13 \
                 where tenant_id = $1 and id = $2",
                args![
                    self.scope.tenant(),
                    trunk,
                    new.name,
                    new.kind,
                    new.host,
                    i64::from(new.port),
                    new.transport,
                    serde_json::json!(new.addresses),
                    new.username,
                    secret,
                    new.prefix,
                    new.max_calls,
                    change.active
                ],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        self.scope
            .note_directory(&mut tx, actor, "trunk.update", &trunk, &new.name)
            .await?;
        tx.commit().await?;
        self.get(trunk).await
    }

    /// Removes a trunk. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, trunk: TrunkId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from trunks where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), trunk],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope
            .note_directory(&mut tx, actor, "trunk.remove", &trunk, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
