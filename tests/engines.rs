//! The same call on both database engines.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and its server is its environment"
)]

use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, channels, only_call, phone, tone_file};
use strowger_tests::{Sandbox, tone};
use tokio::process::Command;

async fn a_recorded_call(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let mut caller = phone(sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    let mut callee = phone(sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    caller.dial(sandbox.number("record").unwrap()).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    callee.event_within("CALL_RTCP", Duration::from_secs(20)).await.unwrap();
    caller.hang_up().await.unwrap();
    let call = only_call(sandbox, "completed", Duration::from_secs(20)).await.unwrap();
    let sound = channels(sandbox, &call, Duration::from_secs(60)).await.unwrap();
    let end = sound.seconds();
    tone::holds(sound.part(0, 1.0, end - 0.3), sound.rate_hz, CALLER_HZ, -30.0, 0.95).unwrap();
}

#[tokio::test]
async fn a_call_is_recorded_on_sqlite() {
    let sandbox = Sandbox::start().await.unwrap();
    a_recorded_call(&sandbox).await;
    assert!(sandbox.stop().await.unwrap().success());
}

#[tokio::test]
async fn a_call_is_recorded_on_postgresql() {
    let server =
        std::env::var("STROWGER_TEST_POSTGRES").expect("STROWGER_TEST_POSTGRES names a server: run `make test`");
    let name = format!("sandbox_{}", std::process::id());
    let created = Command::new("psql")
        .arg(&server)
        .args(["-qc", &format!("create database {name}")])
        .status()
        .await
        .unwrap();
    assert!(created.success());
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let sandbox = Sandbox::start_with(&["--database", &url], &[]).await.unwrap();
    a_recorded_call(&sandbox).await;
    assert!(sandbox.stop().await.unwrap().success());
}
