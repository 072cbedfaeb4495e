//! Recordings move to a bucket of a real S3 server (`packaging/fetch-clients`), which is away for a while.

use super::{Bench, actor, context, tone};
use crate::jobs::Desk;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use strowger_host::config::Storage;
use strowger_model::job::{Job, JobState};
use strowger_model::settings::{Entry, Lock};
use strowger_model::{RecordingId, TenantId};
use strowger_store::queue::{JobError, JobFilter};
use strowger_store::{Bucket, Page};
use tokio::process::{Child, Command};

/// A server of the S3 interface, ended with the value. It forgets its objects when it ends.
pub(super) struct Server {
    child: Child,
    port: u16,
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn program() -> PathBuf {
    let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
    Path::new(&folder).join("s3/bin/moto_server")
}

#[expect(clippy::disallowed_methods, reason = "the partner listens outside of the product")]
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Server {
    /// Starts it and makes the bucket.
    pub(super) async fn start(port: u16) -> Self {
        let child = Command::new(program())
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = Self { child, port };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while server.ask("PUT", "/calls").await.is_none() {
            assert!(tokio::time::Instant::now() < deadline, "the S3 server does not answer");
            tick.tick().await;
        }
        server
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Asks with a request of HTTP/1.0; the body, once it answers with success.
    async fn ask(&self, method: &str, path: &str) -> Option<Vec<u8>> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let is_well = answer.get(9..12) == Some(b"200");
        is_well.then(|| answer.split_off(end + 4))
    }

    /// The names of all objects.
    pub(super) async fn names(&self) -> Vec<String> {
        let list = String::from_utf8(self.ask("GET", "/calls?list-type=2").await.unwrap()).unwrap();
        let keys = list.split("<Key>").skip(1);
        keys.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }

    async fn end(mut self) {
        self.child.kill().await.unwrap();
    }
}

pub(super) fn bucket(port: u16) -> Bucket {
    Bucket::open(&Storage {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        bucket: "calls".to_owned(),
        prefix: "archive".to_owned(),
        region: "us-east-1".to_owned(),
        access_key: "test".to_owned(),
        secret_key: "test".to_owned(),
        path_style: true,
        ca_file: None,
    })
    .unwrap()
}

pub(super) async fn set(bench: &Bench, name: &str, value: &str) {
    let entry = Entry {
        value: Some(value.to_owned()),
        lock: Lock::Unlocked,
    };
    bench.scope.settings().set(&actor(), name, &entry).await.unwrap();
}

/// A recording that was made of a call.
pub(super) async fn recorded(bench: &Bench, desk: &Desk, seconds: usize) -> RecordingId {
    let (_, recording, capture) = bench.call(&tone(440.0, seconds), &tone(1000.0, seconds)).await;
    let job = Job::ProcessRecording {
        tenant: bench.scope.tenant(),
        capture,
        recording,
    };
    desk.run(job, context(1, false)).await.unwrap();
    recording
}

pub(super) async fn blob(bench: &Bench, recording: RecordingId) -> String {
    let row = bench.scope.recordings().get(recording).await.unwrap().unwrap();
    row.blob.unwrap()
}

/// The files of a tenant's blobs that are on this disk.
pub(super) fn local(bench: &Bench, tenant: TenantId) -> Vec<String> {
    let list = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let root = bench.folder.path().join("blobs").join(tenant.to_string());
    list(&root)
        .flat_map(|prefix| list(&prefix.path()).collect::<Vec<_>>())
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect()
}

async fn waiting_jobs(bench: &Bench) -> usize {
    let filter = JobFilter {
        state: Some(JobState::Queued),
        kind: Some("move_recordings".to_owned()),
    };
    let jobs = bench.scope.jobs().list(&filter, &Page::default()).await.unwrap();
    jobs.items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_wait_for_a_bucket_that_is_away_and_all_arrive() {
    let bench = Bench::open().await;
    let tenant = bench.scope.tenant();
    let port = free_port();
    let store = bench.store.clone().with_bucket(Some(bucket(port)));
    let desk = bench.desk(Path::new("/nonexistent"));
    for (name, value) in [
        ("move_recordings_after_days", "0"),
        ("enable_ai_transcription", "false"),
    ] {
        set(&bench, name, value).await;
    }
    let early = recorded(&bench, &desk, 2).await;
    assert_eq!(waiting_jobs(&bench).await, 0, "it is off until somebody turns it on");
    set(&bench, "move_recordings", "true").await;

    // The bucket is away: everything stays, is read as before, and waits once.
    let late = recorded(&bench, &desk, 70).await;
    assert_eq!(waiting_jobs(&bench).await, 1);
    let job = || Job::MoveRecordings { tenant };
    let refused = desk.run(job(), context(1, false)).await;
    assert!(matches!(refused, Err(JobError::Retry(_))), "{refused:?}");
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!((stands.moved, stands.waiting), (0, 2));
    let later = recorded(&bench, &desk, 2).await;
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!(stands.waiting, 3, "counts before the next try");
    assert!(bench.scope.recordings().erase(&actor(), later).await.unwrap());
    assert_eq!(local(&bench, tenant).len(), 2);
    let sounds = [
        bench.scope.blobs().get(&blob(&bench, early).await).await.unwrap(),
        bench.scope.blobs().get(&blob(&bench, late).await).await.unwrap(),
    ];
    assert!(
        store
            .examine_recordings()
            .await
            .unwrap()
            .findings
            .iter()
            .all(|finding| { matches!(finding, strowger_store::Finding::NoBucket { .. }) })
    );

    // It comes: both go there, sealed, and are whole.
    let server = Server::start(port).await;
    desk.run(job(), context(2, false)).await.unwrap();
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!((stands.moved, stands.waiting), (2, 0));
    assert!(local(&bench, tenant).is_empty());
    let names = server.names().await;
    assert_eq!(names.len(), 2);
    for name in &names {
        assert!(name.starts_with(&format!("archive/{tenant}/")), "{name}");
        let object = server.ask("GET", &format!("/calls/{name}")).await.unwrap();
        assert!(object.starts_with(b"STRB1") && !object.windows(4).any(|window| window == b"OggS"));
    }
    for (recording, sound) in [early, late].into_iter().zip(&sounds) {
        let blob = blob(&bench, recording).await;
        assert_eq!(&bench.scope.blobs().get(&blob).await.unwrap(), sound);
        let part = bench.scope.blobs().range(&blob, 65_000, 2_000).await.unwrap();
        let end = sound.len().min(67_000);
        assert_eq!(part, sound.get(65_000..end).unwrap_or_default());
    }
    assert!(sounds[1].len() > 131_072, "one is longer than two pieces");
    let seen = store.examine_recordings().await.unwrap();
    // The erased one's row is one of them.
    assert_eq!((seen.recordings, seen.findings), (3, vec![]));
    let again = desk.run(job(), context(1, false)).await;
    assert!(again.is_ok(), "doing it twice changes nothing: {again:?}");

    // One is erased: its object goes with it.
    assert!(bench.scope.recordings().erase(&actor(), early).await.unwrap());
    assert_eq!(server.names().await.len(), 1);

    // The bucket is away again, and the other is erased: its key goes at once, its object when it is back.
    let object = names_of(&server, late, &bench).await;
    server.end().await;
    assert!(bench.scope.recordings().erase(&actor(), late).await.unwrap());
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!((stands.moved, stands.to_remove), (0, 1));
    let server = Server::start(port).await;
    server.ask("PUT", &format!("/calls/{object}")).await.unwrap();
    store.upkeep().await.unwrap();
    assert!(server.names().await.is_empty());
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!(stands.to_remove, 0);
}

async fn names_of(server: &Server, recording: RecordingId, bench: &Bench) -> String {
    let blob = blob(bench, recording).await;
    let names = server.names().await;
    names.into_iter().find(|name| name.ends_with(&blob)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_nothing_in_the_bucket_is_found_and_a_lost_object_too() {
    let bench = Bench::open().await;
    let tenant = bench.scope.tenant();
    let server = Server::start(free_port()).await;
    let store = bench.store.clone().with_bucket(Some(bucket(server.port)));
    let desk = bench.desk(Path::new("/nonexistent"));
    for (name, value) in [
        ("move_recordings", "true"),
        ("move_recordings_after_days", "0"),
        ("enable_ai_transcription", "false"),
    ] {
        set(&bench, name, value).await;
    }
    let recording = recorded(&bench, &desk, 2).await;
    desk.run(Job::MoveRecordings { tenant }, context(1, false))
        .await
        .unwrap();
    let object = names_of(&server, recording, &bench).await;
    server.ask("DELETE", &format!("/calls/{object}")).await;
    let stray = format!("archive/{tenant}/00/{}", RecordingId::generate(bench.world.as_ref()));
    server.ask("PUT", &format!("/calls/{stray}")).await.unwrap();
    let seen = store.examine_recordings().await.unwrap();
    let said: Vec<String> = seen.findings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line.contains("cannot be read")), "{said:?}");

    // A tenant that goes takes its objects along.
    let second = recorded(&bench, &desk, 2).await;
    desk.run(Job::MoveRecordings { tenant }, context(1, false))
        .await
        .unwrap();
    let object = names_of(&server, second, &bench).await;
    assert!(store.tenants().remove(&actor(), tenant).await.unwrap());
    assert!(!server.names().await.contains(&object));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_while_the_server_has_no_such_bucket_is_not_forgotten() {
    let bench = Bench::open().await;
    let tenant = bench.scope.tenant();
    let server = Server::start(free_port()).await;
    let store = bench.store.clone().with_bucket(Some(bucket(server.port)));
    let desk = bench.desk(Path::new("/nonexistent"));
    for (name, value) in [
        ("move_recordings", "true"),
        ("move_recordings_after_days", "0"),
        ("enable_ai_transcription", "false"),
    ] {
        set(&bench, name, value).await;
    }
    let job = || Job::MoveRecordings { tenant };
    let early = recorded(&bench, &desk, 2).await;
    desk.run(job(), context(1, false)).await.unwrap();
    let object = names_of(&server, early, &bench).await;
    server.ask("DELETE", &format!("/calls/{object}")).await;
    server.ask("DELETE", "/calls").await;

    let read = bench.scope.blobs().get(&blob(&bench, early).await).await;
    let away = matches!(read, Err(strowger_store::Error::Bucket { .. }));
    assert!(away, "out of reach, not gone: {read:?}");
    let late = recorded(&bench, &desk, 2).await;
    let refused = desk.run(job(), context(1, false)).await;
    let Err(JobError::Retry(said)) = refused else {
        panic!("{refused:?}");
    };
    assert!(said.contains("storage.bucket") && said.len() < 150, "{said}");
    assert!(bench.scope.recordings().erase(&actor(), early).await.unwrap());
    let stands = bench.scope.recordings().bucket().await.unwrap().unwrap();
    assert_eq!((stands.waiting, stands.to_remove), (1, 1));

    server.ask("PUT", "/calls").await.unwrap();
    server.ask("PUT", &format!("/calls/{object}")).await.unwrap();
    desk.run(job(), context(2, false)).await.unwrap();
    let late = blob(&bench, late).await;
    let left = server.names().await;
    assert!(
        left.len() == 1 && left.iter().all(|name| name.ends_with(&late)),
        "{left:?}"
    );
    assert_eq!(store.examine_recordings().await.unwrap().findings, vec![]);
}
