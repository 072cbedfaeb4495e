//! One tenant's share of the store. Every statement behind it carries the tenant's id.

use crate::audit::{self, Actor};
use crate::keys::Key;
use crate::sql::{Tx, args};
use crate::{Result, Store};
use std::sync::Arc;
use strowger_model::{TenantId, World};
use time::OffsetDateTime;

/// One tenant's rows and blobs.
#[derive(Debug, Clone)]
pub struct Scope {
    store: Store,
    tenant: TenantId,
}

impl Scope {
    pub(crate) const fn new(store: Store, tenant: TenantId) -> Self {
        Self { store, tenant }
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) async fn write(&self) -> Result<Tx> {
        self.store.db().write(self.tenant).await
    }

    pub(crate) async fn read(&self) -> Result<Tx> {
        self.store.db().read(self.tenant).await
    }

    /// The time as rows have it.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.store.now()
    }

    /// A name that nothing else has: 22 letters, for ids of other people's dialects.
    #[must_use]
    pub fn fresh_name(&self) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh";
        let mut random = [0_u8; 22];
        self.world().fill(&mut random);
        let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('A', char::from);
        random.iter().map(letter).collect()
    }

    pub(crate) fn world(&self) -> &dyn World {
        self.store.world()
    }

    pub(crate) async fn key(&self) -> Result<Arc<Key>> {
        self.store.keyring().tenant(self.store.db(), self.tenant).await
    }

    /// Writes the audit line of a change, in the change's transaction.
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        target: &(dyn std::fmt::Display + Sync),
        detail: &str,
    ) -> Result<()> {
        audit::write(
            tx,
            self.now(),
            Some(self.tenant),
            &actor.line(action, &target.to_string(), detail),
        )
        .await
    }

    /// Writes the audit line of a change to what the daemon keeps in memory, and moves the
    /// directory's version on.
    pub(crate) async fn note_directory(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        target: &(dyn std::fmt::Display + Sync),
        detail: &str,
    ) -> Result<()> {
        touch_directory(tx).await?;
        self.note(tx, actor, action, target, detail).await
    }
}

/// Moves the directory's version on: the daemon loads what it keeps in memory again.
pub(crate) async fn touch_directory(tx: &mut Tx) -> Result<()> {
    tx.run(
        "update directory_version set version = version + 1 where id = $1",
        args![1_i64],
    )
    .await?;
    Ok(())
}

/// Declares the area of one kind of row: a struct around a scope and the way to it.
macro_rules! area {
    ($(#[$doc:meta])* $name:ident, $way:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            scope: $crate::Scope,
        }

        impl $crate::Scope {
            $(#[$doc])*
            #[must_use]
            pub fn $way(&self) -> $name {
                $name { scope: self.clone() }
            }
        }
    };
}
pub(crate) use area;

/// Declares a platform-wide area.
macro_rules! platform_area {
    ($(#[$doc:meta])* $name:ident, $way:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            pub(crate) store: $crate::Store,
        }

        impl $crate::Store {
            $(#[$doc])*
            #[must_use]
            pub fn $way(&self) -> $name {
                $name { store: self.clone() }
            }
        }
    };
}
pub(crate) use platform_area;
