//! How soon nobody hears somebody who mutes themselves.

use super::{ADA_HZ, GRACE_HZ, SOON, at_the_phone, dials, is_idle, is_talking, moment};
use strowger_tests::chromium::Setup;
use strowger_tests::scene::{Sound, channels, only_call, phone, tone_file, whole};
use strowger_tests::{Chromium, Sandbox, tone};

/// Mutes and opens again five times, a second apart; when each was clicked.
const MUTE_AGAIN_AND_AGAIN: &str = "(async () => {
  const clicks = [];
  const button = document.getElementById('mute');
  const settled = (on) => new Promise((done) => {
    const look = () => (button.getAttribute('aria-pressed') === `${on}` ? setTimeout(done, 1000) : setTimeout(look, 5));
    look();
  });
  for (let round = 0; round < 5; round += 1) {
    const muted = Date.now();
    button.click();
    await settled(true);
    const open = Date.now();
    button.click();
    await settled(false);
    clicks.push([muted, open]);
  }
  return clicks;
})()";

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_mute_is_silence() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let steady = tone_file(folder.path(), ADA_HZ).unwrap();
    let setup = Setup {
        speaks: Some(&steady),
        ..Setup::default()
    };
    let hers = Chromium::start(&setup).await.unwrap();
    let ada = at_the_phone(&hers, &sandbox, "ada").await;
    // A steady tone, which noise suppression would take away, shows to the millisecond where it ends.
    ada.evaluate(
        "const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, voiceIsolation: false };
         const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
         navigator.mediaDevices.getUserMedia = ({ audio }) => real({ audio: { ...audio, ...plain } });",
    )
    .await
    .unwrap();
    let speaks = tone_file(folder.path(), GRACE_HZ).unwrap();
    let _desk = phone(&sandbox, 1, &speaks, true).await.unwrap();
    dials(&ada, "102").await;
    is_talking(&ada).await;
    ada.hears(&[GRACE_HZ]).await.unwrap();
    let clicks = ada.evaluate(MUTE_AGAIN_AND_AGAIN).await.unwrap();
    ada.click("#hangup").await.unwrap();
    is_idle(&ada).await;
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let answered = moment(&row, "answer_time");
    let sound = channels(&sandbox, &call, SOON).await.unwrap();
    let clicks: Vec<(f64, f64)> = clicks
        .as_array()
        .unwrap()
        .iter()
        .map(|click| {
            let at = |index: usize| {
                let millis = i128::from(click[index].as_i64().unwrap());
                let clicked = time::OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap();
                (clicked - answered).as_seconds_f64()
            };
            (at(0), at(1))
        })
        .collect();
    let silences = silences(&sound, clicks[0].0 - 0.5, clicks[4].1 + 1.0);
    assert_eq!(silences.len(), 5, "{silences:?} for clicks {clicks:?}");
    for ((muted, open), (from, to)) in clicks.iter().zip(&silences) {
        println!(
            "silence {:.2} s after the click, sound {:.2} s after",
            from - muted,
            to - open
        );
        // A second a click where nothing else runs; late but as long where much does.
        assert!(
            to - from > 0.6 && (from - muted).abs() < 1.0,
            "{silences:?} for clicks {clicks:?}"
        );
    }
}

/// When, in seconds, nothing is heard of her for longer than what a starved browser drops.
fn silences(sound: &Sound, from: f64, to: f64) -> Vec<(f64, f64)> {
    let step = 0.01;
    let mut found: Vec<(f64, f64)> = Vec::new();
    let mut at = from;
    while at < to {
        if tone::level(sound.part(0, at, at + step), sound.rate_hz, ADA_HZ) < -60.0 {
            match found.last_mut() {
                Some((_, end)) if at - *end < step / 2.0 => *end = at + step,
                Some(_) | None => found.push((at, at + step)),
            }
        }
        at += step;
    }
    found.retain(|(from, to)| to - from > 0.4);
    found
}
