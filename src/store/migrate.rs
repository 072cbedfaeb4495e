//! The schema: one portable set of migrations and what each engine has for itself, embedded in the program.

use crate::sql::{Db, Engine};
use crate::{Error, Result};
use sqlx::migrate::Migrator;

static PORTABLE: Migrator = sqlx::migrate!("../../migrations");
static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Brings the schema up to date.
pub(crate) async fn run(db: &Db) -> Result<()> {
    let own = match db.engine() {
        Engine::Sqlite => &SQLITE,
        Engine::Postgres => &POSTGRES,
    };
    let mut migrations: Vec<_> = PORTABLE.iter().chain(own.iter()).cloned().collect();
    migrations.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(migrations)
        .run(db.pool())
        .await
        .map_err(Error::Migrate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_migrations_share_a_number() {
        for own in [&SQLITE, &POSTGRES] {
            let mut seen = BTreeSet::new();
            for migration in PORTABLE.iter().chain(own.iter()) {
                assert!(seen.insert(migration.version), "{} twice", migration.version);
            }
        }
    }

    #[test]
    fn every_table_with_a_tenant_is_bound_on_postgres() {
        let rules: String = POSTGRES.iter().map(|migration| migration.sql.as_str()).collect();
        for migration in PORTABLE.iter() {
            for table in migration.sql.as_str().split("create table ").skip(1) {
                let (name, rest) = table.split_once(' ').unwrap();
                let columns = rest.split(");").next().unwrap();
                if columns.contains("tenant_id text") {
                    assert!(rules.contains(&format!("create policy {name}_tenant ")), "{name}");
                }
            }
        }
    }
}
