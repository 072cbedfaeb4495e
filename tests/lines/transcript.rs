//! What the machine says stands in a transcript as the machine's, and ends where a person begins.

use crate::{SOON, flow_at, set};
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::scene::{only_call, phone, whole};
use strowger_tests::{Sandbox, eventually, speech, tone};

const TRANSCRIBED: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_word_of_the_machine_that_is_cut_off_stays_the_machines() {
    let sandbox = Sandbox::start().await.unwrap();
    set(
        &sandbox,
        json!({"auto_record_calls": true, "auto_transcribe_calls": true}),
    )
    .await;
    // A menu that goes on and on, so that a key cuts it off in the middle.
    let question = "Welcome to the Northwind trading company. For questions about deliveries and invoices please press \
                    the number one on your telephone at any time, or stay on the line.";
    let definition = json!({
        "nodes": [
            {"id": "start", "type": "start", "data": {}},
            {"id": "ask", "type": "menu", "data": {"message": question, "timeout": 5, "retries": 0}},
            {"id": "ring", "type": "dial", "data": {"number": "102", "timeout": 20}},
            {"id": "bye", "type": "hangup", "data": {}}
        ],
        "edges": [
            {"id": "1", "source": "start", "target": "ask"},
            {"id": "2", "source": "ask", "target": "ring", "label": "1"},
            {"id": "3", "source": "ask", "target": "bye", "label": "timeout"},
            {"id": "4", "source": "ask", "target": "bye", "label": "invalid"},
            {"id": "5", "source": "ring", "target": "bye", "label": "no-answer"}
        ]
    });
    flow_at(&sandbox, "+15550003000", definition).await;
    let said = "vm-intro";
    let speaks = speech::file(said).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let quiet = folder.path().join("silence.wav");
    tone::write(&quiet, 0.0, 60).unwrap();
    let mut caller = phone(&sandbox, 0, &quiet, false).await.unwrap();
    let mut callee = phone(&sandbox, 1, &speaks, true).await.unwrap();
    caller.dial("+15550003000").await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    eventually(SOON, "three seconds of the question", || async {
        let heard = caller.heard_sound()?;
        anyhow::ensure!(heard.seconds() > 3.0, "{:.1} s", heard.seconds());
        Ok(())
    })
    .await
    .unwrap();
    caller.press("1").await.unwrap();
    callee.event("CALL_ESTABLISHED").await.unwrap();
    // The phone hangs up when it has said all.
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let answered = |leg: &&Value| leg["side"] == "callee" && leg["answer_time"].is_string();
    assert_eq!(row["legs"].as_array().unwrap().iter().filter(answered).count(), 1);
    let segments = eventually(TRANSCRIBED, "the transcript", || async {
        let list = sandbox.get("/api/transcription").await?;
        let id = list["items"][0]["id"].as_str().unwrap_or_default().to_owned();
        anyhow::ensure!(!id.is_empty(), "no transcript yet");
        let one = sandbox.get(&format!("/api/transcription/{id}")).await?;
        let segments = one["segments"].as_array().cloned().unwrap_or_default();
        anyhow::ensure!(!segments.is_empty(), "{}", one["status"]);
        Ok(segments)
    })
    .await
    .unwrap();
    let by = |name: &str| -> String {
        let of = segments
            .iter()
            .filter(|segment| segment["speaker"].as_str() == Some(name));
        of.filter_map(|segment| segment["text"].as_str())
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let machine = by("System");
    assert!(machine.contains("welcome"), "{segments:?}");
    let person = by("Grace Hopper");
    assert!(speech::words(&person).len() > 5, "{segments:?}");
    for word in ["welcome", "company", "deliveries", "invoices"] {
        assert!(!person.contains(word), "“{word}” is the machine's: {person}");
    }
    let times = |name: &'static str, key: &'static str| {
        let of = segments.iter().filter(move |segment| segment["speaker"] == name);
        of.filter_map(move |segment| segment[key].as_i64())
    };
    let machine_ends = times("System", "end_ms").max().unwrap();
    let person_begins = times("Grace Hopper", "start_ms").min().unwrap();
    assert!(machine_ends <= person_begins, "{segments:?}");
}
