//! Meetings on the product's own page, in Debian's Chromium.

#![cfg(test)]

mod firefox;
mod meeting;
mod mixed;
mod nat;
mod networks;
mod sample;
mod site;
mod troubles;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::{Chromium, Sandbox, tone};

/// What the host's microphone hears.
const HOST_HZ: f64 = 620.0;
/// What the guest's microphone hears.
const GUEST_HZ: f64 = 1330.0;

/// What a page says of its trouble; empty while there is none.
const TROUBLE: &str =
    "(document.querySelector('#trouble').hidden ? '' : document.querySelector('#trouble').dataset.code)";

/// Whether the page is in the room.
const IS_IN: &str = "main.dataset.view === 'room'";

/// A tile of somebody else.
const OTHER: &str = "#tiles .camera:not(.mine)";

/// Another browser's voice, by frequency.
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

/// A guest's link: its id and its address.
async fn link(sandbox: &Sandbox, room: &str) -> (String, String) {
    let path = format!("/api/rooms/{room}/links");
    let link = sandbox.post(&path, &json!({"label": "Gil"})).await.unwrap();
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

/// Somebody with a link asks to come in.
async fn knocks(page: &Page<'_>, name: &str) {
    page.fill("#name", name).await.unwrap();
    page.click("#join").await.unwrap();
}

/// What one person of the list offers the host, pressed.
async fn press_for(host: &Page<'_>, name: &str, button: &str) {
    let found = format!(
        "[...document.querySelectorAll('#folk li')].find((row) => row.innerText.includes({name:?}))\
         ?.querySelectorAll('button')"
    );
    let there = format!("[...({found} ?? [])].find((one) => one.textContent.startsWith({button:?}))");
    host.until(&format!("Boolean({there})")).await.unwrap();
    host.evaluate(&format!("{there}.click()")).await.unwrap();
}
