//! A whole meeting: a host, a guest, and everything the page can do.

use super::{GUEST_HZ, HOST_HZ, IS_IN, OTHER, TROUBLE, at_the_door, beeps, knocks, link, press_for, room, speaking};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use strowger_tests::chromium::Page;
use strowger_tests::{Sandbox, eventually, minutes};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_host_and_a_guest_meet_on_the_page() {
    let _alone = strowger_tests::chromium::alone().await;
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let id = room(&sandbox, &json!({"name": "Friday", "waiting_room": true})).await;
    let (link_id, url) = link(&sandbox, &id).await;
    let (hers, his) = (beeps(folder.path(), HOST_HZ), beeps(folder.path(), GUEST_HZ));
    let (her_browser, his_browser) = tokio::join!(speaking(&hers), speaking(&his));
    let host = at_the_door(&her_browser, &sandbox, &id).await;
    host.click("#join").await.unwrap();
    host.until(IS_IN).await.unwrap();
    let guest = his_browser.page(&url).await.unwrap();
    knocks(&guest, "Gil").await;
    guest.until("main.dataset.view === 'wait'").await.unwrap();
    host.click("#show-people").await.unwrap();
    host.click("#knocks button").await.unwrap();
    guest.until(IS_IN).await.unwrap();

    they_hear_each_other(&host, &guest).await;
    they_write(&sandbox, &host, &guest).await;
    they_show(&host, &guest).await;
    the_host_mutes(&host, &guest).await;

    host.click("#lock").await.unwrap();
    host.until("document.querySelector('#lock').getAttribute('aria-pressed') === 'true'")
        .await
        .unwrap();
    let late = his_browser.page(&url).await.unwrap();
    knocks(&late, "Late").await;
    assert_eq!(late.until(TROUBLE).await.unwrap(), "room_locked");
    late.close().await.unwrap();
    host.click("#lock").await.unwrap();
    host.until("document.querySelector('#lock').getAttribute('aria-pressed') === 'false'")
        .await
        .unwrap();

    press_for(&host, "Gil", "Remove").await;
    guest.until("main.dataset.view === 'bye'").await.unwrap();
    assert!(guest.text().await.contains("The host showed you out."));
    // Who was shown out knocks again like everybody else.
    guest.click("#rejoin").await.unwrap();
    guest.until("main.dataset.view === 'wait'").await.unwrap();
    host.click("#knocks button").await.unwrap();
    guest.until(IS_IN).await.unwrap();
    guest
        .until("test.received('audio').then(([one]) => one?.got > 50)")
        .await
        .unwrap();

    host.click("[data-act=end]").await.unwrap();
    host.click("#sure-yes").await.unwrap();
    guest.until("main.dataset.view === 'bye'").await.unwrap();
    assert!(guest.text().await.contains("The host ended this meeting."));

    let path = format!("/api/guest-links/{link_id}");
    let (status, _) = sandbox.send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, 204);
    let status = format!("fetch({url:?}).then((answer) => answer.status)");
    assert_eq!(guest.evaluate(&status).await.unwrap(), 410);
    guest.open(&url).await.unwrap();
    assert!(guest.text().await.contains("This link is no longer valid"));
}

/// Each hears the other and not itself, loses nothing, sees who speaks and how good the line is.
async fn they_hear_each_other(host: &Page<'_>, guest: &Page<'_>) {
    for (page, own, other) in [(host, HOST_HZ, GUEST_HZ), (guest, GUEST_HZ, HOST_HZ)] {
        page.hears(&[other]).await.unwrap();
        let levels = page.levels(&[own]).await.unwrap();
        assert!(levels[0] < -55.0, "somebody hears themselves: {levels:?}");
        page.until(&format!(
            "document.querySelector({OTHER:?}).classList.contains('speaks')"
        ))
        .await
        .unwrap();
        page.until("['excellent', 'good'].includes(document.querySelector('#tiles .mine .bars').dataset.q)")
            .await
            .unwrap();
        // A microphone that measures its line in between is no loss.
        page.until("test.received('audio').then(([one]) => one.got > 400)")
            .await
            .unwrap();
        let received = page.evaluate("test.received('audio')").await.unwrap();
        let count = |what: &str| received[0][what].as_i64().unwrap();
        assert!(count("lost") * 10 < count("got"), "{received}");
    }
}

/// What the host writes is there, and is kept with the meeting.
async fn they_write(sandbox: &Sandbox, host: &Page<'_>, guest: &Page<'_>) {
    guest
        .evaluate(
            "globalThis.came = 0; new MutationObserver(() => { came ||= performance.timeOrigin + performance.now(); })
             .observe(document.querySelector('#lines'), { childList: true })",
        )
        .await
        .unwrap();
    host.click("#show-chat").await.unwrap();
    let mut fastest_ms = f64::INFINITY;
    for text in ["Good morning", "How are you?", "See you"] {
        guest.evaluate("came = 0").await.unwrap();
        host.fill("#text", text).await.unwrap();
        let sent = host
            .evaluate("document.querySelector('#write').requestSubmit(), performance.timeOrigin + performance.now()")
            .await
            .unwrap();
        let came = guest.until("came").await.unwrap();
        fastest_ms = fastest_ms.min(came.as_f64().unwrap() - sent.as_f64().unwrap());
        let is_there = format!("document.querySelector('#lines').textContent.includes({text:?})");
        assert_eq!(guest.evaluate(&is_there).await.unwrap(), true);
    }
    println!("the fastest message took {fastest_ms} ms");
    eventually(SOON, "the message in the minutes", || async {
        let chat = minutes::newest(sandbox, "Friday").await?["chat"].take();
        anyhow::ensure!(chat[0]["text"] == "Good morning", "{chat}");
        Ok(())
    })
    .await
    .unwrap();
}

/// The camera's picture arrives, and the screen's, often enough and legible.
async fn they_show(host: &Page<'_>, guest: &Page<'_>) {
    host.click("#cam").await.unwrap();
    guest
        .until(&format!("document.querySelector('{OTHER} video')?.videoWidth"))
        .await
        .unwrap();
    host.click("#cam").await.unwrap();
    host.click("#share").await.unwrap();
    guest
        .until("document.querySelector('#tiles .screen video')?.videoWidth")
        .await
        .unwrap();
    guest
        .until(
            "test.received('video').then((all) => all.some((one) => one.source === 'screen_share' && one.rate >= 5))",
        )
        .await
        .unwrap();
    host.click("#share").await.unwrap();
    guest.until("!document.querySelector('#tiles .screen')").await.unwrap();
    guest.evaluate("test.show()").await.unwrap();
    host.until("test.likeness('#tiles .screen video') >= 0.9")
        .await
        .unwrap();
    // A second screen beside the first takes nothing from it, and goes alone.
    host.click("#share").await.unwrap();
    let shown = |count: usize| {
        format!(
            "[...document.querySelectorAll('#tiles .screen video')].filter((one) => one.videoWidth).length === {count}"
        )
    };
    for page in [host, guest] {
        page.until(&shown(2)).await.unwrap();
    }
    host.click("#share").await.unwrap();
    for page in [host, guest] {
        page.until(&shown(1)).await.unwrap();
    }
}

/// Nothing of somebody muted by the host is heard, though their browser goes on sending.
async fn the_host_mutes(host: &Page<'_>, guest: &Page<'_>) {
    host.click("#show-people").await.unwrap();
    press_for(host, "Gil", "Mute").await;
    guest
        .until("document.querySelector('#mic').getAttribute('aria-pressed') === 'false'")
        .await
        .unwrap();
    let before = sent(guest).await;
    guest
        .evaluate(
            "[...meeting.room.localParticipant.audioTrackPublications.values()][0].track.sender.track.enabled = true",
        )
        .await
        .unwrap();
    eventually(SOON, "the hostile browser sends on", || async {
        anyhow::ensure!(sent(guest).await > before + 100.0);
        Ok(())
    })
    .await
    .unwrap();
    let levels = host.levels(&[GUEST_HZ]).await.unwrap();
    assert!(levels[0] < -55.0, "somebody muted is heard: {levels:?}");
    guest.click("#mic").await.unwrap();
    host.hears(&[GUEST_HZ]).await.unwrap();
}

/// Packets a page's microphone has sent.
async fn sent(page: &Page<'_>) -> f64 {
    let count = page
        .evaluate(
            "[...meeting.room.localParticipant.audioTrackPublications.values()][0].track.getRTCStatsReport()
             .then((all) => [...all.values()].find((one) => one.type === 'outbound-rtp').packetsSent)",
        )
        .await
        .unwrap();
    count.as_f64().unwrap()
}
