//! What lies on the disk says nothing without the keys, and keys change without audio being written.

use super::calls::{call, finished, recording};
use super::harness::{Bench, actor, on_each_engine};
use crate::keys::{CryptoError, Rotation, load_or_create, rotate_master_key};
use crate::sql::{Engine, args};
use crate::{Afterwards, Error, NewDevice, NewTenant, RecordingResult, Scope, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strowger_model::trunk::DigestAlgorithm;
use strowger_model::{CallState, RecordingId, World};

const SPOKEN: &[u8] = b"OggS the quick brown fox said it aloud, and nobody else may hear it";

/// Every file below a folder and what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                found.insert(entry.path(), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

async fn recorded(bench: &Bench, scope: &Scope) -> (RecordingId, String) {
    let begun = call(bench, scope, "+49170");
    let mut end = finished(bench, &begun, CallState::Completed);
    let new = recording(bench);
    end.recordings.push(new.clone());
    scope.calls().finish(&end).await.unwrap();
    let blob = scope.blobs().put(&SPOKEN.repeat(2000)).await.unwrap();
    let result = RecordingResult {
        format: "ogg/opus".into(),
        sample_rate_hz: 16_000,
        duration_ms: 5000,
        size_bytes: 3,
        sha256: "aa".into(),
        blob: blob.clone(),
        peaks: vec![],
    };
    scope
        .recordings()
        .ready(new.id, &result, Afterwards::Nothing)
        .await
        .unwrap();
    (new.id, blob)
}

#[test]
fn what_was_recorded_is_not_found_in_any_file_of_the_store() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let (_, blob) = recorded(&bench, &scope).await;
        assert!(scope.blobs().get(&blob).await.unwrap().starts_with(SPOKEN));
        let all = files(bench.folder.path());
        assert!(all.keys().any(|path| path.ends_with(&blob)));
        for (path, bytes) in all {
            for part in SPOKEN.windows(12).step_by(7) {
                assert!(!bytes.windows(12).any(|window| window == part), "{}", path.display());
            }
        }
    });
}

#[test]
fn the_key_of_an_erased_recording_is_in_no_file_any_more() {
    on_each_engine(|bench| async move {
        if bench.store.db().engine() != Engine::Sqlite {
            // Its files are not ours.
            return;
        }
        let scope = bench.tenant("acme").await;
        let (id, blob) = recorded(&bench, &scope).await;
        let mut tx = scope.read().await.unwrap();
        let question = "select wrapped from object_keys where blob = $1";
        let row = tx.one(question, args![blob.as_str()]).await.unwrap();
        let key = row.unwrap().text("wrapped").unwrap();
        drop(tx);
        bench.store.copy_database().await.unwrap().unwrap();
        let holds = || {
            let is_there = |bytes: &Vec<u8>| bytes.windows(key.len()).any(|window| window == key.as_bytes());
            let all = files(bench.folder.path());
            all.into_values().filter(is_there).count()
        };
        assert!(holds() > 1, "in the database or its log, and in its copy");
        assert!(scope.recordings().erase(&actor(), id).await.unwrap());
        assert_eq!(holds(), 1, "in the copy, until it is made anew");
        bench.store.copy_database().await.unwrap().unwrap();
        assert_eq!(holds(), 0);
    });
}

#[test]
fn another_master_key_opens_everything_and_no_blob_is_written() {
    on_each_engine(|bench| async move {
        let world: Arc<dyn World> = bench.world.clone();
        let path = bench.folder.path().join("master.key");
        let mut config = bench.config.clone();
        // The bench was opened with a key of its own: the first rotation takes it to the file.
        std::fs::write(&path, hex::encode(config.master_key)).unwrap();
        let scope = bench.tenant("acme").await;
        let (_, blob) = recorded(&bench, &scope).await;
        let blobs = bench.folder.path().join("blobs");
        let before = files(&blobs);
        assert_eq!(
            rotate_master_key(&path, &config, Arc::clone(&world)).await.unwrap(),
            Rotation::Wrapped(1)
        );
        assert_eq!(files(&blobs), before, "audio was written again");
        assert!(!path.with_extension("next").exists());

        // A process that has the former key makes no tenant whose key nobody could unwrap.
        let late = NewTenant {
            name: "late".into(),
            realm: "late.example".into(),
        };
        let refused = bench.store.tenants().create(&actor(), late).await;
        assert!(
            matches!(refused, Err(Error::Crypto(CryptoError::KeyChanged))),
            "{refused:?}"
        );
        let refused = Store::open(&config, Arc::clone(&world)).await;
        assert!(matches!(refused, Err(Error::Crypto(CryptoError::WrongMasterKey))));

        config.master_key = load_or_create(&path, world.as_ref()).unwrap();
        let store = Store::open(&config, Arc::clone(&world)).await.unwrap();
        let read = store.tenant(scope.tenant()).blobs().get(&blob).await.unwrap();
        assert!(read.starts_with(SPOKEN));
        store.close().await;
    });
}

#[test]
fn a_rotation_that_was_cut_after_the_database_is_ended_by_the_next() {
    on_each_engine(|bench| async move {
        let world: Arc<dyn World> = bench.world.clone();
        let path = bench.folder.path().join("master.key");
        let config = bench.config.clone();
        std::fs::write(&path, hex::encode(config.master_key)).unwrap();
        bench.tenant("acme").await;
        rotate_master_key(&path, &config, Arc::clone(&world)).await.unwrap();
        // As if the last rename had not happened.
        std::fs::rename(&path, path.with_extension("next")).unwrap();
        std::fs::write(&path, hex::encode(config.master_key)).unwrap();
        assert_eq!(
            rotate_master_key(&path, &config, Arc::clone(&world)).await.unwrap(),
            Rotation::Finished
        );
        assert!(!path.with_extension("next").exists());
    });
}

#[test]
fn a_tenant_without_its_key_keeps_nobody_else_from_calling() {
    on_each_engine(|bench| async move {
        let (gone, stays) = (bench.tenant("gone").await, bench.tenant("stays").await);
        for (scope, name) in [(&gone, "bob"), (&stays, "eve")] {
            let user = bench.user(scope, name, "101").await.id;
            let new = NewDevice {
                user,
                name: "Desk".into(),
                username: name.into(),
                algorithm: DigestAlgorithm::Md5,
            };
            scope.devices().create(&actor(), new, "secret").await.unwrap();
        }
        let mut tx = bench.store.write_all().await.unwrap();
        let delete = "delete from tenant_keys where tenant_id = $1";
        tx.run(delete, args![gone.tenant()]).await.unwrap();
        tx.commit().await.unwrap();
        let store = Store::open(&bench.config, bench.world.clone()).await.unwrap();
        let known = store.directory().snapshot().await.unwrap();
        let of: Vec<_> = known.devices.iter().map(|known| known.device.tenant).collect();
        assert_eq!(of, [stays.tenant()]);
        assert_eq!(known.tenants.len(), 2);
        store.close().await;
    });
}

#[test]
fn without_the_tenants_key_its_audio_cannot_be_read() {
    on_each_engine(|bench| async move {
        let (gone, stays) = (bench.tenant("gone").await, bench.tenant("stays").await);
        let (_, lost) = recorded(&bench, &gone).await;
        let (_, kept) = recorded(&bench, &stays).await;
        let mut tx = bench.store.write_all().await.unwrap();
        tx.run(
            "delete from tenant_keys where tenant_id = $1",
            crate::sql::args![gone.tenant()],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let store = Store::open(&bench.config, bench.world.clone()).await.unwrap();
        let read = store.tenant(gone.tenant()).blobs().get(&lost).await;
        assert!(matches!(read, Err(Error::Crypto(CryptoError::Erased))), "{read:?}");
        assert!(store.tenant(stays.tenant()).blobs().get(&kept).await.is_ok());
        store.close().await;
    });
}
