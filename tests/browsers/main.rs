//! Meetings on the product's own page, in Debian's Chromium.

#![cfg(test)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::{Chromium, Sandbox, tone};

const HOST_HZ: f64 = 620.0;
const GUEST_HZ: f64 = 1330.0;

fn beeps(folder: &Path, hertz: f64) -> PathBuf {
    let path = folder.join(format!("beeps {hertz}.wav"));
    tone::write_beeps(&path, hertz, 20).unwrap();
    path
}

async fn speaking(file: &Path) -> Chromium {
    let setup = Setup {
        speaks: Some(file),
        ..Setup::default()
    };
    Chromium::start(&setup).await.unwrap()
}

async fn room(sandbox: &Sandbox, wanted: &Value) -> String {
    let room = sandbox.post("/api/rooms", wanted).await.unwrap();
    room["id"].as_str().unwrap().to_owned()
}

async fn link(sandbox: &Sandbox, room: &str) -> (String, String) {
    let link = sandbox
        .post(&format!("/api/rooms/{room}/links"), &json!({"label": "Gast"}))
        .await
        .unwrap();
    let text = |key: &str| link[key].as_str().unwrap().to_owned();
    (text("id"), text("url"))
}

/// The administrator, who is the host of every room, at the door of one.
async fn at_the_door<'a>(browser: &'a Chromium, sandbox: &Sandbox, room: &str) -> Page<'a> {
    let page = browser.page("about:blank").await.unwrap();
    let admin = &sandbox.card.admin;
    let account = (admin.email.as_str(), admin.password.as_str());
    page.sign_in(&sandbox.card.http, account, &format!("/meet/{room}"))
        .await
        .unwrap();
    page
}

async fn comes_in(page: &Page<'_>) {
    page.click("#join").await.unwrap();
    page.until("main.dataset.view === 'room'").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_and_a_guest_meet_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let id = room(&sandbox, &json!({"name": "Friday", "waiting_room": true})).await;
    let (_, url) = link(&sandbox, &id).await;
    let (hers, his) = (beeps(folder.path(), HOST_HZ), beeps(folder.path(), GUEST_HZ));
    let (her_browser, his_browser) = tokio::join!(speaking(&hers), speaking(&his));
    let host = at_the_door(&her_browser, &sandbox, &id).await;
    comes_in(&host).await;
    let guest = his_browser.page(&url).await.unwrap();
    guest.fill("#name", "Gil").await.unwrap();
    guest.click("#join").await.unwrap();
    guest.until("main.dataset.view === 'wait'").await.unwrap();
    host.click("#show-people").await.unwrap();
    host.click("#knocks button").await.unwrap();
    guest.until("main.dataset.view === 'room'").await.unwrap();
    let (she, he) = tokio::join!(host.hears(&[GUEST_HZ]), guest.hears(&[HOST_HZ]));
    she.unwrap();
    he.unwrap();
    for (page, own) in [(&host, HOST_HZ), (&guest, GUEST_HZ)] {
        let levels = page.levels(&[own]).await.unwrap();
        assert!(levels[0] < -55.0, "somebody hears themselves: {levels:?}");
    }
}
