//! Stock clients meet in a room, in both generations of their protocol: they hear each other, write and call,
//! mute, and come back after a cut; each gets the size of a picture that it asks for.
//!
//! Members are the client library's own (`packaging/fetch-clients`); their folder is named by
//! `STROWGER_CLIENTS`, without which these tests say how to get it.

#![cfg(test)]

use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::network::Network;
use strowger_tests::program::{Program, given};
use strowger_tests::{Sandbox, minutes, process};

/// Lets two members meet and says what they saw.
async fn meet(sandbox: &Sandbox, room: &str, single: bool) -> Value {
    play(sandbox, "meet.py", json!({"room": room, "single": single})).await
}

/// Runs a program of members and says what they saw.
async fn play(sandbox: &Sandbox, program: &str, wanted: Value) -> Value {
    let mut program = Program::start(program, &given(sandbox, wanted)).await.unwrap();
    let seen = program.says().await.unwrap();
    program.ends_well().await.unwrap();
    seen
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

/// Long enough for the client to notice, and less than a place is kept.
const BLACK_OUT: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_whose_network_is_away_for_a_while_comes_back_as_the_same_participant() {
    let network = Network::new().await.unwrap();
    let media = format!("{}:{}", network.host(), process::free_port().unwrap());
    let environment = [
        ("STROWGER__ROOMS__UDP", media.as_str()),
        ("STROWGER__ROOMS__TCP", &media),
    ];
    let http = format!("{}:0", network.host());
    let sandbox = Sandbox::start_with(&["--http", &http], &environment).await.unwrap();
    let always = json!({"name": "live", "recording": "always"});
    sandbox.post("/api/rooms", &always).await.unwrap();
    let outside = given(&sandbox, json!({"room": "live", "who": "bob"}));
    let mut bob = Program::start("crowd.py", &outside).await.unwrap();
    bob.says_until(|line| line["ready"] == true).await.unwrap();
    let inside = given(&sandbox, json!({"room": "live", "who": "ada"}));
    let mut ada = Program::start_inside(&network.inside(), "crowd.py", &inside)
        .await
        .unwrap();
    let sid = ada
        .says_until(|line| line["ready"] == true)
        .await
        .unwrap()
        .pop()
        .unwrap()["sid"]
        .clone();
    let hears = |line: &Value| line["event"] == "hears" && line["of"] == "ada";
    bob.says_until(hears).await.unwrap();

    network.cut().await.unwrap();
    bob.says_until(|line| line["event"] == "silence").await.unwrap();
    let away = tokio::time::timeout(BLACK_OUT, bob.says_until(|line| line["event"] == "sound")).await;
    assert!(away.is_err(), "nothing passes: {away:?}");
    network.mend().await.unwrap();
    let heard = bob.says_until(|line| line["event"] == "sound").await.unwrap();
    let is_new = |line: &Value| ["hears", "comes"].contains(&line["event"].as_str().unwrap_or_default());
    assert!(!heard.iter().any(is_new), "she came anew: {heard:?}");

    let meeting = minutes::newest(&sandbox, "live").await.unwrap();
    assert_eq!(meeting["recordings"].as_array().unwrap().len(), 1, "{meeting}");
    let ada_is = |one: &&Value| one["identity"] == "ada";
    let ada_was: Vec<&Value> = meeting["participants"]
        .as_array()
        .unwrap()
        .iter()
        .filter(ada_is)
        .collect();
    assert!(
        ada_was.len() == 1 && ada_was[0]["sid"] == sid && ada_was[0]["left_at"].is_null(),
        "{ada_was:?}"
    );
}
