//! Firefox beside Chromium: a meeting of both, and a call that it takes as a phone.

use super::site::Site;
use super::{GUEST_HZ, IS_IN, OTHER};
use serde_json::json;
use std::time::Duration;
use strowger_tests::scene::{CALLER_HZ, phone, tone_file};
use strowger_tests::{Firefox, eventually, tone};

/// What Firefox's microphone hears.
const FOX_HZ: u32 = 980;

#[tokio::test(flavor = "multi_thread")]
async fn firefox_and_chromium_meet_and_firefox_takes_a_call() {
    let _alone = strowger_tests::chromium::alone().await;
    let site = Site::open(&json!({"name": "Friday"})).await;
    let sandbox = &site.sandbox;
    let (chromium, firefox) = tokio::join!(site.browser(Some(GUEST_HZ), &[]), Firefox::start(&site.network, FOX_HZ));
    let firefox = firefox.unwrap();

    let guest = site.comes_in(&chromium, "Gil").await;
    firefox.open(&site.url).await.unwrap();
    firefox.fill("#name", "Fox").await.unwrap();
    firefox.click("#join").await.unwrap();
    firefox.until(IS_IN).await.unwrap();
    firefox.hears(GUEST_HZ).await.unwrap();
    guest.hears(&[f64::from(FOX_HZ)]).await.unwrap();
    let picture = format!("document.querySelector('{OTHER} video')?.videoWidth");
    firefox.click("#cam").await.unwrap();
    guest.until(&picture).await.unwrap();
    guest.click("#cam").await.unwrap();
    firefox.until(&picture).await.unwrap();
    firefox.click("#show-chat").await.unwrap();
    firefox.fill("#text", "Good morning").await.unwrap();
    firefox.click("#write .go").await.unwrap();
    guest
        .until("document.querySelector('#lines').textContent.includes('Good morning')")
        .await
        .unwrap();
    guest.close().await.unwrap();
    firefox.click("#leave").await.unwrap();
    firefox
        .until("document.querySelector('#main').dataset.view === 'bye'")
        .await
        .unwrap();

    let account = ("ada@sandbox.invalid", sandbox.card.admin.password.as_str());
    firefox.sign_in(&sandbox.card.http, account, "/phone").await.unwrap();
    firefox
        .until("document.getElementById('line').textContent === 'Ready'")
        .await
        .unwrap();
    let speaks = tone_file(site.folder.path(), CALLER_HZ).unwrap();
    let mut caller = phone(sandbox, 1, &speaks, false).await.unwrap();
    caller.dial(&sandbox.card.devices[0].extension).await.unwrap();
    firefox.click("#accept").await.unwrap();
    caller
        .event_within("CALL_ESTABLISHED", Duration::from_secs(60))
        .await
        .unwrap();
    firefox.hears(CALLER_HZ).await.unwrap();
    eventually(Duration::from_secs(60), "Firefox in the phone's ear", || async {
        let heard = caller.heard_sound()?;
        let all = heard.part(0, 0.0, heard.seconds());
        let seconds = tone::seconds_above(all, heard.rate_hz, f64::from(FOX_HZ), -40.0);
        anyhow::ensure!(seconds > 1.0, "{seconds} s");
        Ok(())
    })
    .await
    .unwrap();
    firefox.click("#hangup").await.unwrap();
    caller
        .event_within("CALL_CLOSED", Duration::from_secs(60))
        .await
        .unwrap();
}
