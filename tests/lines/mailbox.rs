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

/// When a beep of at least `least_s` ended, in seconds of what was heard.
fn beep_end(heard: &Sound, least_s: f64) -> Option<f64> {
    let windows = (heard.seconds() / WINDOW_S) as usize;
    let beeps: Vec<bool> = (0..windows)
        .map(|n| {
            let at = n as f64 * WINDOW_S;
            tone::level(heard.part(0, at, at + WINDOW_S), heard.rate_hz, BEEP_HZ) > -20.0
        })
        .collect();
    let long = (least_s / WINDOW_S) as usize;
    let start = beeps.windows(long).position(|part| part.iter().all(|beep| *beep))?;
    let end = start + beeps[start..].iter().take_while(|beep| **beep).count();
    Some(end as f64 * WINDOW_S)
}

/// Leaves a message of about `seconds` after the beep; how long it was, as the caller's own clock says.
async fn leaves_a_message(sandbox: &Sandbox, caller: &mut Baresip, seconds: u64) -> f64 {
    caller.dial(sandbox.number("bridge").unwrap()).await.unwrap();
    caller.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    let began = Instant::now();
    // What is heard is written in blocks: the end of the beep may come later than the beep.
    eventually(SOON, "the beep", || async {
        let heard = caller.heard_sound()?;
        beep_end(&heard, 0.1).ok_or_else(|| anyhow::anyhow!("no beep in {:.1} s", heard.seconds()))
    })
    .await
    .unwrap();
    tokio::time::interval_at(Instant::now() + Duration::from_secs(seconds), SOON)
        .tick()
        .await;
    caller.hang_up().await.unwrap();
    let whole = began.elapsed().as_secs_f64();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    let heard = caller.heard_sound().unwrap();
    let end = beep_end(&heard, 0.16).unwrap_or_else(|| panic!("no beep in {:.1} s", heard.seconds()));
    // Before the beep there was a greeting: somebody spoke for a second or more.
    let greeting = heard.part(0, 0.0, end - 0.4);
    let loud = greeting.iter().filter(|sample| sample.abs() > 0.02).count();
    assert!(loud > 4_000, "{loud} loud samples before the beep: no greeting");
    whole - end
}

async fn check(sandbox: &Sandbox, count: usize, spoke: f64) {
    let (newest, bytes) = eventually(SOON, "the message", || async {
        let all = messages(sandbox).await;
        anyhow::ensure!(all.len() == count, "{} messages", all.len());
        let url = all[0]["recording_url"].as_str().unwrap_or_default();
        Ok((all[0].clone(), sandbox.bytes(url).await?))
    })
    .await
    .unwrap();
    let audio = decode(&bytes, 8000).unwrap();
    let length = audio.seconds();
    assert!(
        (length - spoke).abs() < 0.2,
        "{length:.2} s of a message of {spoke:.2} s"
    );
    let told = newest["duration_seconds"].as_f64().unwrap();
    assert!((told - length).abs() < 1.0, "{told} s told of {length:.2} s");
    tone::holds(&audio.channels[0], audio.rate_hz, CALLEE_HZ, -35.0, 0.9).unwrap();
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
