//! Phones and browsers at home behind every kind of router: each hears and is heard.

use super::site::{Site, hear_each_other};
use super::{GUEST_HZ, HOST_HZ};
use serde_json::json;
use std::time::Duration;
use strowger_tests::chromium::Page;
use strowger_tests::nat::{Home, Nat};
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, phone, phone_at, tone_file};
use strowger_tests::{Baresip, eventually, tone};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn behind_every_kind_of_router_a_phone_and_a_browser_hear_and_are_heard() {
    let _alone = strowger_tests::chromium::alone().await;
    let site = Site::open(&json!({"name": "Friday"})).await;
    let outside = site.browser(Some(GUEST_HZ), &[]).await;
    let colleague = site.comes_in(&outside, "Gil").await;
    let speaks = tone_file(site.folder.path(), CALLER_HZ).unwrap();
    let mut caller = phone(&site.sandbox, 1, &speaks, false).await.unwrap();
    for nat in [Nat::FullCone, Nat::Symmetric, Nat::Carrier] {
        let home = Home::behind(nat).await.unwrap();
        home.translates(nat, site.network.host()).await.unwrap();
        tokio::join!(a_browser(&home, &site, &colleague), a_phone(&home, &site, &mut caller));
        println!("{nat:?}: a phone and a browser");
    }
}

async fn a_browser(home: &Home, site: &Site, colleague: &Page<'_>) {
    let browser = site.browser(Some(HOST_HZ), &home.inside()).await;
    let page = site.comes_in(&browser, "Ada").await;
    hear_each_other(&page, colleague).await;
    page.close().await.unwrap();
}

/// It registers from home, is called there from outside, and both hear each other.
async fn a_phone(home: &Home, site: &Site, caller: &mut Baresip) {
    let speaks = tone_file(site.folder.path(), CALLEE_HZ).unwrap();
    let callee = phone_at(&site.sandbox, 0, (&speaks, true, "udp"), Some(home));
    let mut callee = callee.await.unwrap();
    caller.forget();
    caller.dial(&site.sandbox.card.devices[0].extension).await.unwrap();
    caller.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    callee.event_within("CALL_ESTABLISHED", SOON).await.unwrap();
    for (who, hertz) in [(&*caller, CALLEE_HZ), (&callee, CALLER_HZ)] {
        eventually(SOON, "the other phone's voice", || async {
            let heard = who.heard_sound()?;
            let all = heard.part(0, 0.0, heard.seconds());
            let seconds = tone::seconds_above(all, heard.rate_hz, hertz, -30.0);
            anyhow::ensure!(seconds > 1.0, "{hertz} Hz for {seconds} s");
            Ok(())
        })
        .await
        .unwrap();
    }
    caller.hang_up().await.unwrap();
    callee.event_within("CALL_CLOSED", SOON).await.unwrap();
    caller.event_within("CALL_CLOSED", SOON).await.unwrap();
}
