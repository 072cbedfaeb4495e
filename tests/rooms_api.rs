//! Programs that steer rooms with the stock server SDKs, unchanged: every method, the refusals they look for,
//! and a webhook that the SDK's own receiver takes.
//!
//! The SDK is the client library's (`packaging/fetch-clients`); its folder is named by `STROWGER_CLIENTS`.

#![cfg(test)]

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::Sandbox;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn clients() -> String {
    std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS")
}

/// Runs a program of `tests/clients` on what it is given; what it saw.
async fn ran(script: &str, given: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let mut child = Command::new(Path::new(&clients()).join("bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(given.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output()).await;
    let output = output.expect("the program ends in time").unwrap();
    assert!(output.status.success(), "the program failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A port nobody uses.
#[expect(clippy::disallowed_methods, reason = "the port is handed to a program at once")]
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_steers_rooms_and_trunks_and_is_told_by_webhook() {
    let sandbox = Sandbox::start().await.unwrap();
    let rooms = &sandbox.card.rooms;
    let port = free_port();
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
