//! What stands before a recording, with real phones: who agrees is recorded from then on, who refuses is not.

use crate::{SOON, flow_at, set};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, channels, detail, log, only_call, phone, tone_file};
use strowger_tests::{Baresip, Sandbox, eventually, minutes, tone};

const NUMBER: &str = "+15550003000";

/// A sandbox that asks, with a flow that rings the second phone.
async fn asking() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    set(
        &sandbox,
        json!({"recording_consent": true, "recording_consent_seconds": 30}),
    )
    .await;
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "hello", "type": "say", "data": {"text": "One moment."}},
            {"id": "ring", "type": "dial", "data": {"number": "102", "timeout": 30}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "hello"},
            {"id": "2", "source": "hello", "target": "ring"}
        ]
    });
    // The question is spoken before the flow's own text, which was asked for later.
    flow_at(&sandbox, NUMBER, definition).await;
    sandbox
}

async fn phones(sandbox: &Sandbox, folder: &Path) -> (Baresip, Baresip) {
    let caller = phone(sandbox, 0, &tone_file(folder, CALLER_HZ).unwrap(), false).await;
    let callee = phone(sandbox, 1, &tone_file(folder, CALLEE_HZ).unwrap(), true).await;
    (caller.unwrap(), callee.unwrap())
}

/// Calls and answers the question with a key, again and again: a phone on a busy machine may lose one.
async fn answers(sandbox: &Sandbox, caller: &mut Baresip, key: &str) -> Value {
    caller.dial(NUMBER).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    let mut again = tokio::time::interval(Duration::from_secs(2));
    // The question is heard for a while.
    again.tick().await;
    for _ in 0..20 {
        again.tick().await;
        caller.press(key).await.unwrap();
        let calls = log(sandbox).await.unwrap();
        let row = detail(sandbox, &calls[0]).await.unwrap();
        if let Some(consent) = row["consents"].as_array().and_then(|all| all.first()) {
            return consent.clone();
        }
    }
    panic!("nobody took the key {key}");
}

#[tokio::test]
async fn who_agrees_is_recorded_from_the_key_on_and_the_proof_outlives_the_audio() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = asking().await;
    let (mut caller, mut callee) = phones(&sandbox, folder.path()).await;
    let consent = answers(&sandbox, &mut caller, "1").await;
    assert_eq!(
        (&consent["outcome"], &consent["digit"]),
        (&json!("agreed"), &json!("1"))
    );
    assert!(consent["text"].as_str().unwrap().contains("Press 1"), "{consent}");
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let sound = channels(&sandbox, &call, SOON).await.unwrap();
    let talk = call["duration_ms"].as_f64().unwrap() / 1000.0;
    let before = talk - sound.seconds();
    assert!(before > 0.5, "recorded {} s of {talk} s", sound.seconds());
    let all = sound.part(0, 0.5, sound.seconds());
    assert!(tone::share_above(all, sound.rate_hz, CALLER_HZ, -30.0) > 0.8);
    let row = detail(&sandbox, &call).await.unwrap();
    let recording = row["recording_id"].as_str().unwrap().to_owned();
    let recorded = sandbox.get(&format!("/api/recordings/{recording}")).await.unwrap();
    let at = |row: &Value, key: &str| {
        let form = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(row[key].as_str().unwrap(), form).unwrap()
    };
    assert!(
        at(&recorded, "created_at") >= at(&consent, "at"),
        "{recorded} {consent}"
    );

    let path = format!("/api/recordings/{recording}");
    let (status, answer) = sandbox.send(reqwest::Method::DELETE, &path, None).await.unwrap();
    assert!(status.is_success(), "{answer}");
    let row = detail(&sandbox, &call).await.unwrap();
    assert_eq!(row["consents"][0], consent, "the proof stays when the audio is gone");
    let kept = sandbox.get("/api/consents").await.unwrap();
    assert_eq!(kept["items"][0]["call_id"], call["id"]);
}

#[tokio::test]
async fn who_refuses_talks_on_and_nothing_of_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = asking().await;
    let (mut caller, mut callee) = phones(&sandbox, folder.path()).await;
    let consent = answers(&sandbox, &mut caller, "2").await;
    assert_eq!(
        (&consent["outcome"], &consent["digit"]),
        (&json!("refused"), &json!("2"))
    );
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_RTCP", SOON).await.unwrap();
    caller.hang_up().await.unwrap();
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["recording_id"], Value::Null, "{call}");
    let recordings = sandbox.get("/api/recordings").await.unwrap();
    assert_eq!(recordings["items"], json!([]));
    eventually(SOON, "what the callee heard", || async {
        let heard = callee.heard_sound()?;
        let all = heard.part(0, 1.0, heard.seconds());
        let share = tone::share_above(all, heard.rate_hz, CALLER_HZ, -30.0);
        anyhow::ensure!(share > 0.5, "the parties do not hear each other: {share}");
        Ok(())
    })
    .await
    .unwrap();
    let mut bytes = 0;
    for entry in std::fs::read_dir(Path::new(&sandbox.card.data_dir).join("captures")).unwrap() {
        bytes += entry.unwrap().metadata().unwrap().len();
    }
    assert_eq!(bytes, 0, "something was captured");
}

/// The outcomes of everybody who was asked, once there are so many; the phone presses its key again and again.
async fn outcome(sandbox: &Sandbox, phone: &mut Baresip, key: &str, count: usize) -> Vec<String> {
    let mut again = tokio::time::interval(Duration::from_secs(2));
    // The question is heard for a while.
    again.tick().await;
    for _ in 0..20 {
        again.tick().await;
        phone.press(key).await.unwrap();
        let kept = sandbox.get("/api/consents").await.unwrap();
        let kept = kept["items"].as_array().unwrap();
        if kept.len() == count {
            return kept
                .iter()
                .map(|one| one["outcome"].as_str().unwrap().to_owned())
                .collect();
        }
    }
    panic!("nobody took the key {key}");
}

#[tokio::test]
async fn in_a_recorded_room_the_phone_that_agrees_is_recorded_and_the_one_that_refuses_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = asking().await;
    let room = json!({"name": "Friday", "recording": "always"});
    let room = sandbox.post("/api/rooms", &room).await.unwrap();
    let number = "+15550003100";
    let body = json!({"phone_number": number, "target": {"kind": "room", "id": room["id"]}});
    sandbox.post("/api/numbers/purchase", &body).await.unwrap();
    let (mut agrees, mut refuses) = phones(&sandbox, folder.path()).await;
    agrees.dial(number).await.unwrap();
    agrees.event("CALL_ESTABLISHED").await.unwrap();
    assert_eq!(outcome(&sandbox, &mut agrees, "1", 1).await, ["agreed"]);
    refuses.dial(number).await.unwrap();
    refuses.event("CALL_ESTABLISHED").await.unwrap();
    let mut both = outcome(&sandbox, &mut refuses, "2", 2).await;
    both.sort();
    assert_eq!(both, ["agreed", "refused"]);
    let path = format!("/api/rooms/{}/participants", room["id"].as_str().unwrap());
    let people = sandbox.get(&path).await.unwrap();
    let people = people["participants"].as_array().unwrap();
    let unrecorded: Vec<&Value> = people.iter().map(|one| &one["unrecorded"]).collect();
    assert!(
        unrecorded.len() == 2 && unrecorded.contains(&&json!("refused")) && unrecorded.contains(&&Value::Null),
        "{people:?}"
    );
    refuses.event_within("CALL_RTCP", SOON).await.unwrap();
    refuses.event_within("CALL_RTCP", SOON).await.unwrap();
    refuses.hang_up().await.unwrap();
    agrees.hang_up().await.unwrap();

    let meeting = minutes::recorded(&sandbox, "Friday", |recording| recording["status"] == "ready")
        .await
        .unwrap();
    let recording = &meeting["recordings"][0];
    assert_eq!(recording["tracks"].as_array().unwrap().len(), 1, "{recording}");
    let mix = minutes::sound(&sandbox, &recording["audio_url"]).await.unwrap();
    let heard = |hertz| tone::seconds_above(&mix, minutes::RATE_HZ, hertz, -40.0);
    assert!(heard(CALLER_HZ) > 5.0, "who agreed is heard for {} s", heard(CALLER_HZ));
    assert!(
        heard(CALLEE_HZ) < 0.3,
        "who refused is heard for {} s",
        heard(CALLEE_HZ)
    );
}
