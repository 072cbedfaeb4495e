//! What survives `kill -9`: of the worker in the middle of a job, of the daemon in the middle of a call.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use anyhow::Context as _;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::scene::{
    CALLEE_HZ, CALLER_HZ, channels, detail, log, only_call, phone_over, tone_file, two_phones,
};
use strowger_tests::{Baresip, Sandbox, eventually, process, tone};
use tokio::process::{Child, Command};

const SOON: Duration = Duration::from_secs(60);
const RECORDED: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_worker_that_dies_is_replaced_and_its_job_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("record").unwrap()).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();

    // The worker dies while the call is up, and again as soon as the recording's job can have begun.
    process::signal(sandbox.card.pids.worker, "KILL").await.unwrap();
    let second = eventually(SOON, "another worker", || async {
        let health = sandbox.get("/health").await?;
        let pid = children_of(sandbox.pid().unwrap_or_default())
            .into_iter()
            .find(|pid| ![sandbox.card.pids.worker, sandbox.card.pids.daemon].contains(pid));
        pid.ok_or_else(|| anyhow::anyhow!("no worker yet: {health}"))
    })
    .await
    .unwrap();
    caller.hang_up().await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    process::signal(second, "KILL").await.unwrap();

    let sound = channels(&sandbox, &call, RECORDED).await.unwrap();
    let talk = call["duration_ms"].as_f64().unwrap() / 1000.0;
    assert!(
        (sound.seconds() - talk).abs() < 0.5,
        "{} s of {talk} s",
        sound.seconds()
    );
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            !after.starts_with('Z') && after.split(' ').nth(1) == Some(&parent.to_string())
        })
        .collect()
}

#[tokio::test]
async fn a_daemon_that_dies_in_a_call_leaves_its_recording_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("record").unwrap()).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    let established = tokio::time::Instant::now();
    let began = only_call(&sandbox, "active", SOON).await.unwrap();

    let talked = established.elapsed();
    let (config, _again) = dies_and_returns(&sandbox).await;
    let on = talks_on(&sandbox, &began, [&caller, &callee]).await;
    caller.hang_up().await.unwrap();
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();

    let before = whole(&sandbox, &began, "restart").await;
    assert_eq!(before["status"], "failed");
    assert_eq!(before["hangup_cause"], "daemon_restart");
    assert!(
        before["events"].to_string().contains(on["id"].as_str().unwrap()),
        "{before}"
    );
    let after = whole(&sandbox, &on, "end").await;
    assert_eq!(after["status"], "completed");
    let events = after["events"].to_string();
    assert!(
        events.contains("re-attached") && events.contains(began["id"].as_str().unwrap()),
        "{after}"
    );

    // What was said before is a recording, and what was said after is one too. One second may be lost.
    let first = channels(&sandbox, &began, RECORDED).await.unwrap();
    let length = first.seconds();
    assert!(length > talked.as_secs_f64() - 1.2, "{length} s of {talked:?}");
    let second = channels(&sandbox, &on, RECORDED).await.unwrap();
    for sound in [first, second] {
        let end = sound.seconds();
        tone::holds(sound.part(0, 1.0, end - 0.3), sound.rate_hz, CALLER_HZ, -30.0, 0.95).unwrap();
        tone::holds(sound.part(1, 1.0, end - 0.3), sound.rate_hz, CALLEE_HZ, -30.0, 0.95).unwrap();
    }
    nothing_is_amiss(&config, "2 recordings and 0 captures looked at, 0 amiss").await;
    let _ = std::fs::remove_dir_all(&sandbox.card.data_dir);
}

/// Their connections end with the daemon, and nobody takes one at what they said they are reached at: each is spoken to when it has
/// registered again.
#[tokio::test]
async fn phones_over_tcp_and_tls_talk_on_after_a_daemon_that_died() {
    let folder = tempfile::tempdir().unwrap();
    let listener = format!("127.0.0.1:{}", process::free_port().unwrap());
    let environment = [("STROWGER__SIP__TLS", listener.as_str())];
    let mut sandbox = Sandbox::start_with(&[], &environment).await.unwrap();
    let speaks = |hertz| tone_file(folder.path(), hertz).unwrap();
    let mut callee = phone_over(&sandbox, 1, &speaks(CALLEE_HZ), true, "tcp").await.unwrap();
    sandbox.card.sip.clone_from(&listener);
    let mut caller = phone_over(&sandbox, 0, &speaks(CALLER_HZ), false, "tls").await.unwrap();
    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    let began = only_call(&sandbox, "active", SOON).await.unwrap();

    let (_config, _again) = dies_and_returns_with(&sandbox, &environment).await;
    let on = talks_on(&sandbox, &began, [&caller, &callee]).await;
    caller.hang_up().await.unwrap();
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();
    assert_eq!(
        whole(&sandbox, &began, "restart").await["hangup_cause"],
        "daemon_restart"
    );
    assert_eq!(whole(&sandbox, &on, "end").await["status"], "completed");
    let _ = std::fs::remove_dir_all(&sandbox.card.data_dir);
}

/// Two who talked when the daemon died are offered the session anew and hear each other again, caller first: the call of its
/// own that they are in then.
async fn talks_on(sandbox: &Sandbox, began: &Value, [caller, callee]: [&Baresip; 2]) -> Value {
    let on = eventually(SOON, "the call that goes on", || async {
        let calls = log(sandbox).await?;
        let on = calls.iter().find(|call| call["id"] != began["id"]);
        let on = on.context("only the call of before")?;
        anyhow::ensure!(on["status"] == "active", "{on}");
        Ok(on.clone())
    })
    .await
    .unwrap();
    for (phone, hertz) in [(caller, CALLEE_HZ), (callee, CALLER_HZ)] {
        let heard = || async { phone.heard_sound() };
        let since = heard().await.map_or(0.0, |sound| sound.seconds());
        eventually(SOON, "the other one's tone", || async {
            let sound = heard().await?;
            let end = sound.seconds();
            anyhow::ensure!(end > since + 1.5, "{end} s of sound, {since} s of them before");
            tone::holds(sound.part(0, end - 1.0, end), sound.rate_hz, hertz, -30.0, 0.8)
        })
        .await
        .unwrap();
    }
    on
}

/// The daemon of a sandbox is killed and another one started in its place.
async fn dies_and_returns(sandbox: &Sandbox) -> (PathBuf, Child) {
    dies_and_returns_with(sandbox, &[]).await
}

async fn dies_and_returns_with(sandbox: &Sandbox, environment: &[(&str, &str)]) -> (PathBuf, Child) {
    process::signal(sandbox.card.pids.daemon, "KILL").await.unwrap();
    eventually(SOON, "the daemon's end", || async {
        anyhow::ensure!(!process::is_running(sandbox.card.pids.daemon));
        Ok(())
    })
    .await
    .unwrap();
    let config = sandbox.card.data_dir.join("strowger.toml");
    let mut serve = Command::new(process::program("strowger").unwrap());
    serve.arg("serve").arg("--config").arg(&config).stdout(Stdio::null());
    serve.envs(environment.iter().copied());
    let again = process::start(&mut serve).unwrap();
    eventually(SOON, "the daemon's return", || async { sandbox.get("/health").await })
        .await
        .unwrap();
    (config, again)
}

/// The full row of a call, once such an event stands in it.
async fn whole(sandbox: &Sandbox, call: &Value, kind: &str) -> Value {
    eventually(SOON, "the last event", || async {
        let row = detail(sandbox, call).await?;
        let events = row["events"].as_array().context("a call without events")?;
        anyhow::ensure!(events.iter().any(|event| event["kind"] == kind), "{row}");
        Ok(row)
    })
    .await
    .unwrap()
}

async fn nothing_is_amiss(config: &Path, recordings: &str) {
    for (arguments, said) in [(["doctor", "recordings"], recordings), (["audit", "verify"], "whole")] {
        let looked = eventually(SOON, "nothing amiss", || async {
            let program = process::program("strowger")?;
            let output = Command::new(program)
                .args(arguments)
                .arg("--config")
                .arg(config)
                .output()
                .await?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            anyhow::ensure!(
                output.status.success(),
                "{text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(text)
        });
        let text = looked.await.unwrap();
        assert!(text.contains(said), "{text}");
    }
}
