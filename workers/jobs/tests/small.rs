//! The jobs beside a call's: texts spoken, notices, retention. Each is done twice and ends the same.

use super::{Bench, Desk, SOUNDS, actor, context, spoken};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strowger_model::job::{Job, NoticeKind};
use strowger_model::record::User;
use strowger_model::world::SeededWorld;
use strowger_model::{Role, World};
use strowger_store::queue::JobError;
use strowger_store::{Actor, NewFlow, NewGreeting, NewUser, Page};

pub(super) const DAY_MS: i64 = 24 * 3_600_000;

pub(super) async fn twice(desk: &Desk, job: Job) {
    desk.run(job.clone(), context(1, false)).await.unwrap();
    desk.run(job, context(2, false)).await.unwrap();
}

fn desk(bench: &Bench) -> Desk {
    bench.desk(Path::new("/nonexistent"))
}

pub(super) async fn ada(bench: &Bench) -> User {
    let new = NewUser {
        email: "ada@example.org".to_owned(),
        name: "Ada Lovelace".to_owned(),
        role: Role::User,
        extension: Some("101".to_owned()),
        password_hash: None,
    };
    bench.scope.users().create(&actor(), new).await.unwrap()
}

/// How many sealed blobs lie in the store's folder.
fn blobs(bench: &Bench) -> usize {
    let list = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    list(&bench.folder.path().join("blobs"))
        .flat_map(|tenant| list(&tenant.path()))
        .map(|prefix| list(&prefix.path()).count())
        .sum()
}

/// Seconds of 8 kHz 16-bit audio in a blob that was rendered.
async fn seconds(bench: &Bench, blob: &str) -> f64 {
    bench.scope.blobs().get(blob).await.unwrap().len() as f64 / 16_000.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_flow_takes_calls_once_all_its_texts_are_spoken() {
    let bench = Bench::open().await;
    let draft = serde_json::json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "hello", "type": "say", "data": {"message": "Welcome to Northwind."}},
            {"id": "again", "type": "say", "data": {"message": "Welcome to Northwind."}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "hello"},
            {"id": "e2", "source": "hello", "target": "again"},
            {"id": "e3", "source": "again", "target": "bye"}
        ]
    });
    let new = NewFlow {
        name: "Main".to_owned(),
        description: String::new(),
        draft: draft.clone(),
    };
    let flow = bench.scope.flows().create(&actor(), new).await.unwrap();
    let version = bench.scope.flows().publish(&actor(), flow.id).await.unwrap().unwrap();
    assert_eq!(version.state, "rendering");
    let job = Job::RenderFlow {
        tenant: bench.scope.tenant(),
        version: version.id,
    };
    twice(&desk(&bench), job).await;
    assert_eq!(
        bench.scope.flows().version(version.id).await.unwrap().unwrap().state,
        "ready"
    );
    assert_eq!(
        bench.scope.flows().get(flow.id).await.unwrap().unwrap().published,
        Some(version.id)
    );
    let (read, _) = strowger_ivr::Flow::parse(&draft);
    let keys: Vec<String> = read.unwrap().texts().into_iter().map(|say| say.key()).collect();
    let blob = bench.scope.speech().get(&keys[0]).await.unwrap().unwrap();
    assert!(seconds(&bench, &blob).await > 0.8);
    assert_eq!(blobs(&bench), 1, "the same text is spoken once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_greeting_says_the_name_and_replaces_the_former() {
    let bench = Bench::open().await;
    let user = ada(&bench).await;
    let job = Job::RenderGreeting {
        tenant: bench.scope.tenant(),
        user: user.id,
    };
    twice(&desk(&bench), job).await;
    let key = format!("mailbox {}", user.id);
    let blob = bench.scope.speech().get(&key).await.unwrap().unwrap();
    assert!(seconds(&bench, &blob).await > 2.0, "name and sentence are spoken");
    let said_by_the_switchboard = strowger_ivr::Phrase::ALL.len();
    assert_eq!(blobs(&bench), said_by_the_switchboard + 1, "the former audio is erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_greeting_is_spoken_or_taken_from_a_file() {
    let bench = Bench::open().await;
    let user = ada(&bench).await;
    let tenant = bench.scope.tenant();
    let new = |name: &str, text: Option<&str>, file: Option<Vec<u8>>| NewGreeting {
        user: user.id,
        name: name.to_owned(),
        kind: "personal".to_owned(),
        text: text.map(str::to_owned),
        file,
    };
    let file = std::fs::read(PathBuf::from(SOUNDS).join("vm-goodbye.wav")).unwrap();
    for (new, least) in [
        (new("said", Some("I am on holiday until Monday."), None), 1.0),
        (
            new("vm-goodbye.wav", None, Some(file)),
            spoken("vm-goodbye").len() as f64 / 8000.0 - 0.1,
        ),
    ] {
        let made = bench.scope.greetings().create(&actor(), new).await.unwrap();
        let job = Job::PrepareGreeting {
            tenant,
            greeting: made.id,
        };
        twice(&desk(&bench), job).await;
        let row = bench.scope.greetings().get(made.id).await.unwrap().unwrap();
        assert_eq!(row.state, "ready");
        let audio = bench
            .scope
            .greetings()
            .audio(made.id)
            .await
            .unwrap()
            .unwrap()
            .audio
            .unwrap();
        assert!(seconds(&bench, &audio).await >= least, "{}", row.name);
    }
    let broken = new("broken.mp3", None, Some(b"not audio".to_vec()));
    let made = bench.scope.greetings().create(&actor(), broken).await.unwrap();
    let job = Job::PrepareGreeting {
        tenant,
        greeting: made.id,
    };
    let refused = desk(&bench).run(job, context(1, false)).await;
    assert!(matches!(refused, Err(JobError::GiveUp(_))), "{refused:?}");
    let row = bench.scope.greetings().get(made.id).await.unwrap().unwrap();
    assert_eq!(row.state, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_written_once() {
    let bench = Bench::open().await;
    let (call, ..) = bench.call(&[], &[]).await;
    let job = Job::Notify {
        tenant: bench.scope.tenant(),
        call,
        what: NoticeKind::RecordingFailed,
    };
    twice(&desk(&bench), job).await;
    let notices = bench.scope.notices().list(&Page::first(100)).await.unwrap().items;
    let told = notices
        .iter()
        .filter(|notice| notice.kind == NoticeKind::RecordingFailed);
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_time_goes_and_what_is_held_stays() {
    let now = crate::jobs::tests::SystemWorld.now();
    let world = Arc::new(SeededWorld::new(5, now.unix_timestamp() * 1000));
    let bench = Bench::open_in(Arc::clone(&world) as Arc<dyn World>).await;
    let desk = desk(&bench);
    let mut made = Vec::new();
    for _ in 0..3 {
        let (call, recording, capture) = bench.call(&super::tone(440.0, 1), &super::tone(440.0, 1)).await;
        let tenant = bench.scope.tenant();
        let job = Job::ProcessRecording {
            tenant,
            capture,
            recording,
        };
        twice(&desk, job).await;
        made.push((call, recording));
    }
    bench
        .scope
        .recordings()
        .hold(&Actor::named("court"), made[0].1)
        .await
        .unwrap();
    let job = || Job::Retain {
        tenant: bench.scope.tenant(),
    };
    world.advance(89 * DAY_MS);
    twice(&desk, job()).await;
    assert_eq!(blobs(&bench), 3, "nothing goes early");
    world.set_clock(2 * DAY_MS);
    twice(&desk, job()).await;
    assert_eq!(blobs(&bench), 3, "a clock set forward is not believed at once");
    world.set_clock(-2 * DAY_MS);
    world.advance(2 * DAY_MS);
    twice(&desk, job()).await;
    assert_eq!(blobs(&bench), 1);
    for (n, (call, _)) in made.iter().enumerate() {
        let is_there = bench.scope.calls().get(*call).await.unwrap().is_some();
        assert_eq!(is_there, n == 0, "call {n}");
    }
}
