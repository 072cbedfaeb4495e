use super::calls::{call, finished, processed, recording};
use super::harness::{actor, on_each_engine};
use crate::{Afterwards, RetentionReport};
use strowger_model::World as _;
use strowger_model::retention::{Kind, RetentionPolicy};

const DAY: i64 = 24 * 3_600_000;

#[test]
fn things_go_at_their_limit_holds_stay_and_the_dry_run_agrees() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let policy = RetentionPolicy {
            call_days: 90,
            recording_days: 30,
            voicemail_days: 30,
            consent_days: 3650,
            erasure_days: 3650,
            signalling_days: 7,
        };
        let mut audio = vec![];
        for _ in 0..3 {
            let begun = call(&bench, &scope, "+49170");
            let mut end = finished(&bench, &begun, strowger_model::CallState::Completed);
            let new = recording(&bench);
            end.recordings.push(new.clone());
            scope.calls().finish(&end).await.unwrap();
            let result = processed(&scope).await;
            scope
                .recordings()
                .ready(new.id, &result, Afterwards::Nothing)
                .await
                .unwrap();
            audio.push((new.id, result.blob));
        }
        scope.recordings().hold(&actor(), audio[0].0).await.unwrap();
        bench.world.advance(30 * DAY - 1);
        let now = bench.world.now();
        let retention = scope.retention();
        assert_eq!(
            retention.dry_run(&policy, now).await.unwrap(),
            RetentionReport::default()
        );
        bench.world.advance(1);
        let now = bench.world.now();
        let planned = retention.dry_run(&policy, now).await.unwrap();
        assert_eq!(
            (planned.recordings, planned.held, planned.bytes, planned.calls),
            (2, 1, 6, 0)
        );
        let mut done = RetentionReport::default();
        loop {
            let batch = retention.run_batch(&policy, now, 1).await.unwrap();
            done = done.plus(batch);
            if batch.is_empty() {
                break;
            }
        }
        assert_eq!((done.recordings, done.bytes), (2, 6));
        assert!(scope.blobs().get(&audio[0].1).await.is_ok());
        assert!(scope.blobs().get(&audio[1].1).await.is_err());
        bench.world.advance(60 * DAY);
        let now = bench.world.now();
        assert_eq!(retention.dry_run(&policy, now).await.unwrap().calls, 2);
        assert_eq!(retention.run_batch(&policy, now, 100).await.unwrap().calls, 2);
        scope.recordings().release(&actor(), audio[0].0).await.unwrap();
        let last = retention.run_batch(&policy, now, 100).await.unwrap();
        assert_eq!((last.recordings, last.calls), (1, 1));
        assert_eq!(
            retention.dry_run(&policy, now).await.unwrap(),
            RetentionReport::default()
        );
    });
}

/// Where the child of [`a_run_that_is_killed_goes_on_where_it_was`] finds its store, and what time it is.
const CHILD_FOLDER: &str = "STROWGER_RETENTION_CHILD";
const CHILD_NOW: &str = "STROWGER_RETENTION_NOW";

const POLICY: RetentionPolicy = RetentionPolicy {
    call_days: 60,
    recording_days: 30,
    voicemail_days: 30,
    consent_days: 3650,
    erasure_days: 3650,
    signalling_days: 7,
};

/// Does nothing unless the test below starts it, to kill it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a child learns from its environment what to do"
)]
fn child_that_removes_what_is_due() {
    let (Ok(folder), Ok(now)) = (std::env::var(CHILD_FOLDER), std::env::var(CHILD_NOW)) else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let world = std::sync::Arc::new(strowger_model::world::SeededWorld::new(99, now.parse().unwrap()));
    let config = crate::StoreConfig {
        url: format!("sqlite://{}/strowger.db", folder.display()),
        data_dir: folder,
        master_key: [7; 32],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = crate::Store::open(&config, world.clone()).await.unwrap();
        let tenant = store.tenants().list(&crate::Page::first(1)).await.unwrap().items[0].id;
        let retention = store.tenant(tenant).retention();
        loop {
            println!("batch");
            if retention.run_batch(&POLICY, world.now(), 3).await.unwrap().is_empty() {
                return;
            }
        }
    });
}

fn blob_files(folder: &std::path::Path) -> usize {
    let list = |folder: &std::path::Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    list(&folder.join("blobs"))
        .flat_map(|tenant| list(&tenant.path()))
        .map(|prefix| list(&prefix.path()).count())
        .sum()
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    use std::io::BufRead as _;
    on_each_engine(|bench| async move {
        // The child opens the same file; on PostgreSQL a kill ends in the same rollback.
        if !bench.config.url.starts_with("sqlite:") {
            return;
        }
        // Files are as old as the machine's clock says.
        bench
            .world
            .advance(crate::sql::millis(crate::SystemWorld.now()) - crate::sql::millis(bench.world.now()));
        let scope = bench.tenant("acme").await;
        let (mut old, mut young) = (vec![], vec![]);
        for n in 0..60 {
            let begun = call(&bench, &scope, "+49170");
            let mut end = finished(&bench, &begun, strowger_model::CallState::Completed);
            let new = recording(&bench);
            end.recordings.push(new.clone());
            scope.calls().finish(&end).await.unwrap();
            let result = processed(&scope).await;
            scope
                .recordings()
                .ready(new.id, &result, Afterwards::Nothing)
                .await
                .unwrap();
            let list = if n < 45 { &mut old } else { &mut young };
            list.push((new.id, result.blob));
            if n == 44 {
                bench.world.advance(31 * DAY);
            }
        }
        let now = bench.world.now();
        let retention = scope.retention();
        let due = retention.due(&POLICY, now, 1000).await.unwrap();
        let ids = |list: &[(strowger_model::RecordingId, String)]| -> std::collections::BTreeSet<String> {
            list.iter().map(|(id, _)| id.to_string()).collect()
        };
        let listed: std::collections::BTreeSet<String> = due.iter().map(|due| due.id.clone()).collect();
        assert_eq!(listed, ids(&old), "the dry run lists what is due and nothing else");
        let mut kills = 0;
        for lines in [1, 2, 1, 3, 1, 2, 4, 1] {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "tests::retention::child_that_removes_what_is_due",
                    "--nocapture",
                ])
                .env(CHILD_FOLDER, bench.folder.path())
                .env(CHILD_NOW, crate::sql::millis(now).to_string())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut seen = 0;
            let output = std::io::BufReader::new(child.stdout.take().unwrap());
            for line in output.lines() {
                seen += i32::from(line.unwrap().ends_with("batch"));
                if seen == lines {
                    break;
                }
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            // What is still listed is still whole, or at least named: nothing young ever goes.
            for (_, blob) in &young {
                assert!(scope.blobs().get(blob).await.is_ok());
            }
        }
        let left = retention.due(&POLICY, now, 1000).await.unwrap().len();
        assert!(
            left > 0 && left < old.len(),
            "{kills} kills left {left} of {}",
            old.len()
        );
        while !retention.run_batch(&POLICY, now, 3).await.unwrap().is_empty() {}
        bench.store.sweep_blobs().await.unwrap();
        assert_eq!(retention.due(&POLICY, now, 1000).await.unwrap(), []);
        for (id, blob) in &old {
            assert_eq!(scope.recordings().get(*id).await.unwrap().unwrap().state, "erased");
            assert!(scope.blobs().size(blob).await.unwrap().is_none());
        }
        assert_eq!(
            blob_files(bench.folder.path()),
            young.len(),
            "a file is left that nothing names"
        );
    });
}

#[test]
fn a_hold_that_comes_while_a_run_goes_on_is_heeded() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+49170");
        let mut end = finished(&bench, &begun, strowger_model::CallState::Completed);
        let new = recording(&bench);
        end.recordings.push(new.clone());
        scope.calls().finish(&end).await.unwrap();
        let result = processed(&scope).await;
        let recordings = scope.recordings();
        recordings.ready(new.id, &result, Afterwards::Nothing).await.unwrap();
        // What the run read before.
        let listed = recordings.get(new.id).await.unwrap().unwrap();
        recordings.hold(&actor(), new.id).await.unwrap();
        let retention = scope.retention();
        assert!(!retention.expire(Kind::Recording, &listed).await.unwrap());
        assert!(!retention.expire(Kind::Voicemail, &listed).await.unwrap());
        assert!(scope.blobs().get(&result.blob).await.is_ok());
        recordings.release(&actor(), new.id).await.unwrap();
        assert!(retention.expire(Kind::Recording, &listed).await.unwrap());
        assert!(scope.blobs().get(&result.blob).await.is_err());
    });
}
