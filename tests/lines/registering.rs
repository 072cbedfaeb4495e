//! A trunk that registers: one instance is the provider, the other its customer.

use crate::SOON;
use serde_json::{Value, json};
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, log, phone, phone_over, tone_file};
use strowger_tests::{Sandbox, eventually, process, tone};

/// A number of the provider's.
const OUTSIDE: &str = "+4930555";

async fn status(customer: &Sandbox, trunk: &str) -> anyhow::Result<Value> {
    customer.get(&format!("/api/trunks/{trunk}")).await
}

/// The customer's trunk to the provider, once it stands as it should.
async fn stands(customer: &Sandbox, trunk: &str, wanted: &str) {
    eventually(SOON, wanted, || async {
        let row = status(customer, trunk).await?;
        anyhow::ensure!(row["status"] == wanted, "{row}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_trunk_registers_and_carries_calls_both_ways() {
    carries_calls_both_ways("udp", &Sandbox::start().await.unwrap()).await;
}

/// As an installation that takes datagrams and TLS alone.
#[tokio::test]
async fn a_trunk_over_tcp_needs_no_listener_of_ours() {
    let customer = Sandbox::start_with(&[], &[("STROWGER__SIP__TCP", "")]).await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(customer.sip()).await.is_err(),
        "nobody listens"
    );
    carries_calls_both_ways("tcp", &customer).await;
}

async fn carries_calls_both_ways(transport: &str, customer: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let provider = Sandbox::start().await.unwrap();
    // What the provider sold: its third phone's line, reached at its extension.
    let line = &provider.card.devices[2];
    let (host, port) = provider.sip().rsplit_once(':').unwrap();
    let trunk = json!({
        "name": "Provider", "kind": "registration", "host": host, "port": port.parse::<u16>().unwrap(),
        "transport": transport, "username": line.user, "password": "not the password", "prefix": "+49",
    });
    let made = customer.post("/api/trunks", &trunk).await.unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    stands(customer, &id, "down").await;
    let reason = status(customer, &id).await.unwrap()["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| !reason.is_empty()), "{reason}");
    let path = format!("/api/trunks/{id}");
    let (answer, body) = customer
        .send(reqwest::Method::PATCH, &path, Some(&json!({"password": line.password})))
        .await
        .unwrap();
    assert!(answer.is_success(), "{body}");
    stands(customer, &id, "registered").await;

    // What either side's numbers lead to: the first phone of each.
    for (instance, number) in [(&provider, OUTSIDE), (customer, line.extension.as_str())] {
        let devices = instance.get("/api/devices").await.unwrap();
        let first = &instance.card.devices[0].user;
        let device = devices["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|device| device["username"] == first.as_str());
        let number = json!({"phone_number": number, "target": {"kind": "user", "id": device.unwrap()["user_id"]}});
        instance.post("/api/numbers/purchase", &number).await.unwrap();
    }
    let mut outside = phone(&provider, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), true)
        .await
        .unwrap();
    let mut inside = phone(customer, 0, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    for (number, direction) in [(OUTSIDE, "outbound"), (line.extension.as_str(), "inbound")] {
        let (caller, callee) = if direction == "outbound" {
            (&mut inside, &mut outside)
        } else {
            (&mut outside, &mut inside)
        };
        caller.dial(number).await.unwrap();
        caller.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
        callee.event_within("CALL_RTCP", SOON).await.unwrap();
        caller.hang_up().await.unwrap();
        callee.event_within("CALL_CLOSED", SOON).await.unwrap();
        eventually(SOON, direction, || async {
            let calls = log(customer).await?;
            let [call, ..] = calls.as_slice() else {
                anyhow::bail!("no call");
            };
            anyhow::ensure!(
                call["direction"] == direction && call["status"] == "completed",
                "{call}"
            );
            Ok(())
        })
        .await
        .unwrap();
        let heard = inside.heard_sound().unwrap();
        let talk = heard.part(0, 1.0, heard.seconds() - 0.5);
        tone::holds(talk, heard.rate_hz, CALLER_HZ, -30.0, 0.9).expect(direction);
    }
}

/// Both phones speak with a port that takes TLS alone, and are called over the connections that they made.
#[tokio::test]
async fn phones_register_and_call_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let listener = format!("127.0.0.1:{}", process::free_port().unwrap());
    let environment = [("STROWGER__SIP__TLS", listener.as_str())];
    let mut sandbox = Sandbox::start_with(&[], &environment).await.unwrap();
    sandbox.card.sip = listener;
    let speaks = |hertz| tone_file(folder.path(), hertz).unwrap();
    let mut caller = phone_over(&sandbox, 0, &speaks(CALLER_HZ), true, "tls").await.unwrap();
    let mut callee = phone_over(&sandbox, 1, &speaks(CALLEE_HZ), true, "tls").await.unwrap();
    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    caller.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();
    let heard = callee.heard_sound().unwrap();
    let talk = heard.part(0, 1.0, heard.seconds() - 0.5);
    tone::holds(talk, heard.rate_hz, CALLER_HZ, -30.0, 0.75).unwrap();
}
