//! Browsers in networks that are strict, narrow or away for a while.

use super::site::{Site, hear_each_other};
use super::{GUEST_HZ, HOST_HZ, IS_IN, OTHER, TROUBLE, knocks};
use serde_json::json;
use std::time::Duration;
use strowger_tests::chromium::Page;
use strowger_tests::{Chromium, minutes};
use tokio::time::Instant;

/// The page calls the line weak.
const WEAK: &str = "['warn', 'bad'].some((word) => document.querySelector('#line').classList.contains(word))";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_through_strict_networks_and_comes_back_after_a_black_out() {
    let _alone = strowger_tests::chromium::alone().await;
    let site = Site::open(&json!({"name": "Friday", "recording": "always"})).await;
    let (network, at_home) = (&site.network, site.network.inside());
    let (inside, outside) = tokio::join!(site.browser(Some(HOST_HZ), &at_home), site.browser(Some(GUEST_HZ), &[]));
    let colleague = site.comes_in(&outside, "Gil").await;

    let http = site.sandbox.card.http.rsplit(':').next().unwrap().parse().unwrap();
    network.only_tcp(&[http]).await.unwrap();
    says_what_is_blocked(&inside, &site.url).await;
    network.only_tcp(&[http, site.tls]).await.unwrap();
    comes_in(&site, &inside, &colleague, "RELAY OVER TLS").await;
    network.without_udp().await.unwrap();
    comes_in(&site, &inside, &colleague, "TCP").await;
    network.mend().await.unwrap();

    a_black_out(&site, &inside, &colleague).await;
}

/// With media and relay blocked the page says so, and what mends it.
async fn says_what_is_blocked(browser: &Chromium, url: &str) {
    let page = browser.page(url).await.unwrap();
    knocks(&page, "Ada").await;
    assert_eq!(page.until(TROUBLE).await.unwrap(), "ice_failed");
    let words = page.text().await;
    assert!(
        words.contains("a firewall blocks UDP") && words.contains("another network"),
        "{words}"
    );
    page.close().await.unwrap();
}

/// Somebody comes in that way, and both hear each other.
async fn comes_in(site: &Site, browser: &Chromium, colleague: &Page<'_>, way: &str) {
    let page = site.comes_in(browser, "Ada").await;
    hear_each_other(&page, colleague).await;
    page.until(&format!(
        "document.querySelector('#f-way').textContent.includes({way:?})"
    ))
    .await
    .unwrap();
    page.close().await.unwrap();
}

/// Twenty seconds of nothing: both see it, and go on within two seconds as the same participants of the same
/// meeting, in one recording.
async fn a_black_out(site: &Site, browser: &Chromium, colleague: &Page<'_>) {
    let page = site.comes_in(browser, "Ada").await;
    hear_each_other(&page, colleague).await;
    let sid = page.evaluate("meeting.room.localParticipant.sid").await.unwrap();
    site.network.cut().await.unwrap();
    let cut = Instant::now();
    let lost = format!("document.querySelector('{OTHER} .bars').dataset.q === 'lost'");
    colleague.until_within(&lost, Duration::from_secs(18)).await.unwrap();
    page.until_within(
        "['Line lost', 'Reconnecting'].includes(document.querySelector('#line').textContent)",
        Duration::from_secs(18),
    )
    .await
    .unwrap();
    // Nothing to wait for but the clock: the page's own.
    page.until(&format!(
        "new Promise((done) => setTimeout(() => done(true), {}))",
        20_000_u128.saturating_sub(cut.elapsed().as_millis())
    ))
    .await
    .unwrap();
    site.network.mend().await.unwrap();
    let back = Instant::now();
    for (one, hertz) in [(&page, GUEST_HZ), (colleague, HOST_HZ)] {
        one.until(&format!("test.levels([{hertz}], 250).then(([level]) => level > -50)"))
            .await
            .unwrap();
    }
    println!("after a black-out sound took {:?}", back.elapsed());
    assert_eq!(page.evaluate("meeting.room.localParticipant.sid").await.unwrap(), sid);
    let meeting = minutes::newest(&site.sandbox, "Friday").await.unwrap();
    assert_eq!(meeting["recordings"].as_array().unwrap().len(), 1);
    let ada = meeting["participants"].as_array().unwrap().iter();
    let ada: Vec<_> = ada.filter(|one| one["sid"] == sid).collect();
    assert!(ada.len() == 1 && ada[0]["left_at"].is_null(), "{ada:?}");
}

/// A browser that shares its machine makes large pictures only when it finds the time.
const SHARED: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_line_gets_a_smaller_picture_and_the_sound_goes_on() {
    let _alone = strowger_tests::chromium::alone().await;
    let site = Site::open(&json!({"name": "Friday"})).await;
    let (network, url) = (&site.network, &site.url);
    let at_home = network.inside();
    let (away, home) = tokio::join!(site.browser(Some(GUEST_HZ), &[]), site.browser(None, &at_home));
    let (shown, looks) = (away.page(url).await.unwrap(), home.page(url).await.unwrap());
    knocks(&shown, "Gil").await;
    knocks(&looks, "Ada").await;
    shown.until(IS_IN).await.unwrap();
    looks.until(IS_IN).await.unwrap();
    shown.click("#cam").await.unwrap();
    looks
        .until(&format!("document.querySelector('{OTHER} video')?.videoWidth"))
        .await
        .unwrap();
    // As large as the whole picture, so that the best layer is wanted; a busy machine may not manage to send it.
    looks
        .evaluate(&format!(
            "document.querySelector('{OTHER}').style.cssText = 'position:fixed;inset:0;width:1280px;height:720px'"
        ))
        .await
        .unwrap();
    let height = "test.received('video').then(([one]) => one?.height";
    looks.until_within(&format!("{height} >= 360)"), SHARED).await.unwrap();
    // One datagram in twenty is lost: the page says so within five seconds, and what it counts.
    network.lose(5).await.unwrap();
    let lossy = Instant::now();
    looks.until(WEAK).await.unwrap();
    println!("the page saw the loss after {:?}", lossy.elapsed());
    looks
        .until("parseFloat(document.querySelector('#f-loss').textContent) >= 2")
        .await
        .unwrap();
    network.mend().await.unwrap();
    looks.until(&format!("!({WEAK})")).await.unwrap();
    looks.until_within(&format!("{height} >= 360)"), SHARED).await.unwrap();

    network.narrow(300).await.unwrap();
    looks.until(&format!("{height} <= 180)")).await.unwrap();
    looks.hears(&[GUEST_HZ]).await.unwrap();
}
