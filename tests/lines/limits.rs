//! Calls that are seen while they run and end when they must.

use crate::{SOON, set};
use serde_json::json;
use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, log, only_call, phone, tone_file, whole};
use strowger_tests::{Sandbox, process, sipp, tone};
use tokio::time::Instant;

#[tokio::test]
async fn a_caller_hears_the_flow_and_stands_in_the_log_before_hanging_up() {
    let folder = tempfile::tempdir().unwrap();
    let port = process::free_port().unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    let scenario = sipp::start(
        "uac_call",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("ivr").unwrap(), "-d", "6000"],
    )
    .unwrap();
    let live = only_call(&sandbox, "active", SOON).await.unwrap();
    assert_eq!(live["direction"], "inbound");
    assert!(live["ended_at"].is_null(), "{live}");
    scenario.finish(SOON).await.unwrap();
    let over = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(over["id"], live["id"]);
    // The flow's voice, as a phone hears it.
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial(sandbox.number("ivr").unwrap()).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    caller.event("CALL_CLOSED").await.unwrap();
    let heard = caller.heard_sound().unwrap();
    let loud = heard.channels[0].iter().filter(|sample| sample.abs() > 0.02).count();
    assert!(loud > 8_000, "{loud} loud samples of a spoken welcome");
    assert!(
        tone::level(heard.part(0, 0.0, 4.0), heard.rate_hz, CALLER_HZ) < -45.0,
        "it is no echo"
    );
}

#[tokio::test]
async fn ten_seconds_are_the_most_and_both_ends_are_told_then() {
    let folder = tempfile::tempdir().unwrap();
    let port = process::free_port().unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    set(&sandbox, json!({"max_call_duration_seconds": 10})).await;
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let scenario = sipp::start(
        "uac_until_bye",
        sandbox.sip(),
        Some(port),
        &["-s", sandbox.number("bridge").unwrap()],
    )
    .unwrap();
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    let began = Instant::now();
    let of_callee = async {
        callee.event_within("CALL_CLOSED", SOON).await.unwrap();
        began.elapsed()
    };
    let of_caller = async {
        scenario.finish(SOON).await.unwrap();
        began.elapsed()
    };
    let (callee, caller) = tokio::join!(of_callee, of_caller);
    // SIPp says that it is done up to a second after its last message; the rows know the leg's own end.
    let right = Duration::from_millis(9_900)..Duration::from_millis(10_600);
    assert!(right.contains(&callee), "the callee's BYE came after {callee:?}");
    assert!(
        caller < Duration::from_secs(12),
        "the caller's BYE came before {caller:?}"
    );
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["hangup_cause"], "max_duration");
    let length = call["duration_ms"].as_i64().unwrap();
    assert!((10_000..10_500).contains(&length), "{length} ms");
    let legs = whole(&sandbox, &call).await.unwrap()["legs"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(legs.len(), 2);
    assert_eq!(legs[0]["ended_at"], legs[1]["ended_at"], "both at once");
    assert_eq!(log(&sandbox).await.unwrap().len(), 1);
}
