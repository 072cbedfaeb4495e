//! Phones in rooms, with a stock client library as the host: everybody hears everybody else, PINs, keys,
//! being shown out and being called in.
//!
//! The host is the client library's own (`packaging/fetch-clients`); its folder is named by
//! `STROWGER_CLIENTS`, without which these tests say how to get it.

#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::program::{Program, given};
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, phone, tone_file};
use strowger_tests::{Sandbox, tone};

const SOON: Duration = Duration::from_secs(60);
const HOST_HZ: f64 = 700.0;

/// A host who is in a room.
async fn host_in(sandbox: &Sandbox, room: &str, mut wanted: Value) -> Program {
    wanted["room"] = json!(room);
    wanted["tone"] = json!(HOST_HZ);
    wanted["pitches"] = json!([CALLER_HZ, CALLEE_HZ, HOST_HZ]);
    let mut host = Program::start("desk.py", &given(sandbox, wanted)).await.unwrap();
    assert_eq!(host.says().await.unwrap()["joined"], true);
    host
}

/// A room of the demo tenant that is reached by PIN, and the number that asks for it.
async fn room_with_pin(sandbox: &Sandbox, pin: &str) -> (String, String) {
    let number = "+4940800800";
    let body = json!({"phone_number": number, "target": {"kind": "conference"}});
    sandbox.post("/api/numbers/purchase", &body).await.unwrap();
    // A new room is known to calls at once, and what was bought before it too.
    let room = json!({"name": "Friday", "pin": pin});
    let room = sandbox.post("/api/rooms", &room).await.unwrap();
    (room["id"].as_str().unwrap().to_owned(), number.to_owned())
}

fn hears(levels: &Value, hertz: f64) -> bool {
    let level = levels[&format!("{hertz:.1}")].as_f64();
    level.expect("a level for each pitch") > -40.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_comes_in_by_pin_hears_and_is_heard_and_is_shown_out() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (_, number) = room_with_pin(&sandbox, "4711").await;
    let wanted = json!({"phones": 1, "seconds": 8, "press": "5", "keys": 1, "remove": true});
    let mut host = host_in(&sandbox, "Friday", wanted).await;
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial(&number).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("11#").await.unwrap();
    caller.press("4711#").await.unwrap();
    // Two reports of baresip are ten seconds: the host speaks eight of them from the phone's coming in on.
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.press("7").await.unwrap();
    let said = host.says().await.unwrap();
    assert_eq!(said["keys"], json!(["7"]));
    let seen = &said["phones"][0];
    assert_eq!(seen["attributes"]["sip.callStatus"], "active");
    assert_eq!(
        seen["attributes"]["sip.phoneNumber"],
        sandbox.card.devices[0].extension.as_str()
    );
    assert!(hears(&seen["levels"], CALLER_HZ), "{seen}");
    assert!(!hears(&seen["levels"], HOST_HZ), "{seen}");
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    // While the host is heard there is nothing of the phone itself: beeps and texts were before.
    let heard = caller.heard_sound().unwrap();
    let window = (heard.rate_hz / 10) as usize;
    let parts = heard.part(0, 0.0, heard.seconds()).chunks_exact(window);
    let with_host: Vec<f64> = parts
        .filter(|part| tone::level(part, heard.rate_hz, HOST_HZ) > -30.0)
        .map(|part| tone::level(part, heard.rate_hz, CALLER_HZ))
        .collect();
    assert!(
        with_host.len() > 40,
        "the host was heard for {} windows",
        with_host.len()
    );
    let echo = with_host.iter().filter(|level| **level > -30.0).count();
    assert!(echo * 20 < with_host.len(), "the phone hears itself in {echo} windows");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_pins_end_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (_, number) = room_with_pin(&sandbox, "4711").await;
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    caller.dial(&number).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    caller.press("1#2#3#").await.unwrap();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_called_into_a_room_lands_there() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (room, _) = room_with_pin(&sandbox, "4711").await;
    let mut host = host_in(&sandbox, "Friday", json!({"phones": 1, "seconds": 4})).await;
    let mut callee = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let body = json!({
        "to": sandbox.card.devices[1].extension, "identity": "desk", "name": "Desk", "wait_until_answered": true,
    });
    let path = format!("/api/rooms/{room}/dial");
    let dialled = sandbox.post(&path, &body).await.unwrap();
    assert!(
        dialled["participant_id"].as_str().unwrap().starts_with("PA_"),
        "{dialled}"
    );
    let said = host.says().await.unwrap();
    assert_eq!(said["phones"][0]["identity"], "desk");
    assert!(hears(&said["phones"][0]["levels"], CALLEE_HZ), "{said}");
    let (status, _) = sandbox
        .send(
            Method::POST,
            &format!("/api/rooms/{room}/transfer"),
            Some(&json!({"identity": "nobody", "to": "101"})),
        )
        .await
        .unwrap();
    assert_eq!(status, 409);
    callee.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();
}
