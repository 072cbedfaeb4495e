//! The settings of the three tiers as they are stored; how they combine is `model::settings`' affair.

use crate::audit::{self, Actor};
use crate::scope::{area, platform_area, touch_directory};
use crate::sql::{Row, Tx, args};
use crate::{Error, Result, Store, queue};
use strowger_model::job::Job;
use strowger_model::settings::{Entry, Invalid, Layer, Lock, Settings, Tier};
use strowger_model::{TenantId, UserId};

/// The setting whose text is spoken for every mailbox.
const GREETING: &str = "default_voicemail_greeting";

area! {
    /// The settings of the tenant and its people.
    SettingsArea, settings
}

platform_area! {
    /// The settings of the machine.
    PlatformSettings, platform_settings
}

fn entry_of(row: &Row) -> Result<(String, Entry)> {
    Ok((
        row.text("name")?,
        Entry {
            value: row.opt_text("value")?,
            lock: row.code("lock_kind", Lock::from_code)?,
        },
    ))
}

/// The settings that decide what the switchboard itself says.
const SPOKEN: [&str; 5] = [
    "prompt_language",
    "recording_announcement",
    "recording_announcement_text",
    "recording_consent",
    "recording_consent_text",
];

async fn layer(tx: &mut Tx, tier: Tier, owner: &str) -> Result<Layer> {
    tx.all(
        "select name, value, lock_kind from settings where tier = $1 and owner = $2",
        args![tier, owner],
    )
    .await?
    .iter()
    .map(entry_of)
    .collect()
}

struct Place<'a> {
    tier: Tier,
    owner: &'a str,
    tenant: Option<TenantId>,
}

async fn put(tx: &mut Tx, place: &Place<'_>, name: &str, entry: &Entry) -> Result<()> {
    if entry.value.is_none() && entry.lock == Lock::Unlocked {
        tx.run(
            "delete from settings where tier = $1 and owner = $2 and name = $3",
            args![place.tier, place.owner, name],
        )
        .await?;
        return Ok(());
    }
    tx.run(
        "insert into settings (tier, owner, tenant_id, name, value, lock_kind) values ($1, $2, $3, $4, $5, $6) \
         on conflict (tier, owner, name) do update set value = excluded.value, lock_kind = excluded.lock_kind",
        args![place.tier, place.owner, place.tenant, name, entry.value, entry.lock],
    )
    .await?;
    Ok(())
}

/// Asks for what a setting says to be spoken, for one tenant or everybody: texts of our own, greetings of mailboxes.
async fn speak(tx: &mut Tx, store: &Store, name: &str, tenant: Option<TenantId>) -> Result<()> {
    if SPOKEN.contains(&name) {
        let rows = tx
            .all("select id from tenants where $1 is null or id = $1", args![tenant])
            .await?;
        for row in rows {
            let job = Job::RenderPhrases {
                tenant: row.parse("id")?,
            };
            queue::ask(tx, store, &job).await?;
        }
    }
    if name != GREETING {
        return Ok(());
    }
    let rows = tx
        .all(
            "select id, tenant_id from users where tenant_id is not null and ($1 is null or tenant_id = $1)",
            args![tenant],
        )
        .await?;
    for row in rows {
        let job = Job::RenderGreeting {
            tenant: row.parse("tenant_id")?,
            user: row.parse("id")?,
        };
        queue::ask(tx, store, &job).await?;
    }
    Ok(())
}

fn told(entry: &Entry) -> String {
    let value = entry.value.as_deref().unwrap_or("(none)");
    format!("{value}, {}", entry.lock)
}

fn may_write(settings: &Settings, tier: Tier, name: &str, entry: &Entry) -> Result<(), Invalid> {
    let key = strowger_model::settings::key(name).ok_or_else(|| Invalid::UnknownKey(name.to_owned()))?;
    // A lock alone is written like the value it leaves in force.
    settings.may_write(tier, name, entry.value.as_deref().unwrap_or(key.default))
}

impl SettingsArea {
    /// What counts for the tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn resolve(&self) -> Result<Settings> {
        Ok(Settings::resolve(
            self.store_layer().await?,
            self.layer().await?,
            Layer::new(),
        ))
    }

    /// What counts for a person.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn resolve_for(&self, user: UserId) -> Result<Settings> {
        Ok(Settings::resolve(
            self.store_layer().await?,
            self.layer().await?,
            self.user_layer(user).await?,
        ))
    }

    /// What the tenant says, and what each of its people says.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn layers(&self) -> Result<(Layer, Vec<Layer>)> {
        let rows = self
            .scope
            .read()
            .await?
            .all(
                "select owner, name, value, lock_kind from settings where tenant_id = $1 and tier = 'user' order by owner",
                args![self.scope.tenant()],
            )
            .await?;
        let mut people: std::collections::BTreeMap<String, Layer> = std::collections::BTreeMap::new();
        for row in &rows {
            let (name, entry) = entry_of(row)?;
            people.entry(row.text("owner")?).or_default().insert(name, entry);
        }
        Ok((self.layer().await?, people.into_values().collect()))
    }

    async fn store_layer(&self) -> Result<Layer> {
        self.scope.store().platform_settings().layer().await
    }

    /// What the tenant says.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn layer(&self) -> Result<Layer> {
        let tenant = self.scope.tenant().to_string();
        layer(&mut self.scope.read().await?, Tier::Tenant, &tenant).await
    }

    /// What a person says.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn user_layer(&self, user: UserId) -> Result<Layer> {
        self.scope
            .read()
            .await?
            .all(
                "select name, value, lock_kind from settings where tenant_id = $1 and tier = 'user' and owner = $2",
                args![self.scope.tenant(), user],
            )
            .await?
            .iter()
            .map(entry_of)
            .collect()
    }

    /// Writes the tenant's say on one key; an entry without value and lock takes it back.
    ///
    /// # Errors
    /// The value does not fit, the platform holds a hard lock, or the database did not answer.
    pub async fn set(&self, actor: &Actor, name: &str, entry: &Entry) -> Result<()> {
        may_write(&self.resolve().await?, Tier::Tenant, name, entry)?;
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let place = Place {
            tier: Tier::Tenant,
            owner: &tenant.to_string(),
            tenant: Some(tenant),
        };
        put(&mut tx, &place, name, entry).await?;
        speak(&mut tx, self.scope.store(), name, Some(tenant)).await?;
        self.scope
            .note_directory(&mut tx, actor, "setting.tenant", &name, &told(entry))
            .await?;
        tx.commit().await
    }

    /// Writes a person's say on one key; `None` takes it back.
    ///
    /// # Errors
    /// The value does not fit, a higher tier holds a hard lock, there is no such person, or the
    /// database did not answer.
    pub async fn set_for(&self, actor: &Actor, user: UserId, name: &str, value: Option<String>) -> Result<()> {
        let entry = Entry {
            value,
            lock: Lock::Unlocked,
        };
        may_write(&self.resolve_for(user).await?, Tier::User, name, &entry)?;
        if self.scope.users().get(user).await?.is_none() {
            return Err(Error::Dangling);
        }
        let tenant = self.scope.tenant();
        let mut tx = self.scope.write().await?;
        let place = Place {
            tier: Tier::User,
            owner: &user.to_string(),
            tenant: Some(tenant),
        };
        put(&mut tx, &place, name, &entry).await?;
        if name == GREETING {
            queue::ask(&mut tx, self.scope.store(), &Job::RenderGreeting { tenant, user }).await?;
        }
        if SPOKEN.contains(&name) {
            queue::ask(&mut tx, self.scope.store(), &Job::RenderPhrases { tenant }).await?;
        }
        let detail = format!("for {user}: {}", told(&entry));
        self.scope
            .note_directory(&mut tx, actor, "setting.user", &name, &detail)
            .await?;
        tx.commit().await
    }
}

impl PlatformSettings {
    /// What the machine says.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn layer(&self) -> Result<Layer> {
        layer(&mut self.store.read_all().await?, Tier::Platform, "").await
    }

    /// Writes the machine's say on one key; an entry without value and lock takes it back.
    ///
    /// # Errors
    /// The value does not fit, or the database did not answer.
    pub async fn set(&self, actor: &Actor, name: &str, entry: &Entry) -> Result<()> {
        may_write(&Settings::default(), Tier::Platform, name, entry)?;
        let store = &self.store;
        let mut tx = store.write_all().await?;
        let place = Place {
            tier: Tier::Platform,
            owner: "",
            tenant: None,
        };
        put(&mut tx, &place, name, entry).await?;
        speak(&mut tx, store, name, None).await?;
        touch_directory(&mut tx).await?;
        let line = actor.line("setting.platform", name, &told(entry));
        audit::write(&mut tx, store.now(), None, &line).await?;
        tx.commit().await
    }
}
