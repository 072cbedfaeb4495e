//! Phones and browsers at home behind every kind of router: each hears and is heard.

use super::networks::{hear_each_other, sandbox_for, trusting};
use super::{GUEST_HZ, HOST_HZ, IS_IN, beeps, knocks, link, room};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::nat::{Home, Nat};
use strowger_tests::network::Network;
use strowger_tests::scene::{CALLEE_HZ, CALLER_HZ, phone, phone_at, tone_file};
use strowger_tests::{Baresip, Chromium, Sandbox, eventually, tone};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn behind_every_kind_of_router_a_phone_and_a_browser_hear_and_are_heard() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new().await.unwrap();
    let (sandbox, _) = sandbox_for(&network).await;
    let id = room(&sandbox, &json!({"name": "Friday"})).await;
    let (_, url) = link(&sandbox, &id).await;
    let (hers, his) = (beeps(folder.path(), HOST_HZ), beeps(folder.path(), GUEST_HZ));
    let trusting = trusting(&sandbox);
    let arguments = trusting.each_ref().map(String::as_str);
    let outside = Setup {
        speaks: Some(&his),
        arguments: &arguments,
        ..Setup::default()
    };
    let outside = Chromium::start(&outside).await.unwrap();
    let colleague = outside.page(&url).await.unwrap();
    knocks(&colleague, "Gil").await;
    colleague.until(IS_IN).await.unwrap();
    let mut caller = phone(&sandbox, 1, &tone_file(folder.path(), CALLER_HZ).unwrap(), false)
        .await
        .unwrap();
    for nat in [Nat::FullCone, Nat::Symmetric, Nat::Carrier] {
        let home = Home::behind(nat).await.unwrap();
        home.translates(nat, network.host()).await.unwrap();
        let at_home = home.inside();
        let inside = Setup {
            speaks: Some(&hers),
            arguments: &arguments,
            inside: &at_home,
            ..Setup::default()
        };
        tokio::join!(
            a_browser(&inside, &colleague, &url),
            a_phone(&home, &sandbox, folder.path(), &mut caller)
        );
        println!("{nat:?}: a phone and a browser");
    }
}

async fn a_browser(inside: &Setup<'_>, colleague: &Page<'_>, url: &str) {
    let browser = Chromium::start(inside).await.unwrap();
    let page = browser.page(url).await.unwrap();
    knocks(&page, "Ada").await;
    page.until(IS_IN).await.unwrap();
    hear_each_other(&page, colleague).await;
    page.close().await.unwrap();
}

/// It registers from home, is called there from outside, and both hear each other.
async fn a_phone(home: &Home, sandbox: &Sandbox, folder: &Path, caller: &mut Baresip) {
    let speaks = tone_file(folder, CALLEE_HZ).unwrap();
    let mut callee = phone_at(sandbox, 0, (&speaks, true, "udp"), Some(home)).await.unwrap();
    caller.forget();
    caller.dial(&sandbox.card.devices[0].extension).await.unwrap();
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
