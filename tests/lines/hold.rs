//! Holding and handing over.

use crate::SOON;
use std::time::Duration;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, Sound, event_kinds, only_call, phone, tone_file, two_phones};
use strowger_tests::{Sandbox, eventually, tone};

const THIRD_HZ: f64 = 1800.0;
const WINDOW_S: f64 = 0.04;

/// Whether a tone stands in each 40 ms of what was heard.
fn windows(heard: &Sound, hertz: f64) -> Vec<bool> {
    (0..(heard.seconds() / WINDOW_S) as usize)
        .map(|n| {
            let at = n as f64 * WINDOW_S;
            tone::level(heard.part(0, at, at + WINDOW_S), heard.rate_hz, hertz) > -20.0
        })
        .collect()
}

fn loud(heard: &Sound) -> Vec<bool> {
    (0..(heard.seconds() / WINDOW_S) as usize)
        .map(|n| {
            let part = heard.part(0, n as f64 * WINDOW_S, (n + 1) as f64 * WINDOW_S);
            part.iter().any(|sample| sample.abs() > 0.005)
        })
        .collect()
}

async fn until_heard(phone: &strowger_tests::Baresip, what: &str, is_there: impl Fn(&Sound) -> bool) {
    eventually(SOON, what, || async {
        let heard = phone.heard_sound()?;
        let end = heard.seconds();
        let last: Vec<String> = [CALLER_HZ, CALLEE_HZ, THIRD_HZ]
            .iter()
            .map(|hertz| {
                format!(
                    "{:.0}",
                    tone::level(heard.part(0, end - 1.0, end), heard.rate_hz, *hertz)
                )
            })
            .collect();
        anyhow::ensure!(is_there(&heard), "not in {end:.1} s, which end with {last:?} dBFS");
        Ok(())
    })
    .await
    .unwrap();
}

fn ends_with_tone(heard: &Sound, hertz: f64, seconds: f64) -> bool {
    let all = windows(heard, hertz);
    let count = (seconds / WINDOW_S) as usize;
    all.len() >= count && all[all.len() - count..].iter().all(|tone| *tone)
}

#[tokio::test]
async fn a_held_phone_hears_music_and_the_voice_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (mut caller, mut callee) = two_phones(&sandbox, folder.path()).await.unwrap();
    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    until_heard(&callee, "the caller", |heard| ends_with_tone(heard, CALLER_HZ, 1.0)).await;
    caller.command("hold", "").await.unwrap();
    let is_music = |heard: &Sound| {
        let (tone, loud) = (windows(heard, CALLER_HZ), loud(heard));
        let count = (3.0 / WINDOW_S) as usize;
        let from = tone.len().saturating_sub(count);
        tone.len() > count
            && !tone[from..].iter().any(|tone| *tone)
            && loud[from..].iter().filter(|is| **is).count() > count / 2
    };
    until_heard(&callee, "three seconds of music", is_music).await;
    caller.command("resume", "").await.unwrap();
    until_heard(&callee, "the caller again", |heard| {
        ends_with_tone(heard, CALLER_HZ, 1.0)
    })
    .await;
    until_heard(&caller, "the callee again", |heard| {
        ends_with_tone(heard, CALLEE_HZ, 1.0)
    })
    .await;
    caller.hang_up().await.unwrap();
    callee.event("CALL_CLOSED").await.unwrap();

    // Between the music and the voice lies less than 300 ms.
    let heard = callee.heard_sound().unwrap();
    let (tone, loud) = (windows(&heard, CALLER_HZ), loud(&heard));
    let last_quiet = tone.iter().rposition(|tone| !tone).unwrap_or(0);
    let back = (0..last_quiet)
        .rev()
        .find(|n| tone[*n..].iter().filter(|is| **is).count() < tone[*n..].len() / 2);
    let back = back.unwrap_or(0);
    let resumed = (back..tone.len())
        .find(|n| tone[*n..].iter().take(10).all(|is| *is))
        .unwrap();
    let music_ended = (0..resumed).rev().find(|n| loud[*n] && !tone[*n]).unwrap();
    let gap = (resumed - music_ended) as f64 * WINDOW_S;
    assert!(gap <= 0.3, "{gap:.2} s between music and voice");
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let kinds = event_kinds(&sandbox, &call).await.unwrap();
    assert!(
        kinds.iter().any(|kind| kind == "hold") && kinds.iter().any(|kind| kind == "resume"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_phone_hands_its_caller_to_a_colleague() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let mut caller = phone(&sandbox, 0, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    let mut first = phone(&sandbox, 1, &tone_file(folder.path(), CALLEE_HZ).unwrap(), true)
        .await
        .unwrap();
    let mut second = phone(&sandbox, 2, &tone_file(folder.path(), THIRD_HZ).unwrap(), true)
        .await
        .unwrap();
    caller.dial(&sandbox.card.devices[1].extension).await.unwrap();
    caller.event("CALL_ESTABLISHED").await.unwrap();
    until_heard(&caller, "the one called", |heard| ends_with_tone(heard, CALLEE_HZ, 1.0)).await;
    let to = format!("sip:{}@{}", sandbox.card.devices[2].extension, sandbox.sip());
    first.command("transfer", &to).await.unwrap();
    second.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    first.event_within("CALL_CLOSED", SOON).await.unwrap();
    until_heard(&caller, "the colleague", |heard| ends_with_tone(heard, THIRD_HZ, 1.0)).await;
    until_heard(&second, "the caller", |heard| ends_with_tone(heard, CALLER_HZ, 1.0)).await;
    second.hang_up().await.unwrap();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
    let call = only_call(&sandbox, "completed", Duration::from_secs(20)).await.unwrap();
    let kinds = event_kinds(&sandbox, &call).await.unwrap();
    assert!(kinds.iter().any(|kind| kind == "transfer"), "{kinds:?}");
}
