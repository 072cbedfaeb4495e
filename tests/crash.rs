//! What survives `kill -9`: of the worker in the middle of a job, of the daemon in the middle of a call.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::process::Stdio;
use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, channels, only_call, two_phones};
use strowger_tests::{Sandbox, eventually, process, tone};
use tokio::process::Command;

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
async fn a_daemon_that_dies_in_a_call_leaves_its_recording_and_closes_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(sandbox.number("record").unwrap()).await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    let established = tokio::time::Instant::now();
    let began = only_call(&sandbox, "active", SOON).await.unwrap();

    let talked = established.elapsed();
    process::signal(sandbox.card.pids.daemon, "KILL").await.unwrap();
    eventually(SOON, "the daemon's end", || async {
        anyhow::ensure!(!process::is_running(sandbox.card.pids.daemon));
        Ok(())
    })
    .await
    .unwrap();

    let config = sandbox.card.data_dir.join("strowger.toml");
    let _again = process::start(
        Command::new(process::program("strowger").unwrap())
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null()),
    )
    .unwrap();
    eventually(SOON, "the daemon's return", || async { sandbox.get("/health").await })
        .await
        .unwrap();

    // Whoever talked is told that it is over: nobody is left listening to nothing.
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();

    let call = only_call(&sandbox, "failed", SOON).await.unwrap();
    assert_eq!(call["id"], began["id"]);
    assert_eq!(call["hangup_cause"], "daemon_restart");
    let sound = channels(&sandbox, &call, RECORDED).await.unwrap();
    // One second may be lost.
    assert!(
        sound.seconds() > talked.as_secs_f64() - 1.2,
        "{} s of {talked:?}",
        sound.seconds()
    );
    let end = sound.seconds();
    tone::holds(sound.part(0, 1.0, end - 0.3), sound.rate_hz, CALLER_HZ, -30.0, 0.95).unwrap();
    tone::holds(sound.part(1, 1.0, end - 0.3), sound.rate_hz, CALLEE_HZ, -30.0, 0.95).unwrap();
    for (arguments, said) in [
        (
            ["doctor", "recordings"],
            "1 recordings and 0 captures looked at, 0 amiss",
        ),
        (["audit", "verify"], "whole"),
    ] {
        let looked = eventually(SOON, "nothing amiss", || async {
            let program = process::program("strowger")?;
            let output = Command::new(program)
                .args(arguments)
                .arg("--config")
                .arg(&config)
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
    let _ = std::fs::remove_dir_all(&sandbox.card.data_dir);
}
