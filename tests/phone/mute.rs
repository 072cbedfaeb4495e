//! How soon nobody hears somebody who mutes themselves.

use super::{ADA_HZ, GRACE_HZ, SOON, at_the_phone, dials, is_idle, is_talking, moment};
use strowger_tests::chromium::Setup;
use strowger_tests::scene::{channels, only_call, phone, tone_file, whole};
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
    let mut slow = Vec::new();
    for click in clicks.as_array().unwrap() {
        let at = |index: usize| {
            let millis = i128::from(click[index].as_i64().unwrap());
            let clicked = time::OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap();
            (clicked - answered).as_seconds_f64()
        };
        let (muted, open) = (at(0), at(1));
        let level = |from: f64, to: f64| tone::level(sound.part(0, from, to), sound.rate_hz, ADA_HZ);
        let parts = |from: f64, count: i32| {
            (0..count).map(move |n| level(from + f64::from(n) * 0.01, from + f64::from(n + 1) * 0.01))
        };
        // Short windows: a loaded machine drops some, and the clocks' agreement bends the pitch.
        let is_heard = |from: f64, to: f64| {
            let windows = ((to - from) / 0.05) as usize;
            let starts = (0..windows).map(|n| from + n as f64 * 0.05);
            let heard = starts.filter(|from| level(*from, from + 0.05) > -25.0).count();
            heard * 2 > windows
        };
        assert!(is_heard(muted - 0.5, muted), "she is heard before {click}");
        assert!(parts(muted + 0.7, 30).all(|level| level < -60.0), "heard after {click}");
        if !parts(muted + 0.1, 60).all(|level| level < -60.0) {
            slow.push(click);
        }
        assert!(is_heard(open + 0.3, open + 0.8), "she is heard again after {click}");
    }
    println!(
        "silence took longer than 100 ms after {} of 5 clicks: {slow:?}",
        slow.len()
    );
}
