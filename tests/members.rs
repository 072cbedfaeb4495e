//! Stock clients meet in a room, in both generations of their protocol: they hear each other, write and call,
//! mute, and come back after a cut; each gets the size of a picture that it asks for.
//!
//! Members are the client library's own (`packaging/fetch-clients`); their folder is named by
//! `STROWGER_CLIENTS`, without which these tests say how to get it.

#![cfg(test)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::Sandbox;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn python() -> PathBuf {
    let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
    Path::new(&folder).join("bin/python")
}

/// Lets two members meet and says what they saw.
async fn meet(sandbox: &Sandbox, room: &str, single: bool) -> Value {
    play(sandbox, "meet.py", json!({"room": room, "single": single})).await
}

/// Runs a program of members and says what they saw.
async fn play(sandbox: &Sandbox, program: &str, mut given: Value) -> Value {
    let card = &sandbox.card.rooms;
    given["url"] = json!(card.url);
    given["key"] = json!(card.api_key);
    given["secret"] = json!(card.api_secret);
    let mut child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(given.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(150), child.wait_with_output())
        .await
        .expect("the members come to an end")
        .unwrap();
    assert!(output.status.success(), "the members failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A sine of 12,000 has an effective value of 8,485.
fn is_the_tone(heard: &Value) -> bool {
    let (rms, pitch) = (heard["rms"].as_f64().unwrap(), heard["pitch_hz"].as_f64().unwrap());
    (7_500.0..9_500.0).contains(&rms) && (430.0..450.0).contains(&pitch)
}

fn check(seen: &Value) {
    assert!(is_the_tone(&seen["tone"]), "{seen}");
    assert_eq!(seen["rpc"], "ada: hi");
    assert_eq!(seen["text"], 40_000);
    let mut data: Vec<&Value> = seen["data"].as_array().unwrap().iter().collect();
    data.sort_by_key(ToString::to_string);
    assert_eq!(data, [&json!(["lossy", "ada"]), &json!(["reliable", "ada"])]);
    assert_eq!(seen["attributes"][0]["mood"], "good");
    assert!(is_the_tone(&seen["simulate_signal_reconnect"]), "after a cut: {seen}");
    assert!(
        is_the_tone(&seen["simulate_full_reconnect"]),
        "after coming anew: {seen}"
    );
}

#[tokio::test]
async fn stock_clients_with_one_connection_hear_and_write_to_each_other() {
    let sandbox = Sandbox::start().await.unwrap();
    check(&meet(&sandbox, "one", true).await);
}

#[tokio::test]
async fn stock_clients_with_two_connections_hear_and_write_to_each_other() {
    let sandbox = Sandbox::start().await.unwrap();
    check(&meet(&sandbox, "two", false).await);
}

/// Three sizes in one stream: each watcher gets its own, and one that asks for less takes nothing from the other.
async fn each_gets_its_size(codec: &str) {
    let sandbox = Sandbox::start().await.unwrap();
    let seen = play(&sandbox, "sizes.py", json!({"room": codec, "codec": codec})).await;
    for (step, chosen) in [("begin", 720), ("low", 180), ("medium", 360), ("high", 720)] {
        assert_eq!(seen[step], json!([720, chosen]), "{step}: {seen}");
    }
}

#[tokio::test]
async fn each_watcher_of_a_vp9_stream_gets_the_size_it_asks_for() {
    each_gets_its_size("vp9").await;
}

#[tokio::test]
async fn each_watcher_of_an_av1_stream_gets_the_size_it_asks_for() {
    each_gets_its_size("av1").await;
}
