//! Calls out through a provider, with the real daemon and SIPp as the provider, which answers our pings beside its
//! scenario.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::scene::{CALLER_HZ, channels, event_kinds, only_call, phone, tone_file, whole};
use strowger_tests::{Sandbox, eventually, process, sipp};

const SOON: Duration = Duration::from_secs(60);
const RECORDED: Duration = Duration::from_secs(60);
const OUTSIDE: &str = "+1234567890";

/// A sandbox with a provider that behaves as the scenario says.
async fn with_provider(scenario: &str, arguments: &[&str]) -> (Sandbox, sipp::Scenario) {
    let port = process::free_port().unwrap();
    let provider = sipp::provider(scenario, port, arguments).await.unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    (sandbox, provider)
}

fn length_ms(call: &Value, from: &str, to: &str) -> i128 {
    let at = |name: &str| {
        let text = call[name].as_str().unwrap();
        let parsed = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
        parsed.unwrap()
    };
    (at(to) - at(from)).whole_milliseconds()
}

#[tokio::test]
async fn a_program_calls_a_number_outside_and_gets_back_what_it_gave() {
    let (sandbox, provider) = with_provider("uas_talk", &["-d", "4000"]).await;
    let metadata = json!({"order": "A-7", "zeta": [1, 2.50, null], "alpha": {"ä": "€"}});
    let body = json!({
        "to": OUTSIDE, "from": sandbox.number("bridge").unwrap(), "record": true, "transcribe": true,
        "timeout": 60, "metadata": metadata,
    });
    let placed = sandbox.post("/api/calls/outbound", &body).await.unwrap();
    provider.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["id"], placed["id"]);
    let row = whole(&sandbox, &call).await.unwrap();
    assert_eq!(row["metadata"], metadata);
    let duration_ms = row["duration_ms"].as_i64().unwrap();
    assert!((3_000..=5_000).contains(&duration_ms), "{duration_ms} ms of talk");
    let sound = channels(&sandbox, &call, RECORDED).await.unwrap();
    let recorded_ms = sound.seconds() * 1000.0;
    assert!(
        (recorded_ms - duration_ms as f64).abs() < 500.0,
        "{recorded_ms} of {duration_ms} ms"
    );
}

#[tokio::test]
async fn a_busy_number_is_busy() {
    let (sandbox, provider) = with_provider("uas_busy", &[]).await;
    sandbox
        .post("/api/calls/outbound", &json!({"to": OUTSIDE}))
        .await
        .unwrap();
    provider.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "busy", SOON).await.unwrap();
    assert_eq!(call["hangup_cause"], "busy");
}

#[tokio::test]
async fn a_provider_that_cannot_take_the_call_fails_it() {
    let (sandbox, provider) = with_provider("uas_down", &[]).await;
    sandbox
        .post("/api/calls/outbound", &json!({"to": OUTSIDE}))
        .await
        .unwrap();
    provider.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "failed", SOON).await.unwrap();
    assert_eq!(call["hangup_cause"], "congestion");
}

#[tokio::test]
async fn a_number_that_nobody_picks_up_is_called_off_after_its_timeout() {
    // The scenario itself fails when CANCEL comes later than 3.3 s after the INVITE.
    let (sandbox, provider) = with_provider("uas_ring", &[]).await;
    let order = json!({"to": OUTSIDE, "timeout": 3});
    sandbox.post("/api/calls/outbound", &order).await.unwrap();
    provider.finish(SOON).await.unwrap();
    let call = only_call(&sandbox, "no_answer", SOON).await.unwrap();
    let rang_ms = length_ms(&whole(&sandbox, &call).await.unwrap(), "start_time", "end_time");
    assert!((3_000..=3_300).contains(&rang_ms), "{rang_ms} ms");
}

/// The flow of the definition, published and behind the sandbox's flow number.
async fn put_flow(sandbox: &Sandbox, definition: &Value) {
    let made = sandbox
        .post("/api/flows", &json!({"name": "Sample", "flow_definition": definition}))
        .await
        .unwrap();
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    assert_eq!(made["flow_definition"], *definition, "given back as it came");
    let nothing = json!({});
    sandbox.post(&format!("{path}/publish"), &nothing).await.unwrap();
    eventually(RECORDED, "the flow's texts", || async {
        let flow = sandbox.get(&path).await?;
        anyhow::ensure!(flow["is_active"] == true, "{flow}");
        anyhow::ensure!(flow["flow_definition"] == *definition, "{flow}");
        Ok(())
    })
    .await
    .unwrap();
    let number = sandbox.number("ivr").unwrap();
    let change = json!({"ivr_flow_id": made["id"]});
    let (status, answer) = sandbox
        .send(Method::PATCH, &format!("/api/numbers/{number}"), Some(&change))
        .await
        .unwrap();
    assert!(status.is_success(), "{answer}");
}

/// A phone calls the flow and presses 1 until the provider has played its part: a phone on a busy machine may lose a key.
async fn a_caller_presses_one(sandbox: &Sandbox, provider: sipp::Scenario, folder: &std::path::Path) {
    let mut caller = phone(sandbox, 0, &tone_file(folder, CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    let mut again = tokio::time::interval(Duration::from_secs(2));
    let mut played = std::pin::pin!(provider.finish(SOON));
    loop {
        // A tick that is dropped has pressed nothing.
        tokio::select! {
            ended = &mut played => break ended.unwrap(),
            _ = again.tick() => caller.press("1").await.unwrap(),
        }
    }
    caller.event("CALL_CLOSED").await.unwrap();
}

#[tokio::test]
async fn the_sample_flow_as_it_is_written_leads_to_the_number_outside() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, provider) = with_provider("uas_talk", &["-s", OUTSIDE, "-d", "1500"]).await;
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "menu1", "type": "menu", "data": {"message": "Press 1 for...", "options": {}}},
            {"id": "dial1", "type": "dial", "data": {"number": "+1234567890"}}
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "menu1"},
            {"id": "e2", "source": "menu1", "target": "dial1", "label": "1"}
        ]
    });
    put_flow(&sandbox, &definition).await;
    a_caller_presses_one(&sandbox, provider, folder.path()).await;
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let legs = whole(&sandbox, &call).await.unwrap()["legs"].clone();
    assert!(
        legs.as_array().unwrap().iter().all(|leg| leg["sip_call_id"] != ""),
        "{legs}"
    );
    let kinds = event_kinds(&sandbox, &call).await.unwrap();
    assert!(kinds.iter().any(|kind| kind == "bridge"), "{kinds:?}");
}

#[tokio::test]
async fn a_flow_takes_its_next_edge_when_nobody_outside_answers_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, provider) = with_provider("uas_ring", &[]).await;
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "menu", "type": "menu", "data": {"message": "Press one.", "options": {}}},
            {"id": "out", "type": "dial", "data": {"number": OUTSIDE, "timeout": 3}},
            {"id": "sorry", "type": "say", "data": {"message": "Nobody is there."}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "menu"},
            {"id": "2", "source": "menu", "target": "out", "label": "1"},
            {"id": "3", "source": "out", "target": "sorry", "label": "no-answer"},
            {"id": "4", "source": "sorry", "target": "bye"}
        ]
    });
    put_flow(&sandbox, &definition).await;
    a_caller_presses_one(&sandbox, provider, folder.path()).await;
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    assert!(
        row["events"].to_string().contains("no-answer → sorry"),
        "{}",
        row["events"]
    );
}
