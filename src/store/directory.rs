//! Everything the daemon keeps in memory to answer calls without asking the database, read in one go,
//! and the counter that says when to read it again.

use crate::devices::{device_of, open_ha1};
use crate::numbers::number_of;
use crate::rooms::room_of;
use crate::scope::platform_area;
use crate::sql::{Row, Tx, args};
use crate::tenants::tenant_of;
use crate::trunks::{open_secret, trunk_of};
use crate::users::user_of;
use crate::{Error, Result, Store};
use serde_json::Value;
use std::collections::HashMap;
use strowger_model::dispatch::DispatchRule;
use strowger_model::record::{Device, Number, Room, Tenant, Trunk, User};
use strowger_model::settings::{Entry, Layer, Lock, Tier};
use strowger_model::{FlowId, FlowVersionId, PromptId, RoomId, TenantId, UserId};
use zeroize::Zeroizing;

/// A device with what a challenge needs.
#[derive(Clone)]
pub struct KnownDevice {
    /// The device.
    pub device: Device,
    /// The digest of user name, realm and password, lower-case hexadecimal.
    pub ha1: Zeroizing<String>,
}

/// A trunk with its password.
#[derive(Clone)]
pub struct KnownTrunk {
    /// The trunk.
    pub trunk: Trunk,
    /// The password we register and answer challenges with.
    pub password: Option<Zeroizing<String>>,
}

/// The version of a flow that calls take.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFlow {
    /// Its tenant.
    pub tenant: TenantId,
    /// The flow.
    pub flow: FlowId,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: FlowVersionId,
    /// The graph.
    pub definition: Value,
}

/// The audio that callers of a mailbox hear first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxAudio {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose mailbox.
    pub user: UserId,
    /// Its blob: the own default greeting when ready, else the standard one.
    pub blob: String,
}

/// Audio that flows play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPrompt {
    /// The tenant.
    pub tenant: TenantId,
    /// Its id.
    pub prompt: PromptId,
    /// Its name.
    pub name: String,
    /// Its blob: 16-bit little-endian linear samples, 8 kHz mono.
    pub blob: String,
}

/// A spoken text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSpeech {
    /// The tenant.
    pub tenant: TenantId,
    /// The hash of voice, language and text.
    pub key: String,
    /// Its blob: 16-bit little-endian linear samples, 8 kHz mono.
    pub blob: String,
}

/// What the daemon keeps in memory.
#[derive(Clone, Default)]
pub struct DirectorySnapshot {
    /// The counter it was read at.
    pub version: i64,
    /// All tenants.
    pub tenants: Vec<Tenant>,
    /// All people of tenants.
    pub users: Vec<User>,
    /// All devices.
    pub devices: Vec<KnownDevice>,
    /// All trunks.
    pub trunks: Vec<KnownTrunk>,
    /// All numbers.
    pub numbers: Vec<Number>,
    /// The published versions.
    pub flows: Vec<KnownFlow>,
    /// All rooms.
    pub rooms: Vec<Room>,
    /// Which room calls go to.
    pub rules: Vec<DispatchRule>,
    /// What callers type for which room.
    pub room_pins: Vec<(RoomId, String)>,
    /// What the platform says.
    pub platform: Layer,
    /// What each tenant says.
    pub tenant_layers: HashMap<TenantId, Layer>,
    /// What each person says.
    pub user_layers: HashMap<UserId, Layer>,
    /// The greetings of mailboxes.
    pub mailboxes: Vec<MailboxAudio>,
    /// The prompts that are ready.
    pub prompts: Vec<KnownPrompt>,
    /// The spoken texts that are ready.
    pub speech: Vec<KnownSpeech>,
}

platform_area! {
    /// What the daemon keeps in memory.
    Directory, directory
}

impl Directory {
    /// The counter that moves with every edit of what a snapshot holds.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn version(&self) -> Result<i64> {
        version(&mut self.store.read_all().await?).await
    }

    /// Everything, as of one moment no older than its version.
    ///
    /// # Errors
    /// The database did not answer. Whose secret does not open is left out and named in the log.
    pub async fn snapshot(&self) -> Result<DirectorySnapshot> {
        let store = &self.store;
        let mut tx = store.read_all().await?;
        // The counter first: an edit in between shows as a newer version at the next look.
        let mut snapshot = DirectorySnapshot {
            version: version(&mut tx).await?,
            ..DirectorySnapshot::default()
        };
        people(&mut tx, &mut snapshot).await?;
        let devices = tx
            .all(
                "select id, tenant_id, user_id, name, username, algorithm, ha1, active, created_at from devices",
                args![],
            )
            .await?;
        let trunks = tx
            .all(
                "select id, tenant_id, name, kind, host, port, transport, addresses, username, secret, prefix, \
                 max_calls, active, created_at from trunks order by id",
                args![],
            )
            .await?;
        graphs(&mut tx, &mut snapshot).await?;
        layers(&mut tx, &mut snapshot).await?;
        audio(&mut tx, &mut snapshot).await?;
        drop(tx);
        for row in &devices {
            snapshot.devices.extend(opened(known_device(store, row).await, row)?);
        }
        for row in &trunks {
            snapshot.trunks.extend(opened(known_trunk(store, row).await, row)?);
        }
        Ok(snapshot)
    }
}

async fn version(tx: &mut Tx) -> Result<i64> {
    tx.count("select version as n from directory_version where id = 1", args![])
        .await
}

async fn people(tx: &mut Tx, snapshot: &mut DirectorySnapshot) -> Result<()> {
    snapshot.tenants = tx
        .all(
            "select id, name, realm, active, created_at from tenants order by id",
            args![],
        )
        .await?
        .iter()
        .map(tenant_of)
        .collect::<Result<_>>()?;
    snapshot.users = tx
        .all(
            "select id, tenant_id, email, name, role, extension, active, created_at from users \
             where tenant_id is not null order by id",
            args![],
        )
        .await?
        .iter()
        .map(user_of)
        .collect::<Result<_>>()?;
    Ok(())
}

async fn graphs(tx: &mut Tx, snapshot: &mut DirectorySnapshot) -> Result<()> {
    snapshot.numbers = tx
        .all(
            "select id, tenant_id, number, friendly_name, target, record, active, created_at from numbers",
            args![],
        )
        .await?
        .iter()
        .map(number_of)
        .collect::<Result<_>>()?;
    snapshot.rooms = tx
        .all("select id, tenant_id, name, created_at from rooms", args![])
        .await?
        .iter()
        .map(room_of)
        .collect::<Result<_>>()?;
    snapshot.room_pins = tx
        .all("select id, pin from rooms where pin is not null", args![])
        .await?
        .iter()
        .map(|row| Ok((row.parse("id")?, row.text("pin")?)))
        .collect::<Result<_>>()?;
    snapshot.rules = crate::dispatch_rules::all(tx).await?;
    snapshot.flows = tx
        .all(
            "select f.tenant_id, f.id, f.name, v.id as version_id, v.definition \
             from flows f join flow_versions v on v.id = f.published",
            args![],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(KnownFlow {
                tenant: row.parse("tenant_id")?,
                flow: row.parse("id")?,
                name: row.text("name")?,
                version: row.parse("version_id")?,
                definition: row.json("definition")?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(())
}

async fn layers(tx: &mut Tx, snapshot: &mut DirectorySnapshot) -> Result<()> {
    let rows = tx
        .all("select tier, owner, name, value, lock_kind from settings", args![])
        .await?;
    for row in &rows {
        let name = row.text("name")?;
        let entry = Entry {
            value: row.opt_text("value")?,
            lock: row.code("lock_kind", Lock::from_code)?,
        };
        let layer = match row.code("tier", Tier::from_code)? {
            Tier::Platform => &mut snapshot.platform,
            Tier::Tenant => snapshot.tenant_layers.entry(row.parse("owner")?).or_default(),
            Tier::User => snapshot.user_layers.entry(row.parse("owner")?).or_default(),
        };
        layer.insert(name, entry);
    }
    Ok(())
}

async fn audio(tx: &mut Tx, snapshot: &mut DirectorySnapshot) -> Result<()> {
    let mut mailboxes: HashMap<UserId, MailboxAudio> = HashMap::new();
    for row in tx.all("select tenant_id, key, blob from speech", args![]).await? {
        let (tenant, key, blob) = (row.parse("tenant_id")?, row.text("key")?, row.text("blob")?);
        match key.strip_prefix("mailbox ").and_then(|user| user.parse().ok()) {
            Some(user) => {
                mailboxes.insert(user, MailboxAudio { tenant, user, blob });
            }
            None => snapshot.speech.push(KnownSpeech { tenant, key, blob }),
        }
    }
    let own = tx
        .all(
            "select tenant_id, user_id, audio_blob from greetings \
             where is_default = 1 and state = 'ready' and audio_blob is not null",
            args![],
        )
        .await?;
    for row in &own {
        let user = row.parse("user_id")?;
        let found = MailboxAudio {
            tenant: row.parse("tenant_id")?,
            user,
            blob: row.text("audio_blob")?,
        };
        mailboxes.insert(user, found);
    }
    snapshot.mailboxes = mailboxes.into_values().collect();
    snapshot.prompts = tx
        .all(
            "select tenant_id, id, name, audio_blob from prompts where state = 'ready' and audio_blob is not null",
            args![],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(KnownPrompt {
                tenant: row.parse("tenant_id")?,
                prompt: row.parse("id")?,
                name: row.text("name")?,
                blob: row.text("audio_blob")?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(())
}

/// What was opened. A secret that does not open leaves out whose it is and nobody else: a tenant without its key must not
/// keep the others from calling.
fn opened<T>(known: Result<T>, row: &Row) -> Result<Option<T>> {
    match known {
        Ok(known) => Ok(Some(known)),
        Err(Error::Crypto(problem)) => {
            tracing::error!(
                problem = &problem as &dyn std::error::Error,
                tenant = row.text("tenant_id")?,
                id = row.text("id")?,
                "the secret of a device or trunk does not open; it cannot be used"
            );
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

async fn known_device(store: &Store, row: &Row) -> Result<KnownDevice> {
    let device = device_of(row)?;
    let key = store.keyring().tenant(store.db(), device.tenant).await?;
    let ha1 = open_ha1(&key, device.id, &row.text("ha1")?)?;
    Ok(KnownDevice { device, ha1 })
}

async fn known_trunk(store: &Store, row: &Row) -> Result<KnownTrunk> {
    let trunk = trunk_of(row)?;
    let password = match row.opt_text("secret")? {
        Some(sealed) => {
            let key = store.keyring().tenant(store.db(), trunk.tenant).await?;
            Some(open_secret(&key, trunk.id, &sealed)?)
        }
        None => None,
    };
    Ok(KnownTrunk { trunk, password })
}
