//! Programs that steer rooms with the stock server SDKs for Python and Node, unchanged: every method, on members and
//! phones who are there, the refusals they look for, and webhooks that the SDKs' own receivers take.
//!
//! The SDKs are their makers' own (`packaging/fetch-clients`); their folder is named by `STROWGER_CLIENTS`.

#![cfg(test)]

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::baresip::{Baresip, G711, Setup};
use strowger_tests::program::{Program, given};
use strowger_tests::scene::{CALLER_HZ, phone, tone_file};
use strowger_tests::{Sandbox, eventually, process};
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(60);

/// Runs a program of `tests/clients` on what it is given; the one line it says.
async fn ran(script: &str, given: &Value) -> Value {
    let mut program = Program::start(script, given).await.unwrap();
    let seen = program.says().await.unwrap();
    program.ends_well().await.unwrap();
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_steers_rooms_and_trunks_and_is_told_by_webhook() {
    let sandbox = Sandbox::start().await.unwrap();
    let rooms = &sandbox.card.rooms;
    let port = process::free_port().unwrap();
    let hook = json!({"url": format!("http://127.0.0.1:{port}/hook"), "api_key": rooms.api_key});
    sandbox.post("/api/room-webhooks", &hook).await.unwrap();
    let given = json!({
        "url": rooms.url, "key": rooms.api_key, "secret": rooms.api_secret, "hook_port": port,
    });
    let seen = ran("server.py", &given).await;
    for (what, code) in [
        ("no participant", "not_found"),
        ("no one to remove", "not_found"),
        ("no one to change", "not_found"),
        ("no track", "not_found"),
        ("no room", "not_found"),
        ("deleted", "not_found"),
        ("open trunk", "invalid_argument"),
        ("no trunk", "not_found"),
        ("no grant", "unauthenticated"),
        ("forged", "unauthenticated"),
    ] {
        assert_eq!(seen[what], code, "{what}: {seen}");
    }
    assert_eq!(seen["told"], json!(["room_started", "room_finished"]));
}

/// Steers two live members by an SDK and checks what it was answered and what they saw.
async fn steer(script: &str, receiver: &str) {
    let sandbox = Sandbox::start().await.unwrap();
    let port = process::free_port().unwrap();
    let mut hook = Program::start(receiver, &given(&sandbox, json!({"port": port})))
        .await
        .unwrap();
    assert_eq!(hook.says().await.unwrap()["ready"], true);
    let address = json!({"url": format!("http://127.0.0.1:{port}/hook"), "api_key": sandbox.card.rooms.api_key});
    sandbox.post("/api/room-webhooks", &address).await.unwrap();
    // What is always recorded is so from its first member on.
    let always = json!({"name": "live", "recording": "always"});
    sandbox.post("/api/rooms", &always).await.unwrap();
    let mut crowd = Program::start("crowd.py", &given(&sandbox, json!({"room": "live"})))
        .await
        .unwrap();
    let ready = crowd
        .says_until(|line| line["ready"] == true)
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(ready["recording"], true);
    let wanted = json!({"room": "live", "other": "annex", "track": ready["track"]});
    let seen = ran(script, &given(&sandbox, wanted)).await;
    for (what, answer) in [
        ("listed", json!(["ada", "bob"])),
        ("sound", json!(true)),
        ("changed", json!(["Ada L", "m", "good"])),
        ("egress", json!(["live", "voice.ogg"])),
        ("active", json!(true)),
        ("no egress", json!("not_found")),
        ("no subscriber", json!("not_found")),
        ("rpc", json!("hello you")),
        ("rpc to nobody", json!("not_found")),
        ("rpc refused", json!("unknown")),
        ("rpc unknown", json!("unknown")),
        ("muted", json!(true)),
        ("no track", json!("not_found")),
        ("no such room", json!("not_found")),
        ("moved", json!(["bob"])),
        ("forwarded", json!([["ada", 1], ["bob", 0]])),
        ("no one to forward", json!("not_found")),
        ("removed", json!("not_found")),
    ] {
        assert_eq!(seen[what], answer, "{what}: {seen}");
    }
    let is_out = |line: &Value| line["to"] == "ada" && line["event"] == "out";
    let saw = crowd.says_until(is_out).await.unwrap();
    assert_eq!(saw.last().unwrap()["reason"], "PARTICIPANT_REMOVED");
    let count = |event: &str| {
        let of_bob = |line: &&Value| line["to"] == "bob" && line["event"] == event;
        saw.iter().filter(of_bob).count()
    };
    let data = json!({"to": "bob", "event": "data", "topic": "t", "data": "hello"});
    assert!(saw.contains(&data), "{saw:?}");
    assert_eq!((count("name"), count("metadata"), count("muted")), (1, 1, 1), "{saw:?}");
    // The file is made while the rest happens, so either may come last.
    let mut told: Vec<Value> = Vec::new();
    let is_told =
        |told: &[Value], event: &str, of: &str| told.iter().any(|one| one["event"] == event && one["identity"] == of);
    while !(is_told(&told, "egress_ended", "") && is_told(&told, "participant_left", "ada")) {
        told.push(hook.says().await.unwrap());
    }
    let has = |event: &str, of: &str| {
        let is_it = |one: &Value| one["event"] == event && one["room"] == "live" && one["identity"] == of;
        assert!(told.iter().any(is_it), "{event} of {of}: {told:?}");
    };
    has("room_started", "");
    for (event, of) in [
        ("participant_joined", "ada"),
        ("participant_joined", "bob"),
        ("track_published", "ada"),
        ("track_unpublished", "ada"),
        ("participant_left", "bob"),
        ("participant_left", "ada"),
        ("egress_started", ""),
    ] {
        has(event, of);
    }
    assert_eq!(
        (&told[0]["event"], &told[0]["again"]),
        (&json!("room_started"), &json!(true))
    );
    let listed = sandbox.get("/api/room-webhooks").await.unwrap();
    let first = listed["items"][0]["last_events"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        (&first["event"], &first["tries"]),
        (&json!("room_started"), &json!(2)),
        "{first}"
    );
    // Bob is unsubscribed by the program and subscribed again, and again where ada is forwarded.
    assert!(count("hears no more") >= 2 && count("hears") >= 2, "{saw:?}");
    // Then ada is muted.
    assert!(count("silence") >= 1, "{saw:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_program_steers_members_who_are_there() {
    steer("steer.py", "hook.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_program_steers_members_who_are_there() {
    steer("steer.mjs", "hook.mjs").await;
}

/// Sends a file to become a recording.
async fn import(sandbox: &Sandbox, name: &str, file: Vec<u8>) -> Value {
    let url = format!("{}/api/recordings?file_name={name}", sandbox.card.http);
    let answer = reqwest::Client::new()
        .post(url)
        .bearer_auth(&sandbox.card.api_token)
        .body(file)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_of_recordings_that_are_made_and_why_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let port = process::free_port().unwrap();
    let mut hook = Program::start("hook.py", &given(&sandbox, json!({"port": port})))
        .await
        .unwrap();
    assert_eq!(hook.says().await.unwrap()["ready"], true);
    let address = json!({"url": format!("http://127.0.0.1:{port}/hook"), "api_key": sandbox.card.rooms.api_key});
    sandbox.post("/api/room-webhooks", &address).await.unwrap();

    let sound = std::fs::read(tone_file(folder.path(), CALLER_HZ).unwrap()).unwrap();
    let good = import(&sandbox, "tone.wav", sound).await;
    let bad = import(&sandbox, "letter.mp3", b"this is a letter, not a sound".to_vec()).await;
    // The first event is refused and comes again.
    let mut told = Vec::new();
    while told.len() < 2 {
        let said = hook.says().await.unwrap();
        if said["recording"].is_object() {
            told.push(said);
        }
    }
    let of = |recording: &Value| {
        let found = told.iter().find(|said| said["recording"]["id"] == recording["id"]);
        found.unwrap_or_else(|| panic!("{recording}: {told:?}"))
    };
    let (made, failed) = (of(&good), of(&bad));
    assert_eq!(
        (&made["event"], &failed["event"]),
        (&json!("recording_completed"), &json!("recording_failed"))
    );
    assert_eq!(made["recording"]["status"], "ready");
    assert!(made["recording"]["durationMs"].as_i64().unwrap() > 0);
    let why = failed["recording"]["problem"].as_str().unwrap();
    assert!(why.contains("not an audio file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_come_by_a_rule_hold_are_muted_called_in_and_transferred() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let tone = tone_file(folder.path(), CALLER_HZ).unwrap();
    let [quiet, desk, third] = &sandbox.card.devices[..3] else {
        panic!("three phones")
    };
    let wanted = json!({
        "room": "reception", "pin": "4711", "desk": desk.extension, "third": third.extension,
        "quiet": quiet.extension, "nobody": "199",
    });
    let mut program = Program::start("sip.py", &given(&sandbox, wanted)).await.unwrap();
    assert_eq!(program.says().await.unwrap()["ready"], true);
    let outside = Setup {
        server: sandbox.sip(),
        user: "+4915112345678",
        password: "none",
        speaks: &tone,
        answers: false,
        transport: "udp",
        registers: false,
        codecs: G711,
        port: None,
    };
    let mut caller = Baresip::start(&outside).await.unwrap();
    let mut at_desk = phone(&sandbox, 1, &tone, true).await.unwrap();
    let mut at_third = phone(&sandbox, 2, &tone, true).await.unwrap();
    let mut at_quiet = phone(&sandbox, 0, &tone, false).await.unwrap();
    caller
        .dial(&format!("sip:+15550007000@{}", sandbox.sip()))
        .await
        .unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("4711#").await.unwrap();
    assert_eq!(
        program.says().await.unwrap(),
        json!({"came": "active", "by_rule": true, "team": "blue"})
    );
    let key = caller.event("CALL_DTMF_START").await.unwrap();
    assert_eq!(key["param"], "9", "{key}");
    caller.command("hold", "").await.unwrap();
    assert_eq!(program.says().await.unwrap()["status"], "hold");
    caller.command("resume", "").await.unwrap();
    assert_eq!(program.says().await.unwrap()["status"], "active");
    assert_eq!(program.says().await.unwrap()["muted"], true);
    at_desk.event("CALL_ESTABLISHED").await.unwrap();
    let wanted = json!({"desk": "desk", "sid": true, "name": "The desk", "floor": "2", "status": "active",
        "statuses": ["dialing", "ringing", "active"]});
    assert_eq!(program.says().await.unwrap(), wanted);
    at_third.event("CALL_ESTABLISHED").await.unwrap();
    assert_eq!(program.says().await.unwrap()["transferred"], "STS_TRANSFER_SUCCESSFUL");
    at_quiet.event("CALL_INCOMING").await.unwrap();
    assert_eq!(program.says().await.unwrap(), json!({"rings": true}));
    assert_eq!(
        program.says().await.unwrap(),
        json!({"statuses": ["dialing", "ringing", "hangup"]})
    );
    at_quiet.event("CALL_CLOSED").await.unwrap();
    let nobody = program.says().await.unwrap();
    assert_eq!(nobody["nobody"], "not_found", "{nobody}");
    program.ends_well().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_webhook_when_the_daemon_dies_is_told_by_the_next_one() {
    let sandbox = Sandbox::start().await.unwrap();
    let port = process::free_port().unwrap();
    let address = json!({"url": format!("http://127.0.0.1:{port}/hook"), "api_key": sandbox.card.rooms.api_key});
    sandbox.post("/api/room-webhooks", &address).await.unwrap();
    // Nobody listens there yet.
    let mut member = Program::start("crowd.py", &given(&sandbox, json!({"room": "live", "who": "ada"})))
        .await
        .unwrap();
    member.says_until(|line| line["ready"] == true).await.unwrap();
    eventually(SOON, "an event that waits", || async {
        let listed = sandbox.get("/api/room-webhooks").await?;
        let events = listed["items"][0]["last_events"].as_array().context("no list")?.clone();
        let first = events.last().context("no event")?;
        ensure!(
            first["event"] == "room_started" && first["tries"].as_i64() > Some(0),
            "{first}"
        );
        Ok(())
    })
    .await
    .unwrap();
    member.kill().await.unwrap();
    process::signal(sandbox.card.pids.daemon, "KILL").await.unwrap();
    eventually(SOON, "the daemon's end", || async {
        ensure!(!process::is_running(sandbox.card.pids.daemon));
        Ok(())
    })
    .await
    .unwrap();

    let mut hook = Program::start("hook.py", &given(&sandbox, json!({"port": port})))
        .await
        .unwrap();
    assert_eq!(hook.says().await.unwrap()["ready"], true);
    let mut again = Command::new(process::program("strowger").unwrap());
    let config = sandbox.card.data_dir.join("strowger.toml");
    again.arg("serve").arg("--config").arg(&config).stdout(Stdio::null());
    let _again = process::start(&mut again).unwrap();
    let told = hook.says().await.unwrap();
    assert_eq!(
        (&told["event"], &told["room"]),
        (&json!("room_started"), &json!("live")),
        "{told}"
    );
    let told = hook.says().await.unwrap();
    assert_eq!(
        (&told["event"], &told["identity"]),
        (&json!("participant_joined"), &json!("ada")),
        "{told}"
    );
    let _ = std::fs::remove_dir_all(&sandbox.card.data_dir);
}
