//! A worker process that is killed at any moment: what it was at is done again, once.

use super::{Bench, Desk, SystemWorld, models, spoken};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use strowger_model::World;
use strowger_model::job::{JobState, NoticeKind};
use strowger_store::queue::{JobFilter, Runner, RunnerConfig};
use strowger_store::{Page, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

/// Where the child of the test below finds its store.
const CHILD_FOLDER: &str = "STROWGER_WORKER_CHILD";
const KILLS: u64 = 10;

fn config(folder: &std::path::Path) -> StoreConfig {
    StoreConfig {
        url: format!("sqlite://{}/strowger.db", folder.display()),
        data_dir: folder.to_owned(),
        master_key: [7; 32],
    }
}

async fn is_all_done(store: &Store) -> bool {
    let page = Page::first(1000);
    let tenants = store.tenants().list(&page).await.unwrap().items;
    let jobs = store.tenant(tenants[0].id).jobs();
    let rows = jobs.list(&JobFilter::default(), &page).await.unwrap().items;
    rows.iter()
        .all(|row| matches!(row.state, JobState::Done | JobState::Dead))
}

/// Does nothing unless the test below starts it: a worker as `strowger-worker serve` runs it, until nothing is left to do.
#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "a child learns from its environment what to do"
)]
async fn child_that_works() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let world: Arc<dyn World> = Arc::new(SystemWorld);
    let store = Store::open(&config(folder.as_ref()), Arc::clone(&world)).await.unwrap();
    let desk = Desk::new(
        store.clone(),
        world,
        super::ModelStore::new(models()),
        "tiny.en".to_owned(),
    );
    let runner = Runner::new(
        store.clone(),
        RunnerConfig {
            name: "worker".to_owned(),
            hands: 1,
        },
    );
    let over = CancellationToken::new();
    let stop = over.clone();
    let handler = move |_, job, context| {
        let desk = desk.clone();
        async move { desk.run(job, context).await }
    };
    let work = runner.run(handler, over);
    let watch = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !is_all_done(&store).await {
            look.tick().await;
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(work, watch);
    ended.unwrap();
}

fn child(folder: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jobs::tests::killed::child_that_works"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child after `after` unless it ends before; returns whether it was killed.
fn killed_after(mut child: Child, after: Duration) -> bool {
    let pid = child.id();
    let (over, ended) = sync_channel(1);
    let waiter = std::thread::Builder::new().spawn(move || {
        let status = child.wait().unwrap();
        // The other side may have stopped listening; then the child was killed.
        let _ = over.send(status.success());
    });
    let waiter = waiter.unwrap();
    let was_killed = match ended.recv_timeout(after) {
        Ok(success) => {
            assert!(success, "the worker failed");
            false
        }
        Err(RecvTimeoutError::Timeout) => {
            let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
            killed.unwrap().success()
        }
        Err(RecvTimeoutError::Disconnected) => panic!("the waiter is gone"),
    };
    waiter.join().unwrap();
    was_killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_ten_times_makes_each_transcript_once() {
    let bench = Bench::open().await;
    let mut seed = [0_u8; 8];
    bench.world.fill(&mut seed);
    let mut random = u64::from_le_bytes(seed);
    println!("seed {random}");
    let voice = spoken("vm-goodbye");
    let mut kills = 0;
    for round in 0..KILLS {
        let (call, recording, _) = bench.call(&voice, &voice).await;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
        let after = Duration::from_millis(40 + (random >> 33) % 1500);
        kills += u32::from(killed_after(child(bench.folder.path()), after));
        assert!(
            !killed_after(child(bench.folder.path()), Duration::from_secs(120)),
            "the work does not end"
        );
        let detail = bench.scope.calls().detail(call).await.unwrap().unwrap();
        assert_eq!(detail.transcripts.len(), 1, "after {after:?}");
        assert_eq!(detail.transcripts[0].state, "ready", "after {after:?}");
        assert!(detail.transcripts[0].analysis.is_some(), "after {after:?}");
        assert_eq!(bench.recording(recording).await.state, "ready");
        let notices = bench.scope.notices().list(&Page::first(1000)).await.unwrap().items;
        for kind in [NoticeKind::TranscriptReady, NoticeKind::RecordingReady] {
            let told = notices.iter().filter(|one| one.call == Some(call) && one.kind == kind);
            assert_eq!(told.count(), 1, "{kind:?} after {after:?}");
        }
    }
    assert!(kills >= 5, "only {kills} of {KILLS} workers were killed at work");
}
