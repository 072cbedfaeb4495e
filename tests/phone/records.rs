//! A recording that is made on the phone page itself: both sides, sent after the call, whole in spite of a cut.

use super::{ADA_HZ, GRACE_HZ, SOON, at_the_phone, dials, is_idle, is_talking, speaking};
use reqwest::Method;
use serde_json::json;
use strowger_tests::scene::{channels, only_call, whole};
use strowger_tests::{Sandbox, chromium, tone};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_recorded_on_the_page_is_whole_in_spite_of_a_cut() {
    let _alone = chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let (her, other) = (
        speaking(folder.path(), ADA_HZ).await,
        speaking(folder.path(), GRACE_HZ).await,
    );
    // Nobody records there unless the administrator wants it.
    let ada = at_the_phone(&her, &sandbox, "ada").await;
    assert_eq!(ada.evaluate("'records' in main.dataset").await.unwrap(), false);
    ada.close().await.unwrap();
    let values = json!({"values": {"client_recordings": true, "auto_record_calls": false}});
    let (status, answer) = sandbox.send(Method::PUT, "/api/settings", Some(&values)).await.unwrap();
    assert!(status.is_success(), "{answer}");
    let ada = at_the_phone(&her, &sandbox, "ada").await;
    let grace = at_the_phone(&other, &sandbox, "grace").await;

    dials(&ada, &sandbox.card.devices[1].extension).await;
    grace.click("#accept").await.unwrap();
    is_talking(&ada).await;
    ada.hears(&[GRACE_HZ]).await.unwrap();
    ada.evaluate("test.cut(3)").await.unwrap();
    ada.click("#record").await.unwrap();
    ada.until("!document.getElementById('rec').hidden").await.unwrap();
    // The page's own clock says how long was recorded.
    let begun = "(globalThis.begun ??= performance.now())";
    ada.until(&format!("performance.now() - {begun} > 6000")).await.unwrap();
    ada.hears(&[GRACE_HZ]).await.unwrap();
    ada.click("#hangup").await.unwrap();
    is_idle(&ada).await;
    ada.until("test.cuts > 3 && document.getElementById('kept').textContent === 'The recording is with the call.'")
        .await
        .unwrap();

    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    let row = whole(&sandbox, &call).await.unwrap();
    let recording = row["recording_id"].as_str().unwrap();
    let recording = sandbox.get(&format!("/api/recordings/{recording}")).await.unwrap();
    assert_eq!(recording["recorded_by"], "client");
    let sound = channels(&sandbox, &call, SOON).await.unwrap();
    assert!(sound.seconds() > 5.0, "{} s", sound.seconds());
    for (channel, own, others) in [(0, ADA_HZ, GRACE_HZ), (1, GRACE_HZ, ADA_HZ)] {
        let side = sound.part(channel, 1.0, sound.seconds() - 0.5);
        let share = |hertz| tone::share_above(side, sound.rate_hz, hertz, -40.0);
        // Beeps: silence lies between them.
        assert!(share(own) > 0.2, "{own} Hz is not on side {channel}: {}", share(own));
        assert!(share(others) < 0.05, "{others} Hz is on side {channel}");
    }
    // Colleagues who were not in the call send nothing to it.
    let refused = grace
        .evaluate(
            "fetch('/api/uploads', { method: 'POST', headers: { 'upload-length': '4', 'x-csrf-token': main.dataset.csrf } })
             .then((answer) => answer.status)",
        )
        .await
        .unwrap();
    assert_eq!(refused, 403, "an import is for those who manage calls");
}
