//! A provider that falls silent.

use crate::SOON;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use strowger_tests::pings::Pings;
use strowger_tests::{Sandbox, eventually, process};
use tokio::time::Instant;

async fn trunk(sandbox: &Sandbox, status: &str) -> Value {
    eventually(SOON, status, || async {
        let list = sandbox.get("/api/trunks").await?;
        let trunk = list["items"][0].clone();
        anyhow::ensure!(trunk["status"] == status, "{trunk}");
        Ok(trunk)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_provider_that_stops_is_down_within_half_a_minute_and_its_history_is_kept() {
    let port = process::free_port().unwrap();
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let nobody = SocketAddr::from(([127, 0, 0, 1], process::free_port().unwrap()));
    let provider = Pings::start(here, nobody).await.unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &here.to_string()], &[]).await.unwrap();
    trunk(&sandbox, "up").await;

    drop(provider);
    let stopped = Instant::now();
    let down = trunk(&sandbox, "down").await;
    let took = stopped.elapsed();
    assert!(took <= Duration::from_secs(30), "known after {took:?}");
    assert!(down["reason"].is_string() && down["since"].is_string(), "{down}");

    let _provider = eventually(SOON, "the port again", || Pings::start(here, nobody))
        .await
        .unwrap();
    trunk(&sandbox, "up").await;
    let path = format!("/api/trunks/{}/history", down["id"].as_str().unwrap());
    let sum = |history: &Value, field: &str| -> i64 {
        let minutes = history["items"].as_array().into_iter().flatten();
        minutes.filter_map(|minute| minute[field].as_i64()).sum()
    };
    let history = sandbox.get(&path).await.unwrap();
    assert!(
        sum(&history, "answered") >= 2 && sum(&history, "missed") >= 1,
        "{history}"
    );
    // The alert: both turns stand among the tenant's notices, newest first.
    let notices = sandbox.get("/api/notices").await.unwrap();
    let kinds: Vec<_> = notices["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| notice["kind"].clone())
        .collect();
    assert_eq!(kinds, ["trunk_up", "trunk_down"], "{notices}");
}
