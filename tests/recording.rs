//! A meeting of stock clients is recorded, told apart and understood.
//!
//! Members are the client library's own (`packaging/fetch-clients`); their folder is named by
//! `STROWGER_CLIENTS`, without which these tests say how to get it.

#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::minutes::{RATE_HZ, recorded, sound};
use strowger_tests::{Sandbox, tone};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[expect(
    clippy::disallowed_methods,
    reason = "where the clients are is the test's environment"
)]
fn python() -> PathBuf {
    let folder = std::env::var("STROWGER_CLIENTS").expect("run packaging/fetch-clients and set STROWGER_CLIENTS");
    Path::new(&folder).join("bin/python")
}

async fn set(sandbox: &Sandbox, values: Value) {
    let body = json!({"values": values});
    let (status, answer) = sandbox.send(Method::PUT, "/api/settings", Some(&body)).await.unwrap();
    assert!(status.is_success(), "{answer}");
}

/// Holds a meeting and says what its members saw.
async fn hold(sandbox: &Sandbox, mut meeting: Value) -> Value {
    let rooms = &sandbox.card.rooms;
    meeting["url"] = json!(rooms.url);
    meeting["key"] = json!(rooms.api_key);
    meeting["secret"] = json!(rooms.api_secret);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/voices.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(meeting.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(240), child.wait_with_output())
        .await
        .expect("the members come to an end")
        .unwrap();
    assert!(output.status.success(), "the members failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether a tone is heard for at least a third of the time.
fn holds(samples: &[f32], hertz: f64) -> bool {
    tone::share_above(samples, RATE_HZ, hertz, -40.0) > 0.33
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mix_holds_every_voice_and_each_track_its_own() {
    let sandbox = Sandbox::start().await.unwrap();
    set(
        &sandbox,
        json!({"auto_record_rooms": true, "auto_transcribe_rooms": false}),
    )
    .await;
    let voices = json!([
        {"identity": "ada", "name": "Ada", "tone": 440},
        {"identity": "bob", "name": "Bob", "tone": 1000},
        {"identity": "cyd", "name": "Cyd", "tone": 1700},
    ]);
    let egress = json!([{"kind": "room"}, {"kind": "participant", "of": "bob"}, {"kind": "track", "of": "cyd"}]);
    let said = hold(
        &sandbox,
        json!({"room": "tones", "seconds": 6, "voices": voices, "chat": "hello", "egress": egress, "end": true}),
    )
    .await;
    assert_eq!(said["recording"], true, "members see that they are recorded");

    let one = recorded(&sandbox, "tones", |recording| recording["status"] == "ready")
        .await
        .unwrap();
    assert_eq!(one["peak_participants"], 3);
    assert_eq!(one["chat"][0]["text"], "hello");
    let members = one["participants"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert!(
        members.iter().all(|member| member["left_at"].is_string()),
        "{members:?}"
    );
    let recording = &one["recordings"][0];
    let mix = sound(&sandbox, &recording["audio_url"]).await.unwrap();
    for hertz in [440.0, 1000.0, 1700.0] {
        assert!(holds(&mix, hertz), "{hertz} Hz is missing in the mix");
    }
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 3);
    for track in tracks {
        let alone = sound(&sandbox, &track["audio_url"]).await.unwrap();
        let heard: Vec<&str> = [("Ada", 440.0), ("Bob", 1000.0), ("Cyd", 1700.0)]
            .into_iter()
            .filter(|(_, hertz)| holds(&alone, *hertz))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(heard, [track["name"].as_str().unwrap()]);
        assert_eq!(alone.len(), mix.len(), "tracks are aligned with the whole");
    }

    for (egress, wanted) in
        said["egress"]
            .as_array()
            .unwrap()
            .iter()
            .zip([&[440.0, 1000.0, 1700.0][..], &[1000.0], &[1700.0]])
    {
        // EGRESS_COMPLETE
        assert_eq!(egress["status"], 3, "{egress}");
        let file = sound(&sandbox, &egress["location"]).await.unwrap();
        let heard: Vec<f64> = [440.0, 1000.0, 1700.0]
            .into_iter()
            .filter(|hertz| holds(&file, *hertz))
            .collect();
        assert_eq!(heard, wanted, "{egress}");
        let seconds = egress["duration"].as_f64().unwrap() / 1e9;
        assert!((5.0..9.0).contains(&seconds), "{egress}");
        #[expect(clippy::cast_precision_loss, reason = "some seconds of samples")]
        let played = file.len() as f64 / f64::from(RATE_HZ);
        assert!((played - seconds).abs() < 0.02, "{played} is not {seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_carries_the_names_of_who_spoke() {
    let folder = tempfile::tempdir().unwrap();
    let said = [
        (
            "ada",
            "Ada",
            "Good morning everybody. The new printer has arrived this week.",
        ),
        (
            "bob",
            "Bob",
            "Thank you. I will send the invoice to the customer tomorrow.",
        ),
    ];
    let mut voices = Vec::new();
    for (identity, name, text) in said {
        let file = folder.path().join(format!("{identity}.wav"));
        let spoken = Command::new("espeak-ng")
            .args(["-v", "en-us", "-s", "150", "-w"])
            .arg(&file)
            .arg(text)
            .status();
        assert!(spoken.await.expect("apt install espeak-ng").success());
        voices.push(json!({"identity": identity, "name": name, "file": file}));
    }
    let sandbox = Sandbox::start().await.unwrap();
    set(&sandbox, json!({"auto_record_rooms": true})).await;
    hold(
        &sandbox,
        json!({"room": "talk", "seconds": 7, "voices": voices, "end": true}),
    )
    .await;

    let one = recorded(&sandbox, "talk", |recording| recording["summary"].is_string())
        .await
        .unwrap();
    let recording = &one["recordings"][0];
    let id = recording["transcription_id"].as_str().unwrap();
    let transcript = sandbox.get(&format!("/api/transcription/{id}")).await.unwrap();
    let segments = transcript["segments"].as_array().unwrap();
    let of = |name: &str| -> String {
        let own = segments.iter().filter(|segment| segment["speaker"] == name);
        own.filter_map(|segment| segment["text"].as_str())
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    assert!(
        of("Ada").contains("printer") && !of("Ada").contains("invoice"),
        "{segments:?}"
    );
    assert!(
        of("Bob").contains("invoice") && !of("Bob").contains("printer"),
        "{segments:?}"
    );
    assert!(!recording["summary"].as_str().unwrap().is_empty());
}
