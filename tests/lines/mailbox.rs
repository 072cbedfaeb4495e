//! Messages: who is not there, does not answer or is busy, gets one as long as the caller spoke.

use crate::{SOON, set};
use serde_json::{Value, json};
use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, Sound, decode, phone, tone_file};
use strowger_tests::{Baresip, Sandbox, eventually, tone};
use tokio::time::Instant;

/// The beep before a message.
const BEEP_HZ: f64 = 1000.0;
const WINDOW_S: f64 = 0.02;

async fn messages(sandbox: &Sandbox) -> Vec<Value> {
    let body = sandbox.get("/api/voicemail/messages").await.unwrap();
    body["items"].as_array().cloned().unwrap_or_default()
}

/// When the beep ended, in seconds of what was heard; none before it has.
fn beep_end(heard: &Sound) -> Option<f64> {
    let windows = (heard.seconds() / WINDOW_S) as usize;
    let beeps: Vec<bool> = (0..windows)
        .map(|n| {
            let at = n as f64 * WINDOW_S;
            tone::level(heard.part(0, at, at + WINDOW_S), heard.rate_hz, BEEP_HZ) > -22.0
        })
        .collect();
    // A quarter of a second of nothing else: no speech does that.
    let long = (0.25 / WINDOW_S) as usize;
    let start = beeps.windows(long).position(|part| part.iter().all(|beep| *beep))?;
    let end = start + beeps[start..].iter().take_while(|beep| **beep).count();
    (end < beeps.len() || end * 2 > start).then_some(end as f64 * WINDOW_S)
}

/// Leaves a message of about `seconds` after the beep; how long it was, as the caller's own clock says.
async fn leaves_a_message(sandbox: &Sandbox, caller: &mut Baresip, seconds: u64) -> f64 {
    caller.dial(sandbox.number("bridge").unwrap()).await.unwrap();
    caller.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    let spoken = eventually(SOON, "the beep", || async {
        let heard = caller.heard_sound()?;
        let end = beep_end(&heard).ok_or_else(|| anyhow::anyhow!("no beep in {:.1} s", heard.seconds()))?;
        Ok((Instant::now(), end, heard))
    })
    .await
    .unwrap();
    let (seen, end, heard) = spoken;
    let began = seen - Duration::from_secs_f64((heard.seconds() - end).max(0.0));
    // Before the beep there was a greeting: somebody spoke for a second or more.
    let greeting = heard.part(0, 0.0, end - 0.4);
    let loud = greeting.iter().filter(|sample| sample.abs() > 0.02).count();
    assert!(loud > 4_000, "{loud} loud samples before the beep: no greeting");
    tokio::time::interval_at(began + Duration::from_secs(seconds), SOON)
        .tick()
        .await;
    caller.hang_up().await.unwrap();
    let spoke = began.elapsed().as_secs_f64();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    spoke
}

async fn check(sandbox: &Sandbox, count: usize, spoke: f64) {
    let newest = eventually(SOON, "the message", || async {
        let all = messages(sandbox).await;
        anyhow::ensure!(all.len() == count, "{} messages", all.len());
        let id = all[0]["id"].as_str().unwrap_or_default().to_owned();
        let one = sandbox.get(&format!("/api/voicemail/messages/{id}")).await?;
        anyhow::ensure!(one["recording_url"].is_string(), "{one}");
        Ok(one)
    })
    .await
    .unwrap();
    let length = newest["duration_ms"].as_f64().unwrap() / 1000.0;
    assert!(
        (length - spoke).abs() < 0.2,
        "{length:.2} s of a message of {spoke:.2} s"
    );
    let audio = decode(&sandbox.bytes(newest["recording_url"].as_str().unwrap()).await.unwrap()).unwrap();
    assert!(
        (audio.seconds() - length).abs() < 0.2,
        "{:.2} s of audio",
        audio.seconds()
    );
    assert!(tone::share_above(&audio.channels[0], audio.rate_hz, CALLEE_HZ, -35.0) > 0.9);
}

#[tokio::test]
async fn offline_no_answer_and_busy_are_three_messages_of_the_right_length() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    set(
        &sandbox,
        json!({"ring_timeout_seconds": 5, "auto_transcribe_voicemails": false}),
    )
    .await;
    let speaks = tone_file(folder.path(), CALLEE_HZ).unwrap();

    let mut caller = phone(&sandbox, 0, &speaks, false).await.unwrap();
    let spoke = leaves_a_message(&sandbox, &mut caller, 3).await;
    check(&sandbox, 1, spoke).await;

    let mut callee = phone(&sandbox, 1, &speaks, false).await.unwrap();
    let mut caller = phone(&sandbox, 0, &speaks, false).await.unwrap();
    let spoke = leaves_a_message(&sandbox, &mut caller, 4).await;
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();
    check(&sandbox, 2, spoke).await;

    // Whoever declines says busy.
    let mut caller = phone(&sandbox, 0, &speaks, false).await.unwrap();
    let declines = async {
        callee.event_within("CALL_INCOMING", SOON).await.unwrap();
        callee.hang_up().await.unwrap();
    };
    let (spoke, ()) = tokio::join!(leaves_a_message(&sandbox, &mut caller, 5), declines);
    check(&sandbox, 3, spoke).await;
}
