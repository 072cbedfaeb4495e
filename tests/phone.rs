//! The phone in the browser, in Debian's Chromium: colleagues, phones, a provider, several windows, a program.

#![cfg(test)]

use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strowger_tests::chromium::{Page, Setup};
use strowger_tests::scene::{log, only_call};
use strowger_tests::{Chromium, Events, Sandbox, eventually, process, sipp, tone};

const ADA_HZ: f64 = 620.0;
const SOON: Duration = Duration::from_secs(60);
const OUTSIDE: &str = "+1234567890";

fn beeps(folder: &Path, hertz: f64) -> PathBuf {
    let path = folder.join(format!("beeps-{hertz}.wav"));
    tone::write_beeps(&path, hertz, 20).unwrap();
    path
}

async fn speaking(folder: &Path, hertz: f64) -> Chromium {
    let file = beeps(folder, hertz);
    let setup = Setup {
        speaks: Some(&file),
        ..Setup::default()
    };
    Chromium::start(&setup).await.unwrap()
}

/// Somebody of the demo tenant with an open phone, which rings from here on.
async fn at_the_phone<'a>(browser: &'a Chromium, sandbox: &Sandbox, who: &str) -> Page<'a> {
    let page = browser.page("about:blank").await.unwrap();
    let email = format!("{who}@sandbox.invalid");
    let account = (email.as_str(), sandbox.card.admin.password.as_str());
    page.sign_in(&sandbox.card.http, account, "/phone").await.unwrap();
    is_ready(&page).await;
    page
}

async fn is_ready(page: &Page<'_>) {
    page.until("document.getElementById('line').textContent === 'Ready'")
        .await
        .unwrap();
}

/// Dials.
async fn dials(page: &Page<'_>, to: &str) {
    page.fill("#to", to).await.unwrap();
    page.click("#dial").await.unwrap();
}

async fn is_talking(page: &Page<'_>) {
    page.until("phone.lines.some((one) => one.state === 'active' && one.here)")
        .await
        .unwrap();
}

async fn is_idle(page: &Page<'_>) {
    page.until("phone.lines.length === 0 && phone.room === null")
        .await
        .unwrap();
}

async fn last(page: &Page<'_>) -> String {
    let text = page.until("document.getElementById('last').textContent").await.unwrap();
    text.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_a_cancelled_one_and_a_missed_one_are_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let settings = json!({"values": {"enable_voicemail": false, "ring_timeout_seconds": 5}});
    let (status, answer) = sandbox
        .send(reqwest::Method::PUT, "/api/settings", Some(&settings))
        .await
        .unwrap();
    assert!(status.is_success(), "{answer}");
    let mut events = Events::listen(&sandbox, "").await.unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    let grace = at_the_phone(&browser, &sandbox, "grace").await;
    dials(&ada, "102").await;
    grace.click("#reject").await.unwrap();
    assert_eq!(last(&ada).await, "The callee refused the call.");
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "REJECTED"]);
    is_idle(&ada).await;
    dials(&ada, "102").await;
    grace.until("incoming.open").await.unwrap();
    ada.click("#hangup").await.unwrap();
    grace.until("!incoming.open").await.unwrap();
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "ENDED"]);
    is_idle(&ada).await;
    dials(&ada, "102").await;
    let seen = events.of_one_call().await.unwrap();
    assert_eq!(seen, ["CALL_STARTED", "RINGING", "MISSED"]);
    is_idle(&ada).await;
    dials(&ada, "nobody").await;
    assert_eq!(last(&ada).await, "Nobody has this number.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_a_number_outside_and_hears_and_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let port = process::free_port().unwrap();
    // What the provider hears comes straight back.
    let provider = sipp::provider("uas_talk", port, &["-s", OUTSIDE, "-d", "9000", "-rtp_echo"])
        .await
        .unwrap();
    let sandbox = Sandbox::start_with(&["--trunk", &format!("127.0.0.1:{port}")], &[])
        .await
        .unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    dials(&ada, OUTSIDE).await;
    is_talking(&ada).await;
    ada.hears(&[ADA_HZ]).await.unwrap();
    provider.finish(SOON).await.unwrap();
    is_idle(&ada).await;
    let call = only_call(&sandbox, "completed", SOON).await.unwrap();
    assert_eq!(call["direction"], "outbound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_takes_a_users_call_and_only_what_concerns_the_user_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let browser = speaking(folder.path(), ADA_HZ).await;
    let ada = at_the_phone(&browser, &sandbox, "ada").await;
    let devices = sandbox.get("/api/devices").await.unwrap();
    let user_of = |name: &str| {
        let mut all = devices["items"].as_array().unwrap().iter();
        let device = all.find(|device| device["username"] == name).unwrap();
        device["user_id"].as_str().unwrap().to_owned()
    };
    let (grace, alan) = (user_of("grace"), user_of("alan"));
    let mut hers = Events::listen(&sandbox, &format!("?userId={grace}&ring=true"))
        .await
        .unwrap();
    let mut his = Events::listen(&sandbox, &format!("?userId={alan}&ring=true"))
        .await
        .unwrap();
    dials(&ada, "102").await;
    let started = hers.next().await.unwrap();
    assert_eq!(
        (&started["eventType"], &started["calleeId"]),
        (&json!("CALL_STARTED"), &json!(grace))
    );
    assert_eq!(hers.next().await.unwrap()["eventType"], "RINGING");
    let call = started["payload"]["callId"].clone();
    let body = json!({"userId": grace, "callId": call});
    let stranger = json!({"userId": alan, "callId": call});
    let (status, _) = sandbox
        .send(reqwest::Method::POST, "/api/voip/accept", Some(&stranger))
        .await
        .unwrap();
    assert_eq!(status, 404);
    let ticket = sandbox.post("/api/voip/accept", &body).await.unwrap();
    assert!(ticket["token"].as_str().unwrap().len() > 40 && ticket["wsUrl"].as_str().unwrap().starts_with("ws://"));
    is_talking(&ada).await;
    let again = sandbox.post("/api/voip/token", &body).await.unwrap();
    assert_eq!(again["roomName"], ticket["roomName"]);
    sandbox.post("/api/voip/end", &body).await.unwrap();
    is_idle(&ada).await;
    let ended = loop {
        let event = hers.next().await.unwrap();
        if event["eventType"] == "ENDED" {
            break event;
        }
    };
    assert_eq!(ended["payload"]["callId"], call);
    // Alan hears of his own calls alone: the first is this one.
    let body = json!({"userId": alan, "to": "102"});
    let second = sandbox.post("/api/voip/start-call", &body).await.unwrap();
    assert_eq!(his.next().await.unwrap()["payload"]["callId"], second["callId"]);
    eventually(SOON, "both calls in the log", || async {
        let count = log(&sandbox).await?.len();
        anyhow::ensure!(count == 2, "{count} calls");
        Ok(())
    })
    .await
    .unwrap();
}
