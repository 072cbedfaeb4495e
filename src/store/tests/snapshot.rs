//! A damaged database file: SQLite's alone.

use super::harness::actor;
use crate::{
    AuditFilter, Error, NewTenant, PUT_ASIDE_DAYS, Page, Store, StoreConfig, SystemWorld, mend, mend_thoroughly,
};
use sqlx::Row as _;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use strowger_model::World;
use strowger_model::subject::Subject;
use strowger_model::world::SeededWorld;

fn config(folder: &Path) -> StoreConfig {
    StoreConfig {
        url: format!("sqlite://{}/strowger.db", folder.display()),
        data_dir: folder.to_owned(),
        master_key: [7; 32],
    }
}

async fn open(config: &StoreConfig) -> Store {
    Store::open(config, Arc::new(SystemWorld)).await.unwrap()
}

async fn add(store: &Store, name: &str) -> crate::Result<()> {
    let new = NewTenant {
        name: name.to_owned(),
        realm: format!("{name}.example"),
    };
    store.tenants().create(&actor(), new).await.map(drop)
}

async fn names(store: &Store) -> Vec<String> {
    let tenants = store.tenants().list(&Page::first(10)).await.unwrap().items;
    let mut names: Vec<String> = tenants.into_iter().map(|tenant| tenant.name).collect();
    names.sort();
    names
}

/// Writes rubbish over all that follows.
fn spoil(file: &Path, from: u64) {
    let length = std::fs::metadata(file).unwrap().len();
    overwrite(file, from, length - from);
}

fn overwrite(file: &Path, from: u64, length: u64) {
    let mut file = std::fs::File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_put_back_from_its_copy_and_kept() {
    for from in [0, 4096] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let store = open(&config).await;
        add(&store, "before").await.unwrap();
        assert!(store.copy_database().await.unwrap().is_some());
        add(&store, "after").await.unwrap();
        store.close().await;
        let file = folder.path().join("strowger.db");
        spoil(&file, from);
        let spoilt = std::fs::read(&file).unwrap();

        let back = mend(&config).await.unwrap().unwrap();
        assert_eq!(std::fs::read(&back.aside).unwrap(), spoilt);
        let store = open(&config).await;
        assert_eq!((names(&store).await, store.damage()), (vec!["before".to_owned()], None));
        let aside = store.put_aside();
        assert_eq!((aside.len(), &aside[0].file), (1, &back.aside));
        add(&store, "later").await.unwrap();
        store.close().await;
        assert_eq!(mend(&config).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_removed_tenant_stands_in_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let store = open(&config).await;
    add(&store, "gone").await.unwrap();
    store.copy_database().await.unwrap();
    let copy = folder.path().join("strowger.db.copy");
    assert!(copy.exists());
    let part = folder.path().join("strowger.db.copy-part");
    std::fs::write(&part, "one that is being made").unwrap();
    let tenant = store.tenants().list(&Page::first(1)).await.unwrap().items.remove(0);
    assert!(store.tenants().remove(&actor(), tenant.id).await.unwrap());
    assert!(!copy.exists() && !part.exists());
}

#[tokio::test]
async fn a_whole_database_stays_and_one_without_a_copy_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert_eq!(mend(&config).await.unwrap(), None);
    let store = open(&config).await;
    add(&store, "ours").await.unwrap();
    store.close().await;
    assert_eq!(mend(&config).await.unwrap(), None);
    let file = folder.path().join("strowger.db");
    spoil(&file, 4096);
    let refused = mend(&config).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Damaged(why) if why.contains("no copy")),
        "{refused}"
    );
    assert!(file.exists());
}

#[tokio::test]
async fn what_is_seen_to_be_damaged_is_written_to_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let store = open(&config).await;
    add(&store, "ours").await.unwrap();
    store.copy_database().await.unwrap();
    let root = sqlx::query("select rootpage from sqlite_master where name = 'saved_views'");
    let page: i64 = root.fetch_one(store.db().pool()).await.unwrap().get(0);
    store.close().await;
    let file = folder.path().join("strowger.db");
    overwrite(&file, (u64::try_from(page).unwrap() - 1) * 4096, 4096);
    // Whoever opens it does not look through it: the damage shows when those pages are read.
    let store = open(&config).await;
    assert_eq!(store.damage(), None);
    assert!(store.copy_database().await.is_err());
    assert!(store.damage().is_some());
    assert!(matches!(add(&store, "theirs").await, Err(Error::Damaged(_))));
    store.close().await;
    assert!(mend_thoroughly(&config).await.unwrap().is_some());
    assert_eq!(names(&open(&config).await).await, ["ours"]);
}

#[tokio::test]
async fn who_still_has_the_damaged_file_open_writes_nothing_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let old = open(&config).await;
    add(&old, "ours").await.unwrap();
    // What stands in the log of changes would mend the spoilt pages.
    old.forget_pages().await.unwrap();
    old.copy_database().await.unwrap();
    let file = folder.path().join("strowger.db");
    std::fs::write(folder.path().join("strowger.db.damage"), "seen elsewhere").unwrap();
    assert!(matches!(add(&old, "theirs").await, Err(Error::Damaged(why)) if why == "seen elsewhere"));
    spoil(&file, 4096);
    mend(&config).await.unwrap().unwrap();
    assert!(matches!(add(&old, "theirs").await, Err(Error::Damaged(why)) if why.contains("another file")));
    let new = open(&config).await;
    add(&new, "theirs").await.unwrap();
    assert_eq!(names(&new).await, ["ours", "theirs"]);
}

#[tokio::test]
async fn a_damaged_database_goes_when_its_time_is_up_and_an_erasure_tells_of_it_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let store = open(&config).await;
    add(&store, "acme").await.unwrap();
    assert!(store.copy_database().await.unwrap().is_some());
    store.close().await;
    spoil(&folder.path().join("strowger.db"), 4096);
    let aside = mend(&config).await.unwrap().unwrap().aside;
    std::fs::write(format!("{}-wal", aside.display()), "").unwrap();

    let now = crate::sql::millis(SystemWorld.now());
    let world = Arc::new(SeededWorld::new(1, now + (PUT_ASIDE_DAYS * 24 * 60 - 5) * 60_000));
    let store = Store::open(&config, Arc::clone(&world) as Arc<dyn World>)
        .await
        .unwrap();
    let tenant = store.tenants().list(&Page::first(1)).await.unwrap().items[0].id;
    let subjects = store.tenant(tenant).subjects();
    let erna = Subject::read("Erna Testfall").unwrap();
    let proof = subjects.erase(&actor(), &erna).await.unwrap();
    assert_eq!(proof.damaged_until, Some(store.put_aside()[0].until));
    assert_eq!(subjects.erasures(&Page::first(1)).await.unwrap().items, [proof]);
    assert_eq!(store.remove_put_aside().await.unwrap(), 0, "five minutes are left");

    world.advance(6 * 60_000);
    assert_eq!(store.remove_put_aside().await.unwrap(), 1);
    let left = std::fs::read_dir(folder.path()).unwrap().flatten();
    let left: Vec<_> = left
        .filter(|entry| entry.file_name().to_string_lossy().contains("damaged"))
        .collect();
    assert!(left.is_empty() && store.put_aside().is_empty(), "{left:?}");
    let filter = AuditFilter {
        action: Some("database.expire".into()),
        ..AuditFilter::default()
    };
    assert_eq!(store.list_audit(&filter, &Page::first(9)).await.unwrap().items.len(), 1);
    assert_eq!(subjects.erase(&actor(), &erna).await.unwrap().damaged_until, None);
}

#[test]
fn the_folder_that_is_made_is_open_to_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("data");
    crate::store::private_folder(&made).unwrap();
    crate::store::private_folder(&made).unwrap();
    assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
}
