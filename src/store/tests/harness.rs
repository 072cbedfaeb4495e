//! Every store test runs its body on SQLite and, when `STROWGER_TEST_POSTGRES` names a server on which
//! databases may be made, on PostgreSQL: a fresh database a test.

use crate::{Actor, NewTenant, NewUser, Scope, Store, StoreConfig};
use sqlx::{Connection as _, Executor as _};
use std::future::Future;
use std::sync::Arc;
use strowger_model::record::User;
use strowger_model::world::SeededWorld;
use strowger_model::{Role, World};

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) world: Arc<SeededWorld>,
    pub(crate) config: StoreConfig,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

pub(crate) const START_MS: i64 = 1_760_000_000_000;

impl Bench {
    async fn open(url: Option<String>, seed: u64) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let config = StoreConfig {
            url: url.unwrap_or_else(|| format!("sqlite://{}/strowger.db", folder.path().display())),
            data_dir: folder.path().to_owned(),
            master_key: [7; 32],
        };
        let world = Arc::new(SeededWorld::new(seed, START_MS));
        let store = Store::open(&config, Arc::clone(&world) as Arc<dyn World>)
            .await
            .unwrap();
        Self {
            store,
            world,
            config,
            folder,
        }
    }

    pub(crate) async fn tenant(&self, name: &str) -> Scope {
        let new = NewTenant {
            name: name.to_owned(),
            realm: format!("{name}.example"),
        };
        let tenant = self.store.tenants().create(&actor(), new).await.unwrap();
        self.store.tenant(tenant.id)
    }

    pub(crate) async fn user(&self, scope: &Scope, name: &str, extension: &str) -> User {
        let new = NewUser {
            email: format!("{name}@example.org"),
            name: name.to_owned(),
            role: Role::User,
            extension: Some(extension.to_owned()),
            password_hash: Some("hash".into()),
        };
        scope.users().create(&actor(), new).await.unwrap()
    }
}

pub(crate) fn actor() -> Actor {
    Actor::named("tester@example.org")
}

/// Runs a test's body on every engine there is.
#[expect(
    clippy::disallowed_methods,
    reason = "which engines a test runs on is the test's environment"
)]
pub(crate) fn on_each_engine<F: Future<Output = ()>>(body: impl Fn(Bench) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        run(&body, Bench::open(None, 1).await).await;
        if let Ok(server) = std::env::var("STROWGER_TEST_POSTGRES") {
            let name = fresh_database(&server).await;
            let url = at_database(&server, &name, Some(&name));
            run(&body, Bench::open(Some(url), 2).await).await;
            let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
            let drop = sqlx::AssertSqlSafe(format!("drop database {name} with (force)"));
            connection.execute(drop).await.unwrap();
            let drop = sqlx::AssertSqlSafe(format!("drop role {name}"));
            connection.execute(drop).await.unwrap();
        }
    });
}

/// A body may take the bench apart; the folder stays until it is done.
async fn run<F: Future<Output = ()>>(body: &impl Fn(Bench) -> F, bench: Bench) {
    let folder = Arc::clone(&bench.folder);
    body(bench).await;
    drop(folder);
}

/// A fresh database that belongs to a fresh, plain role: row-level security binds it.
async fn fresh_database(server: &str) -> String {
    let random = uuid::Uuid::from_bytes(rand_bytes()).simple().to_string();
    let name = format!("strowger_test_{random}");
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    for statement in [
        format!("create role {name} login password '{name}' nosuperuser"),
        format!("create database {name} owner {name}"),
    ] {
        connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    name
}

fn rand_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    crate::SystemWorld.fill(&mut bytes);
    bytes
}

/// The server's address with another database and, where given, another user.
fn at_database(server: &str, database: &str, user: Option<&str>) -> String {
    let (scheme, rest) = server.split_once("://").unwrap();
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap();
    match user {
        Some(user) => format!("{scheme}://{user}:{user}@{host}/{database}"),
        None => format!("{scheme}://{authority}/{database}"),
    }
}
