//! The phones of a tenant's people. Of a password only HA1 is kept, sealed: the digest of user name,
//! realm and password that both ends of a challenge work with.

use crate::audit::Actor;
use crate::keys::{CryptoError, Key};
use crate::scope::area;
use crate::sql::{Page, Paged, Row, Tx, args, cut};
use crate::{Error, Result};
use md5::Digest as _;
use strowger_model::record::Device;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{DeviceId, UserId};
use zeroize::Zeroizing;

/// A device to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// Whose it is.
    pub user: UserId,
    /// What people call it.
    pub name: String,
    /// The SIP user name, unique on this machine.
    pub username: String,
    /// The digest algorithm it takes.
    pub algorithm: DigestAlgorithm,
}

/// What may change of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChange {
    /// What people call it.
    pub name: String,
    /// Whether it may register and call.
    pub active: bool,
}

area! {
    /// The phones of the tenant.
    Devices, devices
}

pub(crate) fn device_of(row: &Row) -> Result<Device> {
    Ok(Device {
        id: row.parse("id")?,
        tenant: row.parse("tenant_id")?,
        user: row.parse("user_id")?,
        name: row.text("name")?,
        username: row.text("username")?,
        algorithm: row.code("algorithm", DigestAlgorithm::from_code)?,
        active: row.switch("active")?,
        created_at: row.time("created_at")?,
    })
}

/// RFC 7616 §3.4.2: the hash of `user:realm:password`, in lower-case hexadecimal.
fn ha1_of(algorithm: DigestAlgorithm, username: &str, realm: &str, password: &str) -> Zeroizing<String> {
    let text = Zeroizing::new(format!("{username}:{realm}:{password}"));
    Zeroizing::new(match algorithm {
        DigestAlgorithm::Md5 => hex::encode(md5::Md5::digest(text.as_bytes())),
        DigestAlgorithm::Sha256 => hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes())),
    })
}

fn about(device: DeviceId) -> String {
    format!("ha1 of device {device}")
}

/// Opens a device's HA1.
pub(crate) fn open_ha1(key: &Key, device: DeviceId, sealed: &str) -> Result<Zeroizing<String>> {
    let bytes = key.open_text(&about(device), sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CryptoError::Tampered)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl Devices {
    /// The devices of the tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn list(&self, page: &Page) -> Result<Paged<Device>> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select id, tenant_id, user_id, name, username, algorithm, active, created_at from devices \
                 where tenant_id = $1 and id > $2 order by id limit $3",
                args![self.scope.tenant(), page.after_id(), page.fetch()],
            )
            .await?;
        cut(&rows, page, device_of, |device| device.id.to_string())
    }

    /// The devices of one person.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<Device>> {
        self.scope
            .read()
            .await?
            .all(
                "select id, tenant_id, user_id, name, username, algorithm, active, created_at from devices \
                 where tenant_id = $1 and user_id = $2 order by id",
                args![self.scope.tenant(), user],
            )
            .await?
            .iter()
            .map(device_of)
            .collect()
    }

    /// One device.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn get(&self, device: DeviceId) -> Result<Option<Device>> {
        self.scope
            .read()
            .await?
            .one(
                "select id, tenant_id, user_id, name, username, algorithm, active, created_at from devices \
                 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), device],
            )
            .await?
            .map(|row| device_of(&row))
            .transpose()
    }

    /// Makes a device that knows this password.
    ///
    /// # Errors
    /// The user name is taken, the person is not of this tenant, or the database did not answer.
    pub async fn create(&self, actor: &Actor, new: NewDevice, password: &str) -> Result<Device> {
        let key = self.scope.key().await?;
        let device = Device {
            id: DeviceId::generate(self.scope.world()),
            tenant: self.scope.tenant(),
            user: new.user,
            name: new.name,
            username: new.username,
            algorithm: new.algorithm,
            active: true,
            created_at: self.scope.now(),
        };
        let mut tx = self.scope.write().await?;
        let owner = tx
            .count(
                "select count(*) as n from users where tenant_id = $1 and id = $2",
                args![device.tenant, device.user],
            )
            .await?;
        if owner == 0 {
            return Err(Error::Dangling);
        }
        let ha1 = self.seal_ha1(&mut tx, &key, &device, password).await?;
        tx.run(
            "insert into devices (id, tenant_id, user_id, name, username, algorithm, ha1, active, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, 1, $8)",
            args![
                device.id,
                device.tenant,
                device.user,
                device.name,
                device.username,
                device.algorithm,
                ha1,
                device.created_at
            ],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "device.create", &device.id, &device.username)
            .await?;
        tx.commit().await?;
        Ok(device)
    }

    async fn seal_ha1(&self, tx: &mut Tx, key: &Key, device: &Device, password: &str) -> Result<String> {
        let realm = tx
            .one("select realm from tenants where id = $1", args![device.tenant])
            .await?
            .ok_or(Error::Dangling)?
            .text("realm")?;
        let ha1 = ha1_of(device.algorithm, &device.username, &realm, password);
        Ok(key.seal_text(self.scope.world(), &about(device.id), ha1.as_bytes())?)
    }

    /// Renames, stops or starts a device; `None` when there is none.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn update(&self, actor: &Actor, device: DeviceId, change: &DeviceChange) -> Result<Option<Device>> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "update devices set name = $3, active = $4 where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), device, change.name, change.active],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        let detail = format!("name {}, active {}", change.name, change.active);
        self.scope
            .note_directory(&mut tx, actor, "device.update", &device, &detail)
            .await?;
        tx.commit().await?;
        self.get(device).await
    }

    /// Gives a device a new password. Returns whether there is one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn set_password(&self, actor: &Actor, device: DeviceId, password: &str) -> Result<bool> {
        let key = self.scope.key().await?;
        let Some(found) = self.get(device).await? else {
            return Ok(false);
        };
        let mut tx = self.scope.write().await?;
        let ha1 = self.seal_ha1(&mut tx, &key, &found, password).await?;
        tx.run(
            "update devices set ha1 = $3 where tenant_id = $1 and id = $2",
            args![self.scope.tenant(), device, ha1],
        )
        .await?;
        self.scope
            .note_directory(&mut tx, actor, "device.password", &device, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a device with its bindings. Returns whether there was one.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn remove(&self, actor: &Actor, device: DeviceId) -> Result<bool> {
        let mut tx = self.scope.write().await?;
        let touched = tx
            .run(
                "delete from devices where tenant_id = $1 and id = $2",
                args![self.scope.tenant(), device],
            )
            .await?;
        if touched == 0 {
            return Ok(false);
        }
        self.scope
            .note_directory(&mut tx, actor, "device.remove", &device, "")
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ha1_is_the_rfc_2617_example() {
        // RFC 2617 §3.5.
        let ha1 = ha1_of(DigestAlgorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(ha1.as_str(), "939e7578ed9e3c518a452acee763bce9");
    }

    #[test]
    fn sha_256_gives_64_digits() {
        assert_eq!(ha1_of(DigestAlgorithm::Sha256, "a", "b", "c").len(), 64);
    }
}
